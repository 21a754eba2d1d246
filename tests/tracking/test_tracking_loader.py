"""From spool to store: binding effects at once, every event once, damage set aside."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from outreach.errors import TryAgain
from outreach.events import Event, Flag, Kind
from outreach.store import events as store_events
from outreach.store import held, leaving, suppressions, tables
from outreach.store.database import Store
from outreach.store.events import Verdict
from outreach.store.suppressions import Reason
from tracking import loader as loader_module
from tracking.loader import Loader
from tracking.machines import Agent
from tracking.spool import Hit, Spool

ADA, GRACE, MARY = 1, 2, 3
PARKING, PARKS = 3, 4
AT_MS = 1_795_000_000_000
LEAVE_TOPIC = '{"topic": 3}'
LEAVE_ALL = '{"all": true}'


def write(folder: Path, hits: Sequence[Hit]) -> str:
    """One service process's life: it writes these hits and ends."""

    async def life() -> str:
        spool = Spool(folder)
        recorded: list[bool] = []
        for hit in hits:
            spool.put(hit, recorded.append)
        await spool.close()
        assert recorded == [True] * len(hits)
        return spool.id

    return asyncio.run(life())


def hit(kind: Kind, subscriber_id: int, detail: str = "", *, campaign_id: int = 1, minutes: int = 0) -> Hit:
    return Hit(kind, AT_MS + minutes * 60_000, campaign_id, subscriber_id, detail=detail)


def subscribed(store: Store, subscriber_id: int) -> dict[int, int]:
    subscription = tables.subscription
    with store.read() as connection:
        rows = connection.execute(
            select(subscription.c.topic_id, subscription.c.status).where(subscription.c.subscriber_id == subscriber_id)
        )
        return {row.topic_id: row.status for row in rows}


def suppressed(store: Store) -> dict[str, str]:
    with store.read() as connection:
        return {row.address: row.reason for row in connection.execute(select(tables.suppression))}


def consents(store: Store, subscriber_id: int) -> list[tuple[int | None, bool, str]]:
    consent = tables.consent
    with store.read() as connection:
        rows = connection.execute(
            select(consent).where(consent.c.subscriber_id == subscriber_id).order_by(consent.c.id)
        )
        return [(row.topic_id, row.given, row.source) for row in rows]


def count(store: Store) -> tuple[int, int]:
    """How many binding events, and how many opens and clicks, the store has."""
    with store.read() as main, store.read_events() as events:
        return (
            main.execute(select(func.count()).select_from(tables.feedback)).scalar_one(),
            events.execute(select(func.count()).select_from(tables.event)).scalar_one(),
        )


# --- what binds us ----------------------------------------------------------------------------------------------


def test_leaving_a_topic_leaves_the_others_alone(city: Store, tmp_path: Path) -> None:
    write(tmp_path, [hit(Kind.UNSUBSCRIBE, ADA, LEAVE_TOPIC)])
    assert Loader(city, tmp_path).run_once().binding == 1
    assert subscribed(city, ADA) == {PARKING: 2, PARKS: 1}
    assert subscribed(city, GRACE) == {PARKING: 1, PARKS: 1}
    assert suppressed(city) == {}
    assert consents(city, ADA) == [(PARKING, False, "unsubscribe link")]


def test_without_a_link_file_the_campaigns_own_topic_is_left(city: Store, tmp_path: Path) -> None:
    write(tmp_path, [hit(Kind.UNSUBSCRIBE, ADA), hit(Kind.UNSUBSCRIBE, GRACE, '{"topic": 999}')])
    Loader(city, tmp_path).run_once()
    assert subscribed(city, ADA) == subscribed(city, GRACE) == {PARKING: 2, PARKS: 1}


def test_leaving_everything_suppresses_the_address(city: Store, tmp_path: Path) -> None:
    write(tmp_path, [hit(Kind.UNSUBSCRIBE, ADA, LEAVE_ALL), hit(Kind.UNSUBSCRIBE, GRACE, campaign_id=77)])
    Loader(city, tmp_path).run_once()
    # Campaign 77 is about no topic, so leaving it can only mean everything.
    assert suppressed(city) == {"ada@example.com": "unsubscribe", "grace@example.com": "unsubscribe"}
    assert subscribed(city, ADA) == {PARKING: 1, PARKS: 1}


def test_a_complaint_suppresses_and_an_unsubscribe_after_it_changes_nothing(city: Store, tmp_path: Path) -> None:
    write(tmp_path, [hit(Kind.COMPLAINT, ADA), hit(Kind.UNSUBSCRIBE, ADA, LEAVE_ALL)])
    Loader(city, tmp_path).run_once()
    assert suppressed(city) == {"ada@example.com": Reason.COMPLAINT}
    assert consents(city, ADA) == [(None, False, "complaint")]


