"""Where a hit is durable before it is answered: one SQLite file for each service process.

    spool.put(hit, done)        opens and clicks: `done(recorded)` is called once, soon
    await spool.record(hit)     what must not be lost: returns once it is on disk, or raises SpoolDown

The promise: `done(True)`, or `record` returning, means the hit was written and fdatasync'ed
(WAL, synchronous=FULL). It survives kill -9, and a loss of power if the disk honours flushes.

Group commit: hits that arrive while one batch is being written make up the next, so a slow disk
makes batches larger, not answers slower by more than two syncs. A file in which a write failed is
never trusted again; the batch is repeated, under the same numbers, in a fresh one. A hit's
identity is (spool id, sequence), so what a failed file kept after all is not counted twice.

Everything but `_write` runs on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from outreach.errors import OutreachError
from outreach.events import Kind
from tracking.links import sync_folder
from tracking.reserve import DEFAULT_MARKS, Level, Marks, Reserve

SUFFIX = ".spool"
TABLE = """
CREATE TABLE hit (
    sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at_ms INTEGER NOT NULL, campaign_id INTEGER NOT NULL,
    subscriber_id INTEGER NOT NULL, link INTEGER NOT NULL, agent_class INTEGER NOT NULL,
    network_class INTEGER NOT NULL, prefix_hash BLOB NOT NULL, flags INTEGER NOT NULL, detail TEXT NOT NULL
)
"""
BINDING_INDEX = "CREATE INDEX binding ON hit (sequence) WHERE kind > 2"
"""The loader asks for unsubscribes five times a second; it should not read a million opens to find none."""

MAX_WAITING = 20_000
"""Hits that may wait for the disk. Opens are turned away at half of it, clicks at all, binding kinds at twice."""
STALL_SECONDS = 3.0
"""A batch that takes longer is answered as not recorded: a person is waiting for the redirect."""
FILE_SECONDS = 86_400.0
"""A file older than this is closed and a new one begun, so that the loader may delete old files safely."""
BUSY_MS = 2_000
SAVING_PAGES = 8
"""How long the log may get, in pages of 4 KiB, while disk space is short; otherwise SQLite's 1000."""

_COLUMNS = 11
_INSERTS = tuple(
    (size, f"INSERT INTO hit VALUES {', '.join(['(' + ', '.join('?' * _COLUMNS) + ')'] * size)}")  # noqa: S608 - ours
    for size in (64, 16, 4, 1)
)
"""Many rows a statement: each statement hands the interpreter's lock to and fro, and the event loop wants it too."""

Done = Callable[[bool], object]
Row = tuple[object, ...]
"""A hit as it is stored: its sequence, then its columns."""
_log = logging.getLogger(__name__)


class SpoolDown(OutreachError):
    """The event could not be made durable, so it must not be acknowledged."""


class Hit(NamedTuple):
    """What is known when a request arrives; the spool adds the identity."""

    kind: Kind
    at_ms: int
    campaign_id: int
    subscriber_id: int
    link: int = 0
    agent_class: int = 0
    network_class: int = 0
    prefix_hash: bytes = b""
    flags: int = 0
    detail: str = ""


class _Batch(NamedTuple):
    rows: list[Row]
    waiting: list[Done]


