"""The sending domain's DNS in the gate: what fails blocks, what nobody answers is not held against anybody."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from outreach.preflight import records
from outreach.preflight.dns import Zone
from outreach.rendering import dkim

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "dkim.pem"
    path.write_bytes(dkim.new_key())
    return path


def told(zone: dict[str, list[str] | None], key: Path, *, domain: str = "city.gov") -> list[tuple[str, str]]:
    found = records.check(
        Zone(zone), sending=domain, sender=domain, selector="s1", key=key, relay="relay.city.gov", now=NOW
    )
    return [(str(finding.severity), finding.place) for finding in found]


def good(key: Path) -> dict[str, list[str] | None]:
    return {
        "city.gov TXT": ["v=spf1 a:relay.city.gov -all"],
        "relay.city.gov A": ["192.0.2.25"],
        "s1._domainkey.city.gov TXT": [dkim.dns_record(key.read_bytes())],
        "_dmarc.city.gov TXT": ["v=DMARC1; p=reject; rua=mailto:dmarc@city.gov"],
        "city.gov MX": ["10 mx.city.gov"],
        "mx.city.gov A": ["192.0.2.26"],
    }


def test_a_domain_in_order_is_no_finding(key):
    assert told(good(key), key) == []


@pytest.mark.parametrize("record", ["s1._domainkey.city.gov TXT", "_dmarc.city.gov TXT", "city.gov TXT"])
def test_a_missing_record_is_found(record, key):
    zone = {name: value for name, value in good(key).items() if name != record}
    assert len(told(zone, key)) >= 1


def test_a_key_that_is_not_ours_blocks(key):
    zone = good(key) | {"s1._domainkey.city.gov TXT": [dkim.dns_record(dkim.new_key())]}
    assert told(zone, key) == [("block", "dkim s1._domainkey.city.gov")]


def test_silence_is_not_held_against_anybody(key):
    assert told(dict.fromkeys(good(key)), key) == []


def test_a_practice_city_has_no_records(key):
    zone = Zone({})
    found = records.check(
        zone, sending="city.example", sender="city.example", selector="s1", key=key, relay="", now=NOW
    )
    assert list(found) == []
    assert zone.asked == []
