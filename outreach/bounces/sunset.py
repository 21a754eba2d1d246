"""Sunset: who has not been heard of for long is asked, then written to less, then paused. Nobody is deleted.

How long is long follows from how often a person gets mail: three months of a daily digest say more than three
months of a monthly letter. Signs of life are clicks, answers, visits and choices; never an open alone, because
machines open mail and people read without being seen.

Statutory and emergency topics are exempt: their subscriptions are not looked at and never changed. To pause is to
set the subscriptions to regular topics back to unconfirmed, so a click on "yes, still" is all it takes to return.

Asking is a campaign like any other, planned among the people who are due (`asking`) and approved by somebody. Only who
was really sent the question, and stayed silent, is written to less later.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from outreach.events import Kind
from outreach.store.bulk import given
from outreach.store.consent import CONFIRMED, Frequency, SubscriptionStatus
from outreach.store.deliveries import State
from outreach.store.subscribers import ACTIVE
from outreach.store.tables import campaign, consent, delivery, feedback, profile, subscription, sunset, topic
from outreach.store.topics import MANDATORY

WINDOW = dt.timedelta(days=90)
CADENCES = ((60, 60), (20, 120), (10, 180), (0, 270))
"""At least so many mails in 90 days; then so many days of silence are long. Vendors' defaults, rounded."""
LEAST = 5
"""Mails without an answer before anybody is asked at all."""
STEP_DAYS = 30
"""Between being asked, written to less, and paused."""
SOURCE = "sunset"
_LIFE = (Kind.UNSUBSCRIBE, Kind.PREFERENCES, Kind.CONFIRM, Kind.UNDO)
_BATCH = 5000


class Step(IntEnum):
    """What is done about a silent person. The numbers are stored: never reuse one."""

    ASK = 1
    SLOW_DOWN = 2
    PAUSE = 3

    @property
    def word(self) -> str:
        return {1: "asked whether they still want our mail", 2: "written to weekly", 3: "paused"}[self.value]


@dataclass(frozen=True, slots=True)
class Silent:
    """One person for whom a step is due."""

    subscriber_id: int
    received: int
    """Mails of regular topics accepted in the last 90 days."""
    days: int
    """Since the last sign of life, or since joining."""
    step: Step


def patience(received: int) -> int:
    """Days of silence that are long for somebody who got so many mails in 90 days."""
    return next(days for least, days in CADENCES if received >= least)


def due(connection: Connection, *, now: dt.datetime) -> list[Silent]:
    """Everybody for whom the next step is due, in order of their number."""
    received = _received(connection, now=now)
    alive = _signs_of_life(connection)
    taken = {row.subscriber_id: row for row in connection.execute(select(sunset))}
    asked = _asked(connection)
    found: list[Silent] = []
    rows = connection.execute(
        select(profile.c.subscriber_id, profile.c.joined_at, profile.c.last_click_at, profile.c.received)
        .where(profile.c.status == ACTIVE, profile.c.received >= LEAST)
        .order_by(profile.c.subscriber_id)
        .execution_options(yield_per=10_000)
    )
    for row in rows:
        person, count = row.subscriber_id, received.get(row.subscriber_id, 0)
        signs = [each for each in (row.joined_at, row.last_click_at, alive.get(person)) if each is not None]
        if not count or not signs:
            continue  # nothing was sent lately, or we do not know since when they are here
        days = (now - max(signs)).days
        if days < patience(count):
            continue
        step = _next(taken.get(person), asked.get(person), max(signs), now)
        if step is not None:
            found.append(Silent(person, count, days, step))
    return found


def asking(connection: Connection, people: Sequence[Silent]) -> ColumnElement[bool]:
    """Those of them who are to be asked, as the audience of a campaign may be narrowed to."""
    numbers = [(each.subscriber_id,) for each in people if each.step is Step.ASK]
    return profile.c.subscriber_id.in_(select(given(connection, ["person"], numbers).c.person))


def asked_in(connection: Connection, campaign_id: int, people: Sequence[Silent], *, now: dt.datetime) -> list[Silent]:
    """Note for those who are in a campaign just planned (at `now`) that it asks them. Who they are."""
    rows = connection.execute(select(delivery.c.subscriber_id).where(delivery.c.campaign_id == campaign_id))
    frozen = set(rows.scalars())
    mine = [each for each in people if each.step is Step.ASK and each.subscriber_id in frozen]
    _note(connection, mine, now=now)
    return mine


