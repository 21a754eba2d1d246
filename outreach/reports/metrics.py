"""The figures of one campaign. The unit is a person; what machines did is counted beside, never among them.

delivered    accepted, less those whose message came back within three days
opens        people whose mail program loaded the pixel; a lower bound, since many programs load no pictures.
             Their share is of those delivered to whom an open can be measured at all
clicks       people who followed at least one link
left         people whose last word on this campaign was to unsubscribe
complaints   people who pressed "spam"
answers      people by their last answer to the message's question

Opens and clicks are read from the events database, everything else from the main one.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Connection, Integer, cast, func, or_, select, type_coerce

from outreach.events import Flag, Kind
from outreach.rendering.questions import Question
from outreach.reports import words
from outreach.reports.balance import Balance
from outreach.reports.rates import Rate, rate
from outreach.reports.series import Grid, Series, grid, series
from outreach.store.deliveries import State
from outreach.store.dialects import to_ms
from outreach.store.engagement import by_a_person
from outreach.store.events import Held, Verdict
from outreach.store.tables import delivery, event, feedback

LATE_BOUNCE = dt.timedelta(hours=72)
NOBODY = 0
"""event.subscriber_id of a hit that is counted without the person (events.Choice.AGGREGATE)."""
_SOMEBODY = event.c.subscriber_id != NOBODY


@dataclass(frozen=True, slots=True)
class Acts:
    """Who did one kind of thing. `hits` are the requests behind `people`; the others are not in either."""

    people: int
    hits: int
    machine_hits: int
    unmeasurable: int
    """People of whom only hits are known that their mail program makes whether or not anybody reads."""
    anonymous_hits: int = 0
    """Hits of people who let themselves be counted, but not known: in `hits`, and in nobody's `people`."""


@dataclass(frozen=True, slots=True)
class LinkClicks:
    """Who followed one link. `url` is empty when the campaign's link table is not at hand."""

    number: int
    url: str
    people: int
    machine_hits: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to the message's question, and whose last word it is."""

    text: str
    people: int
    anonymous: int
    """Times it was given by people who want to be counted without a name: who answered twice is in it twice."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the message asked, and what was answered. `machine_hits` are in none of the answers."""

    question: str
    answers: tuple[Answer, ...]
    machine_hits: int

    @property
    def people(self) -> int:
        return sum(answer.people for answer in self.answers)

    @property
    def anonymous(self) -> int:
        return sum(answer.anonymous for answer in self.answers)


@dataclass(frozen=True, slots=True)
class Departures:
    """People who left through this campaign's links; `one_click` of them by their mail program's own button."""

    people: int
    everything: int
    one_click: int
    undone: int
    """Thought better of it, and are not in `people`."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything counted about one campaign."""

    delivered: int
    late_bounces: int
    opens: Acts
    clicks: Acts
    left: Departures
    complaints: int
    measurable: int
    """Delivered people whose opens can be measured: the others' mail programs load every picture."""
    accepted_rate: Rate
    open_rate: Rate
    click_rate: Rate
    leave_rate: Rate
    complaint_rate: Rate
    answer_rate: Rate
    links: tuple[LinkClicks, ...]
    answers: Answers | None
    """None if the message asks nothing."""
    accepted_over_time: Series | None
    opens_over_time: Series | None
    """Each person once, when they first opened; on the same grid as the clicks."""
    clicks_over_time: Series | None


