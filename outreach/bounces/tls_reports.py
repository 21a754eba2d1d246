"""TLS reports (RFC 8460): who could not deliver to our domain over TLS, and why. JSON, bounded before it is parsed."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from outreach.bounces.dmarc_reports import MAX_COUNT, BadReport

MAX_DEPTH = 20
MAX_FAILURES = 5000


@dataclass(frozen=True, slots=True)
class Failure:
    """Sessions that failed for one reason."""

    host: str
    type: str
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    organisation: str
    id: str
    domain: str
    begins_at: dt.datetime
    ends_at: dt.datetime
    successful: int
    failures: tuple[Failure, ...]


def looks_like_one(raw: bytes) -> bool:
    return raw.lstrip()[:1] == b"{" and b'"policies"' in raw[:200_000]


def read(raw: bytes, *, now: dt.datetime) -> Report:
    """One report from its JSON. Raises BadReport."""
    if _depth(raw) > MAX_DEPTH:
        raise BadReport("the report is nested deeper than any report")
    try:
        document = json.loads(raw, parse_constant=_refuse, parse_float=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadReport(f"the report is not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("policies"), list):
        raise BadReport("the report has no policies")
    span = document.get("date-range")
    begins, ends = (_moment(span, name) for name in ("start-datetime", "end-datetime"))
    if not dt.timedelta(0) <= ends - begins <= dt.timedelta(days=32) or ends > now + dt.timedelta(days=2):
        raise BadReport("the report's time range makes no sense")
    successful, domain = 0, ""
    failures: list[Failure] = []
    for policy in document["policies"][:100]:
        if not isinstance(policy, dict):
            continue
        summary = policy.get("summary")
        successful += _count(summary, "total-successful-session-count")
        about = policy.get("policy")
        domain = domain or str(about.get("policy-domain", "") if isinstance(about, dict) else "").lower()[:255]
        details = policy.get("failure-details")
        for each in (details if isinstance(details, list) else [])[: MAX_FAILURES - len(failures)]:
            if isinstance(each, dict):
                host = str(each.get("receiving-mx-hostname", ""))[:200]
                failures.append(
                    Failure(host, str(each.get("result-type", ""))[:40], _count(each, "failed-session-count"))
                )
    report = Report(
        organisation=str(document.get("organization-name", ""))[:200],
        id=str(document.get("report-id", ""))[:200],
        domain=domain,
        begins_at=begins,
        ends_at=ends,
        successful=successful,
        failures=tuple(failures),
    )
    if not (report.organisation and report.id and report.domain):
        raise BadReport("the report does not say whose it is and what about")
    return report


def _depth(raw: bytes) -> int:
    """How deep brackets nest, counting those in strings too: never less than the truth."""
    deepest = depth = 0
    for byte in raw.translate(None, _NOT_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


_NOT_BRACKETS = bytes(each for each in range(256) if each not in b"[]{}")


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is no count")


def _count(values: Any, name: str) -> int:
    found = values.get(name) if isinstance(values, dict) else 0
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= MAX_COUNT:
        return 0
    return found


def _moment(span: Any, name: str) -> dt.datetime:
    try:
        found = dt.datetime.fromisoformat(str(span[name]).replace("Z", "+00:00"))
    except (TypeError, KeyError, ValueError):
        raise BadReport("the report does not say which days it is about") from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
