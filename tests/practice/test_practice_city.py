"""The city is the same each time, dirty in the ways it says, and its truth is what its files say."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from outreach.addresses import BadAddress, normalise
from outreach.practice.city import TOPICS, City, make_exports
from outreach.practice.mailboxes import FATES, fate
from outreach.practice.names import FIRST, LAST, plain
from outreach.practice.people import INVALID, draw_people

GOOD = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*@[a-z0-9]+\.example")


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> City:
    return make_exports(tmp_path_factory.mktemp("city"), 2_000, seed=7)


def table(path: Path, encoding: str = "utf-8-sig", delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def clean(written: str) -> str:
    """An address as a careful importer would read it, or an empty string."""
    address = written.strip().removeprefix("mailto:").strip("<>").lower()
    return address if GOOD.fullmatch(address) else ""


def test_the_same_seed_makes_the_same_city(tmp_path):
    first = make_exports(tmp_path / "a", 300, seed=3)
    second = make_exports(tmp_path / "b", 300, seed=3)
    other = make_exports(tmp_path / "c", 300, seed=4)
    contents = [[path.read_bytes() for path in city.files] for city in (first, second, other)]
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]
    assert (first.reachable, first.opted_out, first.fates) == (second.reachable, second.opted_out, second.fates)


def test_the_headers_are_those_of_the_real_systems(city, shared):
    real = [
        ("mailchimp_unsubscribed", "mailchimp-unsubscribed-export.csv"),
        ("mailchimp", "mailchimp-audience-export.csv"),
        ("govdelivery", "govdelivery-subscriber-topics.csv"),
        ("salesforce", "salesforce-contacts-report.csv"),
        ("listmonk", "listmonk-subscribers.csv"),
    ]
    for ours, theirs in real:
        assert getattr(city, ours).name == theirs
        assert (
            getattr(city, ours).read_bytes().splitlines()[0] == (shared / "data" / theirs).read_bytes().splitlines()[0]
        )


def test_who_said_no_is_exactly_who_the_files_say(city):
    refused = {clean(row["Email Address"]) for row in table(city.mailchimp_unsubscribed)}
    refused |= {clean(r["E-Mail"]) for r in table(city.salesforce, "latin-1", ";") if r["Email Opt Out"] == "1"}
    refused |= {clean(row["email"]) for row in table(city.listmonk) if row["status"] == "blocklisted"}
    assert refused == city.opted_out
    assert 100 < len(refused) < 300


def test_the_reachable_are_those_written_somewhere_validly(city):
    written = [row["Email Address"] for row in table(city.mailchimp) + table(city.mailchimp_unsubscribed)]
    written += [row["Contact"] for row in table(city.govdelivery, "cp1252")]
    written += [row["E-Mail"] for row in table(city.salesforce, "latin-1", ";")]
    written += [row["email"] for row in table(city.listmonk)]
    assert {clean(address) for address in written} - {""} == city.reachable
    assert len(city.reachable) > 1_950


def test_the_subscribed_are_those_who_asked_and_did_not_leave(city):
    asked: dict[str, set[str]] = {topic: set() for topic in TOPICS}
    for row in table(city.mailchimp):
        if row["CONFIRM_TIME"]:
            for topic in re.findall(r'"([^"]+)"', row["TAGS"]):
                asked[topic].add(clean(row["Email Address"]))
    for row in table(city.govdelivery, "cp1252"):
        if row["Subscription Type"] == "EMAIL":
            asked[row["Topic Name"]].add(clean(row["Contact"]))
    assert city.subscribed == {topic: frozenset(people - {""} - city.opted_out) for topic, people in asked.items()}


def test_the_unconfirmed_are_those_without_a_time(city):
    without = {clean(row["Email Address"]) for row in table(city.mailchimp) if not row["CONFIRM_TIME"]} - {""}
    assert without == city.unconfirmed != frozenset()


def test_every_address_is_at_a_reserved_domain(city):
    assert all(address.endswith(".example") for address in city.reachable)


def test_the_dirt_is_there(city):
    mailchimp = table(city.mailchimp)
    written = [row["Email Address"] for row in mailchimp]
    assert city.mailchimp.read_bytes().startswith(b"\xef\xbb\xbf")
    assert any("\n" in row["NOTES"] for row in mailchimp)
    assert any(row["NOTES"].startswith("=") for row in mailchimp)
    assert any(not row["CONFIRM_TIME"] for row in mailchimp)
    assert any(clean(address) != address for address in written)
    assert any(address in INVALID for address in written)
    assert Counter(map(clean, written)).most_common(2)[1][1] > 1
    assert "“spring fair”" in city.govdelivery.read_bytes().decode("cp1252")
    assert any(row["Subscription Type"] == "SMS" for row in table(city.govdelivery, "cp1252"))
    salesforce = table(city.salesforce, "latin-1", ";")
    assert [row["Contact ID"] for row in salesforce[-2:]] == ["Gesamt", "Copyright (c) Stadt"]
    assert any("?" in row["Nachname"] for row in salesforce)
    assert {"district", "zip", "language", "renter"} == set(json.loads(table(city.listmonk)[0]["attributes"]))


@pytest.mark.parametrize("written", INVALID)
def test_no_invalid_address_can_be_taken_for_one(written):
    assert clean(written) == ""
    with pytest.raises(BadAddress):
        normalise(written)


def test_our_own_rules_for_addresses_find_the_same_people(city):
    assert {normalise(address) for address in city.reachable} == city.reachable
    for row in table(city.mailchimp):
        if address := clean(row["Email Address"]):
            assert normalise(row["Email Address"]) == address


def test_fates_have_their_shares_and_nobody_has_one_by_accident(city):
    assert Counter(city.fates.values()) == {
        "hard": 30,
        "full": 20,
        "greylist": 20,
        "slow": 4,
        "vanish": 4,
        "complain": 8,
    }
    assert {address: fate(address) for address in city.reachable if fate(address)} == city.fates
    assert city.fates.keys() <= city.subscribed[TOPICS[0]]


def test_a_small_city_has_every_fate(tmp_path):
    assert set(make_exports(tmp_path, 50, seed=1).fates.values()) == set(FATES)


def test_districts_languages_and_zips_are_spread():
    people = list(draw_people(2_000, dice=Random(1)))
    assert {person.district for person in people} == set(range(1, 9))
    assert {person.language for person in people} == {"en", "es", "vi", "zh", "hmn"}
    assert len({person.zip for person in people}) == 32
    assert len({person.address for person in people}) == 2_000


def test_every_name_can_be_written_in_an_address():
    names = {name for pool in (FIRST, LAST) for names in pool.values() for name in names}
    assert {name for name in names if not re.fullmatch(r"[a-z]+(-[a-z]+)*", plain(name))} == set()