def figures(
    main: Connection,
    events: Connection,
    campaign_id: int,
    *,
    balance: Balance,
    links: Sequence[str],
    zone: ZoneInfo,
    question: Question | None = None,
) -> Figures:
    """Count a campaign. `links` are its destinations in the order of their numbers; `zone` is for the steps of time."""
    accepted = balance[State.ACCEPTED]
    late = _late_bounces(main, campaign_id)
    delivered = accepted - late
    first = {kind: _first_acts(events, campaign_id, kind) for kind in (Kind.OPEN, Kind.CLICK)}
    opens, clicks = (_acts(events, campaign_id, kind, first[kind]) for kind in (Kind.OPEN, Kind.CLICK))
    left, complaints = _departures(main, campaign_id)
    answers = _answers(events, campaign_id, question) if question else None
    sent = _accepted_over_time(main, campaign_id, zone)
    shared = _shared_grid([*first[Kind.OPEN].values(), *first[Kind.CLICK].values()], sent, zone)
    return Figures(
        delivered=delivered,
        late_bounces=late,
        opens=opens,
        clicks=clicks,
        left=left,
        complaints=complaints,
        measurable=max(0, delivered - opens.unmeasurable),
        accepted_rate=rate(accepted, balance.attempted),
        open_rate=rate(opens.people, max(opens.people, delivered - opens.unmeasurable)),
        click_rate=rate(clicks.people, delivered),
        leave_rate=rate(left.people, delivered),
        complaint_rate=rate(complaints, accepted),
        answer_rate=rate(answers.people if answers else 0, delivered),
        links=_links(events, campaign_id, links),
        answers=answers,
        accepted_over_time=sent,
        opens_over_time=series(first[Kind.OPEN].values(), shared) if shared else None,
        clicks_over_time=series(first[Kind.CLICK].values(), shared) if shared else None,
    )


# --- opens and clicks -------------------------------------------------------------------------------------------


def _first_acts(events: Connection, campaign_id: int, kind: Kind) -> dict[int, dt.datetime]:
    """When each person first did it."""
    rows = events.execute(
        select(event.c.subscriber_id, func.min(event.c.at, type_=event.c.at.type))
        .where(event.c.campaign_id == campaign_id, event.c.kind == kind.value, by_a_person(), _SOMEBODY)
        .group_by(event.c.subscriber_id)
    )
    return {person: at for person, at in rows}  # noqa: C416 - dict() would lose the types


def _acts(events: Connection, campaign_id: int, kind: Kind, first: dict[int, dt.datetime]) -> Acts:
    of_kind = (event.c.campaign_id == campaign_id, event.c.kind == kind.value)
    hits: Counter[int] = Counter()
    for verdict, count in events.execute(
        select(event.c.verdict, func.count()).where(*of_kind).group_by(event.c.verdict)
    ):
        hits[verdict] = count
    blurred = events.execute(
        select(event.c.subscriber_id)
        .where(*of_kind, event.c.verdict == Verdict.NOT_MEASURABLE.value, _SOMEBODY)
        .distinct()
    ).scalars()
    anonymous = events.execute(
        select(func.count()).select_from(event).where(*of_kind, by_a_person(), event.c.subscriber_id == NOBODY)
    ).scalar_one()
    return Acts(
        people=len(first),
        hits=hits[Verdict.UNJUDGED] + hits[Verdict.PERSON],
        machine_hits=hits[Verdict.MACHINE],
        unmeasurable=sum(person not in first for person in blurred),
        anonymous_hits=anonymous,
    )


def _links(events: Connection, campaign_id: int, urls: Sequence[str]) -> tuple[LinkClicks, ...]:
    clicks = (event.c.campaign_id == campaign_id, event.c.kind == Kind.CLICK.value)
    people, machines = Counter[int](), Counter[int]()
    for link, count in events.execute(
        select(event.c.link, func.count(event.c.subscriber_id.distinct()))
        .where(*clicks, by_a_person(), _SOMEBODY)
        .group_by(event.c.link)
    ):
        people[link] = count
    for link, count in events.execute(
        select(event.c.link, func.count())
        .where(*clicks, event.c.verdict == Verdict.MACHINE.value)
        .group_by(event.c.link)
    ):
        machines[link] = count
    numbers = sorted({*range(len(urls)), *people, *machines})
    return tuple(
        LinkClicks(number, urls[number] if number < len(urls) else "", people[number], machines[number])
        for number in numbers
    )


