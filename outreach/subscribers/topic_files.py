"""Topics as files, `topics/*.toml`: what residents may choose, in their languages, and under which law it is sent.

    # topics/street-sweeping.toml
    name = "Parking & street sweeping"      # how campaigns and rules call it
    class = "regular"                       # or statutory: the law requires it; emergency: safety does
    department = "Public Works"
    group = "Streets"                       # how the page groups it; optional
    consent = "Notices about street sweeping and parking in your district."
    [names]
    es = "Estacionamiento y barrido de calles"
    [group_names]
    es = "Calles"

Once there are such files, the preference centre and the sign-up page offer these topics and no others; a
topic that an import has made is still shown to those who have it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from outreach.errors import UsageError
from outreach.store import topics

CLASSES: Final = ("regular", "statutory", "emergency")
_KEYS: Final = ("name", "class", "department", "group", "consent", "names", "group_names")


@dataclass(frozen=True, slots=True)
class TopicFile:
    """One file of topics/."""

    path: Path
    name: str
    message_class: str = "regular"
    department: str | None = None
    group: str | None = None
    consent: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    group_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        """What the store keeps beside name and class."""
        names, group_names = dict(self.names), dict(self.group_names)
        return {"names": names, "group": self.group, "group_names": group_names, "consent": self.consent}


def load(folder: Path) -> list[TopicFile]:
    """All files of a folder. UsageError names the file and what is wrong in it."""
    found = [_read(path) for path in sorted(folder.glob("*.toml"))]
    seen: dict[str, Path] = {}
    for each in found:
        key = topics.key(each.name)
        if key in seen:
            raise UsageError(f"{each.path} and {seen[key]} both describe {each.name!r}; keep one")
        seen[key] = each.path
    return found


def publish(connection: Connection, files: list[TopicFile]) -> int:
    """Bring the store to what the files say; how many topics changed. What is in no file stays as it is."""
    changed = 0
    for each in files:
        changed += topics.describe(
            connection,
            each.name,
            message_class=each.message_class,
            owner=each.department,
            document=each.document,
        )
    return changed


def _read(path: Path) -> TopicFile:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    for key in document:
        if key not in _KEYS:
            raise UsageError(f"{path} sets {key!r}, which does not exist; there are {', '.join(_KEYS)}")
    names, group_names = document.pop("names", {}), document.pop("group_names", {})
    tables = [each.values() if isinstance(each, dict) else [None] for each in (names, group_names)]
    texts = [*document.values(), *chain.from_iterable(tables)]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise UsageError(f'{path}: every value must be text in quotes, and [names] lines like es = "Vivienda"')
    name, kind = document.get("name", ""), document.get("class", "regular")
    if not name or len(name) > topics.MAX_NAME:
        raise UsageError(f'{path} has no name; say how campaigns call the topic: name = "Housing"')
    if kind not in CLASSES:
        raise UsageError(f"{path}: class is {kind!r}; it can be {', '.join(CLASSES)}")
    department, group, consent = (document.get(key) for key in ("department", "group", "consent"))
    return TopicFile(path, name, kind, department, group, consent, names, group_names)
