"""What a rule asks, once names are looked up and days are counted: questions with ready answers to compare.

SQL asks them of everybody at once (sql.py), the evaluator of one person (person.py). Each is either true or false for
every person: about something unknown the answer is false, and `Opposite` turns exactly that around.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from outreach.events import Kind
from outreach.segmentation.fields import Field
from outreach.segmentation.rules import CountKind, Likeness

Figure = Literal["opens", "clicks", "received", "unopened"]
Latest = Literal["last_open_at", "last_click_at", "last_sent_at"]


@dataclass(frozen=True, slots=True)
class Mailing:
    """Whose mail is counted. The kinds are those of `engagement.scope_kind`; 0 is everything."""

    kind: int = 0
    id: int = 0


EVERYTHING = Mailing()
DEPARTMENT, TOPIC, CAMPAIGN = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Always:
    """Everybody."""


@dataclass(frozen=True, slots=True)
class TextIs:
    """One of these texts, whatever the case of A to Z. `texts` are folded."""

    field: Field
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextLike:
    field: Field
    likeness: Likeness
    text: str


@dataclass(frozen=True, slots=True)
class NumberIs:
    field: Field
    numbers: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class NumberRange:
    """From `low` to `high`; None is no limit, and `low_too`/`high_too` say whether the limit itself belongs to it."""

    field: Field
    low: float | None = None
    high: float | None = None
    low_too: bool = True
    high_too: bool = True


@dataclass(frozen=True, slots=True)
class YesNoIs:
    field: Field
    wanted: bool


@dataclass(frozen=True, slots=True)
class DayRange:
    """From the first day up to but not including `end`; None is no limit."""

    field: Field
    first: dt.date | None
    end: dt.date | None


@dataclass(frozen=True, slots=True)
class Has:
    field: Field


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A confirmed subscription to at least one of these topics."""

    topics: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OnSuppressionList:
    """We may not write to this address at all."""


@dataclass(frozen=True, slots=True)
class Total:
    """A figure of the roll-up, over all time."""

    mailing: Mailing
    figure: Figure
    kind: CountKind
    number: int


@dataclass(frozen=True, slots=True)
class LastSince:
    """The latest open, click or mail is on this day or later."""

    mailing: Mailing
    latest: Latest
    first: dt.date


@dataclass(frozen=True, slots=True)
class DayCount:
    """Campaigns opened, or links clicked, added up over days."""

    event: Kind
    mailing: Mailing
    first: dt.date | None
    end: dt.date | None
    kind: CountKind
    number: int


@dataclass(frozen=True, slots=True)
class MailCount:
    """Messages the next hop accepted for this person on these days. Read from the ledger itself."""

    mailing: Mailing
    first: dt.date | None
    end: dt.date | None
    kind: CountKind
    number: int


@dataclass(frozen=True, slots=True)
class Opposite:
    part: Question


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one; of no parts at all, none: false."""

    parts: tuple[Question, ...]


OfField = TextIs | TextLike | NumberIs | NumberRange | YesNoIs | DayRange | Has
OfEngagement = Total | LastSince | DayCount | MailCount
Question = Always | OfField | Subscribed | OnSuppressionList | OfEngagement | Opposite | AllOf | AnyOf


_ASCII_FOLD = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def fold(text: str) -> str:
    """A to Z in lower case and nothing else, because that is what both databases can promise."""
    return text.translate(_ASCII_FOLD)
