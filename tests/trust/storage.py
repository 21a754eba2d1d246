"""Disks that are full or broken, and a database somebody else has locked."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from unittest import mock

from sqlalchemy import event

from outreach.sending import journal
from outreach.store import dialects
from outreach.store.database import Store
from outreach.testing import FaultServer
from tests.trust.scene import LANES, Case, Run, Scene


def cases(*, full: bool) -> Iterator[Case]:
    yield from _full_disk(full=full)
    yield from _nth(full=full)
    yield partial(_locked, 1.0)
    yield partial(_locked, 3600.0)


def _full_disk(*, full: bool) -> Iterator[Case]:
    for pages in range(0, 24, 2 if full else 8):
        yield partial(_no_pages, pages)


def _no_pages(pages: int) -> Run:
    """The database may grow by so many pages and no more; then there is room again."""
    run = Run("F-09", f"room for {pages} more pages", allowed=LANES)
    genuine = Store.open.__func__  # type: ignore[attr-defined]

    def narrow(cls: type[Store], url: str, **options: int) -> Store:
        store: Store = genuine(cls, url, **options)

        @event.listens_for(store.main, "connect")
        def _limit(connection: sqlite3.Connection, _record: object) -> None:
            (count,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count={count + pages}")

        return store

    with Scene() as scene, FaultServer() as server:
        with mock.patch.object(Store, "open", classmethod(narrow)):
            try:
                scene.send(server.port)
            except sqlite3.Error as error:
                run.wrong = f"not a sentence for people: {error}"
        wrong = scene.finish(server.port)
        return scene.judge(run, server.accepted_ids, wrong)


def _nth(*, full: bool) -> Iterator[Case]:
    for call, number in (
        ("write", errno.ENOSPC),
        ("fdatasync", errno.EIO),
        ("replace", errno.EIO),
        ("open", errno.EMFILE),
    ):
        for nth in range(1, (40 if call == "write" else 4), 1 if full else 9):
            yield partial(_nth_fails, call, nth, number)


def _nth_fails(call: str, nth: int, number: int) -> Run:
    """What cannot be recorded is not sent; the run ends, and another one finishes."""
    run = Run("F-12", f"{call} no. {nth} of the journal fails: {os.strerror(number)}", allowed=LANES)
    genuine, calls = getattr(os, call), 0

    def failing(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise OSError(number, os.strerror(number))
        return genuine(*arguments)

    with Scene() as scene, FaultServer() as server:
        often = mock.patch.object(journal, "ROLL_BYTES", 0 if call in ("open", "replace") else journal.ROLL_BYTES)
        with often, mock.patch.object(journal.os, call, failing), suppress(OSError):
            scene.send(server.port)
        wrong = _again(scene, server.port)
        return scene.judge(run, server.accepted_ids, wrong)


def _again(scene: Scene, port: int) -> str:
    """Finish with our own process taken for dead: it failed, and lives on only because it is the test's."""
    with mock.patch("outreach.sending.recovery.is_alive", return_value=False):
        return scene.finish(port)


def _locked(seconds: float) -> Run:
    """Another program holds the database: we wait, then give up with nothing done, then go on."""
    run = Run("F-14", f"the database is locked for {seconds:.0f} s", allowed=LANES)
    with Scene() as scene, FaultServer() as server, mock.patch.object(dialects, "BUSY_TIMEOUT_MS", 2_000):
        other = sqlite3.connect(scene.city.folder / "outreach.db", check_same_thread=False, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(min(seconds, 4.0), other.rollback)
        release.start()
        error = scene.send(server.port)
        release.join()
        other.close()
        wrong = "" if (error is None) == (seconds < 2) else f"ended with {error}"
        wrong = wrong or _again(scene, server.port)
        return scene.judge(run, server.accepted_ids, wrong)
