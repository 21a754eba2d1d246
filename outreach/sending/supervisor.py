"""Worker processes, one for each core, and somebody who watches over them.

A worker says every quarter of a second how far it is. One that dies, or says nothing for `stalled_after`, is
ended, what it had claimed is settled from its journal, and another takes its place. Whoever's message
ends a worker twice is quarantined (see `recovery`), so that one person's data cannot stop a city's mail.
"""

from __future__ import annotations

import datetime as dt
import gc
import os
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import connection, get_context
from multiprocessing.context import ForkServerContext, ForkServerProcess, SpawnContext, SpawnProcess
from types import FrameType
from typing import Any

from outreach import errors
from outreach.errors import Interrupted, OutreachError, TryAgain
from outreach.sending import workers
from outreach.sending.recovery import recover
from outreach.sending.workers import Orders, Progress
from outreach.store.database import Store
from outreach.store.deliveries import State

PER_WORKER = 5_000
"""People for whom a further worker process is worth its start."""
MAX_DEATHS = 12
"""Workers that may die in a row without anybody getting anything, before we give up."""
LOOK_EVERY = 0.5
GC_EVERY = 50_000

Channel = Any
"""A multiprocessing pipe's end; its class differs by platform."""


def crew_size(people: int) -> int:
    """How many workers are worth it: one for each core, fewer for few people."""
    return max(1, min(os.cpu_count() or 1, people // PER_WORKER))


@dataclass(slots=True)
class _Member:
    """One worker process and what it last said."""

    process: ForkServerProcess | SpawnProcess
    channel: Channel
    heard: float
    tally: Counter[State] = field(default_factory=Counter)
    ended: bool = False
    trouble: OutreachError | None = None


def send(orders: Orders, *, count: int = 1, progress: Progress | None = None) -> Counter[State]:
    """Send what is due with `count` workers; counts how deliveries ended. Raises what stopped a worker."""
    share = replace(orders, lanes=max(1, orders.lanes // count), crew=count)
    return _Crew(share, progress).work(count)


class _Crew:
    def __init__(self, orders: Orders, progress: Progress | None) -> None:
        self._orders, self._progress = orders, progress
        self._context = _context()
        self._members: list[_Member] = []
        self._past: Counter[State] = Counter()
        self._deaths = 0
        self._asked_to_stop = 0
        self._trouble: OutreachError | None = None

    def work(self, count: int) -> Counter[State]:
        with self._signals():
            try:
                for _ in range(count):
                    self._hire()
                while self._members:
                    self._look()
            finally:
                for member in self._members:
                    member.process.kill()
                    member.process.join()
        if self._trouble is not None:
            raise self._trouble
        return self._tally()

    def _hire(self) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_worker, args=(self._orders, theirs), daemon=True)
        process.start()
        theirs.close()
        self._members.append(_Member(process, ours, time.monotonic()))

    def _look(self) -> None:
        """Wait for news, and deal with it."""
        by_channel = {member.channel: member for member in self._members}
        sentinels = [member.process.sentinel for member in self._members]
        for channel in connection.wait([*by_channel, *sentinels], LOOK_EVERY):
            if channel in by_channel:
                self._listen(by_channel[channel])
        if self._progress is not None:
            self._progress(self._tally())
        now = time.monotonic()
        for member in list(self._members):
            if member.process.is_alive() and now - member.heard > self._orders.stalled_after:
                member.process.kill()
                member.process.join()
            if not member.process.is_alive():
                self._bury(member)

    def _listen(self, member: _Member) -> None:
        try:
            while member.channel.poll():
                kind, *content = member.channel.recv()
                before = sum(member.tally.values())
                member.tally = content[0]
                member.heard = time.monotonic()
                if sum(member.tally.values()) > before:
                    self._deaths = 0
                if kind == "end":
                    member.ended = True
                    member.trouble = _rebuilt(*content[1]) if content[1] else None
        except (EOFError, OSError):
            return

    def _bury(self, member: _Member) -> None:
        self._listen(member)
        member.process.join()
        member.channel.close()
        self._members.remove(member)
        self._past += member.tally
        if member.ended:
            self._trouble = self._trouble or member.trouble
            return
        store = Store.open(self._orders.database_url)
        try:
            recover(store, now=dt.datetime.now(dt.UTC))
        finally:
            store.close()
        self._deaths += 1
        if self._asked_to_stop:
            self._trouble = Interrupted("stopped as asked; run the same command again to go on")
        elif self._deaths < MAX_DEATHS:
            self._hire()
        else:
            self._trouble = self._trouble or TryAgain(
                f"{self._deaths} sending workers died in a row (the last with exit code {member.process.exitcode}); "
                "everybody unsent is still waiting: see the machine's memory and logs, then run the same command again"
            )

    def _tally(self) -> Counter[State]:
        return sum((member.tally for member in self._members), self._past.copy())

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM: the workers finish what is on the wire. The second time they are ended."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:
            self._asked_to_stop += 1
            for member in self._members:
                (member.process.terminate if self._asked_to_stop == 1 else member.process.kill)()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _context() -> ForkServerContext | SpawnContext:
    """Fresh processes, without our threads and locks; from a server that has all imported, where there is one."""
    try:
        context = get_context("forkserver")
    except ValueError:
        return get_context("spawn")
    context.set_forkserver_preload([workers.__name__, __name__])
    return context


def _worker(orders: Orders, channel: Channel) -> None:
    """The worker process's whole life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells everybody; only the supervisor acts on it
    gc.freeze()
    gc.set_threshold(GC_EVERY)  # the hot path makes no cycles; looking for some every 700 objects costs a tenth of it
    tally: Counter[State] = Counter()

    def report(news: Counter[State]) -> None:
        nonlocal tally
        tally = news
        try:
            channel.send(("tally", news))
        except OSError:  # the supervisor is gone: finish what is on the wire, hand the rest back
            signal.raise_signal(signal.SIGTERM)

    trouble: tuple[str, str] | None = None
    try:
        tally = workers.run(orders, progress=report)
    except OutreachError as error:
        trouble = type(error).__name__, str(error)
    except Exception as error:
        traceback.print_exc()
        trouble = "OutreachError", f"a sending worker failed ({type(error).__name__}: {error}); nobody was lost"
    with suppress(OSError):  # nobody may be left to hear it
        channel.send(("end", tally, trouble))


def _rebuilt(name: str, text: str) -> OutreachError:
    """A worker's error, here: the nearest of our classes, with its exit code."""
    ours = {"RelayUnreachable": TryAgain, "RelayRefusesUs": errors.ConfigurationError}
    kind: type[OutreachError] = ours[name] if name in ours else getattr(errors, name, OutreachError)
    return kind(text)
