"""The words a rule may use: fields with their types, and the names of topics, departments, campaigns and segments.

Names are found whatever their case and spacing. A name that is not there is an error that says what was probably
meant, never an empty audience.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from outreach.segmentation.errors import RuleError
from outreach.segmentation.hints import closest, meant
from outreach.segmentation.rules import Name

_T = TypeVar("_T")
_OTHER_WORDS = (
    "topic",
    "department",
    "segment",
    "opened",
    "clicked",
    "received",
    "ignored",
    "suppressed",
    "everyone",
)
"""What else a condition may begin with, and a misspelt field may have been."""
_LISTED = 8
"""So many names at most are shown when we say what there is."""


class Type(StrEnum):
    """What a field holds. The words are those of `field.type` in the store."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    YESNO = "yesno"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Field:
    """One word about a person.

    `column` is the profile's column that holds it. Without one it is read from the subscriber's attributes (or is
    the address itself, if `is_address`): right, but slower; `fields use NAME` gives it a column.
    """

    name: str
    type: Type
    column: str | None = None
    choices: tuple[str, ...] = ()
    is_address: bool = False


STANDARD = {
    one.name: one
    for one in (
        Field("email", Type.TEXT, is_address=True),
        Field("first_name", Type.TEXT),
        Field("last_name", Type.TEXT),
        Field("district", Type.TEXT),
        Field("zip", Type.TEXT),
        Field("language", Type.TEXT, column="locale"),
        Field("renter", Type.YESNO),
        Field("phone", Type.TEXT),
        Field("joined", Type.DATE, column="joined_at"),
    )
}
"""Every city has these; the store says which of them have a slot, and which others there are."""


@dataclass(frozen=True, slots=True)
class Topic:
    id: int
    name: str
    department_id: int | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything a rule may name, at one moment. Segments are texts, by name."""

    fields: Mapping[str, Field] = field(default_factory=lambda: dict(STANDARD))
    topics: tuple[Topic, ...] = ()
    departments: Mapping[str, int] = field(default_factory=dict)
    campaigns: Mapping[str, int] = field(default_factory=dict)
    begun: Mapping[int, dt.date] = field(default_factory=dict)
    """By campaign: the day before which nobody can have done anything with it. One that was imported was started
    long before it was planned here."""
    segments: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> tuple[str, ...]:
        """Every name, for recognising a misspelt one."""
        topics = (topic.name for topic in self.topics)
        return (*self.fields, *topics, *self.departments, *self.campaigns, *self.segments)

    def field_named(self, name: Name) -> Field:
        """The field; `first name` finds `first_name` too."""
        known = {_folded(one): value for one, value in self.fields.items()}
        wanted = _folded(name.text)
        found = known.get(wanted) or known.get(wanted.replace(" ", "_"))
        if found is None and wanted == "campaign":
            message = "ask what people did with a campaign: write received campaign …"
            raise RuleError(message, start=name.at[0], end=name.at[1])
        if found is None:
            raise _unknown("field", name, (*self.fields, *_OTHER_WORDS), listed=self.fields)
        return found

    def topic_named(self, name: Name) -> Topic:
        return _find("topic", name, {topic.name: topic for topic in self.topics})

    def department_named(self, name: Name) -> int:
        return _find("department", name, self.departments)

    def campaign_named(self, name: Name) -> int:
        return _find("campaign", name, self.campaigns)

    def segment_named(self, name: Name) -> str:
        """The segment's name as its file spells it."""
        return _find("segment", name, {one: one for one in self.segments})


def _find(kind: str, name: Name, known: Mapping[str, _T]) -> _T:
    wanted = _folded(name.text)
    for one, value in known.items():
        if _folded(one) == wanted:
            return value
    raise _unknown(kind, name, known, listed=known)


def _unknown(kind: str, name: Name, known: Iterable[str], *, listed: Iterable[str]) -> RuleError:
    start, end = name.at
    message = f'no {kind} is called "{name.text[:60]}"'
    if suggestion := closest(name.text, known):
        message += meant(suggestion)
    elif names := sorted(listed):
        shown = ", ".join(names[:_LISTED])
        message += f"; there are {shown}" + (" …" if len(names) > _LISTED else "")
    else:
        message += f"; there is no {kind} yet"
    return RuleError(message, start=start, end=end)


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
