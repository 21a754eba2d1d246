"""How fast each mailbox provider may be sent to: one token bucket for all workers, and what providers asked of us."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from outreach.store.tables import mail_domain, throttle


@dataclass(frozen=True, slots=True)
class Slowed:
    """What one provider asked for: nothing before `until`, then no more than `lanes` at once and `rate` a second."""

    provider: str
    until: dt.datetime | None
    lanes: int | None
    rate: float | None
    reply: str | None
    at: dt.datetime


def grant(connection: Connection, provider: str, wanted: int, *, rate: float, burst: float, now: dt.datetime) -> int:
    """Take up to `wanted` messages from the provider's bucket, which fills with `rate` a second up to `burst`."""
    row = connection.execute(
        select(throttle.c.tokens, throttle.c.filled_at).where(throttle.c.provider == provider).with_for_update()
    ).first()
    if row is None:
        connection.execute(insert(throttle).values(provider=provider, tokens=burst, filled_at=now, at=now))
        tokens = burst
    else:
        tokens = min(burst, row.tokens + rate * max(0.0, (now - row.filled_at).total_seconds()))
    given = min(wanted, int(tokens))
    connection.execute(
        update(throttle).where(throttle.c.provider == provider).values(tokens=tokens - given, filled_at=now)
    )
    return given


def slow_down(
    connection: Connection,
    provider: str,
    *,
    until: dt.datetime | None,
    lanes: int | None,
    rate: float | None,
    reply: str | None,
    now: dt.datetime,
) -> None:
    """Remember what a provider asked for, in the place of what it asked before. All None: it asks nothing any more."""
    values = {"until": until, "lanes": lanes, "rate": rate, "reply": reply, "at": now}
    changed = connection.execute(update(throttle).where(throttle.c.provider == provider).values(**values)).rowcount
    if not changed:
        connection.execute(insert(throttle).values(provider=provider, tokens=0.0, filled_at=now, **values))


def slowed(connection: Connection) -> dict[str, Slowed]:
    """Every provider that asked for something."""
    columns = [throttle.c[name] for name in Slowed.__slots__]
    rows = connection.execute(select(*columns).where(throttle.c.reply.is_not(None)))
    return {row.provider: Slowed(**row._mapping) for row in rows}


def domains(connection: Connection, *, since: dt.datetime) -> dict[str, str]:
    """Which provider takes a domain's mail, as looked up after `since`."""
    rows = connection.execute(select(mail_domain.c.domain, mail_domain.c.provider).where(mail_domain.c.at >= since))
    return {row.domain: row.provider for row in rows}


def remember_domain(connection: Connection, domain: str, provider: str, *, now: dt.datetime) -> None:
    connection.execute(delete(mail_domain).where(mail_domain.c.domain == domain))
    connection.execute(insert(mail_domain).values(domain=domain, provider=provider, at=now))
