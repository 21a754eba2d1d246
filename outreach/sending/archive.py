"""What was said to whom, kept so that each mail can be made again byte for byte.

The words are kept once, with the plan. Here one line is kept for each message that was made: to whom, when, and the
values it printed, written before it is handed over. The first line of a file says under which addresses and keys. One
line is one person's, so that erasing somebody drops theirs.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from outreach.rendering.message import Recipient

FOLDER: Final = "archive"
"""In data/: a folder for each campaign, a file for each run of a worker."""
VERSION: Final = 1
_NAMES: Final = frozenset({"first_name", "last_name"})
"""What stands in To, whatever the text prints."""


@dataclass(frozen=True, slots=True)
class Made:
    """One message that was made; it may have been refused, and made again."""

    recipient: Recipient
    language: str
    at: dt.datetime
    terms: Mapping[str, Any]
    """The addresses and keys it was made under."""


class Archive:
    """One worker's file. A batch is one `write`, and the file is closed in between: an erasure may replace it."""

    def __init__(self, folder: Path, *, terms: Mapping[str, Any], fields: Mapping[str, Collection[str]]) -> None:
        self._path = folder / f"{uuid.uuid4().hex}.jsonl"
        self._terms, self._fields = terms, {language: sorted({*each, *_NAMES}) for language, each in fields.items()}

    def keep(self, language: str, recipients: Sequence[Recipient], *, at: dt.datetime) -> None:
        """Note that these people's messages were made at that second."""
        seconds, fields = int(at.timestamp()), self._fields[language]
        lines = []
        for person in recipients:
            get = person.attributes.get
            values = {field: value for field in fields if (value := get(field)) is not None}
            row = [person.subscriber_id, seconds, language, person.tracked, person.named, person.address, values]
            lines.append(json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_written))
        if not lines:
            return
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lines.insert(0, json.dumps({"version": VERSION, **self._terms}, sort_keys=True))
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


def read(folder: Path) -> Iterator[Made]:
    """Every message of a campaign that was made, file by file. A line that a crash cut short is left out."""
    for path in sorted(folder.glob("*.jsonl")):
        terms: dict[str, Any] = {}
        with path.open(encoding="utf-8", errors="replace") as file:  # the cut may go through a letter
            for line in file:
                try:
                    found = json.loads(line)
                except ValueError:
                    continue
                if isinstance(found, dict):
                    terms = found
                else:
                    yield _made(found, terms)


def _made(row: Sequence[Any], terms: Mapping[str, Any]) -> Made:
    number, seconds, language, tracked, named, address, values = row
    attributes = {name: _value(value) for name, value in values.items()}
    at = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return Made(Recipient(number, address, attributes, tracked, named), language, at, terms)


def _written(value: object) -> object:
    """Moments and days, which JSON does not know."""
    if isinstance(value, dt.date):
        return {"moment" if isinstance(value, dt.datetime) else "day": value.isoformat()}
    return str(value)


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        if "moment" in value:
            return dt.datetime.fromisoformat(value["moment"])
        if "day" in value:
            return dt.date.fromisoformat(value["day"])
    return value


def latest(made: Iterable[Made]) -> Made | None:
    """The message that counts, of one person's: the one that was made last."""
    return max(made, key=lambda each: each.at, default=None)
