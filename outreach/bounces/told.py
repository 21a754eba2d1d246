"""What the big providers tell a sender about itself: Google's Postmaster Tools and Microsoft's SNDS, as files.

Google: the spam rate's CSV from the dashboard (a date and a rate a line), or what its interface answers: `trafficStats`
(v1) or `domainStats` (v2), JSON. SNDS: the CSV of its automated data access, one line for each of our addresses and
day, without a heading in the order of `SNDS`, or with one. Neither names a person.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from outreach.bounces.dmarc_reports import BadReport

MAX_LINES = 20_000
GOOGLE, SNDS_KIND = "google", "snds"
SNDS = (
    "ip address",
    "activity start",
    "activity end",
    "rcpt commands",
    "data commands",
    "message recipients",
    "filter result",
    "complaint rate",
    "trap message start",
    "trap message end",
    "trap hits",
    "sample helo",
    "sample mail from",
    "comments",
)
"""The columns as Microsoft documents them."""
_ADDRESS = re.compile(rb"\A(?:\xef\xbb\xbf)?\"?(?:\d{1,3}\.){3}\d{1,3}\"?,")
_COLOURS = ("GREEN", "YELLOW", "RED")
_DATES = ("%Y-%m-%d", "%Y%m%d", "%m/%d/%Y", "%b %d, %Y", "%d %b %Y", "%Y/%m/%d")
_MOMENTS = ("%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", *_DATES)


@dataclass(frozen=True, slots=True)
class Told:
    """One day of one domain or address, as its provider sees it."""

    kind: str
    """google, or snds."""
    about: str
    """Our domain, or our address."""
    begins_at: dt.datetime
    ends_at: dt.datetime
    complaint_rate: float | None
    """People who pressed "spam", of those whose mail lay in the inbox. SNDS tells the upper end of a band."""
    recipients: int = 0
    colour: str = ""
    """SNDS: GREEN below a tenth taken for spam, YELLOW up to nine tenths, RED above."""
    trap_hits: int = 0


def looks_like_one(raw: bytes) -> bool:
    head = raw[:20_000].lower()
    if head.lstrip()[:1] in (b"{", b"["):
        return b"userreportedspamratio" in head or b"domainstats" in head or b"trafficstats" in head
    line = head.partition(b"\n")[0]
    heading = (b"date" in line and b"spam" in line) or (b"complaint rate" in line and b"filter result" in line)
    return heading or _ADDRESS.match(head) is not None


def read(raw: bytes, *, domain: str, now: dt.datetime) -> list[Told]:
    """Every day that a file tells of; `domain` is whose it is where the file does not say. Raises BadReport."""
    text = raw.decode("utf-8-sig", "replace")
    if text.lstrip()[:1] in "{[":
        found = list(_json(text, domain))
    else:
        lines = _lines(text)
        heading = [each.strip().lower() for each in lines[0]] if lines else []
        if any("spam" in each for each in heading):
            found = list(_spam_rates(heading, lines[1:], domain))
        else:
            named = "complaint rate" in heading
            found = [_snds(dict(zip(heading if named else SNDS, line, strict=False))) for line in lines[named:]]
    if any(each.complaint_rate is not None and each.complaint_rate > 1 for each in found):
        raise BadReport("more people complained than got mail")
    if any(each.ends_at > now + dt.timedelta(days=2) or each.ends_at < each.begins_at for each in found):
        raise BadReport("a day of the file lies ahead of us, or ends before it begins")
    return found


def _lines(text: str) -> list[list[str]]:
    try:
        return [line for line in csv.reader(text.splitlines()[:MAX_LINES]) if any(line)]
    except csv.Error as error:
        raise BadReport(f"the file is no CSV: {error}") from None


def _spam_rates(heading: list[str], lines: list[list[str]], domain: str) -> Iterator[Told]:
    day, rate = (next((n for n, each in enumerate(heading) if word in each), -1) for word in ("date", "spam"))
    whose = next((n for n, each in enumerate(heading) if "domain" in each and n != rate), -1)
    if day < 0:
        raise BadReport("the file has a spam rate and no column called date")
    for line in lines:
        if len(line) <= max(day, rate) or not line[rate].strip():
            continue  # a day with too little mail has no rate
        percent = "%" in line[rate] or "%" in heading[rate]
        value = _number(line[rate]) / (100 if percent else 1)
        yield _of_google(line[whose].strip().lower() if whose >= 0 else domain, _moment(line[day], _DATES), value)


def _json(text: str, domain: str) -> Iterator[Told]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadReport(f"the file is not JSON: {error}") from None
    if isinstance(document, dict):
        document = next((document[key] for key in ("trafficStats", "domainStats") if key in document), [document])
    for each in document[:MAX_LINES] if isinstance(document, list) else []:
        if not isinstance(each, dict):
            continue
        parts = str(each.get("name", "")).split("/")  # domains/city.example/trafficStats/20261120
        mine = parts[1] if len(parts) > 1 and parts[0] == "domains" else domain
        if "userReportedSpamRatio" in each:
            day = each.get("date") or parts[-1]
            yield _of_google(mine, _day(day), _number(each["userReportedSpamRatio"]))
        elif "spam" in str(each.get("metric", "")).lower() and isinstance(each.get("value"), dict):
            value = next((found for key, found in each["value"].items() if key.endswith("Value")), None)
            yield _of_google(mine, _day(each.get("date")), _number(value))


def _of_google(domain: str, day: dt.datetime, rate: float) -> Told:
    return Told(GOOGLE, domain, day, day + dt.timedelta(days=1), rate)


def _snds(row: Mapping[str, str]) -> Told:
    rate = row.get("complaint rate", "").strip()
    colour = row.get("filter result", "").strip().upper()
    begins = _moment(row.get("activity start", row.get("activity period", "")), _MOMENTS)
    ends = row.get("activity end", "")
    return Told(
        SNDS_KIND,
        row.get("ip address", row.get("ip", "")).strip(),
        begins,
        _moment(ends, _MOMENTS) if ends else begins + dt.timedelta(days=1),
        # "< 0.1%" or a band: its upper end
        _number(rate.split()[-1]) / 100 if rate else None,
        recipients=int(_number(row.get("message recipients") or row.get("rcpt commands") or "0")),
        colour=colour if colour in _COLOURS else "",
        trap_hits=int(_number(row.get("trap hits") or "0")),
    )


def _day(told: Any) -> dt.datetime:
    if isinstance(told, dict):
        told = f"{told.get('year')}-{told.get('month')}-{told.get('day')}"
    return _moment(str(told), _DATES)


def _moment(text: str, forms: tuple[str, ...]) -> dt.datetime:
    for form in forms:
        try:
            return dt.datetime.strptime(text.strip(), form).replace(tzinfo=dt.UTC)
        except ValueError:
            continue
    raise BadReport(f"{text.strip()[:40]!r} is no date we know")


def _number(told: Any) -> float:
    try:
        value = float(str(told).strip().strip("<>%~ ").replace(",", "") or "0")
    except ValueError:
        raise BadReport(f"{str(told)[:40]!r} is no number") from None
    if not 0 <= value < 1e12:
        raise BadReport(f"{str(told)[:40]!r} is out of all bounds")
    return value
