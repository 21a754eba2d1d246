"""Whom a campaign reaches: its rule, less everybody who must not or does not want to be written to.

What was approved is what is sent: the audience is frozen when planned, one row for each person. Whoever the rule
chooses and the campaign leaves out is counted under the first of these reasons that holds:

* suppressed: the address is on the suppression list;
* not subscribed to the topic (statutory and emergency messages need no subscription);
* consent for another purpose: agreed to, say, emergencies about this topic, and not to ordinary mail;
* in another wave: an approved plan of the same campaign file has this person;
* over the cap: so many messages of this class already, from all departments together;
* quiet days: the last message of this class is too recent;
* held out: kept without the message by chance, to see what it changes.

Caps, quiet days and the held-out share are the organisation's choice (`policy.*`) and never keep an emergency from
anybody. One address is one person in the store, so nobody can be in an audience twice.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    false,
    func,
    not_,
    or_,
    select,
)

from outreach.campaigns.frequency import Frequency
from outreach.store import audiences
from outreach.store.bulk import given
from outreach.store.campaigns import Campaign, Status
from outreach.store.consent import CONFIRMED, PURPOSE
from outreach.store.deliveries import State
from outreach.store.membership import among
from outreach.store.subscribers import ACTIVE
from outreach.store.tables import campaign, consent, delivery, profile, subscriber, subscription, suppression
from outreach.store.topics import EMERGENCY, MANDATORY

SENT = (Status.SENDING, Status.PAUSED, Status.STOPPED, Status.FINISHED)
_UNDER_WAY = (Status.APPROVED, Status.SENDING, Status.PAUSED)
_HAS_IT = (State.WAITING, State.SENDING, State.ACCEPTED, State.IN_DOUBT)
"""Deliveries that count as a message: it has left, or will."""
_PARTS = 10_000
"""The held-out share is cut in hundredths of a percent."""

Test = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Audience:
    """The people to freeze, and how many the rule chose that are left out, by reason.

    `people` may be asked until the next audience is chosen on the same connection.
    """

    people: Select[tuple[int]]
    excluded: dict[str, int]


@dataclass(frozen=True, slots=True)
class Purpose:
    """What is sent: about which topic, in which class, from which file, under which name."""

    topic_id: int
    message_class: str
    file: str = ""
    name: str = ""

    @property
    def needs_consent(self) -> bool:
        return self.message_class not in MANDATORY


def choose(
    connection: Connection, rule: Test, *, purpose: Purpose, frequency: Frequency | None = None, now: dt.datetime
) -> Audience:
    """Everybody active whom `rule` chooses, without those whom one of the reasons above keeps out."""
    reasons = _reasons(connection, purpose, frequency or Frequency(), now)
    people, excluded = audiences.sort_out(connection, and_(rule, profile.c.status == ACTIVE), reasons)
    return Audience(people, excluded)


def came_and_left(connection: Connection, rule: Test, sent: Campaign, *, now: dt.datetime) -> tuple[int, int]:
    """How many would get this campaign if it were planned today and did not, and how many got it and would not."""
    if sent.topic_id is None:
        return 0, 0
    people = choose(connection, rule, purpose=Purpose(sent.topic_id, sent.message_class), now=now).people
    frozen = select(delivery.c.subscriber_id).where(delivery.c.campaign_id == sent.id)
    today = connection.execute(select(func.count()).select_from(people.subquery())).scalar_one()
    stayed = connection.execute(
        select(func.count()).select_from(people.where(profile.c.subscriber_id.in_(frozen)).subquery())
    ).scalar_one()
    return today - stayed, sent.frozen - stayed


def held_out(name: str, percent: float) -> Test:
    """A share of people, by chance: always the same ones for one campaign, and others for another."""
    salt = sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 1_000_003
    # Products stay below 2**63 for ids up to nine trillion; on both databases % of positive numbers is the same.
    mixed = (profile.c.subscriber_id % 1_000_003 + salt) * 7_368_787 % 15_485_863 * 48_271 % 2_147_483_647
    share: Test = mixed % _PARTS < round(percent * _PARTS / 100)
    return share


def _reasons(connection: Connection, purpose: Purpose, frequency: Frequency, now: dt.datetime) -> dict[str, Test]:
    reasons = {"suppressed": among(_suppressed(connection, purpose))}
    if purpose.needs_consent:
        reasons["not subscribed to the topic"] = not_(_subscribed(purpose.topic_id))
        reasons["consent for another purpose"] = _narrow(purpose)
    if waves := _waves(connection, purpose):
        reasons["in another wave"] = _has(campaign_ids=waves)
    if purpose.message_class == EMERGENCY:
        return reasons
    if (cap := frequency.cap(purpose.message_class)) and (
        recent := _recent(connection, purpose, now - dt.timedelta(days=cap.days))
    ):
        counted = _messages(recent, now - dt.timedelta(days=cap.days))
        often = counted.group_by(delivery.c.subscriber_id).having(func.count() >= cap.messages)
        reasons[cap.reason] = among(often)
    if purpose.needs_consent and frequency.quiet_days:
        since = now - dt.timedelta(days=frequency.quiet_days)
        if recent := _recent(connection, purpose, since):
            reasons[f"within {frequency.quiet_days} quiet days"] = among(_messages(recent, since))
    if purpose.needs_consent and frequency.holdout_percent:
        reasons["held out"] = held_out(purpose.name, frequency.holdout_percent)
    return reasons


def _suppressed(connection: Connection, purpose: Purpose) -> Select[Any]:
    """By address, which is what a suppression is of. Handed in as a list, which PostgreSQL always makes a table of."""
    by_address = select(subscriber.c.id).join(suppression, suppression.c.address == subscriber.c.address)
    if not purpose.needs_consent:  # who called our mail spam still hears what the law or their safety asks for
        by_address = by_address.where(suppression.c.reason != "complaint")
    found = given(connection, ("person",), [(person,) for person in connection.execute(by_address).scalars()])
    return select(found.c.person)


def _subscribed(topic_id: int) -> Test:
    return exists(
        select(1).where(
            subscription.c.topic_id == topic_id,
            subscription.c.subscriber_id == profile.c.subscriber_id,
            subscription.c.status == CONFIRMED,
        )
    )


def _narrow(purpose: Purpose) -> Test:
    """Whoever gave consent here, and only for purposes that this campaign has not."""
    here = or_(consent.c.topic_id == purpose.topic_id, consent.c.topic_id.is_(None))
    narrow = select(consent.c.subscriber_id).where(
        consent.c.purpose != PURPOSE, consent.c.given, here, consent.c.subscriber_id.is_not(None)
    )
    enough = exists(
        select(1).where(
            consent.c.subscriber_id == profile.c.subscriber_id,
            consent.c.given,
            here,
            consent.c.purpose.in_([PURPOSE, purpose.message_class]),
        )
    )
    return and_(profile.c.subscriber_id.in_(narrow), not_(enough))


def _waves(connection: Connection, purpose: Purpose) -> list[int]:
    """Plans of the same file that are approved or being sent. One that nobody approved keeps nobody out."""
    query = select(campaign.c.id).where(campaign.c.file == purpose.file, campaign.c.status.in_(_UNDER_WAY))
    return list(connection.execute(query).scalars())


def _recent(connection: Connection, purpose: Purpose, since: dt.datetime) -> list[int]:
    """Campaigns of the class, of every department, that wrote to somebody since then or will."""
    finished = and_(campaign.c.started_at.is_not(None), campaign.c.finished_at >= since)
    query = select(campaign.c.id).where(
        campaign.c.message_class == purpose.message_class, or_(campaign.c.status.in_(_UNDER_WAY), finished)
    )
    return list(connection.execute(query).scalars())


def _messages(campaign_ids: list[int], since: dt.datetime) -> Select[tuple[int]]:
    return select(delivery.c.subscriber_id).where(
        delivery.c.campaign_id.in_(campaign_ids),
        delivery.c.state.in_([state.value for state in _HAS_IT]),
        delivery.c.at >= since,
    )


def _has(*, campaign_ids: list[int]) -> Test:
    if not campaign_ids:
        return false()
    return exists(
        select(1).where(
            delivery.c.campaign_id.in_(campaign_ids),
            delivery.c.subscriber_id == profile.c.subscriber_id,
            delivery.c.state.in_([state.value for state in _HAS_IT]),
        )
    )
