"""Reports that receivers send about our domain: kept once each, and added up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from outreach.store.tables import received_report, report_row

DMARC = "dmarc"
TLS = "tls"


@dataclass(frozen=True, slots=True)
class Source:
    """One sender in our name, over some days and all reports."""

    address: str
    domain: str
    count: int
    passed: int
    refused: int
    """Quarantined or rejected by the receiver."""
    reporters: int


def add(
    connection: Connection,
    *,
    kind: str,
    organisation: str,
    report: str,
    domain: str,
    begins_at: dt.datetime,
    ends_at: dt.datetime,
    at: dt.datetime,
    rows: Sequence[dict[str, Any]],
) -> bool:
    """Keep a report with its rows. False if this one is known."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    head = {
        "kind": kind,
        "organisation": organisation,
        "report": report,
        "domain": domain,
        "begins_at": begins_at,
        "ends_at": ends_at,
        "at": at,
    }
    query = dialect.insert(received_report).values(head).on_conflict_do_nothing()
    if connection.execute(query.execution_options(preserve_rowcount=True)).rowcount < 1:
        return False
    mine = (
        (received_report.c.kind == kind)
        & (received_report.c.organisation == organisation)
        & (received_report.c.report == report)
    )
    report_id = connection.execute(select(received_report.c.id).where(mine)).scalar_one()
    if rows:
        connection.execute(
            insert(report_row), [{"report_id": report_id, "number": n, **row} for n, row in enumerate(rows)]
        )
    return True


def sources(connection: Connection, *, since: dt.datetime) -> list[Source]:
    """Who sent in our name since then, by DMARC reports; the most mail first."""
    failed = report_row.c.passed.is_(False) & report_row.c.disposition.in_(("quarantine", "reject"))
    rows = connection.execute(
        select(
            report_row.c.source,
            report_row.c.header_from,
            func.sum(report_row.c.count),
            func.coalesce(func.sum(report_row.c.count).filter(report_row.c.passed.is_(True)), 0),
            func.coalesce(func.sum(report_row.c.count).filter(failed), 0),
            func.count(func.distinct(received_report.c.organisation)),
        )
        .join(received_report, received_report.c.id == report_row.c.report_id)
        .where(received_report.c.kind == DMARC, received_report.c.ends_at >= since)
        .group_by(report_row.c.source, report_row.c.header_from)
        .order_by(func.sum(report_row.c.count).desc())
        .limit(500)
    )
    return [Source(row[0], row[1], int(row[2]), int(row[3]), int(row[4]), int(row[5])) for row in rows]


def tls_failures(connection: Connection, *, since: dt.datetime) -> list[tuple[str, str, int]]:
    """Host, kind of failure and sessions, by TLS reports since then."""
    rows = connection.execute(
        select(report_row.c.source, report_row.c.disposition, func.sum(report_row.c.count))
        .join(received_report, received_report.c.id == report_row.c.report_id)
        .where(received_report.c.kind == TLS, received_report.c.ends_at >= since, report_row.c.passed.is_(False))
        .group_by(report_row.c.source, report_row.c.disposition)
        .order_by(func.sum(report_row.c.count).desc())
    )
    return [(row[0], row[1], int(row[2])) for row in rows]


def told(connection: Connection, *, kinds: Sequence[str], since: dt.datetime) -> list[tuple[str, str, dict[str, Any]]]:
    """What providers told us about us since then: kind, our domain or address, and their figures; the latest last."""
    rows = connection.execute(
        select(received_report.c.kind, received_report.c.domain, report_row.c.detail)
        .join(received_report, received_report.c.id == report_row.c.report_id)
        .where(received_report.c.kind.in_(kinds), received_report.c.ends_at >= since)
        .order_by(received_report.c.begins_at, received_report.c.domain)
    )
    return [(kind, about, detail) for kind, about, detail in rows]


def reports(connection: Connection, *, since: dt.datetime) -> dict[str, int]:
    """How many of each kind came."""
    rows = connection.execute(
        select(received_report.c.kind, func.count())
        .where(received_report.c.ends_at >= since)
        .group_by(received_report.c.kind)
    )
    return {row[0]: int(row[1]) for row in rows}
