"""What Google's Postmaster Tools and Microsoft's SNDS tell us about us: read, kept once, shown and acted on."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

import pytest

from outreach.bounces import told
from outreach.bounces.dmarc_reports import BadReport
from outreach.bounces.health.advice import next_steps
from outreach.bounces.health.figures import as_json, collect
from outreach.bounces.health.page import page
from outreach.bounces.recording import Fate
from outreach.store.database import Store
from tracking.bounces.reports import take_file
from tracking.bounces.taking import Desk

SNDS = b"""192.0.2.10,11/19/2026 2:00 PM,11/20/2026 1:00 PM,9120,9100,9050,GREEN,< 0.1%,,,0,h,b@c.example,
192.0.2.11,11/19/2026 2:00 PM,11/20/2026 1:00 PM,400,398,390,RED,0.3%,11/19/2026 3:00 PM,11/19/2026 4:00 PM,2,h,,
"""
V1 = json.dumps(
    {"trafficStats": [{"name": "domains/city.example/trafficStats/20261119", "userReportedSpamRatio": 0.0041}]}
).encode()
V2 = json.dumps(
    {
        "domainStats": [
            {
                "name": "x",
                "metric": "spam",
                "date": {"year": 2026, "month": 11, "day": 18},
                "value": {"floatValue": 0.001},
            },
            {"name": "x", "metric": "tls", "date": {"year": 2026, "month": 11, "day": 18}, "value": {"floatValue": 1}},
        ]
    }
).encode()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Date,User-reported spam rate\n2026-11-18,0.05%\n2026-11-19,\n2026-11-20,0.2%\n", [0.0005, 0.002]),
        (b"\xef\xbb\xbfDate,Domain,Spam rate\nNov 18, 2026\n", []),
        (b'"Date","Domain","Spam rate"\n"Nov 18, 2026",news.city.example,0.0031\n', [0.0031]),
        (V1, [0.0041]),
        (V2, [0.001]),
        (SNDS, [0.001, 0.003]),
        (b"IP Address,Activity Start,Filter Result,Complaint Rate\n192.0.2.1,2026-11-18,YELLOW,< 0.1%\n", [0.001]),
    ],
)
def test_each_form_is_known_and_read(raw: bytes, expected: list[float], now: dt.datetime) -> None:
    assert told.looks_like_one(raw)
    found = told.read(raw, domain="city.example", now=now)
    assert [each.complaint_rate for each in found] == pytest.approx(expected)


@pytest.mark.parametrize(
    "raw",
    [
        b"Date,Spam rate\nyesterday,0.1%\n",
        b"Date,Spam rate\n2026-11-18,much\n",
        b"Date,Spam rate\n2026-11-18,nan\n",
        b"Date,Spam rate\n2026-11-18,70\n",
        b"Date,Spam rate\n2027-11-18,0.1%\n",
        b'{"trafficStats": ' + b"[" * 100_000,
        b"192.0.2.10,never,never,1,1,1,GREEN,< 0.1%,,,0,,,\n",
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(raw: bytes, now: dt.datetime) -> None:
    assert told.looks_like_one(raw)
    with pytest.raises(BadReport):
        told.read(raw, domain="city.example", now=now)


@pytest.mark.parametrize("raw", [b"a,b\n1,2\n", b"<feedback>", b'{"policies": []}', b"", b"hello"])
def test_other_files_are_not_taken_for_one(raw: bytes) -> None:
    assert not told.looks_like_one(raw)


def test_they_are_kept_once_shown_and_lead_to_advice(store: Store, now: dt.datetime) -> None:
    for raw, count in ((SNDS, 2), (V1, 1), (V2, 1), (V1, 1)):
        assert take_file(store, raw, now=now, domain="city.example") == count
    health = collect(store, organisation="City of Example", now=now)
    found = {each.name: [(one.about, one.day, one.complaint_rate) for one in each.told] for each in health.providers}
    assert found == {
        "google": [("city.example", "2026-11-18", 0.001), ("city.example", "2026-11-19", 0.0041)],
        "microsoft": [("192.0.2.10", "2026-11-19", 0.001), ("192.0.2.11", "2026-11-19", 0.003)],
    }
    advice = next_steps(health)
    assert advice[0].replace("\u00a0", " ") == (
        "Write to fewer people at Gmail and Google: by its own count, 0.41 % of the readers there pressed “spam” on "
        "19 November (mail of city.example). From 0.30 % on, mail goes into the junk folder until a whole week was "
        "better."
    )
    assert any("192.0.2.11" in each and "junk" in each for each in advice)
    assert "by their own count" in page(health, advice)
    assert as_json(health, advice)["providers"][0]["told"]


def test_a_mail_never_brings_one(store: Store, make_desk: Callable[[Store], Desk], now: dt.datetime) -> None:
    """Anybody can write a mail; what a provider says of us is only believed from a file somebody of us took."""
    raw = b"Content-Type: application/octet-stream\nFrom: a@b.example\nSubject: SNDS\n\n" + SNDS
    desk = make_desk(store)
    assert desk.take(raw).fate is Fate.KEPT
    health = collect(store, organisation="City of Example", now=now)
    assert not health.providers
