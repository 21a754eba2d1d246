"""What came back from the mail: opens and clicks, appended; and what binds us, with its effect at once.

A binding event, its effect and the reader's position are one transaction of the main database, so
whatever dies in between, each event takes effect exactly once. Events are known by (spool,
sequence): offering one again changes nothing. The effects are functions of their own, for bounces
and preferences to use.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from outreach.events import Event, Kind
from outreach.store import bounces, confirmations, digests, preferences, tables
from outreach.store.dialects import from_ms
from outreach.store.suppressions import Reason, suppress

UNSUBSCRIBED = 2
"""subscription.status of one who left."""
UNDO_DAYS = 30
PURPOSE = "mail"
FROM_UNSUBSCRIBE = "unsubscribe link"
FROM_COMPLAINT = "complaint"
FROM_UNDO = "undo"


class Verdict(IntEnum):
    """Who made an open or click. `event.verdict`: recomputable, so never more than an opinion."""

    UNJUDGED = 0
    PERSON = 1
    MACHINE = 2
    NOT_MEASURABLE = 3


class Held(IntEnum):
    """`feedback.held`: an unsubscribe inside a scanner's burst of clicks waits for a person's eye, and is not lost."""

    WAITING = 1
    ACCEPTED = 2
    DISMISSED = 3


# --- reading positions ------------------------------------------------------------------------------------------


def event_position(connection: Connection, *, file: str) -> int:
    """How far the opens and clicks of a spool file have been read; holds off every other reader of that file."""
    return _locked(connection, tables.event_position, file)


def feedback_position(connection: Connection, *, file: str) -> int:
    """The same for the events that bind us."""
    return _locked(connection, tables.feedback_position, file)


def event_positions(connection: Connection) -> dict[str, int]:
    """How far each spool file's opens and clicks had been read a moment ago. Takes no lock."""
    return _all(connection, tables.event_position)


def feedback_positions(connection: Connection) -> dict[str, int]:
    return _all(connection, tables.feedback_position)


def move_event_position(connection: Connection, *, file: str, sequence: int) -> None:
    _move(connection, tables.event_position, file, sequence)


def move_feedback_position(connection: Connection, *, file: str, sequence: int) -> None:
    _move(connection, tables.feedback_position, file, sequence)


def _all(connection: Connection, table: Table) -> dict[str, int]:
    return {row.spool: row.sequence for row in connection.execute(select(table))}


def _locked(connection: Connection, table: Table, file: str) -> int:
    _insert_new(connection, table, [{"spool": file, "sequence": 0}])
    query = select(table.c.sequence).where(table.c.spool == file).with_for_update()
    return int(connection.execute(query).scalar_one())


def _move(connection: Connection, table: Table, file: str, sequence: int) -> None:
    connection.execute(update(table).where(table.c.spool == file).values(sequence=sequence))


# --- events -----------------------------------------------------------------------------------------------------


def append(connection: Connection, events: Sequence[tuple[Event, Verdict, int, int]]) -> None:
    """Add opens and clicks with verdict, reason and rules' version; those that are there already are passed over."""
    _insert_new(
        connection,
        tables.event,
        [
            {
                "spool": event.spool,
                "sequence": event.sequence,
                "at": from_ms(event.at_ms),
                "kind": int(event.kind),
                "campaign_id": event.campaign_id,
                "subscriber_id": event.subscriber_id,
                "link": event.link,
                "agent_class": event.agent_class,
                "network_class": event.network_class,
                "prefix_hash": event.prefix_hash,
                "flags": event.flags,
                "verdict": int(verdict),
                "reason": int(reason),
                "rules": version,
            }
            for event, verdict, reason, version in events
        ],
    )


def bind(connection: Connection, event: Event, *, hold: bool = False) -> bool:
    """Write a binding event down and let it take effect. False if it was here already.

    An event about a subscriber who has been erased is kept and has no effect; nor has one that is to be held, yet.
    """
    row = {
        "spool": event.spool,
        "sequence": event.sequence,
        "kind": int(event.kind),
        "at": from_ms(event.at_ms),
        "campaign_id": event.campaign_id,
        "subscriber_id": event.subscriber_id,
        "agent_class": event.agent_class,
        "network_class": event.network_class,
        "prefix_hash": event.prefix_hash,
        "flags": event.flags,
        # A sign-up holds an address, which belongs in `confirmation` alone.
        "detail": (event.detail or None) if event.kind is not Kind.SIGNUP else None,
        "held": int(Held.WAITING) if hold else None,
    }
    if not _insert_new(connection, tables.feedback, [row]):
        return False
    if not hold:
        take_effect(connection, event)
    return True


