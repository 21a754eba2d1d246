"""DMARC aggregate reports: what receivers saw sent in our name (RFC 7489 appendix C; RFC 9990).

Read with expat, event by event: no DOCTYPE, no entities, bounded in depth, records and text. The two RFCs
differ in their namespace and in fields that we do not need, so names are read without their namespace.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from ipaddress import ip_address
from xml.parsers import expat

from outreach.errors import OutreachError

MAX_RECORDS = 50_000
MAX_DEPTH = 12
MAX_TEXT = 2000
MAX_COUNT = 2**40


class BadReport(OutreachError):
    """A report that cannot be believed or read; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """Mail from one source in our name."""

    source: str
    count: int
    disposition: str
    """What the receiver did: none, quarantine, reject (RFC 9990 adds pass)."""
    dkim: bool
    spf: bool
    header_from: str
    signed_by: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """DMARC passes with either, aligned (RFC 9989)."""
        return self.dkim or self.spf


@dataclass(frozen=True, slots=True)
class Report:
    organisation: str
    id: str
    domain: str
    policy: str
    begins_at: dt.datetime
    ends_at: dt.datetime
    rows: tuple[Row, ...]


@dataclass(slots=True)
class _Collector:
    path: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    length: int = 0
    head: dict[str, str] = field(default_factory=dict)
    record: dict[str, str] = field(default_factory=dict)
    signed: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def start(self, name: str, _: object) -> None:
        self.path.append(name.rpartition(" ")[2].rpartition(":")[2])
        self.text, self.length = [], 0
        if len(self.path) > MAX_DEPTH:
            raise BadReport("the report is nested deeper than any report")

    def data(self, text: str) -> None:
        self.length += len(text)
        if self.length <= MAX_TEXT:
            self.text.append(text)

    def end(self, _: str) -> None:
        value, path = "".join(self.text).strip(), "/".join(self.path[1:])
        self.path.pop()
        self.text, self.length = [], 0
        if path == "record":
            self._finish()
        elif path.startswith("record/"):
            name = path.removeprefix("record/")
            if name == "auth_results/dkim/domain":
                self.signed.append(value[:255])
            else:
                self.record.setdefault(name, value)
        elif value:
            self.head.setdefault(path, value)

    def _finish(self) -> None:
        if len(self.rows) >= MAX_RECORDS:
            raise BadReport(f"the report has more than {MAX_RECORDS} records")
        self.rows.append(_row(self.record, self.signed))
        self.record, self.signed = {}, []


def read(raw: bytes, *, now: dt.datetime) -> Report:
    """One report from its XML. Raises BadReport."""
    collector = _Collector()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.data
    parser.StartDoctypeDeclHandler = _no_doctype
    parser.buffer_text = True
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise BadReport(f"the report is not XML: {error}") from None
    head = collector.head
    begins, ends = (_moment(head.get(f"report_metadata/date_range/{name}", "")) for name in ("begin", "end"))
    if not dt.timedelta(0) <= ends - begins <= dt.timedelta(days=32):
        raise BadReport("the report's time range makes no sense")
    if ends > now + dt.timedelta(days=2):
        raise BadReport("the report is about days to come")
    report = Report(
        organisation=head.get("report_metadata/org_name", "")[:200],
        id=head.get("report_metadata/report_id", "")[:200],
        domain=head.get("policy_published/domain", "").lower()[:255],
        policy=head.get("policy_published/p", "")[:20],
        begins_at=begins,
        ends_at=ends,
        rows=tuple(collector.rows),
    )
    if not (report.organisation and report.id and report.domain):
        raise BadReport("the report does not say whose it is and what about")
    return report


def looks_like_one(raw: bytes) -> bool:
    return b"<feedback" in raw[:4000]


def _no_doctype(*_: object) -> None:
    raise BadReport("the report has a DOCTYPE, which no report needs")


def _row(values: dict[str, str], signed: list[str]) -> Row:
    try:
        source = str(ip_address(values.get("row/source_ip", "")))
        count = int(values.get("row/count", ""))
    except ValueError:
        raise BadReport("a record has no source address or no count") from None
    if not 0 <= count <= MAX_COUNT:
        raise BadReport("a record has an impossible count")
    return Row(
        source=source,
        count=count,
        disposition=values.get("row/policy_evaluated/disposition", "none").lower()[:40],
        dkim=values.get("row/policy_evaluated/dkim", "").lower() == "pass",
        spf=values.get("row/policy_evaluated/spf", "").lower() == "pass",
        header_from=values.get("identifiers/header_from", "").lower()[:255],
        signed_by=tuple(dict.fromkeys(signed))[:10],
    )


def _moment(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(int(text), dt.UTC)
    except (ValueError, OverflowError, OSError):
        raise BadReport("the report does not say which days it is about") from None
