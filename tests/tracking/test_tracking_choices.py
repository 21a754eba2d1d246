"""What people let us record: looked at on each hit, on the fast path and the slow one."""

from __future__ import annotations

import socket
import sqlite3
import time
from pathlib import Path

import pytest
from sqlalchemy import insert

from outreach.events import Choice, Kind
from outreach.store import events as store_events
from outreach.store import tables
from outreach.store.database import Store
from outreach.tokens import Purpose
from tracking import choices
from tracking.choices import Choices
from tracking.testing import Service, eventually, running, token


def rows(service: Service) -> list[tuple[int, int, bytes]]:
    found = []
    for path in service.root.glob("spool/*.spool"):
        connection = sqlite3.connect(path)
        found += connection.execute("SELECT kind, subscriber_id, prefix_hash FROM hit ORDER BY sequence").fetchall()
        connection.close()
    return found


@pytest.mark.parametrize("query", ["", "?slow"])
def test_a_choice_is_looked_at_on_each_hit(service: Service, query: str) -> None:
    person = 70 if query else 60
    paths = [f"/o/{token(Purpose.OPEN, person)}.gif{query}", f"/c/{token(Purpose.CLICK, person)}/0{query}"]
    service.get(paths[0])
    choices.publish(service.root / "links", [(person, Choice.NONE)])
    time.sleep(choices.RECHECK_SECONDS + 0.1)
    before = rows(service)
    assert [service.get(path).status for path in paths] == [200, 302]
    assert rows(service) == before
    choices.publish(service.root / "links", [(person, Choice.AGGREGATE)])
    time.sleep(choices.RECHECK_SECONDS + 0.1)
    assert [service.get(path).status for path in paths] == [200, 302]
    assert rows(service)[len(before) :] == [(Kind.OPEN, 0, b""), (Kind.CLICK, 0, b"")]
    assert b'unrecorded_total{kind="open"}' in service.get("/metrics").body
    # Leaving is always recorded, and with the name: it is what the person asks for.
    assert service.post(f"/u/{token(Purpose.UNSUBSCRIBE, person)}", "leave=topic").status == 200
    assert rows(service)[-1][:2] == (Kind.UNSUBSCRIBE, person)


def test_a_link_that_is_everybodys_is_counted_without_anybody(service: Service) -> None:
    click = f"/c/{token(Purpose.CLICK, 0)}/0"
    before = rows(service)
    asked = [service.get(path).status for path in (f"/o/{token(Purpose.OPEN, 0)}.gif", click, f"{click}?slow")]
    assert asked == [200, 302, 302]
    assert rows(service)[len(before) :] == [(Kind.OPEN, 0, b""), (Kind.CLICK, 0, b""), (Kind.CLICK, 0, b"")]


def test_the_organisations_default_holds_for_who_said_nothing(tmp_path: Path) -> None:
    clock = iter(range(0, 1000, 2))
    found = Choices(tmp_path, default=Choice.AGGREGATE, clock=lambda: next(clock))
    assert [found.of(number) for number in (0, 1, 10**12)] == [Choice.AGGREGATE] * 3
    choices.publish(tmp_path, [(1, Choice.INDIVIDUAL), (3, Choice.NONE)])
    assert [found.of(number) for number in (0, 1, 2, 3, 4)] == [
        Choice.AGGREGATE, Choice.INDIVIDUAL, Choice.AGGREGATE, Choice.NONE, Choice.AGGREGATE,
    ]  # fmt: skip


def test_a_damaged_or_missing_file_changes_nothing_that_was_known(tmp_path: Path) -> None:
    clock = iter(range(0, 1000, 2))
    found = Choices(tmp_path, clock=lambda: next(clock))
    choices.publish(tmp_path, [(1, Choice.NONE)])
    assert found.of(1) == Choice.NONE
    (tmp_path / choices.NAME).write_bytes(b"nonsense")
    assert found.of(1) == Choice.NONE
    (tmp_path / choices.NAME).unlink()
    assert found.of(1) == Choice.NONE


def test_a_choice_reaches_the_service_within_seconds(city: Store, tmp_path: Path) -> None:
    url = city.main.url.render_as_string(hide_password=False)
    with running(tmp_path, database_url=url) as service:
        with city.write() as connection:
            connection.execute(insert(tables.profile).values(subscriber_id=2, status=1, tracking=Choice.NONE.value))
        eventually(lambda: (tmp_path / "links" / choices.NAME).exists(), seconds=40)
        time.sleep(choices.RECHECK_SECONDS + 0.1)
        service.get(f"/o/{token(Purpose.OPEN, 2)}.gif")
        assert rows(service) == []


def test_an_unsubscribe_amid_a_burst_is_held_and_one_after_a_single_click_is_not(city: Store, tmp_path: Path) -> None:
    url = city.main.url.render_as_string(hide_password=False)
    with running(tmp_path, database_url=url) as service:
        leave = [f"/u/{token(Purpose.UNSUBSCRIBE, person)}" for person in (0, 1, 2)]
        at_once(service, *(f"/c/{token(Purpose.CLICK, 1)}/{number}" for number in range(3)))
        assert service.post(leave[1], "List-Unsubscribe=One-Click").status == 200
        service.get(f"/c/{token(Purpose.CLICK, 2)}/0")
        assert service.post(leave[2], "leave=topic").status == 200
        eventually(lambda: len(states(city)) == 2, seconds=40)
    assert states(city) == {1: store_events.Held.WAITING, 2: None}


def at_once(service: Service, *paths: str) -> None:
    """Ask for all of them in one packet: a busy machine must not make a scanner look like a person."""
    with socket.create_connection(("127.0.0.1", service.port), 10) as connection:
        connection.sendall(b"".join(f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode() for path in paths))
        found = b""
        while found.count(b"HTTP/1.1 302") < len(paths):
            found += connection.recv(65536)


def states(city: Store) -> dict[int, int | None]:
    feedback = tables.feedback
    with city.read() as connection:
        return {row.subscriber_id: row.held for row in connection.execute(feedback.select())}


def test_redirects_work_with_the_database_gone_and_events_arrive_when_it_is_back(
    sqlite_city: Store, tmp_path: Path
) -> None:
    url = sqlite_city.main.url.render_as_string(hide_password=False)
    folder = Path(sqlite_city.main.url.database).parent
    sqlite_city.close()
    with running(tmp_path, database_url=url) as service:
        folder.rename(tmp_path / "gone")
        time.sleep(0.5)
        assert service.get(f"/c/{token(Purpose.CLICK, 2)}/0").headers["location"] == "https://city.example/sweeping"
        assert service.post(f"/u/{token(Purpose.UNSUBSCRIBE, 3)}", "leave=topic").status == 200
        time.sleep(0.5)
        (tmp_path / "gone").rename(folder)
        eventually(lambda: 3 in states(sqlite_city), seconds=40)
        eventually(lambda: clicks(sqlite_city) == [(Kind.CLICK, 2)], seconds=40)


def clicks(city: Store) -> list[tuple[int, int]]:
    with city.read_events() as connection:
        return [(row.kind, row.subscriber_id) for row in connection.execute(tables.event.select())]
