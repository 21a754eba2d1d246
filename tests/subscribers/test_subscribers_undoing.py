"""An import taken back: the city is as it was, row for row, and nobody's later word is overruled."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from outreach.errors import UsageError
from outreach.store import consent, subscribers, suppressions, tables, topics, undoing
from outreach.store.database import Store
from outreach.subscribers.importing import import_file
from tests.subscribers.people_files import govdelivery, mailchimp, mailchimp_unsubscribed, salesforce, written

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=1)
ADA = {"Email Address": "ada@city.example", "District": "3", "LAST_CHANGED": "2024-01-02 10:00:00", "TAGS": "Housing"}
BOB = {"Email Address": "bob@city.example", "District": "1", "LAST_CHANGED": "2024-01-02 10:00:00"}
STATE = ("subscriber", "profile", "provenance", "subscription", "suppression")


def bring(store: Store, folder: Path, content: str, at: dt.datetime = LATER) -> int:
    result = import_file(store, written(folder, "people.csv", content), now=at, rejects_folder=folder / "rejects")
    assert result.import_id is not None
    return result.import_id


def state(store: Store) -> dict[str, list[Any]]:
    """Every row of people, subscriptions and suppressions."""
    with store.read() as connection:
        found = {}
        for name in STATE:
            table = tables.main.tables[name]
            found[name] = [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
        return found


@pytest.fixture
def city(store: Store, tmp_path: Path) -> Store:
    bring(store, tmp_path, mailchimp(ADA, BOB), NOW)
    with store.write() as connection:
        suppressions.suppress(
            connection, "early@city.example", reason=suppressions.Reason.BOUNCE, source="a bounce", at=NOW
        )
    return store


FILES = {
    "changed people": mailchimp({**ADA, "District": "4", "LAST_CHANGED": "2025-01-01 00:00:00"}, BOB),
    "the same, later": mailchimp({**ADA, "LAST_CHANGED": "2025-01-01 00:00:00"}),
    "new people and topics": govdelivery(
        ("ada@city.example", "EMAIL", "Housing", "01/02/2017 02:58 PM", "Weekly Digest"),
        ("ada@city.example", "EMAIL", "Road works", "01/02/2017 02:58 PM", "Immediate"),
        ("early@city.example", "EMAIL", "Road works", "01/02/2017 02:58 PM", "Immediate"),
    ),
    "people who left": mailchimp_unsubscribed("ada@city.example", "gone@city.example", "early@city.example"),
    "opt-outs": salesforce({"E-Mail": "bob@city.example", "Email Opt Out": "1", "Nachname": "Ross"}),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_undo_brings_the_city_back_row_for_row(city: Store, tmp_path: Path, content: str) -> None:
    before = state(city)
    number = bring(city, tmp_path, content)
    assert state(city) != before
    with city.read() as connection:
        logged = undoing.last_consent(connection)
    with city.write() as connection:
        undoing.undo(connection, number, now=LATER + dt.timedelta(days=1))
    assert state(city) == before
    with city.read() as connection:
        gained = connection.execute(select(tables.consent).where(tables.consent.c.id > logged)).all()
        assert {row.source for row in gained} <= {f"import {number} undone"}
        (run, _) = undoing.runs(connection)
    assert run.undone_at is not None
    with city.write() as connection, pytest.raises(UsageError, match="was undone on 2026-11-23"):
        undoing.undo(connection, number, now=LATER)


def test_imports_are_undone_from_the_last_to_the_first(city: Store, tmp_path: Path) -> None:
    states, numbers = [], []
    for content in FILES.values():
        states.append(state(city))
        numbers.append(bring(city, tmp_path, content))
    for number, before in zip(reversed(numbers), reversed(states), strict=True):
        with city.write() as connection:
            undoing.undo(connection, number, now=LATER)
        assert state(city) == before


def test_whoever_did_something_since_is_named_and_nothing_is_undone(city: Store, tmp_path: Path) -> None:
    number = bring(city, tmp_path, FILES["new people and topics"])
    with city.write() as connection:
        ada = subscribers.find(connection, "ada@city.example")
        topic = topics.find(connection, "Road works")
        assert ada
        assert topic
        consent.unsubscribe(connection, subscriber_id=ada.id, topic_id=topic.id, source="link", at=LATER)
    before = state(city)
    with (
        pytest.raises(undoing.Touched, match=r"1 have changed since \(ada@city\.example\)"),
        city.write() as connection,
    ):
        undoing.undo(connection, number, now=LATER)
    assert state(city) == before
    with city.write() as connection:
        assert undoing.undo(connection, number, now=LATER, leave_touched=True) == (1, 1)
    with city.read() as connection:
        assert subscribers.find(connection, "early@city.example") is None
        assert [each.status for each in consent.subscriptions_of(connection, ada.id)] == [1, 2]


def test_a_later_import_of_the_same_person_counts_as_touched(city: Store, tmp_path: Path) -> None:
    number = bring(city, tmp_path, FILES["changed people"])
    bring(city, tmp_path, mailchimp({**ADA, "District": "7", "LAST_CHANGED": "2026-01-01 00:00:00"}))
    with pytest.raises(undoing.Touched, match=r"ada@city\.example"), city.write() as connection:
        undoing.undo(connection, number, now=LATER)
