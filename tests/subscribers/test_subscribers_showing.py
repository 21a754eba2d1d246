"""What we hold about a person can be seen whole, and taken elsewhere safely."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from outreach.cli.subscribers import visible
from outreach.store import subscribers, suppressions, tables
from outreach.store.database import Store
from outreach.store.suppressions import Reason
from outreach.subscribers.defusing import defused, undefused
from outreach.subscribers.exporting import write_csv
from outreach.subscribers.importing import import_file
from outreach.subscribers.showing import story
from tests.subscribers.people_files import mailchimp, mailchimp_unsubscribed, written

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
ADA = {
    "Email Address": "ada@city.example",
    "First Name": "=1+1",
    "District": "3",
    "OPTIN_TIME": "2020-01-02 10:00:00",
    "LAST_CHANGED": "2024-01-02 10:00:00",
    "TAGS": "Housing",
}


def arrive(store: Store, folder: Path, content: str, name: str = "people.csv") -> None:
    import_file(store, written(folder, name, content), now=NOW, rejects_folder=folder / "rejects")


def test_a_persons_story_in_the_order_of_time(store: Store, tmp_path: Path) -> None:
    arrive(store, tmp_path, mailchimp(ADA))
    arrive(store, tmp_path, mailchimp_unsubscribed("ada@city.example"), "left.csv")
    found = story(store, "ada@city.example")
    assert found is not None
    assert [(line["at"][:10], line["what"]) for line in found["history"]] == [
        ("2020-01-02", "joined"),
        ("2020-01-02", "consent given"),
        ("2024-05-01", "consent withdrawn"),
        ("2024-05-01", "suppressed"),
        ("2026-11-21", "came to us"),
    ]
    assert found["suppression"]["reason"] == "unsubscribe"
    assert found["topics"] == [
        {
            "name": "Housing",
            "status": "confirmed",
            "frequency": "at once",
            "since": "2020-01-02T10:00:00+00:00",
        }
    ]


def test_mail_and_its_events_are_part_of_the_story(store: Store, tmp_path: Path) -> None:
    arrive(store, tmp_path, mailchimp(ADA))
    with store.write() as connection:
        ada = subscribers.find(connection, "ada@city.example")
        assert ada is not None
        plan = {"name": "parking-1", "file": "parking.md", "status": "done", "rule": "everyone", "plan": {}}
        times = {"plan_hash": "0" * 64, "frozen": 1, "planned_at": NOW}
        connection.execute(insert(tables.campaign).values(id=7, **plan, **times))
        row = {"campaign_id": 7, "subscriber_id": ada.id, "state": 3, "at": NOW, "reason": "250 ok"}
        connection.execute(insert(tables.delivery).values(**row))
    hit = {"spool": "a", "at": NOW + dt.timedelta(hours=1), "campaign_id": 7, "subscriber_id": ada.id, "link": 0}
    kinds = {"agent_class": 0, "network_class": 0, "flags": 0}
    with store.write_events() as connection:
        connection.execute(insert(tables.event).values(**hit, **kinds, sequence=1, kind=1, verdict=2))
        connection.execute(insert(tables.event).values(**hit, **kinds, sequence=2, kind=2, verdict=1))
    found = story(store, "ada@city.example")
    assert found is not None
    told = [(line["what"], line["detail"]) for line in found["history"]]
    assert ("mail accepted", "parking-1: 250 ok") in told
    assert ("open (machine)", "parking-1") in told
    assert ("click 1", "parking-1") in told


def test_a_stranger_has_no_story_but_a_suppressed_address_has(store: Store) -> None:
    assert story(store, "nobody@city.example") is None
    with store.write() as connection:
        suppressions.suppress(connection, "nobody@city.example", reason=Reason.MANUAL, source="phone", at=NOW)
    found = story(store, "nobody@city.example")
    assert found is not None
    assert (found["id"], found["suppression"]["source"]) == (None, "phone")


def test_an_export_is_safe_to_open_and_comes_back_unchanged(store: Store, tmp_path: Path) -> None:
    arrive(store, tmp_path, mailchimp(ADA, {"Email Address": "bob@city.example", "Language": "es"}))
    arrive(store, tmp_path, mailchimp_unsubscribed("bob@city.example"), "left.csv")
    out = io.StringIO(newline="")
    with store.read() as connection:
        assert write_csv(connection, out) == 2
    ada, bob = csv.DictReader(io.StringIO(out.getvalue(), newline=""))
    assert (ada["email"], ada["first_name"], ada["district"], ada["status"]) == (
        "ada@city.example",
        "'=1+1",
        "3",
        "active",
    )
    assert (bob["language"], bob["status"]) == ("es", "suppressed")
    path = written(tmp_path, "export.csv", out.getvalue(), at=1_790_000_000)
    again = import_file(store, path, now=NOW, rejects_folder=tmp_path / "rejects")
    assert (again.unchanged, again.suppressed, again.rows) == (1, 1, 2)


def test_an_export_of_some(store: Store, tmp_path: Path) -> None:
    arrive(store, tmp_path, mailchimp(ADA, {"Email Address": "bob@city.example", "District": "4"}))
    out = io.StringIO(newline="")
    with store.read() as connection:
        assert write_csv(connection, out, among=tables.profile.c.t1 == "4") == 1
    assert "bob@city.example" in out.getvalue()


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(1)", "-2+3", "+cmd|x", "\t=1", "\r=1", ";=1", '"=1', "＝1+1", "=x\n"])
def test_formulas_are_defused(cell: str) -> None:
    assert defused(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["+43 1 234", "+1 916 555 0464", "-3", "Ada", "O'Neill", "", "12,5"])
def test_plain_values_are_left_alone(cell: str) -> None:
    assert defused(cell) == cell


@given(st.text(alphabet="=+-@'\t\r\n ab1;\"", max_size=6))
def test_defusing_can_be_taken_back(cell: str) -> None:
    if defused(cell) != cell:
        assert undefused(defused(cell)) == cell


def test_nothing_a_file_said_can_steer_a_terminal() -> None:
    assert visible("a\x1b]8;;evil\x07\u202eb\x1b[2J") == "a]8;;evilb[2J"