def tracking_choices(connection: Connection) -> list[tuple[int, int]]:
    """Everybody who chose what may be recorded of them: (subscriber id, events.Choice)."""
    profile = tables.profile
    rows = connection.execute(
        select(profile.c.subscriber_id, profile.c.tracking).where(profile.c.tracking.is_not(None))
    )
    return [(number, choice) for number, choice in rows]


def take_effect(connection: Connection, event: Event) -> None:
    """What a binding event changes about its person; nothing if they have been erased."""
    if event.kind is Kind.SIGNUP:
        confirmations.signed_up(connection, event, _detail(event))
        return
    address = _address(connection, event.subscriber_id)
    if address is None:
        return
    if event.kind is Kind.UNSUBSCRIBE:
        _unsubscribe(connection, event)
    elif event.kind is Kind.COMPLAINT:
        _complain(connection, event, address)
    elif event.kind is Kind.BOUNCE:
        bounces.take_effect(connection, event, address, _detail(event))
    elif event.kind is Kind.UNDO:
        undo(connection, campaign_id=event.campaign_id, subscriber_id=event.subscriber_id, at=from_ms(event.at_ms))
    elif event.kind is Kind.PREFERENCES:
        preferences.chosen(connection, event, _detail(event))
    elif event.kind is Kind.CONFIRM:
        confirmations.confirmed(connection, event)


def _unsubscribe(connection: Connection, event: Event) -> None:
    """Leaves the campaign's topic, or a digest's; everything, if that was asked for or the campaign is about none."""
    at, evidence = from_ms(event.at_ms), _evidence(event)
    everything = bool(_detail(event).get("all"))
    topic_id = None if everything else _topic(connection, event)
    in_digest = [] if everything else digests.topics_in(connection, event.campaign_id, event.subscriber_id)
    for each in in_digest:
        leave_topic(
            connection,
            subscriber_id=event.subscriber_id,
            topic_id=each,
            source=FROM_UNSUBSCRIBE,
            at=at,
            evidence=evidence,
        )
    if in_digest:
        return
    if topic_id is None:
        leave_everything(
            connection, subscriber_id=event.subscriber_id, source=FROM_UNSUBSCRIBE, at=at, evidence=evidence
        )
    else:
        leave_topic(
            connection,
            subscriber_id=event.subscriber_id,
            topic_id=topic_id,
            source=FROM_UNSUBSCRIBE,
            at=at,
            evidence=evidence,
        )


def _complain(connection: Connection, event: Event, address: str) -> None:
    at = from_ms(event.at_ms)
    suppress(connection, address, reason=Reason.COMPLAINT, source=FROM_COMPLAINT, at=at)
    withdraw(
        connection,
        subscriber_id=event.subscriber_id,
        topic_id=None,
        source=FROM_COMPLAINT,
        at=at,
        evidence=_evidence(event),
    )


def _topic(connection: Connection, event: Event) -> int | None:
    """The topic the page named, or the campaign's own."""
    named = _detail(event).get("topic")
    known = select(tables.topic.c.id).where(tables.topic.c.id == named)
    if isinstance(named, int) and connection.execute(known).first():
        return named
    own = select(tables.campaign.c.topic_id).where(tables.campaign.c.id == event.campaign_id)
    return connection.execute(own).scalar()


# --- effects ----------------------------------------------------------------------------------------------------


def leave_topic(
    connection: Connection, *, subscriber_id: int, topic_id: int, source: str, at: dt.datetime, evidence: dict[str, Any]
) -> bool:
    """Unsubscribe a person from one topic and note the withdrawn consent. False if they had left already."""
    subscription = tables.subscription
    mine = (subscription.c.subscriber_id == subscriber_id) & (subscription.c.topic_id == topic_id)
    before = connection.execute(select(subscription.c.status).where(mine)).scalar()
    if before == UNSUBSCRIBED:
        return False
    if before is None:
        connection.execute(
            insert(subscription).values(
                topic_id=topic_id, subscriber_id=subscriber_id, status=UNSUBSCRIBED, changed_at=at
            )
        )
    else:
        connection.execute(update(subscription).where(mine).values(status=UNSUBSCRIBED, changed_at=at))
    withdraw(
        connection,
        subscriber_id=subscriber_id,
        topic_id=topic_id,
        source=source,
        at=at,
        evidence={**evidence, "was": before},
    )
    return True


