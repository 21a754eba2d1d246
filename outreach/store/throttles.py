"""How fast each mailbox provider may be sent to by all workers of all sends, and what providers asked of us."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, insert, select, update

from outreach.store.checkpoints import insert as upsert
from outreach.store.tables import mail_domain, throttle, turn


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
    full = upsert(connection, throttle).values(provider=provider, tokens=burst, filled_at=now, at=now)
    connection.execute(full.on_conflict_do_nothing())
    row = connection.execute(_bucket(provider)).one()
    tokens = min(burst, row.tokens + rate * max(0.0, (now - row.filled_at).total_seconds()))
    given: int = min(wanted, int(tokens))
    connection.execute(
        update(throttle).where(throttle.c.provider == provider).values(tokens=tokens - given, filled_at=now)
    )
    return given


def share(connection: Connection, provider: str, worker_id: int, *, wanted: int, using: int, limit: int) -> int:
    """How many messages to a provider a worker may have on their way, of the `limit` for all workers of all sends.

    As many as it wants while others leave room. Where they want more than there is, each gets its part; who has more
    than that (`using` are on their way) begins no other until enough of them have ended.
    """
    connection.execute(_bucket(provider)).first()  # whoever else asks at this moment waits here
    rows = connection.execute(select(turn.c.worker_id, turn.c.held, turn.c.wanted).where(turn.c.provider == provider))
    others = {row.worker_id: row for row in rows if row.worker_id != worker_id}
    part = max(1, limit // (len(others) + 1))
    free = limit - sum(row.held for row in others.values())
    if any(row.held < min(row.wanted, part) for row in others.values()):
        free = min(free, part)
    may: int = max(0, min(wanted, free))
    values = {"held": max(may, using), "wanted": wanted}
    mine = and_(turn.c.provider == provider, turn.c.worker_id == worker_id)
    if not connection.execute(update(turn).where(mine).values(**values)).rowcount:
        connection.execute(insert(turn).values(provider=provider, worker_id=worker_id, **values))
    return may


def give_back(connection: Connection, worker_id: int, providers: Iterable[str] | None = None) -> None:
    """A worker wants no turns with these providers any more; None: with none of them."""
    mine = turn.c.worker_id == worker_id
    connection.execute(delete(turn).where(mine if providers is None else and_(mine, turn.c.provider.in_(providers))))


def _bucket(provider: str) -> Select[Any]:
    return select(throttle.c.tokens, throttle.c.filled_at).where(throttle.c.provider == provider).with_for_update()


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