def apply(connection: Connection, people: Sequence[Silent], *, now: dt.datetime) -> None:
    """Take the steps after the question, each with its line in the log of consent where it changes what one gets."""
    people = [each for each in people if each.step is not Step.ASK]
    _note(connection, people, now=now)
    for begin in range(0, len(people), _BATCH):
        batch = people[begin : begin + _BATCH]
        for step, values in (
            (Step.SLOW_DOWN, {"frequency": Frequency.WEEKLY.value, "frequency_at": now}),
            (Step.PAUSE, {"status": SubscriptionStatus.UNCONFIRMED.value, "changed_at": now}),
        ):
            concerned = {each.subscriber_id: each for each in batch if each.step is step}
            if concerned:
                _change(connection, concerned, step, values, now)


def _note(connection: Connection, people: Sequence[Silent], *, now: dt.datetime) -> None:
    """Write down which step each was taken to."""
    for begin in range(0, len(people), _BATCH):
        batch = people[begin : begin + _BATCH]
        numbers = [each.subscriber_id for each in batch]
        connection.execute(delete(sunset).where(sunset.c.subscriber_id.in_(numbers)))
        connection.execute(
            insert(sunset),
            [{"subscriber_id": each.subscriber_id, "step": each.step.value, "at": now} for each in batch],
        )


def _change(
    connection: Connection, people: dict[int, Silent], step: Step, values: dict[str, object], now: dt.datetime
) -> None:
    regular = select(topic.c.id).where(topic.c.message_class.not_in(MANDATORY))
    mine = (
        subscription.c.subscriber_id.in_(list(people))
        & subscription.c.topic_id.in_(regular)
        & (subscription.c.status == CONFIRMED)
    )
    if step is Step.PAUSE:
        rows = connection.execute(select(subscription.c.subscriber_id, subscription.c.topic_id).where(mine)).all()
        if rows:
            connection.execute(
                insert(consent),
                [
                    {
                        "subscriber_id": row.subscriber_id,
                        "topic_id": row.topic_id,
                        "purpose": "mail",
                        "given": False,
                        "source": SOURCE,
                        "at": now,
                        "evidence": {"silent_days": people[row.subscriber_id].days},
                    }
                    for row in rows
                ],
            )
    connection.execute(update(subscription).where(mine).values(**values))


def _next(row: object, asked_at: dt.datetime | None, last_sign: dt.datetime, now: dt.datetime) -> Step | None:
    """The step that is due; None while the last one has time, or was the last."""
    at, step = getattr(row, "at", None), getattr(row, "step", 0)
    if at is None or at < last_sign:  # never asked, or heard of since
        return Step.ASK
    if step == Step.ASK and asked_at is None:  # the question was planned, and has not left (yet)
        return Step.ASK if now - at >= dt.timedelta(days=STEP_DAYS) else None
    if step >= Step.PAUSE or now - (asked_at or at) < dt.timedelta(days=STEP_DAYS):
        return None
    return Step(step + 1)


def _asked(connection: Connection) -> dict[int, dt.datetime]:
    """When the question was taken by each one's server: it is the campaign that was planned as they were noted."""
    rows = connection.execute(
        select(sunset.c.subscriber_id, delivery.c.at)
        .join(campaign, campaign.c.planned_at == sunset.c.at)
        .join(
            delivery, (delivery.c.campaign_id == campaign.c.id) & (delivery.c.subscriber_id == sunset.c.subscriber_id)
        )
        .where(sunset.c.step == Step.ASK.value, delivery.c.state == State.ACCEPTED.value)
    )
    return {row.subscriber_id: row.at for row in rows}


def _received(connection: Connection, *, now: dt.datetime) -> dict[int, int]:
    """Mails accepted in the last 90 days, statutory and emergency ones left out."""
    rows = connection.execute(
        select(delivery.c.subscriber_id, func.count())
        .join(campaign, campaign.c.id == delivery.c.campaign_id)
        .where(
            campaign.c.started_at >= now - WINDOW,
            campaign.c.message_class.not_in(MANDATORY),
            delivery.c.state == State.ACCEPTED.value,
        )
        .group_by(delivery.c.subscriber_id)
    )
    return {person: int(count) for person, count in rows}


def _signs_of_life(connection: Connection) -> dict[int, dt.datetime]:
    """The latest choice, confirmation or answer of each person who ever made one."""
    found: dict[int, dt.datetime] = {}
    for query in (
        select(feedback.c.subscriber_id, func.max(feedback.c.at))
        .where(feedback.c.kind.in_([int(kind) for kind in _LIFE]))
        .group_by(feedback.c.subscriber_id),
        select(consent.c.subscriber_id, func.max(consent.c.at))
        .where(consent.c.given.is_(True), consent.c.source.not_like("%.csv"), consent.c.source != SOURCE)
        .group_by(consent.c.subscriber_id),
    ):
        for person, at in connection.execute(query):
            if person is not None and at is not None and at > found.get(person, at - dt.timedelta(1)):
                found[person] = at
    return found
