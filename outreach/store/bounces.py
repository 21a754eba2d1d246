"""What bounces leave behind: soft ones counted, sending domains that rest, and mail kept for people to read.

The policy (`outreach.bounces.policy`) decides; here it is carried out, in the transaction of the event.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from outreach.events import Event, Kind
from outreach.store import throttles
from outreach.store.deliveries import State
from outreach.store.dialects import from_ms
from outreach.store.suppressions import Reason, suppress
from outreach.store.tables import delivery, feedback, provider_pause, returned_mail, subscriber, suppression

FROM_HARD = "hard bounce"
FROM_SOFT = "soft bounces"
MAX_DETAIL = 500


@dataclass(frozen=True, slots=True)
class Pause:
    """A sending domain that rests at a provider."""

    domain: str
    provider: str
    until: dt.datetime
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Returned:
    """A mail that was kept for a person to look at."""

    id: int
    at: dt.datetime
    kind: str
    sender: str
    subject: str
    why: str
    file: str
    handled_at: dt.datetime | None


def take_effect(connection: Connection, event: Event, address: str, detail: dict[str, Any]) -> None:
    """Carry out what the policy decided about one bounce: `detail["effect"]` and its numbers."""
    at, effect = from_ms(event.at_ms), detail.get("effect")
    words = str(detail.get("text") or detail.get("reason") or "")[:MAX_DETAIL]
    if detail.get("action") == "failed":
        _returned(connection, event, words, at)
    if effect == "suppress":
        suppress(connection, address, reason=Reason.BOUNCE, source=FROM_HARD, at=at, detail=words)
    elif effect == "count":
        since = at - dt.timedelta(days=int(detail.get("days", 14)))
        if _counted(connection, event.subscriber_id, since=since, until=at) >= int(detail.get("soft", 5)):
            suppress(connection, address, reason=Reason.BOUNCE, source=FROM_SOFT, at=at, detail=words)
    elif effect == "pause":
        until = at + dt.timedelta(hours=int(detail.get("pause_hours", 4)))
        pause(
            connection,
            domain=str(detail.get("domain", "")),
            provider=str(detail.get("provider", "")),
            until=until,
            reason=words,
            now=at,
        )


def _returned(connection: Connection, event: Event, words: str, at: dt.datetime) -> None:
    """The delivery that was accepted came back after all; a doubt is resolved by it."""
    connection.execute(
        update(delivery)
        .where(
            delivery.c.campaign_id == event.campaign_id,
            delivery.c.subscriber_id == event.subscriber_id,
            delivery.c.state.in_((State.ACCEPTED.value, State.IN_DOUBT.value)),
        )
        .values(state=State.BOUNCED.value, reason=words, at=at)
    )


def _counted(connection: Connection, subscriber_id: int, *, since: dt.datetime, until: dt.datetime) -> int:
    """Soft bounces of a person in a span of time, at most one for each campaign."""
    rows = connection.execute(
        select(feedback.c.campaign_id, feedback.c.detail).where(
            feedback.c.subscriber_id == subscriber_id,
            feedback.c.kind == int(Kind.BOUNCE),
            feedback.c.at > since,
            feedback.c.at <= until,
        )
    )
    return len({campaign for campaign, detail in rows if json.loads(detail or "{}").get("effect") == "count"})


def lift_suspensions(connection: Connection, *, before: dt.datetime) -> int:
    """Give addresses suspended for soft bounces before this moment another chance. How many."""
    return connection.execute(
        delete(suppression).where(
            suppression.c.reason == Reason.BOUNCE.value,
            suppression.c.source == FROM_SOFT,
            suppression.c.at < before,
        )
    ).rowcount


# --- domains that rest ------------------------------------------------------------------------------------------


def pause(
    connection: Connection, *, domain: str, provider: str, until: dt.datetime, reason: str, now: dt.datetime
) -> None:
    """Let a sending domain rest at a provider; another refusal makes the rest longer. All workers obey at once."""
    throttles.slow_down(connection, provider, until=until, lanes=1, rate=None, reply=reason, now=until)
    mine = (provider_pause.c.domain == domain) & (provider_pause.c.provider == provider)
    known = connection.execute(select(provider_pause.c.until).where(mine)).scalar()
    if known is None:
        connection.execute(
            insert(provider_pause).values(
                domain=domain, provider=provider, since=now, until=until, reason=reason, refusals=1
            )
        )
        return
    fresh = {"since": now, "refusals": 1} if known < now else {"refusals": provider_pause.c.refusals + 1}
    connection.execute(update(provider_pause).where(mine).values(until=max(known, until), reason=reason, **fresh))


def pauses(connection: Connection, *, now: dt.datetime) -> list[Pause]:
    """The rests that last."""
    rows = connection.execute(
        select(provider_pause).where(provider_pause.c.until > now).order_by(provider_pause.c.provider)
    )
    return [Pause(row.domain, row.provider, row.until, row.reason, row.refusals) for row in rows]


def resume(connection: Connection, *, provider: str, now: dt.datetime, domain: str | None = None) -> int:
    """End a rest early. How many there were."""
    throttles.slow_down(connection, provider, until=None, lanes=None, rate=None, reply=None, now=now)
    mine = provider_pause.c.provider == provider
    if domain is not None:
        mine &= provider_pause.c.domain == domain
    return connection.execute(delete(provider_pause).where(mine)).rowcount


# --- mail kept for people ---------------------------------------------------------------------------------------


def keep(
    connection: Connection,
    *,
    key: int,
    kind: str,
    sender: str,
    subject: str,
    why: str,
    file: str,
    now: dt.datetime,
) -> bool:
    """Note a mail that a person should look at. False if it is known already."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {
        "key": key,
        "at": now,
        "kind": kind,
        "sender": sender[:320],
        "subject": subject[:400],
        "why": why[:400],
        "file": file,
    }
    query = dialect.insert(returned_mail).values(row).on_conflict_do_nothing()
    return connection.execute(query.execution_options(preserve_rowcount=True)).rowcount > 0