def leave_everything(
    connection: Connection, *, subscriber_id: int, source: str, at: dt.datetime, evidence: dict[str, Any]
) -> bool:
    """Suppress a person who wants no mail of any topic. False if they were suppressed already."""
    address = _address(connection, subscriber_id)
    if address is None or not suppress(connection, address, reason=Reason.UNSUBSCRIBE, source=source, at=at):
        return False
    withdraw(connection, subscriber_id=subscriber_id, topic_id=None, source=source, at=at, evidence=evidence)
    return True


def withdraw(
    connection: Connection,
    *,
    subscriber_id: int,
    topic_id: int | None,
    source: str,
    at: dt.datetime,
    evidence: dict[str, Any],
) -> None:
    """Append to the consent log that consent to a topic (None: to everything) ended."""
    connection.execute(
        insert(tables.consent).values(
            subscriber_id=subscriber_id,
            topic_id=topic_id,
            purpose=PURPOSE,
            given=False,
            source=source,
            at=at,
            evidence=evidence,
        )
    )


def undo(connection: Connection, *, campaign_id: int, subscriber_id: int, at: dt.datetime) -> bool:
    """Take back what this person's last unsubscribe from this campaign did; False if there is nothing to take back.

    Only within UNDO_DAYS, and only while it is the last thing said about that topic: a later choice stands.
    """
    consent = tables.consent
    said = connection.execute(
        select(consent).where(consent.c.subscriber_id == subscriber_id).order_by(consent.c.id.desc())
    ).all()
    last = {row.topic_id: row for row in reversed(said)}
    for row in said:
        mine = row.source == FROM_UNSUBSCRIBE and (row.evidence or {}).get("campaign") == campaign_id
        if mine and not row.given:
            if last[row.topic_id].id != row.id or at - row.at > dt.timedelta(days=UNDO_DAYS):
                return False
            _restore(connection, subscriber_id, topic_id=row.topic_id, was=row.evidence.get("was"), at=at)
            connection.execute(
                insert(consent).values(
                    subscriber_id=subscriber_id,
                    topic_id=row.topic_id,
                    purpose=row.purpose,
                    given=True,
                    source=FROM_UNDO,
                    at=at,
                    evidence={"campaign": campaign_id, "undone": row.id},
                )
            )
            return True
    return False


def _restore(
    connection: Connection, subscriber_id: int, *, topic_id: int | None, was: int | None, at: dt.datetime
) -> None:
    subscription, suppression = tables.subscription, tables.suppression
    mine = (subscription.c.subscriber_id == subscriber_id) & (subscription.c.topic_id == topic_id)
    if topic_id is None:
        connection.execute(
            delete(suppression).where(
                suppression.c.address == _address(connection, subscriber_id),
                suppression.c.reason == Reason.UNSUBSCRIBE.value,
                suppression.c.source == FROM_UNSUBSCRIBE,
            )
        )
    elif was is None:
        connection.execute(delete(subscription).where(mine, subscription.c.status == UNSUBSCRIBED))
    else:
        connection.execute(
            update(subscription).where(mine, subscription.c.status == UNSUBSCRIBED).values(status=was, changed_at=at)
        )


# --- small things -----------------------------------------------------------------------------------------------


def _address(connection: Connection, subscriber_id: int) -> str | None:
    subscriber = tables.subscriber
    return connection.execute(select(subscriber.c.address).where(subscriber.c.id == subscriber_id)).scalar()


def _detail(event: Event) -> dict[str, Any]:
    try:
        found = json.loads(event.detail) if event.detail else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _evidence(event: Event) -> dict[str, Any]:
    return {"campaign": event.campaign_id, "spool": event.spool, "sequence": event.sequence, "flags": event.flags}


def _insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> int:
    """INSERT that passes over rows whose key is there already. How many were new, when one was offered."""
    if not rows:
        return 0
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    # Without being told to keep it, the count is lost (-1, which would read as yes) where the database makes the key.
    query = dialect.insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return connection.execute(query, rows[0] if len(rows) == 1 else rows).rowcount
