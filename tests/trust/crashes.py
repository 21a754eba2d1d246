"""Faults of our own machine: kill -9 at every step, stopped and doubled processes, full disks, poisoned data."""

from __future__ import annotations

import datetime as dt
import errno
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

from sqlalchemy import event, insert, update

from benchmarks import _city as cities
from outreach.errors import OutreachError
from outreach.sending import identity, journal
from outreach.sending.failpoints import POINTS
from outreach.sending.recovery import recover
from outreach.store import dialects, tables
from outreach.store.database import Store
from outreach.testing import Fault, FaultServer
from tests.trust.scene import LANES, PEOPLE, Run, Scene

Case = Callable[[], Run]

RECOVERY = ("recovering", "recovered", "forgotten")
WORK = tuple(point for point in POINTS if point not in RECOVERY)
ONCE = frozenset({"claiming", "claimed", "composed", "flushing", "written", "flushed", "restarted", "leaving"})
"""Steps that a run of a few people passes only once or twice."""
LONG_AFTER = dt.timedelta(minutes=20)


def cases(*, full: bool) -> Iterator[Case]:
    for point in WORK:
        for count in (1,) if point in ONCE else (1, 3, PEOPLE) if full else (3,):
            yield partial(_killed, f"{point}:{count}")
    for first in ("sending:2", "dotted:3", "flushing:1") if full else ("dotted:3",):
        for point in RECOVERY:
            yield partial(_killed_recovering, first, point)
    for point in WORK if full else WORK[3:7:2]:
        yield partial(_one_of_three, point)
    yield _out_of_memory
    for point in WORK if full else WORK[4:5]:
        yield partial(_told_to_stop, point)
    for point in WORK[:7] if full else WORK[3:5]:
        yield partial(_stopped, point)
    yield from _moments(full=full)
    yield from _torn(full=full)
    yield from _full_disk(full=full)
    yield from _nth(full=full)
    yield partial(_locked, 1.0)
    yield partial(_locked, 3600.0)
    for _ in range(3 if full else 1):
        yield _twenty
    yield from (partial(_poisoned, what, first_name) for what, first_name in POISON.items())
    yield _canaries
    yield _edited
    yield partial(_left_meanwhile, "suppressed")
    yield partial(_left_meanwhile, "erased")
    yield partial(_left_meanwhile, "moved")
    yield _emergency


def _killed(point: str) -> Run:
    run = Run("F-01", f"kill -9 at {point}", allowed=LANES)
    with Scene() as scene, FaultServer() as server:
        fired = scene.kill_at(point, server.port)
        wrong = scene.finish(server.port)
        return scene.judge(run, server.accepted_ids, wrong or ("" if fired else "never fired"))


def _killed_recovering(first: str, point: str) -> Run:
    run = Run("F-02", f"kill -9 at {first}, then twice at {point} of the recovery", allowed=LANES)
    with Scene() as scene, FaultServer() as server:
        scene.kill_at(first, server.port)
        for _ in range(2):
            scene.kill_at(f"{point}:1", server.port, act="recover")
        wrong = scene.finish(server.port)
        return scene.judge(run, server.accepted_ids, wrong or ("" if point in scene.fired() else "never fired"))


def _one_of_three(point: str) -> Run:
    """The others go on; only the dead one's work is settled."""
    run = Run("F-03", f"one of three workers dies at {point}", allowed=LANES)
    with Scene(60) as scene, FaultServer([Fault("DOT", delay=0.005, times=None)]) as server:
        crew = [scene.start(f"{point}:1", server.port), scene.start("", server.port), scene.start("", server.port)]
        for each in crew:
            each.join(60)
        wrong = scene.finish(server.port)
        return scene.judge(run, server.accepted_ids, wrong)


