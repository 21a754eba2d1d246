"""What came back from the mail: opens and clicks, appended; and what binds us, with its effect at once.

A binding event, its effect and the reader's position are one transaction of the main database, so
whatever dies in between, each event takes effect exactly once. Events are known by (spool,
sequence): offering one again changes nothing. The effects are modules of their own: `leaving`, `bounces`,
`preferences`, `confirmations`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from sqlalchemy import Connection, Table, select, update
from sqlalchemy.dialects import postgresql, sqlite

from outreach.events import Event, Kind
from outreach.store import bounces, confirmations, leaving, preferences, tables
from outreach.store.dialects import from_ms


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
        leaving.unsubscribed(connection, event, address, _detail(event))
    elif event.kind is Kind.COMPLAINT:
        leaving.complained(connection, event, address)
    elif event.kind is Kind.BOUNCE:
        bounces.take_effect(connection, event, address, _detail(event))
    elif event.kind is Kind.UNDO:
        leaving.undone(connection, event, address)
    elif event.kind is Kind.PREFERENCES:
        preferences.chosen(connection, event, _detail(event))
    elif event.kind is Kind.CONFIRM:
        confirmations.confirmed(connection, event)


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


def _insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> int:
    """INSERT that passes over rows whose key is there already. How many were new, when one was offered."""
    if not rows:
        return 0
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    # Without being told to keep it, the count is lost (-1, which would read as yes) where the database makes the key.
    query = dialect.insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return connection.execute(query, rows[0] if len(rows) == 1 else rows).rowcount
