"""What is kept for how long, and taking the rest away. Idempotent; each kind in small steps that can be killed.

    traces     what a hit looked like: kind of program and network, the keyed hash of where it came from
    returned   mail that came back and no rule could settle
    rejects    files of rows that an import did not take
    messages   the compiled text of campaigns that ended, and their copies to read in a browser

That somebody opened or clicked stays, for figures and rules are counted from it; so do the ledger and the audit log,
in which each removal is a row of its own. Spool files go a day after they were loaded, and what an import changed
after 90 days, without a setting.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, func, or_, select, update

from outreach.store import audit, checkpoints
from outreach.store.database import Store
from outreach.store.dialects import Instant, to_ms
from outreach.store.events import Verdict
from outreach.store.tables import campaign, event, feedback, message, returned_mail

KINDS: Final = ("traces", "returned", "rejects", "messages")
TRACES_UNTIL: Final = "retention:traces"
"""Checkpoint: hits before this moment have lost their traces, and cannot be judged again."""
_BATCH: Final = 5_000
_COPY: Final = ".copy.json"


@dataclass(frozen=True, slots=True)
class Removed:
    """One kind: what is older than `before`, and how many of it there were."""

    kind: str
    before: dt.datetime
    count: int


def apply(store: Store, data: Path, days: Mapping[str, int], *, now: dt.datetime, dry_run: bool) -> list[Removed]:
    """Remove what is older than its kind's days (0: kept for ever), and write down what. `dry_run` only counts."""
    found = []
    for kind in KINDS:
        if days[kind] <= 0:
            continue
        before = now - dt.timedelta(days=days[kind])
        removed = Removed(kind, before, _REMOVE[kind](store, data, before, dry_run=dry_run))
        found.append(removed)
        if removed.count and not dry_run:
            detail = {"older_than": before.isoformat(timespec="minutes"), "removed": removed.count}
            with store.write() as connection:
                audit.note(connection, verb="retention", object=kind, detail=detail, now=now)
    return found


def traces_until(connection: Connection) -> int:
    """Milliseconds since 1970: hits before this have no traces any more. 0: all have theirs."""
    return checkpoints.positions(connection, TRACES_UNTIL).get("", 0)


def _traces(store: Store, data: Path, before: dt.datetime, *, dry_run: bool) -> int:
    if not dry_run:  # first: a verdict must not be made again from what is about to go
        with store.write() as connection:
            checkpoints.move(connection, TRACES_UNTIL, max(to_ms(before), traces_until(connection)))
    count = 0
    for table, opened, written in ((event, store.read_events, store.write_events), (feedback, store.read, store.write)):
        old = and_(table.c.at < before, _has_traces(table))
        if table is event:
            old = and_(old, event.c.verdict != Verdict.UNJUDGED.value)
        while True:
            with opened() as connection:
                if dry_run:
                    count += connection.execute(select(func.count()).select_from(table).where(old)).scalar_one()
                    break
                keys = [table.c.spool, table.c.sequence, table.c.at]
                rows = connection.execute(select(*keys).where(old).limit(_BATCH)).all()
            if not rows:
                break
            with written() as connection:
                connection.execute(
                    update(table)
                    .where(
                        table.c.spool == bindparam("in_spool"),
                        table.c.sequence == bindparam("number"),
                        table.c.at == bindparam("moment", type_=Instant()),
                    )
                    .values(agent_class=0, network_class=0, prefix_hash=None, flags=0),
                    [{"in_spool": spool, "number": number, "moment": at} for spool, number, at in rows],
                )
            count += len(rows)
    return count


def _has_traces(table: Table) -> ColumnElement[bool]:
    columns = (table.c.agent_class, table.c.network_class, table.c.flags)
    return or_(table.c.prefix_hash.is_not(None), *(column != 0 for column in columns))


def _returned(store: Store, data: Path, before: dt.datetime, *, dry_run: bool) -> int:
    old = returned_mail.c.at < before
    with store.read() as connection:
        rows = connection.execute(select(returned_mail.c.id, returned_mail.c.file).where(old)).all()
    if not dry_run:
        for row in rows:
            (data.parent / row.file).unlink(missing_ok=True)  # joined to it, an absolute path stays what it is
        with store.write() as connection:
            connection.execute(delete(returned_mail).where(old))
    return len(rows)


def _rejects(store: Store, data: Path, before: dt.datetime, *, dry_run: bool) -> int:
    old = [path for path in (data / "rejects").glob("*.csv") if path.stat().st_mtime < before.timestamp()]
    if not dry_run:
        for path in old:
            path.unlink(missing_ok=True)
    return len(old)


def _messages(store: Store, data: Path, before: dt.datetime, *, dry_run: bool) -> int:
    with store.read() as connection:
        mine = select(message.c.campaign_id).join(campaign, campaign.c.id == message.c.campaign_id)
        ended = sorted(set(connection.execute(mine.where(campaign.c.finished_at < before)).scalars()))
    for number in [] if dry_run else ended:
        # The row first: without it nobody makes the copy again.
        with store.write() as connection:
            connection.execute(delete(message).where(message.c.campaign_id == number))
        (data / "links" / f"{number}{_COPY}").unlink(missing_ok=True)
    return len(ended)


_REMOVE: Final = {"traces": _traces, "returned": _returned, "rejects": _rejects, "messages": _messages}