def test_leaving_twice_is_leaving_once(city: Store, tmp_path: Path) -> None:
    write(tmp_path, [hit(Kind.UNSUBSCRIBE, ADA, LEAVE_TOPIC)] * 2 + [hit(Kind.UNSUBSCRIBE, ADA, LEAVE_ALL)] * 2)
    assert Loader(city, tmp_path).run_once().binding == 4
    assert consents(city, ADA) == [(PARKING, False, "unsubscribe link"), (None, False, "unsubscribe link")]


@pytest.mark.parametrize("detail", [LEAVE_TOPIC, LEAVE_ALL])
def test_undo_restores_what_was(city: Store, tmp_path: Path, detail: str) -> None:
    write(tmp_path, [hit(Kind.UNSUBSCRIBE, ADA, detail), hit(Kind.UNDO, ADA, minutes=1)])
    Loader(city, tmp_path).run_once()
    assert (subscribed(city, ADA), suppressed(city)) == ({PARKING: 1, PARKS: 1}, {})
    topic = PARKING if detail == LEAVE_TOPIC else None
    assert consents(city, ADA) == [(topic, False, "unsubscribe link"), (topic, True, "undo")]


def test_undo_after_both_buttons_takes_back_the_last_one_then_the_first(city: Store, tmp_path: Path) -> None:
    write(
        tmp_path,
        [
            hit(Kind.UNSUBSCRIBE, ADA, LEAVE_TOPIC),
            hit(Kind.UNSUBSCRIBE, ADA, LEAVE_ALL, minutes=1),
            hit(Kind.UNDO, ADA, minutes=2),
        ],
    )
    Loader(city, tmp_path).run_once()
    assert (subscribed(city, ADA), suppressed(city)) == ({PARKING: 2, PARKS: 1}, {})


def test_undo_of_a_digest_brings_all_its_topics_back(
    city: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving.digests, "topics_in", lambda *_: [PARKING, PARKS])
    left = hit(Kind.UNSUBSCRIBE, ADA)
    write(tmp_path, [left])
    Loader(city, tmp_path).run_once()
    assert subscribed(city, ADA) == {PARKING: 2, PARKS: 2}
    write(tmp_path, [hit(Kind.UNDO, ADA, minutes=1), hit(Kind.UNDO, ADA, minutes=2)])
    Loader(city, tmp_path).run_once()
    assert subscribed(city, ADA) == {PARKING: 1, PARKS: 1}
    assert [given for _, given, _ in consents(city, ADA)] == [False, False, True, True]


def test_undo_does_not_bring_a_dead_address_to_life(city: Store, tmp_path: Path) -> None:
    with city.write() as connection:
        suppressions.suppress(
            connection, "ada@example.com", reason=Reason.BOUNCE, source="5.1.1", at=store_events.from_ms(AT_MS)
        )
    write(tmp_path, [hit(Kind.UNSUBSCRIBE, ADA, LEAVE_ALL)])
    Loader(city, tmp_path).run_once()
    assert suppressed(city) == {"ada@example.com": "unsubscribe"}
    write(tmp_path, [hit(Kind.UNDO, ADA, minutes=1)])
    Loader(city, tmp_path).run_once()
    assert suppressed(city) == {"ada@example.com": "bounce"}


def test_undo_gives_nobody_what_they_never_had(city: Store, tmp_path: Path) -> None:
    with city.write() as connection:
        subscription = tables.subscription
        connection.execute(update(subscription).where(subscription.c.subscriber_id == MARY).values(status=2))
    write(
        tmp_path,
        [
            hit(Kind.UNDO, GRACE),  # never left
            hit(Kind.UNSUBSCRIBE, MARY, LEAVE_TOPIC),  # had left long ago
            hit(Kind.UNDO, MARY),
            hit(Kind.COMPLAINT, ADA),
            hit(Kind.UNDO, ADA),  # a complaint is not an unsubscribe
        ],
    )
    Loader(city, tmp_path).run_once()
    assert subscribed(city, GRACE) == {PARKING: 1, PARKS: 1}
    assert subscribed(city, MARY) == {PARKING: 2, PARKS: 2}
    assert suppressed(city) == {"ada@example.com": "complaint"}


def test_undo_has_thirty_days(city: Store, tmp_path: Path) -> None:
    month = 31 * 24 * 60
    write(tmp_path, [hit(Kind.UNSUBSCRIBE, ADA, LEAVE_TOPIC, minutes=-month), hit(Kind.UNDO, ADA)])
    Loader(city, tmp_path).run_once()
    assert subscribed(city, ADA)[PARKING] == 2


