"""DMARC and TLS reports: read, kept once, told as sentences; and refused when they are not what they say."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import json
from collections.abc import Callable

import pytest

from outreach.bounces import dmarc_reports, tls_reports
from outreach.bounces.dmarc_reports import BadReport
from outreach.bounces.health.advice import stranger
from outreach.bounces.recording import Fate
from outreach.store import received_reports
from outreach.store.database import Store
from tracking.bounces.reports import take_file
from tracking.bounces.taking import Desk

DAY = 1795132800  # 20 November 2026


def record(source: str, count: int, result: str, disposition: str) -> str:
    return f"""<record><row><source_ip>{source}</source_ip><count>{count}</count><policy_evaluated>
<disposition>{disposition}</disposition><dkim>{result}</dkim><spf>{result}</spf></policy_evaluated></row>
<identifiers><header_from>city.example</header_from></identifiers>
<auth_results><dkim><domain>city.example</domain><selector>outreach</selector><result>{result}</result></dkim>
</auth_results></record>"""


def aggregate(*records: str, opening: str = "<feedback>", begin: int = DAY) -> bytes:
    return f"""<?xml version="1.0"?>
{opening}<report_metadata><org_name>google.com</org_name><email>x@google.com</email><report_id>77</report_id>
<date_range><begin>{begin}</begin><end>{begin + 86399}</end></date_range></report_metadata>
<policy_published><domain>city.example</domain><p>reject</p></policy_published>
{"".join(records)}</feedback>""".encode()


OURS, THEIRS = record("192.0.2.10", 9000, "pass", "none"), record("203.0.113.77", 412, "fail", "reject")
BOTH_RFCS = ["<feedback>", '<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">']


@pytest.mark.parametrize("opening", BOTH_RFCS)
def test_reports_of_both_rfcs_are_read(opening: str, now: dt.datetime) -> None:
    report = dmarc_reports.read(aggregate(OURS, THEIRS, opening=opening), now=now)
    assert [(row.source, row.count, row.passed, row.disposition) for row in report.rows] == [
        ("192.0.2.10", 9000, True, "none"),
        ("203.0.113.77", 412, False, "reject"),
    ]


def test_a_report_counts_once_however_it_comes(store: Store, now: dt.datetime) -> None:
    raw = aggregate(OURS, THEIRS)
    for form in (raw, gzip.compress(raw), raw):
        assert take_file(store, form, now=now) == 1
    with store.read() as connection:
        found = received_reports.sources(connection, since=now - dt.timedelta(days=30))
    assert [(each.address, each.count, each.passed, each.refused) for each in found] == [
        ("192.0.2.10", 9000, 9000, 0),
        ("203.0.113.77", 412, 0, 412),
    ]
    assert stranger("203.0.113.77", "city.example", 412, 412) == (
        "An unknown source (203.0.113.77) sent 412 mails as city.example; 100.0\u00a0% were refused or put aside."
    )


def test_a_report_in_a_mail_is_taken_from_the_mailbox(
    sqlite_store: Store, make_desk: Callable[[Store], Desk], now: dt.datetime
) -> None:
    content = base64.encodebytes(gzip.compress(aggregate(OURS))).decode()
    mail = f"""From: noreply-dmarc-support@google.com
To: dmarc@city.example
Subject: Report domain: city.example Submitter: google.com Report-ID: 77
MIME-Version: 1.0
Content-Type: application/gzip; name="google.com!city.example!1!2.xml.gz"
Content-Transfer-Encoding: base64

{content}"""
    assert make_desk(sqlite_store).take(mail.encode()).fate is Fate.NOTED
    with sqlite_store.read() as connection:
        assert received_reports.reports(connection, since=now - dt.timedelta(days=30)) == {"dmarc": 1}


BAD = {
    "a DOCTYPE": aggregate(OURS).replace(b"<feedback>", b'<!DOCTYPE x [<!ENTITY a "b">]><feedback>'),
    "billion laughs": b'<!DOCTYPE l [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><feedback>&b;</feedback>',
    "cut off": aggregate(OURS)[:-20],
    "too deep": aggregate("<a>" * 50 + "</a>" * 50),
    "days to come": aggregate(OURS, begin=DAY + 86400 * 30),
    "an impossible count": aggregate(OURS.replace("9000", "-1")),
    "no source": aggregate(OURS.replace("192.0.2.10", "x")),
    "nobody's": aggregate(OURS).replace(b"google.com", b""),
    "too many records": aggregate(OURS * 50_001),
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
def test_what_no_receiver_writes_is_refused(sqlite_store: Store, raw: bytes, now: dt.datetime) -> None:
    with pytest.raises(BadReport):
        take_file(sqlite_store, raw, now=now)


def tls(**changed: object) -> bytes:
    document = {
        "organization-name": "Receiver Inc",
        "date-range": {"start-datetime": "2026-11-20T00:00:00Z", "end-datetime": "2026-11-20T23:59:59Z"},
        "report-id": "5065427c",
        "policies": [
            {
                "policy": {"policy-type": "sts", "policy-domain": "city.example"},
                "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
                "failure-details": [
                    {
                        "result-type": "certificate-expired",
                        "receiving-mx-hostname": "mx1.city.example",
                        "failed-session-count": 100,
                    }
                ],
            }
        ],
        **changed,
    }
    return json.dumps(document).encode()


def test_tls_reports_are_added_up(sqlite_store: Store, now: dt.datetime) -> None:
    assert take_file(sqlite_store, gzip.compress(tls()), now=now) == 1
    with sqlite_store.read() as connection:
        found = received_reports.tls_failures(connection, since=now - dt.timedelta(days=30))
    assert found == [("mx1.city.example", "certificate-expired", 100)]


@pytest.mark.parametrize(
    "raw",
    [
        tls(x="y").replace(b'"y"', b"[" * 100_000 + b"]" * 100_000),
        tls().replace(b"5326", b"NaN"),
        tls().replace(b"5326", b"1e999"),
        tls(policies=[]),
        tls().replace(b"2026-11-20", b"2027-11-20"),
        b'{"policies": ' + b"[" * 2_000_000,
    ],
    ids=["deep", "NaN", "1e999", "no policies", "days to come", "never ends"],
)
def test_json_bombs_are_refused(raw: bytes, now: dt.datetime) -> None:
    with pytest.raises(BadReport):
        tls_reports.read(raw, now=now)
