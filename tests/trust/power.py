"""Power lost and journals torn: every prefix of what was written, against what the database had committed."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from sqlalchemy import update

from benchmarks import _city as cities
from outreach.sending import identity, journal
from outreach.sending.journal import Journal
from outreach.sending.ledger import Ledger
from outreach.sending.recovery import recover
from outreach.store import tables
from outreach.store.database import Store
from outreach.testing import FaultServer
from tests.trust.scene import LANES, PEOPLE, Case, Run, Scene


def cases(*, full: bool) -> Iterator[Case]:
    yield from _moments(full=full)
    yield from _torn(full=full)


def _moments(*, full: bool) -> Iterator[Case]:
    """The machine goes down: the database as of any commit, the journal as of any write before the next one."""
    with TemporaryDirectory(prefix="outreach-power-") as keep, Scene() as scene, FaultServer() as server:
        recorder = _Recorder(scene, server, Path(keep))
        recorder.record()
        prefixes = [
            (place, content[:length], taken)
            for place, states in recorder.snapshots
            for content, taken in states
            for length in _lengths(content, full=full)
        ]
        for place, content, taken in prefixes[:: 1 if full else 12][:500]:
            yield partial(_power_lost, scene, place, content, server.accepted_ids, taken)


class _Recorder:
    """Records one run: a copy of the database at each commit, and each state of the journal between two."""

    def __init__(self, scene: Scene, server: FaultServer, keep: Path) -> None:
        self._scene = scene
        self._server = server
        self._keep = keep
        self.snapshots: list[tuple[Path, list[tuple[bytes, int]]]] = []
        """Each copy of the database, with what the journal held until the next one and how many the relay had then."""

    def record(self) -> None:
        claim, flush, write = Ledger.claim, Ledger.flush, Journal._write

        def claimed(ledger: Ledger, limit: int) -> object:
            before = ledger.journal.path.read_bytes()
            rows = claim(ledger, limit)
            self._copy()
            self._journal(before)
            return rows

        def flushed(ledger: Ledger) -> None:
            flush(ledger)
            self._copy()
            self._journal(ledger.journal.path.read_bytes())

        def wrote(journal: Journal) -> None:
            write(journal)
            self._journal(journal.path.read_bytes())

        self._copy()
        with (
            mock.patch.object(Journal, "_write", wrote),
            mock.patch.object(Ledger, "claim", claimed),
            mock.patch.object(Ledger, "flush", flushed),
        ):
            self._scene.send(self._server.port, lanes=LANES)

    def _copy(self) -> None:
        place = self._keep / f"{len(self.snapshots)}.db"
        with (
            closing(sqlite3.connect(self._scene.city.folder / "outreach.db")) as source,
            closing(sqlite3.connect(place)) as copy,
        ):
            source.backup(copy)
        self.snapshots.append((place, []))

    def _journal(self, content: bytes) -> None:
        self.snapshots[-1][1].append((content, len(self._server.accepted)))


def _lengths(content: bytes, *, full: bool) -> list[int]:
    """What of the last write may have reached the disk: all, none, and half of it."""
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    return [len(content), (last + len(content)) // 2] if full else [len(content)]


def _power_lost(scene: Scene, place: Path, content: bytes, order: list[str], taken: int) -> Run:
    """After a restart what was claimed and not answered is in doubt, and nobody is sent anything twice."""
    run = Run("F-07", f"power lost, {len(content)} bytes of the journal left", allowed=PEOPLE)
    with TemporaryDirectory(prefix="outreach-power-") as name:
        folder = Path(name)
        _restore(scene.city.folder, folder, database=place, content=content)
        store = Store.open(f"sqlite:///{folder}/outreach.db")
        with mock.patch.object(identity, "_boot", return_value="after the restart"):
            recover(store, now=dt.datetime.now(dt.UTC))
        store.close()
        city = cities.City(folder, replace(scene.city.orders, database_url=f"sqlite:///{folder}/outreach.db"))
        ledger = city.ledger()
    had = set(order[:taken])
    # Whoever is waiting will be sent to: nobody may who has it. Whoever is accepted must have it.
    run.duplicated = len([each for each in had if ledger[each] == "waiting"])
    run.lost = len([each for each, state in ledger.items() if state == "accepted" and each not in order])
    run.in_doubt = sum(state == "in_doubt" for state in ledger.values())
    return run


def _restore(source: Path, folder: Path, *, database: Path, content: bytes) -> None:
    """What the machine finds when it comes up again: this database, and each worker's journal with this content."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    for extra in ("outreach.db-wal", "outreach.db-shm"):
        (folder / extra).unlink(missing_ok=True)
    shutil.copy(database, folder / "outreach.db")
    store = Store.open(f"sqlite:///{folder}/outreach.db")
    with store.write() as connection:
        for row in connection.execute(tables.worker.select()).mappings().all():
            path = folder / "journal" / Path(row["journal"]).name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            connection.execute(update(tables.worker).values(journal=str(path)))
    store.close()


def _torn(*, full: bool) -> Iterator[Case]:
    with Scene() as scene:
        path = scene.city.folder / "torn.journal"
        book = Journal(path)
        for person in range(1, 9):
            book.composing(1, [person])
            book.composing(1, ())
            book.sending(1, person)
            book.answered(1, person, journal.Verb.DOT, "250 2.0.0 taken")
        book.flush()
        whole = path.read_bytes()
    for length in range(0, len(whole), 1 if full else 40):
        yield partial(_cut_journal, whole, length)


def _cut_journal(whole: bytes, length: int) -> Run:
    """A journal that ends anywhere says what its whole lines say, and never more."""
    run = Run("F-08", f"a journal torn at byte {length}")
    with TemporaryDirectory(prefix="outreach-power-") as folder:
        path = Path(folder) / "worker.journal"
        path.write_bytes(whole[:length])
        found, suspects = journal.read(path), journal.suspects(path)
    said = _said(whole[:length].rpartition(b"\n")[0])
    nearly = _said(whole[:length]) if whole[length : length + 1] == b"\n" else said  # whole but for its line's end
    read = {key: entry.reply is not None for key, entry in found.items()}
    if read not in (said, nearly) or (suspects and suspects[0] != 1):
        run.wrong = f"read {read}, written {said}"
    return run


def _said(text: bytes) -> dict[tuple[int, int], bool]:
    """(campaign, person) to whether it was answered, by the S and R lines."""
    lines = [line.split() for line in text.split(b"\n")]
    return {(1, int(line[2])): line[0] == b"R" for line in lines if line and line[0] in (b"S", b"R")}
