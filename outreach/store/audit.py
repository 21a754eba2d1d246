"""Who changed what, when: append-only, each row's hash over its content and the row before.

Whoever alters, removes or inserts a row breaks the chain there, and `audit verify` names it. Somebody who can rewrite
the whole table can make a new chain; so the latest hash goes into every backup, and may be written down elsewhere.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from outreach.store import acting
from outreach.store.checkpoints import lock
from outreach.store.dialects import to_ms
from outreach.store.tables import audit

START = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One change."""

    id: int
    at: dt.datetime
    who: str
    verb: str
    object: str
    detail: Mapping[str, Any]
    hash: str


def note(
    connection: Connection, *, verb: str, object: str, detail: Mapping[str, Any], now: dt.datetime, who: str = ""
) -> Entry:
    """Append one row, in the transaction of the change it is about."""
    lock(connection, "audit")
    last = connection.execute(select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1)).one_or_none()
    identity, before = (last.id + 1, last.hash) if last else (1, START)
    who = (who or acting.current().name or f"shell user {acting.shell_user()}")[:200]
    moment = dt.datetime.fromtimestamp(to_ms(now) / 1000, dt.UTC)  # as every database keeps it
    digest = _hash(before, identity, moment, who, verb, object[:200], detail)
    entry = Entry(identity, moment, who, verb, object[:200], dict(detail), digest)
    connection.execute(
        insert(audit).values(
            id=identity, at=moment, who=who, verb=verb, object=object[:200], detail=dict(detail), hash=digest
        )
    )
    return entry


def entries(connection: Connection, *, limit: int | None = None) -> list[Entry]:
    """The latest rows, oldest first."""
    query = select(audit).order_by(audit.c.id.desc())
    rows = connection.execute(query.limit(limit) if limit else query).all()
    return [Entry(row.id, row.at, row.who, row.verb, row.object, row.detail, row.hash) for row in reversed(rows)]


def breaks(connection: Connection) -> Iterator[str]:
    """Each place where the chain is broken, in words."""
    before, expected = START, 1
    for entry in entries(connection):
        if entry.id != expected:
            yield (
                f"row {expected} is missing"
                if entry.id == expected + 1
                else f"rows {expected} to {entry.id - 1} are missing"
            )
        digest = _hash(before, entry.id, entry.at, entry.who, entry.verb, entry.object, entry.detail)
        if digest != entry.hash and entry.id == expected:
            what = f"{entry.at:%Y-%m-%d %H:%M} UTC, {entry.who}: {entry.verb} {entry.object}"
            yield f"row {entry.id} ({what}) was altered"
        before, expected = entry.hash, entry.id + 1


def _hash(
    before: str, identity: int, at: dt.datetime, who: str, verb: str, object: str, detail: Mapping[str, Any]
) -> str:
    row = [before, identity, to_ms(at), who, verb, object, dict(detail)]
    return hashlib.sha256(json.dumps(row, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