def _out_of_memory() -> Run:
    run = Run("F-04", "no memory for one person's message")

    def render(self: object, values: dict[str, object], **others: object) -> list[str]:
        if values.get("first_name") == cities.NAMES[4]:
            raise MemoryError
        return genuine(self, values, **others)

    from outreach.rendering.wire import WireTemplate

    genuine = WireTemplate.render
    with Scene() as scene, FaultServer() as server, mock.patch.object(WireTemplate, "render", render):
        wrong = scene.finish(server.port)
        counts = scene.city.counts()
        if counts != {"accepted": PEOPLE - 1, "quarantined": 1}:
            wrong = str(counts)
        return scene.judge(run, server.accepted_ids, wrong)


def _told_to_stop(point: str) -> Run:
    """SIGTERM: what is on the wire is finished within ten seconds, nobody is in doubt."""
    run = Run("F-05", f"SIGTERM at {point}")
    with Scene() as scene, FaultServer() as server:
        child = scene.start(f"{point}:1:term", server.port)
        child.join(10)
        wrong = "still running after 10 s" if child.is_alive() else ""
        wrong = wrong or scene.finish(server.port)
        return scene.judge(run, server.accepted_ids, wrong)


def _stopped(point: str) -> Run:
    """SIGSTOP, a lease passes, another takes over: the old process is ended first and never wakes up."""
    run = Run("F-06", f"SIGSTOP at {point}, taken over, SIGCONT", allowed=LANES)
    with Scene() as scene, FaultServer() as server:
        child = scene.start(f"{point}:1:stop", server.port)
        deadline = time.monotonic() + 20
        while not scene.fired() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        scene.age_leases(LONG_AFTER)
        scene.settle()
        child.join(5)
        wrong = "the old process lives on" if child.is_alive() else ""
        wrong = wrong or scene.finish(server.port)
        return scene.judge(run, server.accepted_ids, wrong)


def _moments(*, full: bool) -> list[Case]:
    """The machine goes down: the database as of any commit, the journal as of any write before the next one.

    Records one run: a copy of the database at each commit, and each state of the journal between two.
    """
    found: list[Case] = []
    keep = _keep()
    scene = Scene()
    snapshots: list[tuple[Path, list[tuple[bytes, int]]]] = []

    def snapshot() -> None:
        place = keep / f"{len(snapshots)}.db"
        with sqlite3.connect(scene.city.folder / "outreach.db") as source, sqlite3.connect(place) as copy:
            source.backup(copy)
        snapshots.append((place, []))

    with FaultServer() as server:

        def wrote(self: journal.Journal) -> None:
            genuine(self)
            snapshots[-1][1].append((self.path.read_bytes(), len(server.accepted)))

        genuine = journal.Journal._write
        from outreach.sending.ledger import Ledger

        claim, flush = Ledger.claim, Ledger.flush

        def claimed(self: Ledger, limit: int) -> object:
            before = self.journal.path.read_bytes()
            rows = claim(self, limit)
            snapshot()
            snapshots[-1][1].append((before, len(server.accepted)))
            return rows

        def flushed(self: Ledger) -> None:
            flush(self)
            snapshot()
            snapshots[-1][1].append((self.journal.path.read_bytes(), len(server.accepted)))

        snapshot()
        with (
            mock.patch.object(journal.Journal, "_write", wrote),
            mock.patch.object(Ledger, "claim", claimed),
            mock.patch.object(Ledger, "flush", flushed),
        ):
            scene.send(server.port, lanes=LANES)
        order = server.accepted_ids
    prefixes = [
        (place, content[:length], taken)
        for place, states in snapshots
        for content, taken in states
        for length in _lengths(content, full=full)
    ]
    for place, content, taken in prefixes[:: 1 if full else 12][:500]:
        found.append(partial(_power_lost, scene, place, content, order, taken))
    return found


def _keep() -> Path:
    import tempfile

    return Path(tempfile.mkdtemp(prefix="outreach-power-"))


