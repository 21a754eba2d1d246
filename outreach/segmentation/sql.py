"""A question as one SQLAlchemy expression over the profile; every value is a bound parameter, and no SQL is text.

The expression is two-valued: it is never NULL, whoever the person, so `not` around it is its exact complement.
Shapes matter more than tables (1,000,000 people, SQLite):

* columns of the profile first, look-ups by key next, aggregates last: SQLite tests in the written order;
* "did at least …" as `IN (few people)`, 59 ms against 387 ms as EXISTS;
* one topic that everybody chosen has: from its people, not from all (`membership.wanted`; 50 against 490 ms);
* other memberships and every "not" as `[NOT] EXISTS` where a field has left few people to look up (180 against 330 ms
  for the largest topic), as `[NOT] IN` where it has not (140 against 450 ms).
"""

from __future__ import annotations

import datetime as dt
from enum import IntEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, FromClause, Select, and_, exists, false, func, not_, or_, select, true

from outreach.segmentation.columns import answer
from outreach.segmentation.fields import Catalogue
from outreach.segmentation.meaning import meaning
from outreach.segmentation.questions import (
    CAMPAIGN,
    DEPARTMENT,
    TOPIC,
    AllOf,
    Always,
    AnyOf,
    DayCount,
    LastSince,
    MailCount,
    Mailing,
    NumberIs,
    OnSuppressionList,
    Opposite,
    Question,
    Subscribed,
    TextIs,
    TextLike,
    Total,
)
from outreach.segmentation.rules import CountKind, Rule
from outreach.store.consent import CONFIRMED
from outreach.store.deliveries import State
from outreach.store.dialects import EPOCH
from outreach.store.membership import Wants, absent, among
from outreach.store.tables import (
    DATE_SLOTS,
    NUMBER_SLOTS,
    TEXT_SLOTS,
    campaign,
    delivery,
    engagement,
    engagement_day,
    profile,
    subscriber,
    subscription,
    suppression,
)

_LATE = dt.timedelta(days=30)
"""After its end a campaign's deliveries may still be settled (doubts resolved), but not for longer than this."""

_SLOTS = {name: place for place, name in enumerate((*TEXT_SLOTS, *NUMBER_SLOTS, *DATE_SLOTS), 1)}
_SCOPES = {DEPARTMENT: "department_id", TOPIC: "topic_id", CAMPAIGN: "campaign_id"}

Test = ColumnElement[bool]
_person = profile.c.subscriber_id


def compile_rule(rule: Rule | str, catalogue: Catalogue, *, now: dt.datetime, zone: ZoneInfo) -> Test:
    """A boolean expression over `tables.profile`: who the rule chooses at `now`, in the organisation's `zone`.

    Use it in a `where` over the profile. It says nothing about consent, suppression or whether a person is active.
    Raises RuleError.
    """
    question = meaning(rule, catalogue, today=now.astimezone(zone).date())
    return _Compiler(zone).compile(question)


class Left(IntEnum):
    """How many people the cheaper tests of the same sentence leave to be looked up."""

    EVERYBODY = 0
    SOME = 1
    FEW = 2


class _Compiler:
    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def compile(self, question: Question, *, no: bool = False, left: Left = Left.EVERYBODY) -> Test:
        """`no` asks for the complement; it is carried down to the tests, each of which knows its own."""
        match question:
            case Opposite(part=part):
                return self.compile(part, no=not no, left=left)
            case AllOf() | AnyOf():
                parts = sorted(_flat(question), key=_cost)
                every = isinstance(question, AllOf) != no
                if every:
                    left = max(left, *(_leaves(part, no=no) for part in parts), Left.EVERYBODY)
                tests = [self.compile(part, no=no, left=left) for part in parts]
                return and_(true(), *tests) if every else or_(false(), *tests)
            case Always():
                return false() if no else true()
            case Subscribed(topics=topics):
                return _subscribed(topics, no=no, left=left)
            case OnSuppressionList():
                return _suppressed(no=no)
            case Total() | LastSince():
                return self._figure(question, no=no, left=left)
            case DayCount():
                return _among(self._by_day(question), no=no)
            case MailCount():
                return _among(self._mails(question), no=no)
            case _:
                return answer(question, self.zone, no=no)

    def _figure(self, question: Total | LastSince, *, no: bool, left: Left) -> Test:
        if question.mailing.kind == 0:
            return self._holds(question, profile, no=no)
        scope = and_(engagement.c.scope_kind == question.mailing.kind, engagement.c.scope_id == question.mailing.id)
        test = self._holds(question, engagement, no=False)
        if no and left > Left.EVERYBODY:
            return not_(_exists(engagement, engagement.c.subscriber_id == _person, scope, test))
        return _among(select(engagement.c.subscriber_id).where(scope, test), no=no)

    def _holds(self, question: Total | LastSince, table: FromClause, *, no: bool) -> Test:
        if isinstance(question, Total):
            test = _counted(table.c[question.figure], question.kind, question.number)
            return not_(test) if no else test
        column = table.c[question.latest]
        start = midnight(question.first, self.zone)
        return or_(column.is_(None), column < start) if no else and_(column.is_not(None), column >= start)

    def _by_day(self, question: DayCount) -> Select[Any]:
        day = engagement_day.c.day
        people = select(engagement_day.c.subscriber_id).where(engagement_day.c.kind == int(question.event))
        if question.mailing.kind:
            people = people.where(engagement_day.c[_SCOPES[question.mailing.kind]] == question.mailing.id)
        if question.first is not None:
            people = people.where(day >= _number_of(question.first))
        if question.end is not None:
            people = people.where(day < _number_of(question.end))
        return _often(people, engagement_day.c.subscriber_id, func.sum(engagement_day.c.count), question)

    def _mails(self, question: MailCount) -> Select[Any]:
        people = select(delivery.c.subscriber_id).where(delivery.c.state == int(State.ACCEPTED))
        if question.mailing.kind == CAMPAIGN:
            people = people.where(delivery.c.campaign_id == question.mailing.id)
        else:
            people = people.join(campaign, campaign.c.id == delivery.c.campaign_id)
            people = self._only_campaigns(people, question.mailing, question.first, question.end)
        if question.first is not None:
            people = people.where(delivery.c.at >= midnight(question.first, self.zone))
        if question.end is not None:
            people = people.where(delivery.c.at < midnight(question.end, self.zone))
        return _often(people, delivery.c.subscriber_id, func.count(), question)

    def _only_campaigns(
        self, people: Select[Any], mailing: Mailing, first: dt.date | None, end: dt.date | None
    ) -> Select[Any]:
        """Leave out whole campaigns, without which the ledger of every campaign ever sent would be read."""
        if mailing.kind:
            people = people.where(campaign.c[_SCOPES[mailing.kind]] == mailing.id)
        if first is not None:
            finished = campaign.c.finished_at
            people = people.where(or_(finished.is_(None), finished >= midnight(first, self.zone) - _LATE))
        if end is not None:
            # Whichever was earlier: another system's campaigns were planned here when they were imported.
            last = midnight(end, self.zone)
            people = people.where(or_(campaign.c.planned_at < last, campaign.c.started_at < last))
        return people


def midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The moment a day begins in that zone."""
    return dt.datetime.combine(day, dt.time(), zone)


def _subscribed(topics: tuple[int, ...], *, no: bool, left: Left) -> Test:
    if not topics:
        return true() if no else false()
    column = subscription.c.topic_id
    named = column == topics[0] if len(topics) == 1 else column.in_(topics)
    if left is Left.FEW or (no and left is Left.SOME):
        test = _exists(subscription, subscription.c.subscriber_id == _person, named, subscription.c.status == CONFIRMED)
        test = not_(test) if no else test
    else:
        test = _among(select(subscription.c.subscriber_id).where(named, subscription.c.status == CONFIRMED), no=no)
    return test if no or len(topics) > 1 else Wants(topics[0], test, few=left is Left.FEW)


def _suppressed(*, no: bool) -> Test:
    """By address, which is what a suppression is of: one list, made once, is quicker than a look-up for everybody."""
    by_address = select(subscriber.c.id).join(suppression, suppression.c.address == subscriber.c.address)
    return _among(by_address, no=no)


def _exists(table: FromClause, *conditions: Test) -> Test:
    return exists(select(1).select_from(table).where(*conditions).correlate(profile))


def _among(people: Select[Any], *, no: bool = False) -> Test:
    return absent(people) if no else among(people)


def _often(
    people: Select[Any], person: ColumnElement[Any], total: ColumnElement[Any], asked: DayCount | MailCount
) -> Select[Any]:
    if (asked.kind, asked.number) == ("at least", 1):
        return people
    return people.group_by(person).having(_counted(total, asked.kind, asked.number))


def _counted(column: ColumnElement[Any], kind: CountKind, number: int) -> Test:
    if kind == "exactly":
        return column == number
    return column >= number if kind == "at least" else column <= number


def _number_of(day: dt.date) -> int:
    return (day - EPOCH.date()).days


def _flat(question: AllOf | AnyOf) -> list[Question]:
    """The parts, with those of a part of the same kind among them, so that SQL nests no deeper than it has to."""
    parts: list[Question] = []
    for part in question.parts:
        if isinstance(part, AllOf | AnyOf) and type(part) is type(question):
            parts += _flat(part)
        else:
            parts.append(part)
    return parts


def _leaves(question: Question, *, no: bool) -> Left:
    match question:
        case Opposite(part=part):
            return _leaves(part, no=not no)
        case TextIs() | NumberIs() if not no and question.field.column:
            return Left.FEW
        case LastSince() | Subscribed() | DayCount() | MailCount() if not no:
            return Left.SOME
    return Left.EVERYBODY


def _cost(question: Question) -> tuple[int, int]:
    """What a test costs, and of two that cost the same, how far back in the row its slot is: SQLite reads up to it."""
    match question:
        case AllOf(parts=parts) | AnyOf(parts=parts):
            return max((_cost(part) for part in parts), default=(0, 0))
        case Opposite(part=part):
            return _cost(part)
        case Subscribed():
            return 2, 0
        case OnSuppressionList():
            return 3, 0
        case Total(mailing=mailing) | LastSince(mailing=mailing):
            return (4, 0) if mailing.kind else (0, 0)
        case DayCount():
            return 6, 0
        case MailCount():
            return 7, 0
        case Always():
            return 0, 0
        case TextLike(field=field) if field.column:
            return 1, 0
        case _:
            return (0, _SLOTS.get(question.field.column, 0)) if question.field.column else (5, 0)