def test_somebody_erased_meanwhile_stops_nobody_else(city: Store, tmp_path: Path) -> None:
    write(tmp_path, [hit(Kind.UNSUBSCRIBE, 4711, LEAVE_TOPIC), hit(Kind.UNSUBSCRIBE, ADA, LEAVE_TOPIC)])
    assert Loader(city, tmp_path).run_once().binding == 2
    assert subscribed(city, ADA)[PARKING] == 2


# --- exactly once -----------------------------------------------------------------------------------------------


def test_events_arrive_once_with_all_that_was_recorded(city: Store, tmp_path: Path) -> None:
    click = Hit(Kind.CLICK, AT_MS, 1, ADA, 2, Agent.BROWSER, 1, b"12345678", int(Flag.NAVIGATE))
    scanned = Hit(Kind.CLICK, AT_MS, 1, ADA, 1, Agent.SCANNER, 5, b"12345678", int(Flag.HEAD))
    apple = Hit(Kind.OPEN, AT_MS, 1, GRACE, agent_class=Agent.BARE_MOZILLA)
    spool = write(tmp_path, [click, scanned, apple])
    assert Loader(city, tmp_path).run_once().events == 3
    assert Loader(city, tmp_path).run_once().events == 0
    with city.read_events() as connection:
        rows = connection.execute(select(tables.event).order_by(tables.event.c.sequence)).all()
    assert [(row.spool, row.sequence, row.kind, row.link, row.agent_class, row.verdict) for row in rows] == [
        (spool, 1, Kind.CLICK, 2, Agent.BROWSER, Verdict.UNJUDGED),
        (spool, 2, Kind.CLICK, 1, Agent.SCANNER, Verdict.MACHINE),
        (spool, 3, Kind.OPEN, 0, Agent.BARE_MOZILLA, Verdict.NOT_MEASURABLE),
    ]
    assert rows[0].at == dt.datetime.fromtimestamp(AT_MS / 1000, dt.UTC)
    assert bytes(rows[0].prefix_hash) == b"12345678"


def test_a_batch_that_a_failed_file_kept_after_all_counts_once(city: Store, tmp_path: Path) -> None:
    spool = write(tmp_path, [hit(Kind.OPEN, ADA), hit(Kind.UNSUBSCRIBE, ADA, LEAVE_TOPIC)])
    first = tmp_path / f"{spool}.spool"
    (tmp_path / f"{spool}.1.spool").write_bytes(first.read_bytes())
    Loader(city, tmp_path).run_once()
    assert count(city) == (1, 1)
    assert len(consents(city, ADA)) == 1


def test_a_new_loader_goes_on_where_the_last_one_was(
    city: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader_module, "BATCH", 7)
    write(tmp_path, [hit(Kind.OPEN if n % 3 else Kind.UNSUBSCRIBE, ADA, LEAVE_TOPIC) for n in range(100)])
    first = Loader(city, tmp_path).run_once()
    assert (first.binding, first.events) == (34, 66)
    again = Loader(city, tmp_path).run_once()
    assert (again.binding, again.events) == (0, 0)
    assert count(city) == (34, 66)


def test_two_loaders_at_once_load_each_event_once(city: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader_module, "BATCH", 20)
    for _ in range(3):
        write(tmp_path, [hit(Kind.OPEN if n % 4 else Kind.UNSUBSCRIBE, ADA, LEAVE_TOPIC) for n in range(200)])
    totals: list[int] = []

    def load() -> None:
        found = Loader(city, tmp_path).run_once()
        totals.append(found.binding + found.events)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Loader(city, tmp_path).run_once()
    assert count(city) == (150, 450)
    assert sum(totals) == 600


def test_a_busy_main_database_loses_nothing(
    sqlite_city: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "spool", [hit(Kind.UNSUBSCRIBE, ADA, LEAVE_TOPIC)])
    monkeypatch.setattr("outreach.store.dialects.BUSY_TIMEOUT_MS", 50)
    impatient = Store.open(sqlite_city.main.url.render_as_string())
    loader = Loader(impatient, tmp_path / "spool")
    with sqlite_city.write(), pytest.raises(TryAgain):
        loader.run_once()
    assert loader.run_once().binding == 1
    impatient.close()
    assert subscribed(sqlite_city, ADA)[PARKING] == 2


# --- files ------------------------------------------------------------------------------------------------------


