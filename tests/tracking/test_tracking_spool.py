"""The spool when the disk is full, failing or slow: what is acknowledged is there, and nothing binding is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from outreach.events import Kind
from tracking import spool as spool_module
from tracking.reserve import NAME, Level, Marks
from tracking.spool import MAX_WAITING, Hit, Spool, SpoolDown

LEAVE = Hit(Kind.UNSUBSCRIBE, 0, 1, 7)
NO_MARKS = Marks(opens=0, clicks=0, reserve=0)


def hit(kind: Kind, subscriber_id: int) -> Hit:
    return Hit(kind, 0, 1, subscriber_id)


def stored(folder: Path) -> list[int]:
    """The subscribers in all files of the folder, once for each (spool, sequence)."""
    found: dict[tuple[str, int], int] = {}
    for path in folder.glob("*.spool"):
        connection = sqlite3.connect(path)
        for sequence, subscriber_id in connection.execute("SELECT sequence, subscriber_id FROM hit"):
            found[path.stem.partition(".")[0], sequence] = subscriber_id
        connection.close()
    return sorted(found.values())


class BadDisk:
    """Lets COMMIT fail when told to. Stands between a spool file and SQLite."""

    def __init__(self, connection: sqlite3.Connection, trouble: Callable[[str], None]) -> None:
        self._connection = connection
        self._trouble = trouble

    def execute(self, statement: str, parameters: list[object] | tuple[()] = ()) -> object:
        self._trouble(statement)
        return self._connection.execute(statement, parameters)

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def with_disk(monkeypatch: pytest.MonkeyPatch, trouble: Callable[[str], None]) -> None:
    """Every file opened from now on is on that disk."""
    real = sqlite3.connect
    monkeypatch.setattr(spool_module.sqlite3, "connect", lambda *args, **named: BadDisk(real(*args, **named), trouble))


def test_every_acknowledged_hit_is_in_the_file_in_order(tmp_path: Path) -> None:
    async def life() -> None:
        spool = Spool(tmp_path)
        await asyncio.gather(*(spool.record(hit(Kind.CLICK, number)) for number in range(500)))
        assert stored(tmp_path) == list(range(500))  # durable before the answer, not only after closing
        await spool.close()

    asyncio.run(life())


def test_a_client_that_hangs_up_does_not_take_the_others_along(tmp_path: Path) -> None:
    async def life() -> int:
        spool = Spool(tmp_path)
        tasks = [asyncio.create_task(spool.record(hit(Kind.UNSUBSCRIBE, number))) for number in range(100)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await spool.close()
        return results.count(None)

    assert asyncio.run(life()) == 50
    assert len(stored(tmp_path)) >= 50


def test_after_a_failed_sync_the_batch_is_repeated_in_a_fresh_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = 0

    def fail_twice(statement: str) -> None:
        nonlocal commits
        commits += statement == "COMMIT"
        if statement == "COMMIT" and commits in (4, 9):
            raise sqlite3.OperationalError("disk I/O error")

    async def life() -> Spool:
        with_disk(monkeypatch, fail_twice)
        spool = Spool(tmp_path)
        for start in range(0, 200, 20):
            await asyncio.gather(*(spool.record(hit(Kind.CLICK, start + n)) for n in range(20)))
        await spool.close()
        return spool

    spool = asyncio.run(life())
    assert (spool.failures, spool.healthy, len(list(tmp_path.glob("*.spool")))) == (2, True, 3)
    assert stored(tmp_path) == list(range(200))


def test_on_a_dead_disk_nothing_is_acknowledged_and_no_files_pile_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = False

    def die(statement: str) -> None:
        if dead and statement in ("COMMIT", "BEGIN IMMEDIATE"):
            raise sqlite3.OperationalError("disk I/O error")

    async def life() -> None:
        nonlocal dead
        with_disk(monkeypatch, die)
        spool = Spool(tmp_path)
        await spool.record(LEAVE)
        dead = True
        for _ in range(10):
            with pytest.raises(SpoolDown):
                await spool.record(LEAVE)
        assert not spool.healthy
        dead = False
        await spool.record(LEAVE)
        assert spool.healthy
        await spool.close()

    asyncio.run(life())
    assert stored(tmp_path) == [7, 7]
    assert len(list(tmp_path.glob("*.spool"))) == 2


def test_a_full_disk_gives_up_its_reserve_for_what_binds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_until_released(statement: str) -> None:
        if statement == "COMMIT" and full and (tmp_path / NAME).exists():
            raise sqlite3.OperationalError("database or disk is full")

    full = False

    async def life() -> None:
        nonlocal full
        with_disk(monkeypatch, full_until_released)
        spool = Spool(tmp_path, marks=Marks(opens=0, clicks=0, reserve=65536))
        assert (tmp_path / NAME).stat().st_blocks * 512 >= 65536
        full = True
        await spool.record(LEAVE)
        assert spool.level is Level.BINDING_ONLY
        refused: list[bool] = []
        spool.put(hit(Kind.OPEN, 1), refused.append)
        spool.put(hit(Kind.CLICK, 1), refused.append)
        assert refused == [False, False]
        await spool.record(LEAVE)
        await spool.close()

    asyncio.run(life())
    assert stored(tmp_path) == [7, 7]
    assert len(list(tmp_path.glob("*.spool"))) == 1


@pytest.mark.parametrize(
    ("marks", "level", "taken"),
    [
        (NO_MARKS, Level.NOTHING, [True, True, True]),
        (Marks(opens=1 << 60, clicks=0, reserve=0), Level.NO_OPENS, [False, True, True]),
        (Marks(opens=1 << 60, clicks=1 << 60, reserve=0), Level.BINDING_ONLY, [False, False, True]),
    ],
)
def test_as_space_runs_short_opens_go_first_then_clicks(
    tmp_path: Path, marks: Marks, level: Level, taken: list[bool]
) -> None:
    async def life() -> list[bool]:
        spool = Spool(tmp_path, marks=marks)
        answers: dict[Kind, bool] = {}
        for kind in (Kind.OPEN, Kind.CLICK, Kind.UNSUBSCRIBE):
            spool.put(hit(kind, 1), lambda durable, kind=kind: answers.__setitem__(kind, durable))
        await spool.close()
        assert spool.level is level
        return [answers[kind] for kind in (Kind.OPEN, Kind.CLICK, Kind.UNSUBSCRIBE)]

    assert asyncio.run(life()) == taken


def test_when_too_many_wait_opens_are_turned_away_first_and_unsubscribes_last(tmp_path: Path) -> None:
    async def life() -> list[int]:
        spool = Spool(tmp_path)
        taken = []
        for kind in (Kind.OPEN, Kind.CLICK, Kind.UNSUBSCRIBE):
            refused: list[bool] = []
            for _ in range(MAX_WAITING):
                spool.put(hit(kind, 1), refused.append)
            taken.append(MAX_WAITING - len(refused))
        await spool.close()
        return taken

    assert asyncio.run(life()) == [MAX_WAITING // 2, MAX_WAITING // 2, MAX_WAITING]


def test_a_disk_that_hangs_makes_nobody_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = False

    def hang(statement: str) -> None:
        if hanging and statement == "COMMIT":
            time.sleep(0.5)

    async def life() -> None:
        nonlocal hanging
        monkeypatch.setattr(spool_module, "STALL_SECONDS", 0.1)
        with_disk(monkeypatch, hang)
        spool = Spool(tmp_path)
        hanging = True
        begun = time.monotonic()
        with pytest.raises(SpoolDown):
            await spool.record(LEAVE)
        assert time.monotonic() - begun < 0.4
        with pytest.raises(SpoolDown):  # at once, while it hangs
            await spool.record(LEAVE)
        assert not spool.healthy
        hanging = False
        await asyncio.sleep(0.6)
        await spool.record(LEAVE)
        assert spool.healthy
        await spool.close()

    asyncio.run(life())


def test_a_file_that_was_taken_away_is_not_written_to_any_more(tmp_path: Path) -> None:
    async def life() -> None:
        spool = Spool(tmp_path)
        await spool.record(hit(Kind.CLICK, 1))
        [path] = tmp_path.glob("*.spool")
        for ending in ("", "-wal", "-shm"):
            Path(f"{path}{ending}").rename(f"{path}.damaged{ending}")
        await spool.record(hit(Kind.CLICK, 2))
        await spool.close()

    asyncio.run(life())
    assert stored(tmp_path) == [2]


def test_a_day_old_file_is_followed_by_a_new_one_with_the_same_identity(tmp_path: Path) -> None:
    async def life() -> str:
        seconds = 0.0
        spool = Spool(tmp_path, clock=lambda: seconds)
        await spool.record(hit(Kind.CLICK, 1))
        seconds = 90_000.0
        await spool.record(hit(Kind.CLICK, 2))
        await spool.close()
        return spool.id

    spool_id = asyncio.run(life())
    assert sorted(path.name for path in tmp_path.glob("*.spool")) == [f"{spool_id}.1.spool", f"{spool_id}.spool"]
    assert stored(tmp_path) == [1, 2]


def test_only_the_owner_may_read_a_spool(tmp_path: Path) -> None:
    async def life() -> None:
        spool = Spool(tmp_path)
        await spool.record(LEAVE)
        files = list(tmp_path.glob("*.spool*"))
        assert len(files) == 3
        assert [path.stat().st_mode & 0o077 for path in files] == [0, 0, 0]
        await spool.close()

    asyncio.run(life())
