"""The list's growth adds up to the person, whatever happened in between."""

from __future__ import annotations

import datetime as dt
import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, event, select

from outreach.bounces import sunset
from outreach.cli import main
from outreach.cli.growth import bounds
from outreach.cli.init import make_workspace
from outreach.store import consent, erasing, growth, subscribers, suppressions, tables, undoing
from outreach.store import topics as store_topics
from outreach.store.database import Store
from outreach.store.growth import Kind
from outreach.store.suppressions import Reason
from outreach.subscribers.importing import import_file

DAY = dt.timedelta(days=1)
HASHED = erasing.hasher(b"k" * 32)


def size(connection: Connection) -> int:
    """Who may be written to, found out person by person in Python."""
    confirmed = set(
        connection.scalars(
            select(tables.subscription.c.subscriber_id).where(tables.subscription.c.status == consent.CONFIRMED)
        )
    )
    suppressed = set(connection.scalars(select(tables.suppression.c.address)))
    people = connection.execute(select(tables.subscriber.c.id, tables.subscriber.c.address))
    return sum(number in confirmed and address not in suppressed for number, address in people)


def subscribe(connection: Connection, name: str, at: dt.datetime) -> int:
    (topic,) = store_topics.ensure(connection, ["Parks"])
    address = f"{name}@city.example"
    found = subscribers.find(connection, address)
    person = found.id if found else subscribers.upsert(connection, address, attributes={}, now=at)
    consent.subscribe(connection, subscriber_id=person, topic_id=topic, source="counter", at=at, revive=True)
    return person


def leave(connection: Connection, person: int, at: dt.datetime) -> None:
    (topic,) = store_topics.ensure(connection, ["Parks"])
    consent.unsubscribe(connection, subscriber_id=person, topic_id=topic, source="page", at=at)


