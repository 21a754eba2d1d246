"""Processes killed, stopped and told to end at every step of a send and of its recovery."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from functools import partial
from unittest import mock

from benchmarks import _city as cities
from outreach.sending.failpoints import POINTS
from outreach.testing import Fault, FaultServer
from tests.trust.scene import LANES, PEOPLE, Case, Run, Scene

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
