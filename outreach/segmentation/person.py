"""A rule asked of one person, in plain Python: what the property tests hold SQL against, and what `explain` shows.

It always says what sql.py says. A comparison with something unknown is false, and `not` turns exactly that around:
`not district is 4` is true of somebody whose district nobody knows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from outreach.events import Kind
from outreach.segmentation.fields import Catalogue, Field, Type
from outreach.segmentation.meaning import meaning
from outreach.segmentation.questions import (
    CAMPAIGN,
    DEPARTMENT,
    TOPIC,
    AllOf,
    Always,
    AnyOf,
    DayCount,
    DayRange,
    Has,
    LastSince,
    MailCount,
    NumberIs,
    NumberRange,
    OfField,
    OnSuppressionList,
    Opposite,
    Question,
    Subscribed,
    TextIs,
    TextLike,
    Total,
    YesNoIs,
    fold,
)
from outreach.segmentation.rules import CountKind, Rule


@dataclass(frozen=True, slots=True)
class Engagement:
    """One row of the roll-up: what a person did with mail of everybody, one department or one topic."""

    received: int = 0
    opens: int = 0
    clicks: int = 0
    unopened: int = 0
    last_sent_at: dt.datetime | None = None
    last_open_at: dt.datetime | None = None
    last_click_at: dt.datetime | None = None


NOTHING = Engagement()


@dataclass(frozen=True, slots=True)
class ActiveDay:
    """Campaigns opened, or links clicked, on one day (of the organisation's zone)."""

    event: Kind
    day: dt.date
    campaign_id: int
    department_id: int
    topic_id: int
    count: int


@dataclass(frozen=True, slots=True)
class Mail:
    """One message that was accepted for this person."""

    campaign_id: int
    department_id: int | None
    topic_id: int | None
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Person:
    """The facts that rules are about. `values` has what a field's column or attribute holds, by the field's name."""

    values: Mapping[str, object] = field(default_factory=dict)
    topics: frozenset[int] = frozenset()
    """Topics with a confirmed subscription."""
    suppressed: str | None = None
    """The reason, if the address is on the suppression list."""
    engagement: Mapping[tuple[int, int], Engagement] = field(default_factory=dict)
    """By (kind, id) of the scope, as in the store; (0, 0) is everything."""
    days: tuple[ActiveDay, ...] = ()
    mails: tuple[Mail, ...] = ()


def evaluate(rule: Rule | str, person: Person, catalogue: Catalogue, *, now: dt.datetime, zone: ZoneInfo) -> bool:
    """Whether the rule chooses this person. Raises RuleError."""
    return holds(meaning(rule, catalogue, today=now.astimezone(zone).date()), person, zone)


def holds(question: Question, person: Person, zone: ZoneInfo) -> bool:
    match question:
        case Always():
            return True
        case Opposite(part=part):
            return not holds(part, person, zone)
        case AllOf(parts=parts):
            return all(holds(part, person, zone) for part in parts)
        case AnyOf(parts=parts):
            return any(holds(part, person, zone) for part in parts)
        case Subscribed(topics=topics):
            return not person.topics.isdisjoint(topics)
        case OnSuppressionList():
            return person.suppressed is not None
        case Total(mailing=mailing, figure=figure):
            row = person.engagement.get((mailing.kind, mailing.id))
            return row is not None and _counted(getattr(row, figure), question.kind, question.number)
        case LastSince(mailing=mailing, latest=latest, first=first):
            last = getattr(person.engagement.get((mailing.kind, mailing.id), NOTHING), latest)
            return last is not None and last.astimezone(zone).date() >= first
        case DayCount() | MailCount():
            return _counted(times(question, person, zone), question.kind, question.number)
        case _:
            value = known_value(question.field, person)
            return value is not None and _answer(question, value, zone)


def times(question: DayCount | MailCount, person: Person, zone: ZoneInfo) -> int:
    """How often this person did what is counted."""
    if isinstance(question, DayCount):
        return sum(day.count for day in person.days if _counts(question, day))
    return sum(_reached(question, mail, zone) for mail in person.mails)


def known_value(one: Field, person: Person) -> str | float | bool | dt.datetime | dt.date | None:
    """What a person's field holds, as its type says; None if nothing, or something of another kind."""
    value = person.values.get(one.name)
    if isinstance(value, bool):
        return value if one.type is Type.YESNO else None
    if isinstance(value, int | float):
        if one.type in (Type.TEXT, Type.CHOICE):
            return str(value)
        if one.type is Type.YESNO:
            return bool(value) if one.column else None  # a slot holds 1 or 0; an attribute true or false
        return float(value) if one.type is Type.NUMBER else None
    if isinstance(value, str):
        if one.type in (Type.TEXT, Type.CHOICE):
            return value
        shaped = one.type is Type.DATE and len(value) >= 10 and value[4] == value[7] == "-"
        return value[:10] if shaped else None
    return value if isinstance(value, dt.datetime) and one.type is Type.DATE else None


def _answer(question: OfField, value: str | float | bool | dt.datetime | dt.date, zone: ZoneInfo) -> bool:
    match question, value:
        case TextIs(texts=texts), str():
            return fold(value) in texts
        case TextLike(likeness=likeness, text=text), str():
            tries = {"contains": text in fold(value), "starts with": fold(value).startswith(text)}
            return tries.get(likeness, fold(value).endswith(text))
        case NumberIs(numbers=numbers), float():
            return value in numbers
        case NumberRange(), float():
            return _in_range(question, value)
        case YesNoIs(wanted=wanted), bool():
            return value == wanted
        case DayRange(first=first, end=end), dt.datetime() | str():
            day = value if isinstance(value, str) else value.astimezone(zone).date().isoformat()
            return (first is None or day >= first.isoformat()) and (end is None or day < end.isoformat())
        case Has(), _:
            return value != ""
    return False


def _in_range(question: NumberRange, value: float) -> bool:
    low, high = question.low, question.high
    above = low is None or value > low or (question.low_too and value == low)
    return above and (high is None or value < high or (question.high_too and value == high))


def _counts(question: DayCount, day: ActiveDay) -> bool:
    mailing = question.mailing
    scopes = {DEPARTMENT: day.department_id, TOPIC: day.topic_id, CAMPAIGN: day.campaign_id}
    scoped = scopes.get(mailing.kind, mailing.id) == mailing.id
    return day.event is question.event and scoped and _between(day.day, question.first, question.end)


def _reached(question: MailCount, mail: Mail, zone: ZoneInfo) -> bool:
    mailing = question.mailing
    scopes = {DEPARTMENT: mail.department_id, TOPIC: mail.topic_id, CAMPAIGN: mail.campaign_id}
    scoped = scopes.get(mailing.kind, mailing.id) == mailing.id
    return scoped and _between(mail.at.astimezone(zone).date(), question.first, question.end)


def _between(day: dt.date, first: dt.date | None, end: dt.date | None) -> bool:
    return (first is None or day >= first) and (end is None or day < end)


def _counted(found: int, kind: CountKind, number: int) -> bool:
    if kind == "exactly":
        return found == number
    return found >= number if kind == "at least" else found <= number