def test_who_joins_while_the_list_is_counted_is_counted_next_time(store: Store, now: dt.datetime) -> None:
    if store.is_sqlite:
        return  # one writer at a time: nobody joins meanwhile
    meanwhile = iter([subscribe])

    def join(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO listed"):
            for act in meanwhile:
                with store.write() as other:
                    act(other, "late", now)

    event.listen(store.main, "before_cursor_execute", join)
    with store.write() as connection:
        subscribe(connection, "early", now)
    for listed in (1, 2):
        with store.write() as connection:
            assert growth.count(connection, now=now + listed * DAY) == listed
    event.remove(store.main, "before_cursor_execute", join)
    with store.read() as connection:
        assert len(connection.execute(select(tables.movement)).all()) == 2


def test_each_way_of_coming_and_going_is_told_by_its_name(store: Store, now: dt.datetime) -> None:
    with store.write() as connection:
        people = {
            name: subscribe(connection, name, now)
            for name in ("ada", "grace", "mary", "joan", "edith", "hedy", "sophie")
        }
        subscribers.upsert(
            connection, "stranger@city.example", attributes={}, now=now
        )  # asked for nothing: not on the list
        assert growth.count(connection, now=now) == 7
        leave(connection, people["ada"], now)
        for name, reason in (("grace", Reason.BOUNCE), ("mary", Reason.COMPLAINT)):
            suppressions.suppress(connection, f"{name}@city.example", reason=reason, source="test", at=now)
        erasing.erase(connection, "joan@city.example", hashed=HASHED, at=now)
        sunset.apply(connection, [sunset.Silent(people["edith"], 30, 400, sunset.Step.PAUSE)], now=now)
        assert growth.count(connection, now=now + DAY) == 2
        suppressions.release(connection, "grace@city.example")
        subscribe(connection, "edith", now)
        subscribe(connection, "katherine", now)
        assert growth.count(connection, now=now + 2 * DAY) == 5 == size(connection)
        first, second, third = growth.periods(connection, [now + number * DAY for number in range(4)])
    assert {kind.word: number for kind, number in first.people.items() if number} == {"joined": 7}
    assert {kind.word: number for kind, number in second.people.items() if number} == {
        "left": 2,
        "dead": 1,
        "erased": 1,
        "sunset": 1,
    }
    assert {kind.word: number for kind, number in third.people.items() if number} == {"joined": 1, "returned": 2}
    assert [(each.before, each.after) for each in (first, second, third)] == [(0, 7), (7, 2), (2, 5)]


def test_an_import_that_is_undone_is_taken_back(store: Store, now: dt.datetime, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email,topics\nada@city.example,Parks\ngrace@city.example,Parks\n")
    result = import_file(store, file, now=now, rejects_folder=tmp_path)
    with store.write() as connection:
        assert growth.count(connection, now=now) == 2
        undoing.undo(connection, result.import_id or 0, now=now)
        assert growth.count(connection, now=now + DAY) == 0 == size(connection)
        (_, second) = growth.periods(connection, [now, now + DAY, now + 2 * DAY])
    assert {kind: number for kind, number in second.people.items() if number} == {Kind.TAKEN_BACK: 2}


@pytest.mark.parametrize("seed", range(3))
def test_the_sums_are_the_list_at_both_ends_whatever_happens(sqlite_store: Store, now: dt.datetime, seed: int) -> None:
    dice = random.Random(seed)
    names = [f"p{number}" for number in range(30)]
    sizes = [0]
    with sqlite_store.write() as connection:
        for day in range(12):
            at = now + day * DAY
            for name in dice.sample(names, 8):
                address = f"{name}@city.example"
                found = subscribers.find(connection, address)
                match dice.randrange(6):
                    case 0 | 1:
                        subscribe(connection, name, at)
                    case 2 if found:
                        leave(connection, found.id, at)
                    case 3:
                        reason = dice.choice([Reason.BOUNCE, Reason.UNSUBSCRIBE])
                        suppressions.suppress(connection, address, reason=reason, source="test", at=at)
                    case 4:
                        suppressions.release(connection, address)
                    case _:
                        erasing.erase(connection, address, hashed=HASHED, at=at)
            growth.count(connection, now=at)
            sizes.append(size(connection))
        periods = growth.periods(connection, [now + day * DAY for day in range(13)])
    assert [(each.before, each.after) for each in periods] == list(pairwise(sizes))
    for each in periods:
        came = each.people[Kind.JOINED] + each.people[Kind.RETURNED]
        went = sum(number for kind, number in each.people.items() if kind not in growth.COMING)
        assert each.before + came - went == each.after


def test_nobody_gets_the_number_of_somebody_erased(store: Store, now: dt.datetime) -> None:
    with store.write() as connection:
        ada = subscribe(connection, "ada", now)
        erasing.erase(connection, "ada@city.example", hashed=HASHED, at=now)
        assert subscribe(connection, "grace", now) > ada


def test_counting_twice_notes_nothing_twice(store: Store, now: dt.datetime) -> None:
    with store.write() as connection:
        subscribe(connection, "ada", now)
        assert [growth.count(connection, now=now) for _ in range(3)] == [1, 1, 1]
        assert len(connection.execute(select(tables.movement)).all()) == 1


def test_months_begin_at_the_organisations_midnight() -> None:
    zone = ZoneInfo("America/Los_Angeles")
    now = dt.datetime(2026, 3, 1, 7, tzinfo=dt.UTC)  # still February in Sacramento
    found = bounds(dt.date(2026, 1, 20), now, by="month", zone=zone)
    assert [each.astimezone(dt.UTC).isoformat()[:16] for each in found] == [
        "2026-01-01T08:00",
        "2026-02-01T08:00",
        "2026-03-01T08:00",
    ]


def test_the_command_counts_and_shows_the_year(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_workspace(tmp_path / "city", name="City of Testing", domain="city.example")
    monkeypatch.chdir(tmp_path / "city")
    (tmp_path / "city" / "people.csv").write_text("email,topics\nada@city.example,Parks\n")
    run = CliRunner().invoke
    assert run(main, ["subscribers", "import", "people.csv"]).exit_code == 0
    found = json.loads(run(main, ["subscribers", "growth", "--json"]).stdout)
    assert (found["list"], found["periods"][-1]["joined"], found["periods"][-1]["list_after"]) == (1, 1, 1)
    shown = run(main, ["subscribers", "growth", "--by", "day"])
    assert shown.exit_code == 0
    assert "joined" in shown.stdout
