"""Saved mappings, `imports/*.toml`: how one source's export is read, so that a month later it is one command.

# imports/parks.toml
source = "Parks registration, weekly export"
topic = "Parks"              # everybody in the file asked for it (needs a source)
complete = true              # the export names everybody: say who is gone from it
[columns]
"Work Email" = "email"
"Ward" = "district"
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from outreach.errors import UsageError

_KEYS: Final = {"source": str, "topic": str, "complete": bool, "columns": dict}


@dataclass(frozen=True, slots=True)
class Saved:
    """One file of imports/."""

    name: str
    source: str | None = None
    topic: str | None = None
    complete: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)


def load(folder: Path, name: str) -> Saved:
    """The mapping of that name. UsageError says what is wrong in the file, or which files there are."""
    path = folder / f"{name}.toml"
    known = sorted(found.stem for found in folder.glob("*.toml"))
    if name not in known:
        meant = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {meant[0]!r}?" if meant else f"there are {', '.join(known)}" if known else "it is empty"
        raise UsageError(f"no import is called {name!r} in {folder}; {hint}")
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    for key, value in document.items():
        if key not in _KEYS:
            raise UsageError(f"{path} sets {key!r}, which does not exist; there are {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]):
            raise UsageError(f"{path}: {key} must be {_KEYS[key].__name__}, not {value!r}")
    columns = document.get("columns", {})
    if any(not isinstance(target, str) for target in columns.values()):
        raise UsageError(f'{path}: each line under [columns] must look like "File column" = "field"')
    saved = Saved(name, document.get("source"), document.get("topic"), document.get("complete", False), columns)
    if saved.topic and not saved.source:
        raise UsageError(f"{path} has a topic and no source: consent is only worth what we know about its origin")
    return saved