def kept(connection: Connection, *, every: bool = False, limit: int = 500) -> list[Returned]:
    """Mails that wait for somebody, newest first; `every`: also those that were handled."""
    query = select(returned_mail).order_by(returned_mail.c.id.desc()).limit(limit)
    if not every:
        query = query.where(returned_mail.c.handled_at.is_(None))
    return [
        Returned(row.id, row.at, row.kind, row.sender, row.subject, row.why, row.file, row.handled_at)
        for row in connection.execute(query)
    ]


def handled(connection: Connection, mail_id: int, *, now: dt.datetime) -> bool:
    """Somebody looked at it. False if there is no such mail."""
    mine = update(returned_mail).where(returned_mail.c.id == mail_id).values(handled_at=now)
    return connection.execute(mine).rowcount > 0


def waiting(connection: Connection) -> int:
    return int(
        connection.execute(
            select(func.count()).select_from(returned_mail).where(returned_mail.c.handled_at.is_(None))
        ).scalar_one()
    )


# --- history ----------------------------------------------------------------------------------------------------


def history(connection: Connection, address: str) -> list[dict[str, Any]]:
    """Every bounce and complaint of an address, oldest first, and what followed from each."""
    rows = connection.execute(
        select(feedback.c.at, feedback.c.kind, feedback.c.campaign_id, feedback.c.detail)
        .join(subscriber, subscriber.c.id == feedback.c.subscriber_id)
        .where(subscriber.c.address == address, feedback.c.kind.in_((int(Kind.BOUNCE), int(Kind.COMPLAINT))))
        .order_by(feedback.c.at, feedback.c.id)
    )
    found = []
    for row in rows:
        detail = json.loads(row.detail or "{}")
        complaint = row.kind == int(Kind.COMPLAINT)
        found.append(
            {
                "at": row.at,
                "kind": "complaint" if complaint else "bounce",
                "campaign": row.campaign_id,
                "reason": detail.get("type" if complaint else "reason", ""),
                "effect": "suppress" if complaint else detail.get("effect", ""),
                "status": detail.get("status", ""),
                "text": detail.get("text", ""),
            }
        )
    return found
