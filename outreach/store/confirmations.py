"""Is it really you? Confirmations asked of the holder of an address, within limits, and what they set going.

A sign-up changes nothing but that a confirmation is asked for. The limits are the same for addresses we
know and addresses we do not; what is over a limit is not delayed but dropped, so nobody else waits for it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from outreach.addresses import BadAddress, normalise
from outreach.events import Event
from outreach.store import consent, subscribers, suppressions, tables
from outreach.store.consent import Frequency
from outreach.store.dialects import from_ms
from outreach.store.subscribers import Status
from outreach.store.suppressions import OWN_TO_LIFT, Reason

FROM_SIGNUP: Final = "sign-up, confirmed"
FROM_ADDRESS: Final = "new address, confirmed"
VALID: Final = dt.timedelta(days=7)
HELD: Final = "held"
"""The kind that asks nothing: its link shows the holder of the address what we hold."""
HELD_VALID: Final = dt.timedelta(days=1)
PER_ADDRESS: Final = dt.timedelta(days=1)
"""One confirmation per address in this time, whatever topics are asked for."""
HOUR: Final = dt.timedelta(hours=1)
PER_NETWORK: Final = 30
"""Confirmations an hour that one network may cause (a /24 or /48): a library's desk, not a robot."""
PER_DOMAIN: Final = 200
"""Confirmations an hour to one domain, unless it is one of the great providers."""
_GREAT = (
    "aol.com comcast.net gmail.com gmx.de gmx.net hotmail.com icloud.com live.com me.com msn.com outlook.com"
    " proton.me qq.com t-online.de web.de yahoo.com 163.com"
)
GREAT: Final = frozenset(_GREAT.split())


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A confirmation that was asked for."""

    id: int
    kind: str
    subscriber_id: int
    address: str
    topics: Mapping[str, int]
    locale: str | None
    text_version: str | None
    at: dt.datetime
    confirmed_at: dt.datetime | None

    def is_valid(self, now: dt.datetime) -> bool:
        return now - self.at <= (HELD_VALID if self.kind == HELD else VALID)


def find(connection: Connection, confirmation_id: int, subscriber_id: int) -> Confirmation | None:
    table = tables.confirmation
    row = connection.execute(
        select(table).where(table.c.id == confirmation_id, table.c.subscriber_id == subscriber_id)
    ).one_or_none()
    return _confirmation(row) if row else None


def unsent(connection: Connection, *, now: dt.datetime, limit: int = 100) -> list[Confirmation]:
    """Confirmations whose mail has not left yet, the oldest first."""
    table = tables.confirmation
    rows = connection.execute(
        select(table).where(table.c.sent_at.is_(None), table.c.at > now - VALID).order_by(table.c.id).limit(limit)
    )
    return [_confirmation(row) for row in rows]


def sent(connection: Connection, confirmation_id: int, *, at: dt.datetime) -> None:
    connection.execute(
        update(tables.confirmation).where(tables.confirmation.c.id == confirmation_id).values(sent_at=at)
    )


def signed_up(connection: Connection, event: Event, detail: Mapping[str, Any]) -> None:
    """Somebody asked for topics with an address: it is asked whether they mean it, if the limits allow."""
    topics = {str(int(topic)): 0 for topic in detail.get("topics", [])}
    ask(
        connection,
        event,
        str(detail.get("address", "")),
        kind="signup",
        subscriber_id=None,
        topics=topics,
        detail=detail,
    )


def confirmed(connection: Connection, event: Event) -> bool:
    """The holder of an address says it was really they. False if there was nothing to confirm."""
    at = from_ms(event.at_ms)
    found = find(connection, event.campaign_id, event.subscriber_id)
    if found is None or found.kind == HELD or not found.is_valid(at) or found.confirmed_at is not None:
        return False
    table = tables.confirmation
    connection.execute(update(table).where(table.c.id == found.id).values(confirmed_at=at))
    evidence = {"confirmation": found.id, "spool": event.spool, "sequence": event.sequence}
    if found.kind == "address":
        return _move(connection, found, at=at, evidence=evidence)
    suppression = suppressions.find(connection, found.address)
    if suppression and suppression.reason in (*OWN_TO_LIFT, Reason.BOUNCE):
        suppressions.release(connection, found.address)
    for topic, often in found.topics.items():
        consent.choose(
            connection,
            subscriber_id=found.subscriber_id,
            topic_id=int(topic),
            often=Frequency(often),
            source=FROM_SIGNUP,
            at=at,
            evidence=evidence,
            text_version=found.text_version,
        )
    profile = tables.profile
    mine = profile.c.subscriber_id == found.subscriber_id
    connection.execute(
        update(profile)
        .where(mine, profile.c.status == Status.UNCONFIRMED)
        .values(status=Status.ACTIVE.value, joined_at=at)
    )
    return True


def forget_unconfirmed(connection: Connection, *, now: dt.datetime, after: dt.timedelta = dt.timedelta(days=30)) -> int:
    """Remove people who signed up, never confirmed, and are known from nowhere else. For cron."""
    person, profile, asked = tables.subscriber, tables.profile, tables.confirmation
    old = (
        select(person.c.id)
        .join(profile, profile.c.subscriber_id == person.c.id)
        .where(profile.c.status == Status.UNCONFIRMED, person.c.created_at < now - after)
    )
    connection.execute(delete(asked).where(asked.c.at < now - after))
    return connection.execute(delete(person).where(person.c.id.in_(old))).rowcount


def ask(
    connection: Connection,
    event: Event,
    written: str,
    *,
    kind: str,
    subscriber_id: int | None,
    topics: Mapping[str, int],
    detail: Mapping[str, Any],
) -> None:
    """Ask for a confirmation, unless a limit is reached: then nothing is written, and nobody else waits for it."""
    try:
        address = normalise(written)
    except BadAddress:
        return
    at, table = from_ms(event.at_ms), tables.confirmation
    domain = address.rpartition("@")[2]
    since = select(func.count()).select_from(table)
    asked = connection.execute(
        select(table).where(table.c.address == address, table.c.kind == kind, table.c.at > at - PER_ADDRESS)
    ).first()
    if asked is not None:
        # The one mail a day will do: it confirms everything that was asked for.
        if asked.confirmed_at is None:
            both = {**(asked.topics or {}), **topics}
            connection.execute(update(table).where(table.c.id == asked.id).values(topics=both))
        return
    here = table.c.network == event.prefix_hash
    if event.prefix_hash and (connection.scalar(since.where(here, table.c.at > at - HOUR)) or 0) >= PER_NETWORK:
        return
    there = table.c.domain == domain
    if domain not in GREAT and (connection.scalar(since.where(there, table.c.at > at - HOUR)) or 0) >= PER_DOMAIN:
        return
    if (found := suppressions.find(connection, address)) and found.reason in (Reason.MANUAL, Reason.ERASED):
        return
    known = subscribers.find(connection, address)
    # The mail that asks goes to somebody, also when it is a known person's new address that it asks about.
    holder = known.id if known else _stranger(connection, address, detail, at)
    if subscriber_id is None:
        subscriber_id = holder
    connection.execute(
        insert(table).values(
            kind=kind,
            subscriber_id=subscriber_id,
            address=address,
            domain=domain[:255],
            network=event.prefix_hash or None,
            topics=dict(topics),
            locale=str(detail.get("language") or "")[:16] or None,
            text_version=str(detail.get("text") or "")[:80] or None,
            at=at,
        )
    )


def _stranger(connection: Connection, address: str, detail: Mapping[str, Any], at: dt.datetime) -> int:
    return subscribers.upsert(
        connection,
        address,
        attributes={},
        now=at,
        locale=str(detail.get("language") or "")[:16] or None,
        status=Status.UNCONFIRMED,
        source="sign-up",
    )


def _move(connection: Connection, found: Confirmation, *, at: dt.datetime, evidence: Mapping[str, Any]) -> bool:
    """The person's new address, unless somebody else has it by now."""
    person = tables.subscriber
    holder = subscribers.find(connection, found.address)
    if holder and holder.status is Status.UNCONFIRMED:  # made for the mail that asked
        connection.execute(delete(person).where(person.c.id == holder.id))
        holder = None
    if holder or suppressions.is_suppressed(connection, found.address):
        return False
    connection.execute(update(person).where(person.c.id == found.subscriber_id).values(address=found.address))
    subscribers.touch(connection, found.subscriber_id)
    consent.log(
        connection,
        subscriber_id=found.subscriber_id,
        topic_id=None,
        given=True,
        source=FROM_ADDRESS,
        at=at,
        evidence=evidence,
    )
    return True


def _confirmation(row: Any) -> Confirmation:
    return Confirmation(
        row.id,
        row.kind,
        row.subscriber_id,
        row.address,
        row.topics or {},
        row.locale,
        row.text_version,
        row.at,
        row.confirmed_at,
    )
