"""From a reading to events: what is proven takes effect, what is not is kept for a person.

    reading -> proof -> policy -> event and its effect, in one transaction

An event's number is made of what it says (report, person, kind), so the same mail collected twice, or by
two ways, is one event.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, select

from outreach.bounces.classify import Judgement, classify
from outreach.bounces.found import Found, with_codes
from outreach.bounces.policy import Effect, Limits, decide
from outreach.bounces.proof import find
from outreach.bounces.providers import provider
from outreach.bounces.reading import Kind, Reading, Recipient
from outreach.events import Event
from outreach.events import Kind as EventKind
from outreach.store import events, placement
from outreach.store.deliveries import State
from outreach.store.tables import campaign, delivery, feedback, subscriber
from outreach.tokens import KeyRing, Subject

SPOOL = "mail"
"""The name under which events that came by mail are known."""
REFUSALS = "smtp"


class Fate(StrEnum):
    """What became of one mail that came back."""

    RECORDED = "recorded"
    KNOWN = "known"
    """The same was recorded before."""
    NOTED = "noted"
    """Nothing to do: away until Monday, delivered."""
    KEPT = "kept"
    """For a person to read: not ours to judge, or beyond us."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One mail, taken."""

    fate: Fate
    effect: Effect | None = None
    subject: Subject | None = None
    why: str = ""


def record(
    connection: Connection,
    reading: Reading,
    *,
    envelope: tuple[str, ...],
    keys: KeyRing,
    limits: Limits,
    domain: str,
    identity: str,
    now: dt.datetime,
) -> Taken:
    """Record one reading and let it take effect. `identity` names the mail: its Message-ID, or its hash.

    `envelope` is to whom the mail was handed over, where that is known; `domain` is the sending domain.
    """
    subject = find((*envelope, *reading.token_places), keys)
    if reading.kind in (Kind.VACATION, Kind.DELIVERED):
        return Taken(Fate.NOTED, subject=subject)
    if reading.kind in (Kind.CHALLENGE, Kind.OTHER, Kind.UNREADABLE):
        return Taken(Fate.KEPT, subject=subject, why=reading.why or _WHY[reading.kind])
    if subject is None:
        return Taken(Fate.KEPT, why="it carries no token of ours, so it proves nothing about anybody")
    if reading.complaint is not None:
        if not reading.complaint.against_us:
            return Taken(Fate.KEPT, subject=subject, why=f"a report of the kind {reading.complaint.type}")
        detail = {"by": "mail", **reading.complaint.as_json()}
        detail.pop("recipients")  # what the report says of addresses proves nothing; the token says who
        new = events.bind(connection, _event(EventKind.COMPLAINT, subject, identity, now, detail))
        return Taken(Fate.RECORDED if new else Fate.KNOWN, subject=subject)
    address = _address(connection, subject.subscriber_id)
    recipient = _mine(reading, address)
    effect = decide(recipient.reason, hard=recipient.hard, action=recipient.action, proven=True)
    detail = _detail(connection, recipient, effect, address=address, limits=limits, domain=domain)
    new = events.bind(connection, _event(EventKind.BOUNCE, subject, identity, now, detail))
    return Taken(Fate.RECORDED if new else Fate.KNOWN, effect, subject)


def record_leaving(connection: Connection, subject: Subject, *, identity: str, now: dt.datetime) -> Taken:
    """Record an unsubscribe that came by mail with the token of the unsubscribe link."""
    new = events.bind(connection, _event(EventKind.UNSUBSCRIBE, subject, identity, now, {"by": "mail"}))
    return Taken(Fate.RECORDED if new else Fate.KNOWN, subject=subject)