def test_a_damaged_spool_is_read_as_far_as_it_goes_and_set_aside(sqlite_city: Store, tmp_path: Path) -> None:
    spool = write(tmp_path, [hit(Kind.OPEN, ADA) for _ in range(9_000)])
    path = tmp_path / f"{spool}.spool"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 :] = os.urandom(len(raw) - len(raw) // 2)
    path.write_bytes(raw)
    other = write(tmp_path, [hit(Kind.OPEN, GRACE)])
    loaded = Loader(sqlite_city, tmp_path).run_once()
    assert loaded.damaged == [tmp_path / f"{spool}.spool.damaged"]
    assert 2_000 <= loaded.events < 9_000
    assert sorted(item.name for item in tmp_path.glob("*.spool*")) == sorted(
        [f"{other}.spool", f"{spool}.spool.damaged"]
    )
    assert Loader(sqlite_city, tmp_path).run_once().damaged == []


@pytest.mark.parametrize("content", [b"this is no database, whatever it is called" * 200, os.urandom(8192)])
def test_a_file_that_is_no_spool_is_set_aside(sqlite_city: Store, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "stray.spool").write_bytes(content)
    write(tmp_path, [hit(Kind.UNSUBSCRIBE, ADA, LEAVE_TOPIC)])
    loaded = Loader(sqlite_city, tmp_path).run_once()
    assert (loaded.binding, [path.name for path in loaded.damaged]) == (1, ["stray.spool.damaged"])


def test_a_row_that_no_service_wrote_is_damage(sqlite_city: Store, tmp_path: Path) -> None:
    spool = write(tmp_path, [hit(Kind.OPEN, ADA)] * 3)
    connection = sqlite3.connect(tmp_path / f"{spool}.spool")
    connection.execute("UPDATE hit SET campaign_id = 'x' WHERE sequence = 2")
    connection.commit()
    connection.close()
    loaded = Loader(sqlite_city, tmp_path).run_once()
    assert (loaded.events, len(loaded.damaged)) == (1, 1)


def test_an_empty_file_is_somebody_just_beginning(sqlite_city: Store, tmp_path: Path) -> None:
    (tmp_path / "young.spool").touch()
    loaded = Loader(sqlite_city, tmp_path).run_once()
    assert (loaded.damaged, loaded.deleted) == ([], 0)


def test_a_loaded_spool_is_deleted_after_three_days(sqlite_city: Store, tmp_path: Path) -> None:
    spool = write(tmp_path, [hit(Kind.OPEN, ADA)])
    assert Loader(sqlite_city, tmp_path).run_once().deleted == 0
    later = time.time() + 73 * 3600
    assert Loader(sqlite_city, tmp_path, now=lambda: later).run_once().deleted == 1
    assert list(tmp_path.glob(f"{spool}*")) == []
    assert count(sqlite_city) == (0, 1)


def test_an_old_spool_that_was_never_loaded_is_loaded_before_it_goes(sqlite_city: Store, tmp_path: Path) -> None:
    write(tmp_path, [hit(Kind.UNSUBSCRIBE, ADA, LEAVE_TOPIC)])
    later = time.time() + 30 * 86400
    loaded = Loader(sqlite_city, tmp_path, now=lambda: later).run_once()
    assert (loaded.binding, loaded.deleted) == (1, 1)
    assert subscribed(sqlite_city, ADA)[PARKING] == 2


def test_complaints_of_more_than_two_percent_of_the_list_an_hour_wait_for_a_person(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "MOST_PEOPLE", 3)
    at = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    with sqlite_store.write() as connection:
        people = [
            {"id": n, "address": f"resident{n}@example.com", "attributes": {}, "created_at": at} for n in range(1, 201)
        ]
        connection.execute(insert(tables.subscriber), people)
    now = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)
    with sqlite_store.write() as connection:
        for person in range(1, 8):
            event = Event("s", person, Kind.COMPLAINT, round(now.timestamp() * 1000), 1, person)
            store_events.bind(connection, event, hold=held.too_many(connection, event, now=now))
        waiting = held.held(connection)
        assert [(one.kind, one.address) for one in waiting] == [
            (Kind.COMPLAINT, f"resident{person}@example.com") for person in (5, 6, 7)
        ]
        assert connection.execute(select(func.count()).select_from(tables.suppression)).scalar_one() == 4
        assert held.held_suppressions(connection) == 3
        assert held.accept_overdue(connection, now=now + dt.timedelta(days=30)) == 0
        assert held.settle_held(connection, waiting[0].id, accept=True)
        later = Event("s", 9, Kind.COMPLAINT, 0, 1, 9)
        assert not held.too_many(connection, later, now=now + dt.timedelta(hours=2))