def _lengths(content: bytes, *, full: bool) -> list[int]:
    """What of the last write may have reached the disk: all, none, and half of it."""
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    return [len(content), (last + len(content)) // 2] if full else [len(content)]


def _power_lost(scene: Scene, place: Path, content: bytes, order: list[str], taken: int) -> Run:
    """After a restart what was claimed and not answered is in doubt, and nobody is sent anything twice."""
    run = Run("F-07", f"power lost, {len(content)} bytes of the journal left", allowed=PEOPLE)
    folder = _keep()
    shutil.copytree(scene.city.folder, folder, dirs_exist_ok=True)
    for extra in ("outreach.db-wal", "outreach.db-shm"):
        (folder / extra).unlink(missing_ok=True)
    shutil.copy(place, folder / "outreach.db")
    store = Store.open(f"sqlite:///{folder}/outreach.db")
    with store.write() as connection:
        for row in connection.execute(tables.worker.select()).mappings().all():
            path = folder / "journal" / Path(row["journal"]).name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            connection.execute(update(tables.worker).values(journal=str(path)))
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
    shutil.rmtree(folder)
    return run


def _torn(*, full: bool) -> Iterator[Case]:
    with Scene() as scene:
        path = scene.city.folder / "torn.journal"
        book = journal.Journal(path)
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
    path = _keep() / "worker.journal"
    path.write_bytes(whole[:length])
    found, suspects = journal.read(path), journal.suspects(path)
    said = _said(whole[:length].rpartition(b"\n")[0])
    nearly = _said(whole[:length]) if whole[length : length + 1] == b"\n" else said  # whole but for its line's end
    read = {key: entry.reply is not None for key, entry in found.items()}
    if read not in (said, nearly) or (suspects and suspects[0] != 1):
        run.wrong = f"read {read}, written {said}"
    shutil.rmtree(path.parent)
    return run


def _said(text: bytes) -> dict[tuple[int, int], bool]:
    """(campaign, person) to whether it was answered, by the S and R lines."""
    lines = [line.split() for line in text.split(b"\n")]
    return {(1, int(line[2])): line[0] == b"R" for line in lines if line and line[0] in (b"S", b"R")}


def _full_disk(*, full: bool) -> Iterator[Case]:
    for pages in range(0, 24, 2 if full else 8):
        yield partial(_no_pages, pages)


def _no_pages(pages: int) -> Run:
    """The database may grow by so many pages and no more; then there is room again."""
    run = Run("F-09", f"room for {pages} more pages", allowed=LANES)
    genuine = Store.open.__func__  # type: ignore[attr-defined]

    def narrow(cls: type[Store], url: str) -> Store:
        store: Store = genuine(cls, url)

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
        with mock.patch.object(journal.os, call, failing), suppress(OSError):
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


def _twenty() -> Run:
    run = Run("F-40", "twenty senders of one campaign at once")
    with Scene(400) as scene, FaultServer() as server:
        crew = [scene.start("", server.port) for _ in range(20)]
        for each in crew:
            each.join(120)
        wrong = scene.finish(server.port)
        return scene.judge(run, server.accepted_ids, wrong)


POISON = {
    "no first name": None,
    "a number for a name": 7,
    "10 MB for a name": "x" * 10_000_000,
    "NUL and CR LF . CR LF": "Eve\x00\r\n.\r\nMAIL FROM:<eve@evil.example>\r\n",
    "a header": "Eve\r\nBcc: everybody@city.example",
    "right to left and emoji": "‮\U0001f9d1‍\U0001f692 \u0627\u0644\u0633\u0644\u0627\u0645",
    "a template": "{{ subscriber.__class__ }}{% for x in range(10**9) %}{% endfor %}",
    "a lone surrogate": "\\ud800",
}


def _poisoned(what: str, first_name: object) -> Run:
    run = Run("F-52", f"one person's data: {what}")
    with Scene() as scene, FaultServer() as server:
        store = scene.city.open()
        with store.write() as connection:
            person = tables.subscriber.c.id == 5
            connection.execute(update(tables.subscriber).where(person).values(attributes={"first_name": first_name}))
        store.close()
        wrong = scene.finish(server.port)
        counts = scene.city.counts()
        if counts.get("accepted", 0) < PEOPLE - 1 or counts.get("accepted", 0) + counts.get("quarantined", 0) != PEOPLE:
            wrong = str(counts)
        if any(len(each.recipients) != 1 or b"\nBcc:" in each.content for each in server.accepted):
            wrong = "one person's data reached somebody else"
        return scene.judge(run, server.accepted_ids, wrong)


def _canaries() -> Run:
    """Everybody's message holds their own mark and nobody else's."""
    run = Run("F-53", "1,000 people, each with a mark of their own")
    with Scene(1_000) as scene, FaultServer() as server:
        store = scene.city.open()
        with store.write() as connection:
            for person in range(1, 1_001):
                mine = tables.subscriber.c.id == person
                connection.execute(
                    update(tables.subscriber).where(mine).values(attributes={"first_name": f"mark{person:06}x"})
                )
        store.close()
        wrong = scene.finish(server.port, lanes=5)
        for each in server.accepted:
            number = int(each.recipients[0].partition("@")[0].removeprefix("resident"))
            marks = set(_marks(each.content))
            if marks != {f"mark{number:06}x".encode()}:
                wrong = f"{each.recipients[0]} reads {sorted(marks)}"
        return scene.judge(run, server.accepted_ids, wrong)


def _marks(content: bytes) -> list[bytes]:
    import re

    return re.findall(rb"mark\d{6}x", content)


def _edited() -> Run:
    """The files the campaign was planned from are edited and deleted while it is sent: the plan is what leaves."""
    run = Run("F-54", "the message is edited during the send")
    with Scene() as scene, FaultServer() as server:
        scene.kill_at("dotted:4", server.port)
        (scene.city.folder / "sweeping.md").write_text("something else")
        run.allowed = LANES
        wrong = scene.finish(server.port)
        if any(b"sweeping" not in each.content for each in server.accepted):
            wrong = "another message left"
        return scene.judge(run, server.accepted_ids, wrong)


def _left_meanwhile(how: str) -> Run:
    """Somebody is suppressed, erased or moves after the plan and before the claim: the last look sees it."""
    run = Run("F-55", f"{how} between plan and claim")
    with Scene() as scene, FaultServer() as server:
        store = scene.city.open()
        with store.write() as connection:
            mine = tables.subscriber.c.id == 5
            if how == "suppressed":
                connection.execute(
                    insert(tables.suppression).values(
                        address="resident5@mail.example", reason="complaint", source="test", at=cities.NOON
                    )
                )
            elif how == "erased":
                connection.execute(tables.subscriber.delete().where(mine))
            else:
                connection.execute(update(tables.subscriber).where(mine).values(address="new5@mail.example"))
        store.close()
        wrong = scene.finish(server.port)
        reached = {each.recipients[0] for each in server.accepted}
        if "resident5@mail.example" in reached or ("new5@mail.example" in reached) != (how == "moved"):
            wrong = "the old address was used"
        return scene.judge(run, server.accepted_ids, wrong)


def _emergency() -> Run:
    """An emergency starts while a bulk send keeps a slow relay busy: its first message leaves within a second."""
    run = Run("F-62", "an emergency overtakes a running bulk send")
    with Scene(400) as scene, FaultServer([Fault("DOT", delay=0.02, times=None)]) as server:
        bulk = scene.start("", server.port)
        while len(server.accepted) < 20:
            time.sleep(0.01)
        store = scene.city.open()
        alarm = cities.add_campaign(store, cities.small_message(), 40, message_class="emergency")
        store.close()
        begun = time.monotonic()
        urgent = cities.City(scene.city.folder, scene.orders(server.port, campaign_id=alarm))
        wanted = set(urgent.ledger())
        first: list[float] = []

        def watch() -> None:
            while not wanted & set(server.accepted_ids):
                time.sleep(0.01)
            first.append(time.monotonic() - begun)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        trouble: OutreachError | None = scene.send(server.port, campaign_id=alarm)
        watcher.join(10)
        bulk.join(60)
        wrong = str(trouble or "") or ("" if first and first[0] <= 1.0 else f"first message after {first} s")
        if urgent.counts() != {"accepted": 40} or scene.city.counts() != {"accepted": 400}:
            wrong = f"{urgent.counts()} {scene.city.counts()}"
        return scene.judge(run, [each for each in server.accepted_ids if each not in wanted], wrong)
