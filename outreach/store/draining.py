"""Before an upgrade: nobody may be sending. Reads no table by its definition here, for the database is an older one."""

from __future__ import annotations

import time

from sqlalchemy import Connection, inspect, text

from outreach.errors import Blocked, TryAgain
from outreach.store.database import Store

PATIENCE = 900.0
"""Seconds: a little longer than the ten minutes a server may take to answer the final dot."""
LOOK_EVERY = 1.0


def refuse_or_drain(store: Store, *, drain: bool, patience: float = PATIENCE) -> None:
    """Blocked while something is being sent; with `drain`, pause it and wait for its workers, then TryAgain."""
    busy = _busy(store)
    if busy and not drain:
        raise Blocked(
            f"{', '.join(busy)} is being sent and nothing was upgraded; wait until it has finished, or run "
            "`outreach db upgrade --drain`, which pauses it, and afterwards `outreach campaigns resume` and `send`"
        )
    if busy:
        with store.write() as connection:
            connection.execute(
                text("UPDATE campaign SET status = 'paused', pause_reason = 'upgrade' WHERE status = 'sending'")
            )
    until = time.monotonic() + patience
    while _busy(store):
        if time.monotonic() > until:
            raise TryAgain("workers are still finishing; nothing was upgraded. Run the same command again")
        time.sleep(LOOK_EVERY)


def _busy(store: Store) -> list[str]:
    with store.read() as connection:
        if not _has(connection, "claim"):
            return []
        query = "SELECT DISTINCT c.name FROM claim k JOIN campaign c ON c.id = k.campaign_id ORDER BY c.name"
        return [str(name) for name in connection.execute(text(query)).scalars()]


def _has(connection: Connection, table: str) -> bool:
    return inspect(connection).has_table(table)
