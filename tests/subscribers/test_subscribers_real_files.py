"""The five exports of a made-up city, on both databases: counts add up, and nobody who left can be mailed."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import delete, select

from outreach.addresses import BadAddress, normalise
from outreach.store import tables
from outreach.store.database import Store
from outreach.subscribers.importing import Result, import_file
from outreach.subscribers.values import damaged

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
ROWS = {
    "mailchimp-audience-export.csv": 6767,
    "mailchimp-unsubscribed-export.csv": 968,
    "govdelivery-subscriber-topics.csv": 10751,
    "salesforce-contacts-report.csv": 4486,  # its two closing lines among them, as rejected
    "listmonk-subscribers.csv": 3093,
}


def imported(store: Store, data: Path, folder: Path, *names: str) -> list[Result]:
    return [import_file(store, data / name, now=NOW, rejects_folder=folder / "rejects") for name in names]


def addresses(path: Path, *, encoding: str, delimiter: str = ",", column: str, only: dict[str, str]) -> set[str]:
    found = set()
    with path.open(encoding=encoding, newline="") as file:
        for row in csv.DictReader(file, delimiter=delimiter):
            if all(row[name] == value for name, value in only.items()):
                try:
                    found.add(normalise(row[column]))
                except BadAddress:
                    continue
    return found


def test_the_five_files_add_up_and_nobody_who_left_can_be_mailed(store: Store, shared: Path, tmp_path: Path) -> None:
    data = shared / "data"
    results = imported(store, data, tmp_path, *ROWS)
    for name, result in zip(ROWS, results, strict=True):
        parts = (result.new, result.changed, result.unchanged, result.duplicates, result.rejected, result.suppressed)
        assert result.rows == ROWS[name] == sum(parts)
        if result.rejected:
            assert result.rejects_file is not None
            with Path(result.rejects_file).open(encoding="utf-8-sig", newline="") as file:
                rejected = list(csv.DictReader(file))
            assert len(rejected) == result.rejected
            assert all(row["row"] and row["reason"] for row in rejected)

    left = addresses(data / "mailchimp-unsubscribed-export.csv", encoding="utf-8-sig", column="Email Address", only={})
    opted_out = addresses(
        data / "salesforce-contacts-report.csv",
        encoding="latin-1",
        delimiter=";",
        column="E-Mail",
        only={"Email Opt Out": "1"},
    )
    blocked = addresses(
        data / "listmonk-subscribers.csv", encoding="utf-8", column="email", only={"status": "blocklisted"}
    )
    assert min(len(left), len(opted_out), len(blocked)) > 50
    with store.read() as connection:
        suppressed = set(connection.scalars(select(tables.suppression.c.address)))
        linked = select(tables.subscriber.c.address).join(
            tables.suppression, tables.suppression.c.subscriber_id == tables.subscriber.c.id
        )
        by_person = set(connection.scalars(linked))
    assert suppressed == by_person == left | opted_out | blocked


def test_again_and_in_another_order_nothing_changes(sqlite_store: Store, shared: Path, tmp_path: Path) -> None:
    data = shared / "data"
    names = [*ROWS, "311-cases.jsonl"]
    imported(sqlite_store, data, tmp_path, *names)
    for result in imported(sqlite_store, data, tmp_path, *reversed(names)):
        assert (result.new, result.changed) == (0, 0)


def test_every_order_of_all_files_gives_the_same_people_and_suppressions(
    sqlite_store: Store, shared: Path, tmp_path: Path
) -> None:
    names = [*ROWS, "311-cases.jsonl"]
    imported(sqlite_store, shared / "data", tmp_path, *names)
    expected = everybody(sqlite_store)
    Random(3).shuffle(names)
    with sqlite_store.write() as connection:
        for table in reversed(tables.main.sorted_tables):
            if table.name != "field":
                connection.execute(delete(table))
    imported(sqlite_store, shared / "data", tmp_path, *names)
    assert everybody(sqlite_store) == expected


def everybody(store: Store) -> tuple[Any, ...]:
    """People with all that is known of them, their subscriptions, and who must not be written to; not our own nu"""
    person, profile, topic, subscription = tables.subscriber, tables.profile, tables.topic, tables.subscription
    suppression = tables.suppression
    slots = [profile.c[name] for name in ("locale", "joined_at", "t1", "t2", "n1")]
    with store.read() as connection:
        people = connection.execute(
            select(person.c.address, person.c.attributes, *slots)
            .join(profile, profile.c.subscriber_id == person.c.id)
            .order_by(person.c.address)
        ).all()
        topics = connection.execute(
            select(person.c.address, topic.c.key, subscription.c.status, subscription.c.frequency)
            .join(subscription, subscription.c.subscriber_id == person.c.id)
            .join(topic, topic.c.id == subscription.c.topic_id)
            .order_by(person.c.address, topic.c.key)
        ).all()
        left = connection.execute(
            select(suppression.c.address, suppression.c.reason, suppression.c.at).order_by(suppression.c.address)
        ).all()
    return people, topics, left


def test_letters_are_right_wherever_a_file_still_has_them(sqlite_store: Store, shared: Path, tmp_path: Path) -> None:
    data = shared / "data"
    imported(sqlite_store, data, tmp_path, *ROWS)
    with (data / "listmonk-subscribers.csv").open(encoding="utf-8", newline="") as file:
        names = {row["email"].strip().lower(): row["name"] for row in csv.DictReader(file)}
    with sqlite_store.read() as connection:
        people = connection.execute(select(tables.subscriber.c.address, tables.subscriber.c.attributes)).all()
    held = {
        address: f"{attributes.get('first_name', '')} {attributes.get('last_name', '')}"
        for address, attributes in people
    }
    assert {address: held[address] for address in names if address in held} == {
        address: name for address, name in names.items() if address in held
    }
    lost = [name for address, name in held.items() if damaged(name) and address in names]
    assert lost == []


def test_cases_of_311_bring_people_but_no_consent(sqlite_store: Store, shared: Path, tmp_path: Path) -> None:
    path = shared / "data" / "311-cases.jsonl"
    (result,) = imported(sqlite_store, path.parent, tmp_path, path.name)
    bad = sum(not _is_json(line) for line in path.read_text("utf-8").splitlines())
    assert (result.rejected, result.system) == (bad, "311")
    with sqlite_store.read() as connection:
        assert connection.execute(select(tables.subscription)).all() == []
        assert connection.execute(select(tables.consent)).all() == []


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