class Spool:
    """One process's spool. `put` and `record` may be called from one event loop only.

    `clock` gives seconds, monotonic; `marks` says how much free space is little.
    """

    def __init__(
        self, folder: Path, *, marks: Marks = DEFAULT_MARKS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.id = f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(4)}"
        self.failures = 0
        self.healthy = True
        self._folder = folder
        self._clock = clock
        folder.mkdir(parents=True, exist_ok=True)
        self._reserve = Reserve(folder, marks=marks, clock=clock)
        self._file = _File(folder, self.id, clock=clock)
        self._doubtful = False
        self._sequence = 0
        self._rows: list[Row] = []
        self._waiting: list[Done] = []
        self._in_flight: _Batch | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._stalled = False
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work: SimpleQueue[_Batch | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """Hits that wait for the disk."""
        return len(self._rows) + (len(self._in_flight.rows) if self._in_flight else 0)

    @property
    def level(self) -> Level:
        """What is being turned away for want of disk space."""
        return self._reserve.level

    def put(self, hit: Hit, done: Done) -> None:
        """Ask for a hit to be written; `done` is called once with whether it is durable, perhaps at once."""
        if self._refuses(hit.kind):
            done(False)
            return
        self._sequence += 1
        self._rows.append((self._sequence, *hit))
        self._waiting.append(done)
        if self._in_flight is None and len(self._rows) == 1:
            # Not at once: the other requests of this turn of the loop may share the sync.
            self._running_loop().call_soon(self._kick)

    async def record(self, hit: Hit) -> None:
        """Write a hit that must not be lost. Raises SpoolDown if it is not certainly on disk."""
        recorded: asyncio.Future[bool] = self._running_loop().create_future()

        def done(durable: bool) -> None:
            if not recorded.done():  # the client may have hung up meanwhile
                recorded.set_result(durable)

        self.put(hit, done)
        if not await recorded:
            raise SpoolDown("the event could not be written to the spool")

    async def close(self) -> None:
        """Write what still waits, then close the file."""
        self._closing = True
        while self._in_flight is not None or self._rows:
            await asyncio.sleep(0.005)
        self._work.put(None)
        await asyncio.to_thread(self._thread.join)

    def _refuses(self, kind: Kind) -> bool:
        waiting = len(self._rows)
        if self._closing:
            return True
        if kind.binding:
            return self._stalled or waiting >= 2 * MAX_WAITING
        if kind is Kind.OPEN:
            return self._stalled or waiting >= MAX_WAITING // 2 or self._reserve.level >= Level.NO_OPENS
        return self._stalled or waiting >= MAX_WAITING or self._reserve.level >= Level.BINDING_ONLY

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _kick(self) -> None:
        if self._in_flight is not None or not self._rows:
            return
        batch = self._in_flight = _Batch(self._rows, self._waiting)
        self._rows, self._waiting = [], []
        self._work.put(batch)
        self._watch = self._running_loop().call_later(STALL_SECONDS, self._look_at, batch)

    def _look_at(self, batch: _Batch) -> None:
        if batch is self._in_flight:
            self._stalled, self.healthy = True, False
            _log.error("the spool's disk has not answered for %s s; events are turned away", STALL_SECONDS)
            waiting = batch.waiting + self._waiting
            batch.waiting.clear()
            self._rows, self._waiting = [], []
            for done in waiting:
                done(False)

    def _settle(self, batch: _Batch, durable: bool) -> None:
        self._in_flight, self._stalled, self.healthy = None, False, durable
        if self._watch is not None:
            self._watch.cancel()
        self._kick()  # the next sync overlaps with writing these answers
        for done in batch.waiting:
            done(durable)

    # --- the writer's thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (batch := self._work.get()) is not None:
            durable = self._write(batch.rows)
            loop = self._running_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._settle, batch, durable)
        self._file.close()

    def _write(self, rows: list[Row]) -> bool:
        """True if every row is durable. The second attempt is worth it: the first may have made room or a new file."""
        for _ in range(2):
            try:
                self._reserve.look()
                if self._doubtful or self._file.stale():
                    self._renew()
                if self._reserve.level:
                    self._file.save_space()
                self._file.append(rows)
            except (sqlite3.Error, OSError) as error:
                self._failed(error)
            else:
                return True
        return False

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        _log.error("writing the spool in %s failed: %s", self._folder, error)
        if "full" in str(error):
            # Nothing is wrong with the file: SQLite took the batch back, and a new file would need room too.
            self._reserve.release()
        else:
            self._doubtful = True

    def _renew(self) -> None:
        """A fresh file; the old one is closed whatever it says."""
        fresh = _File(self._folder, self.id, clock=self._clock, number=self._file.number + 1)
        self._file.close()
        self._file, self._doubtful = fresh, False


class _File:
    """One SQLite file. Made by one thread, then used and closed by the writer's."""

    def __init__(self, folder: Path, spool_id: str, *, clock: Callable[[], float], number: int = 0) -> None:
        self.number = number
        self._path = folder / f"{spool_id}{f'.{number}' if number else ''}{SUFFIX}"
        self._clock = clock
        self._born = clock()
        self._saving = False
        # SQLite gives its -wal and -shm files the permissions of this one.
        os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
            sync_folder(folder)
            self._inode = self._path.stat().st_ino
        except (sqlite3.Error, OSError):
            self.close()
            self._remove()  # nothing was ever acknowledged from it
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        execute(f"PRAGMA busy_timeout={BUSY_MS}")
        execute("PRAGMA journal_mode=WAL")
        execute("PRAGMA synchronous=FULL")
        execute("BEGIN IMMEDIATE")
        execute(TABLE)
        execute(BINDING_INDEX)
        execute("COMMIT")

    def stale(self) -> bool:
        """True once the file is old, or somebody moved it away: then its readers no longer look at it."""
        try:
            here = self._path.stat().st_ino == self._inode
        except OSError:
            here = False
        return not here or self._clock() - self._born > FILE_SECONDS

    def append(self, rows: list[Row]) -> None:
        """All rows durable, or sqlite3.Error and none acknowledged."""
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            done = 0
            for size, statement in _INSERTS:
                while len(rows) - done >= size:
                    connection.execute(statement, [*chain.from_iterable(rows[done : done + size])])
                    done += size
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def save_space(self) -> None:
        """Keep the log short from now on: a lone commit takes a hundred times its size there until it is folded in."""
        if not self._saving:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute(f"PRAGMA wal_autocheckpoint={SAVING_PAGES}")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._saving = True

    def _remove(self) -> None:
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                Path(f"{self._path}{ending}").unlink(missing_ok=True)

    def close(self) -> None:
        try:
            self._connection.close()
        except sqlite3.Error as error:
            _log.warning("closing %s failed: %s", self._path, error)
