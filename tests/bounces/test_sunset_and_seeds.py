"""Silent people are asked before anything else happens; and our own mailboxes say where mail lies."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from outreach.bounces.sunset import Step, apply, due, patience
from outreach.errors import ConfigurationError, OutreachError
from outreach.store import placement, tables
from outreach.store.database import Store
from outreach.store.deliveries import State
from tests.bounces.returned_mail import KEYS
from tracking.bounces import seeds
from tracking.bounces.imap import mailbox

MONTH = dt.timedelta(days=30)


def city(store: Store, now: dt.datetime, *, mails: int = 30) -> None:
    """Ada never reacts, Grace clicked last week, Mary gets only statutory mail; all joined two years ago."""
    long_ago = now - dt.timedelta(days=730)
    with store.write() as connection:
        for number, name, kind in ((1, "Parks", "regular"), (2, "Tax", "statutory")):
            connection.execute(insert(tables.topic).values(id=number, name=name, key=name.lower(), message_class=kind))
        for number, name in enumerate(("ada", "grace", "mary"), 1):
            connection.execute(
                insert(tables.subscriber).values(
                    id=number, address=f"{name}@example.com", attributes={}, created_at=long_ago
                )
            )
            clicked = now - dt.timedelta(days=7) if name == "grace" else None
            # opened yesterday: an open alone is no sign of life
            connection.execute(
                insert(tables.profile).values(
                    subscriber_id=number,
                    status=1,
                    joined_at=long_ago,
                    received=mails,
                    last_click_at=clicked,
                    last_open_at=now - dt.timedelta(days=1),
                )
            )
            for topic in (1, 2):
                connection.execute(
                    insert(tables.subscription).values(
                        topic_id=topic, subscriber_id=number, status=1, changed_at=long_ago
                    )
                )
        for number in range(1, mails + 1):
            kind = "statutory" if number > mails - 5 else "regular"
            begun = now - dt.timedelta(days=number)
            connection.execute(
                insert(tables.campaign).values(
                    id=number,
                    name=f"c{number}",
                    file="c.md",
                    message_class=kind,
                    status="sent",
                    rule="",
                    plan={},
                    plan_hash="",
                    frozen=3,
                    planned_at=begun,
                    started_at=begun,
                )
            )
            people = (3,) if kind == "statutory" else (1, 2)
            connection.execute(
                insert(tables.delivery),
                [
                    {
                        "campaign_id": number,
                        "subscriber_id": person,
                        "state": State.ACCEPTED.value,
                        "attempts": 1,
                        "at": begun,
                    }
                    for person in people
                ],
            )


def test_who_gets_more_mail_is_missed_sooner() -> None:
    assert [patience(count) for count in (90, 30, 12, 3)] == [60, 120, 180, 270]


def test_asked_slowed_paused_and_statutory_mail_goes_on(store: Store, now: dt.datetime) -> None:
    city(store, now)
    steps = []
    for month in range(4):
        when = now + MONTH * month
        with store.write() as connection:
            found = due(connection, now=when)
            steps.append([(each.subscriber_id, each.step) for each in found])
            apply(connection, found, now=when)
            assert due(connection, now=when) == []
    assert steps == [[(1, Step.ASK)], [(1, Step.SLOW_DOWN)], [(1, Step.PAUSE)], []]
    with store.read() as connection:
        columns = (tables.subscription.c.topic_id, tables.subscription.c.status, tables.subscription.c.frequency)
        mine = select(*columns).where(tables.subscription.c.subscriber_id == 1).order_by(columns[0])
        assert [tuple(row) for row in connection.execute(mine)] == [(1, 0, 2), (2, 1, 0)]


def test_a_click_begins_anew(sqlite_store: Store, now: dt.datetime) -> None:
    city(sqlite_store, now)
    with sqlite_store.write() as connection:
        apply(connection, due(connection, now=now), now=now)
        clicked = update(tables.profile).where(tables.profile.c.subscriber_id == 1)
        connection.execute(clicked.values(last_click_at=now + dt.timedelta(days=3)))
        assert due(connection, now=now + MONTH) == []


def test_each_look_is_made_once_when_due(sqlite_store: Store, now: dt.datetime) -> None:
    city(sqlite_store, now, mails=6)
    begun = now - dt.timedelta(days=1)
    mine = [
        seeds.Seed("ada@example.com", mailbox("imap://a:b@imap.gmail.com/INBOX")),
        seeds.Seed("grace@example.com", mailbox("imap://a:b@127.0.0.1/INBOX")),
    ]
    asked: list[tuple[str, str]] = []

    def place_of(seed: seeds.Seed, message_id: str) -> str:
        asked.append((seed.address, message_id))
        if seed.address.startswith("grace"):
            raise OutreachError("away")
        return "junk"

    for minutes in (1, 6, 7, 31, 200):
        when = begun + dt.timedelta(minutes=minutes)
        seeds.look(sqlite_store, mine, keys=KEYS, domain="city.example", now=when, place_of=place_of)
    with sqlite_store.read() as connection:
        assert placement.looked_at(connection, 1) == {("ada@example.com", each) for each in (5, 30, 120)}
        found = placement.placements(connection, since=begun - dt.timedelta(days=1))
    assert dict(found["google"]) == {"junk": 1}
    assert len({message_id for address, message_id in asked if address.startswith("ada")}) == 1


def test_seeds_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "seeds.toml"
    assert seeds.load(path) == []
    path.write_text('[[seed]]\naddress = "Seed@gmail.com"\nimap = "imaps://seed:x@imap.gmail.com/INBOX"\n')
    assert [each.address for each in seeds.load(path)] == ["seed@gmail.com"]
    path.write_text("[[seed]]\n")
    with pytest.raises(ConfigurationError, match="address and an imap"):
        seeds.load(path)


def test_positions_are_spread_by_chance() -> None:
    drawn = [seeds.positions(1000, 10, dice=random.Random(n)) for n in range(50)]
    middle = sum(sum(each) for each in drawn) / (50 * 10)
    assert 450 < middle < 560
    assert all(len(set(each)) == 10 for each in drawn)
