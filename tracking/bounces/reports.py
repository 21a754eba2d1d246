"""DMARC and TLS reports from a mail's attachments, or from a file, into the store; so are Google's and SNDS's files."""

from __future__ import annotations

import datetime as dt

from outreach.bounces import dmarc_reports, tls_reports, told
from outreach.bounces.dmarc_reports import BadReport
from outreach.bounces.mime import Part, parse
from outreach.bounces.unpacking import MAX_IN, Bomb, unpack
from outreach.store import received_reports
from outreach.store.database import Store

__all__ = ["BadReport", "take_file", "take_mail"]

_TYPES = frozenset(
    {
        "application/gzip",
        "application/x-gzip",
        "application/zip",
        "application/x-zip-compressed",
        "application/octet-stream",
        "application/xml",
        "text/xml",
        "application/tlsrpt+gzip",
        "application/tlsrpt+json",
    }
)


def take_mail(store: Store, raw: bytes, *, now: dt.datetime) -> int:
    """Take the reports that a mail carries. How many there were, known ones included. Raises BadReport."""
    return sum(take_file(store, _whole(part), now=now) for part in parse(raw).walk() if part.type in _TYPES)


def take_file(store: Store, raw: bytes, *, now: dt.datetime, domain: str | None = None) -> int:
    """Take the reports in a file as it came: XML, JSON or CSV, plain, gzip or zip. How many. Raises BadReport.

    With our `domain`, also what providers tell about us, each day as a report: such a file is brought by one of us, and
    never believed from a mail.
    """
    try:
        files = unpack(raw)
    except Bomb as error:
        raise BadReport(str(error)) from None
    return sum(_take(store, file, now, domain) for file in files)


def _take(store: Store, raw: bytes, now: dt.datetime, domain: str | None) -> int:
    if dmarc_reports.looks_like_one(raw):
        _take_dmarc(store, dmarc_reports.read(raw, now=now), now)
    elif tls_reports.looks_like_one(raw):
        _take_tls(store, tls_reports.read(raw, now=now), now)
    elif domain is not None and told.looks_like_one(raw):
        return _take_told(store, told.read(raw, domain=domain, now=now), now)
    else:
        return 0
    return 1


def _take_dmarc(store: Store, report: dmarc_reports.Report, now: dt.datetime) -> None:
    rows = [
        {
            "source": row.source,
            "count": row.count,
            "passed": row.passed,
            "disposition": row.disposition,
            "header_from": row.header_from or report.domain,
            "detail": {"dkim": row.dkim, "spf": row.spf, "signed_by": list(row.signed_by), "policy": report.policy},
        }
        for row in report.rows
    ]
    with store.write() as connection:
        received_reports.add(
            connection,
            kind=received_reports.DMARC,
            organisation=report.organisation,
            report=report.id,
            domain=report.domain,
            begins_at=report.begins_at,
            ends_at=report.ends_at,
            at=now,
            rows=rows,
        )


def _take_tls(store: Store, report: tls_reports.Report, now: dt.datetime) -> None:
    rows = [
        {
            "source": "",
            "count": report.successful,
            "passed": True,
            "disposition": "",
            "header_from": report.domain,
            "detail": {},
        },
        *(
            {
                "source": each.host,
                "count": each.count,
                "passed": False,
                "disposition": each.type,
                "header_from": report.domain,
                "detail": {},
            }
            for each in report.failures
        ),
    ]
    with store.write() as connection:
        received_reports.add(
            connection,
            kind=received_reports.TLS,
            organisation=report.organisation,
            report=report.id,
            domain=report.domain,
            begins_at=report.begins_at,
            ends_at=report.ends_at,
            at=now,
            rows=rows,
        )


def _take_told(store: Store, days: list[told.Told], now: dt.datetime) -> int:
    with store.write() as connection:
        for each in days:
            detail = {
                "day": each.begins_at.date().isoformat(),
                "complaint_rate": each.complaint_rate,
                "recipients": each.recipients,
                "colour": each.colour,
                "trap_hits": each.trap_hits,
            }
            row = {"source": "", "count": 0, "passed": True, "disposition": "", "header_from": "", "detail": detail}
            received_reports.add(
                connection,
                kind=each.kind,
                organisation=each.kind,
                report=f"{each.about} {each.begins_at:%Y-%m-%d %H:%M}"[:200],
                domain=each.about[:255],
                begins_at=each.begins_at,
                ends_at=each.ends_at,
                at=now,
                rows=[row],
            )
    return len(days)


def _whole(part: Part) -> bytes:
    """All of an attachment, where `Part.content` would stop after what a text needs."""
    return part.content(limit=MAX_IN)
