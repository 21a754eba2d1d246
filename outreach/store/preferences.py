"""What people choose for themselves: read for the preference page, and put into effect when they have chosen.

A choice arrives as an event with a JSON detail (`tracking.preferences` and `tracking.signup` write it):

    preferences  {"topics": {"3": 0}, "offered": [3, 4], "language": "es", "hour": 18, "pause": 30, "tracking": 2}
                 {"leave": true} | {"undo": true} | {"address": "new@city.example"} | {"held": true, "language": "es"}
    sign-up      {"address": "…", "topics": [3], "language": "es", "text": "sign-up 1"}
    confirm      {} (its campaign is the confirmation's number)

A person's own choice is the one thing, besides an administrator's release, that ends an unsubscribe.
A sign-up changes nothing but that a confirmation is asked for, within limits that are the same for
addresses we know and addresses we do not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection, select, update

from outreach.events import Choice, Event
from outreach.store import confirmations, consent, leaving, subscribers, suppressions, tables
from outreach.store.confirmations import HELD
from outreach.store.consent import Frequency, SubscriptionStatus
from outreach.store.dialects import from_ms
from outreach.store.subscribers import Status
from outreach.store.suppressions import OWN_TO_LIFT

FROM_PAGE: Final = "preference page"
MAX_PAUSE: Final = 366


@dataclass(frozen=True, slots=True)
class OfferedTopic:
    """A topic as the page shows it."""

    id: int
    name: str
    names: Mapping[str, str]
    """By language, where topics/*.toml gives them."""
    message_class: str
    group: str = ""
    """Under which heading it stands; empty: under none."""
    group_names: Mapping[str, str] = field(default_factory=dict)
    status: SubscriptionStatus | None = None
    frequency: Frequency = Frequency.AT_ONCE

    def named(self, language: str) -> str:
        return _in(language, self.names, self.name)

    def group_named(self, language: str) -> str:
        return _in(language, self.group_names, self.group)

    @property
    def is_chosen(self) -> bool:
        return self.status is SubscriptionStatus.CONFIRMED


@dataclass(frozen=True, slots=True)
class Standing:
    """How one person stands to us; no address, for links are forwarded."""

    topics: tuple[OfferedTopic, ...]
    language: str | None
    is_paused: bool
    tracking: Choice | None
    has_left: bool
    hour: int | None = None
    """Of their digests; None: the organisation's."""


# --- reading ----------------------------------------------------------------------------------------------------


def offered(connection: Connection) -> tuple[OfferedTopic, ...]:
    """The topics anybody may choose: those of topics/*.toml, or all if there are none such."""
    rows = connection.execute(select(tables.topic).order_by(tables.topic.c.name)).all()
    published = [row for row in rows if row.document is not None]
    return tuple(_topic(row) for row in published or rows)


def standing(connection: Connection, subscriber_id: int) -> Standing | None:
    """How a person stands; None if we know nobody of that number (any more)."""
    person, profile, mine = tables.subscriber, tables.profile, tables.subscription
    row = connection.execute(
        select(person.c.address, profile.c.status, profile.c.locale, profile.c.tracking, profile.c.digest_hour)
        .join(profile, profile.c.subscriber_id == person.c.id)
        .where(person.c.id == subscriber_id)
    ).one_or_none()
    if row is None:
        return None
    held = {
        found.topic_id: found for found in connection.execute(select(mine).where(mine.c.subscriber_id == subscriber_id))
    }
    topics = {topic.id: topic for topic in offered(connection)}
    for found in connection.execute(select(tables.topic).where(tables.topic.c.id.in_(held))):
        topics.setdefault(found.id, _topic(found))
    suppression = suppressions.find(connection, row.address)
    return Standing(
        tuple(_held(topic, held.get(topic.id)) for topic in topics.values()),
        row.locale,
        row.status == Status.PAUSED,
        Choice(row.tracking) if row.tracking else None,
        suppression is not None and suppression.reason in OWN_TO_LIFT,
        row.digest_hour,
    )


# --- effects ----------------------------------------------------------------------------------------------------


def chosen(connection: Connection, event: Event, detail: Mapping[str, Any]) -> None:
    """What a person chose on the preference page."""
    person, at = event.subscriber_id, from_ms(event.at_ms)
    evidence = {"spool": event.spool, "sequence": event.sequence, "campaign": event.campaign_id}
    address = _address(connection, person)
    if address is None:
        return
    if detail.get("held"):  # the answer goes to the address itself, whoever has this link
        confirmations.ask(connection, event, address, kind=HELD, subscriber_id=person, topics={}, detail=detail)
        return
    if detail.get("leave"):
        leaving.everything_left(connection, person, address, source=FROM_PAGE, at=at, evidence=evidence)
        return
    if detail.get("undo"):
        _lift(connection, person, address, at=at, evidence=evidence)
        return
    wanted = {int(topic): Frequency(often) for topic, often in dict(detail.get("topics", {})).items()}
    if wanted:
        _lift(connection, person, address, at=at, evidence=evidence)
    for topic_id in detail.get("offered", []):
        consent.choose(
            connection,
            subscriber_id=person,
            topic_id=int(topic_id),
            often=wanted.get(int(topic_id)),
            source=FROM_PAGE,
            at=at,
            evidence=evidence,
        )
    _settings(connection, person, detail, at=at)
    if new := detail.get("address"):
        confirmations.ask(connection, event, str(new), kind="address", subscriber_id=person, topics={}, detail=detail)


def resume(connection: Connection, *, now: dt.datetime) -> int:
    """End the pauses that are over; how many. For cron."""
    profile = tables.profile
    over = (profile.c.status == Status.PAUSED) & (profile.c.paused_until <= now)
    return connection.execute(
        update(profile).where(over).values(status=Status.ACTIVE.value, paused_until=None)
    ).rowcount


# --- small things -----------------------------------------------------------------------------------------------


def _settings(connection: Connection, person: int, detail: Mapping[str, Any], *, at: dt.datetime) -> None:
    profile = tables.profile
    mine = profile.c.subscriber_id == person
    if language := detail.get("language"):
        connection.execute(update(profile).where(mine).values(locale=str(language)[:16]))
        subscribers.date(connection, person, ["language"], at=at, source=FROM_PAGE)
    if "hour" in detail:
        hour = int(detail["hour"])
        connection.execute(update(profile).where(mine).values(digest_hour=hour if 0 <= hour < 24 else None))
    if "tracking" in detail:
        chosen_tracking = detail["tracking"]
        connection.execute(
            update(profile).where(mine).values(tracking=Choice(chosen_tracking).value if chosen_tracking else None)
        )
    if "pause" in detail:
        days = min(max(int(detail["pause"]), 0), MAX_PAUSE)
        was = Status.ACTIVE if days else Status.PAUSED
        values = {
            "status": (Status.PAUSED if days else Status.ACTIVE).value,
            "paused_until": at + dt.timedelta(days=days) if days else None,
        }
        connection.execute(update(profile).where(mine, profile.c.status.in_([was, Status.PAUSED])).values(**values))


def _lift(connection: Connection, person: int, address: str, *, at: dt.datetime, evidence: Mapping[str, Any]) -> None:
    found = suppressions.find(connection, address)
    if found and found.reason in OWN_TO_LIFT:
        suppressions.release(connection, address)
        consent.log(
            connection, subscriber_id=person, topic_id=None, given=True, source=FROM_PAGE, at=at, evidence=evidence
        )


def _address(connection: Connection, subscriber_id: int) -> str | None:
    return connection.scalar(select(tables.subscriber.c.address).where(tables.subscriber.c.id == subscriber_id))


def _topic(row: Any) -> OfferedTopic:
    said = row.document or {}
    group, group_names = said.get("group") or "", said.get("group_names") or {}
    return OfferedTopic(row.id, row.name, said.get("names", {}), row.message_class, group, group_names)


def _held(topic: OfferedTopic, found: Any) -> OfferedTopic:
    if found is None:
        return topic
    return replace(topic, status=SubscriptionStatus(found.status), frequency=Frequency(found.frequency))


def _in(language: str, names: Mapping[str, str], otherwise: str) -> str:
    return names.get(language, names.get(language.split("-")[0], otherwise))