def _answers(events: Connection, campaign_id: int, question: Question) -> Answers:
    given = (event.c.campaign_id == campaign_id, event.c.kind == Kind.ANSWER.value)
    last: dict[int, int] = {}
    anonymous = Counter[int]()
    for person, number in events.execute(
        select(event.c.subscriber_id, event.c.link)
        .where(*given, by_a_person())
        .order_by(event.c.at, event.c.spool, event.c.sequence)
    ):
        if person == NOBODY:
            anonymous[number] += 1
        else:
            last[person] = number
    people = Counter(last.values())
    machines = events.execute(
        select(func.count()).select_from(event).where(*given, event.c.verdict == Verdict.MACHINE.value)
    ).scalar_one()
    answers = tuple(
        Answer(words.plain(text, longest=200), people[number], anonymous[number])
        for number, text in enumerate(question.answers)
    )
    return Answers(words.plain(question.text, longest=200), answers, machines)


# --- the ledger and what came back ------------------------------------------------------------------------------


def _late_bounces(main: Connection, campaign_id: int) -> int:
    """People whose message was accepted, and came back for good within LATE_BOUNCE."""
    rows = main.execute(
        select(feedback.c.subscriber_id, feedback.c.at, feedback.c.detail, delivery.c.at)
        .join(
            delivery,
            (delivery.c.campaign_id == feedback.c.campaign_id) & (delivery.c.subscriber_id == feedback.c.subscriber_id),
        )
        .where(
            feedback.c.campaign_id == campaign_id,
            feedback.c.kind == Kind.BOUNCE.value,
            delivery.c.state == State.ACCEPTED.value,
        )
    )
    return len(
        {
            person
            for person, bounced, detail, accepted in rows
            if bounced - accepted <= LATE_BOUNCE and _detail(detail).get("hard", True)
        }
    )


def _departures(main: Connection, campaign_id: int) -> tuple[Departures, int]:
    """Who left, by their last word; and how many complained."""
    rows = main.execute(
        select(feedback.c.kind, feedback.c.subscriber_id, feedback.c.flags, feedback.c.detail)
        .where(
            feedback.c.campaign_id == campaign_id,
            or_(feedback.c.held.is_(None), feedback.c.held == Held.ACCEPTED.value),
        )
        .order_by(feedback.c.at, feedback.c.id)
    )
    left: dict[int, tuple[bool, bool]] = {}
    undone: set[int] = set()
    complained: set[int] = set()
    for kind, person, flags, detail in rows:
        if kind == Kind.UNSUBSCRIBE:
            left[person] = (bool(_detail(detail).get("all")), bool(flags & Flag.ONE_CLICK))
            undone.discard(person)
        elif kind == Kind.UNDO and left.pop(person, None):
            undone.add(person)
        elif kind == Kind.COMPLAINT:
            complained.add(person)
    everything, one_click = (sum(marks[place] for marks in left.values()) for place in (0, 1))
    return Departures(len(left), everything, one_click, len(undone)), len(complained)


def _accepted_over_time(main: Connection, campaign_id: int, zone: ZoneInfo) -> Series | None:
    accepted = (delivery.c.campaign_id == campaign_id, delivery.c.state == State.ACCEPTED.value)
    first, last = main.execute(
        select(
            func.min(delivery.c.at, type_=delivery.c.at.type), func.max(delivery.c.at, type_=delivery.c.at.type)
        ).where(*accepted)
    ).one()
    if first is None:
        return None
    on = grid(first, last, zone)
    step = _step(main, on).label("step")
    counts = Counter[int]()
    for number, count in main.execute(select(step, func.count()).where(*accepted).group_by(step)):
        counts[number] = count
    return Series(on, tuple(counts[number] for number in range(on.steps)))


def _step(main: Connection, on: Grid) -> ColumnElement[int]:
    """Which step of the grid a delivery's moment is in, computed where the rows are."""
    if main.dialect.name == "postgresql":
        since = func.extract("epoch", delivery.c.at - on.start)
        return cast(func.floor(since / on.seconds), Integer)
    return (type_coerce(delivery.c.at, BigInteger) - to_ms(on.start)) // (1000 * on.seconds)


def _shared_grid(moments: list[dt.datetime], sent: Series | None, zone: ZoneInfo) -> Grid | None:
    """One grid for opens and clicks, beginning when the first message was accepted."""
    if not moments:
        return None
    first = min(moments) if sent is None else min(sent.grid.start, *moments)
    return grid(first, max(moments), zone)


def _detail(text: str | None) -> dict[str, object]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