def record_refusals(connection: Connection, campaign_id: int, *, limits: Limits, domain: str, now: dt.datetime) -> int:
    """Run a campaign's refusals during SMTP through the policy. How many were new; again changes nothing."""
    told = select(feedback.c.subscriber_id).where(
        feedback.c.campaign_id == campaign_id, feedback.c.kind == int(EventKind.BOUNCE)
    )
    rows = connection.execute(
        select(delivery.c.subscriber_id, delivery.c.reason, delivery.c.at, subscriber.c.address)
        .join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .where(
            delivery.c.campaign_id == campaign_id,
            delivery.c.state == State.BOUNCED.value,
            delivery.c.subscriber_id.not_in(told),
        )
    ).all()
    new = 0
    for row in rows:
        recipient = _refused(row.address, row.reason or "")
        effect = decide(recipient.reason, hard=recipient.hard, action=recipient.action, proven=True)
        detail = _detail(connection, recipient, effect, address=row.address, limits=limits, domain=domain)
        subject = Subject(campaign_id, row.subscriber_id)
        new += events.bind(
            connection, _event(EventKind.BOUNCE, subject, REFUSALS, row.at or now, detail, spool=REFUSALS)
        )
    return new


def campaigns_to_look_at(connection: Connection, *, since: dt.datetime) -> list[int]:
    """Campaigns that are being sent, or were until a moment ago."""
    rows = connection.execute(
        select(campaign.c.id).where(
            campaign.c.started_at.is_not(None), (campaign.c.finished_at.is_(None)) | (campaign.c.finished_at > since)
        )
    )
    return list(rows.scalars())


_WHY = {
    Kind.CHALLENGE: "a machine asks for proof that a person wrote",
    Kind.OTHER: "a person wrote, or a machine we do not know",
    Kind.UNREADABLE: "it cannot be read",
}


def _refused(address: str, reply: str) -> Recipient:
    found = with_codes(Found(address, action="failed", text=reply))
    judgement: Judgement = classify(
        reply, status=found.status, code=found.code, verb=found.verb or "rcpt", action="failed"
    )
    return Recipient(
        address, judgement.reason, judgement.severity, found.status, found.code, "failed", text=reply, remote=""
    )


def _mine(reading: Reading, address: str | None) -> Recipient:
    """The recipient the token is about: by address, else the only or the first that failed."""
    for each in reading.recipients:
        if address and each.address.lower() == address.lower():
            return each
    failed = [each for each in reading.recipients if each.action == "failed"]
    return (failed or list(reading.recipients))[0]


def _detail(
    connection: Connection, recipient: Recipient, effect: Effect, *, address: str | None, limits: Limits, domain: str
) -> dict[str, Any]:
    theirs = (address or recipient.address).rpartition("@")[2].lower()
    by_mx = {theirs: known} if (known := placement.provider_of(connection, theirs)) else {}
    found: dict[str, Any] = {
        "effect": effect.value,
        "reason": recipient.reason.value,
        "group": recipient.reason.group.value,
        "hard": recipient.hard,
        "action": recipient.action,
        "status": recipient.status,
        "reply": recipient.reply,
        "text": recipient.text[:500],
        "provider": provider(theirs, remote=recipient.remote, text=recipient.text, by_mx=by_mx),
    }
    if effect is Effect.COUNT:
        found |= {"soft": limits.soft, "days": limits.days}
    if effect is Effect.PAUSE:
        found |= {"domain": domain, "pause_hours": limits.pause_hours}
    return found


def _event(
    kind: EventKind,
    subject: Subject,
    identity: str,
    at: dt.datetime,
    detail: dict[str, Any],
    *,
    spool: str = SPOOL,
) -> Event:
    return Event(
        spool=spool,
        sequence=number(f"{kind.value} {subject.campaign_id} {subject.subscriber_id} {identity}".encode()),
        kind=kind,
        at_ms=int(at.timestamp() * 1000),
        campaign_id=subject.campaign_id,
        subscriber_id=subject.subscriber_id,
        detail=json.dumps(detail, ensure_ascii=False),
    )


def number(content: bytes) -> int:
    """63 bits that stand for some content: of a million, two are alike once in 18 million times."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big") >> 1


def _address(connection: Connection, subscriber_id: int) -> str | None:
    return connection.execute(select(subscriber.c.address).where(subscriber.c.id == subscriber_id)).scalar()
