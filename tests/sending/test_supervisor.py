"""Worker processes that die, stall and are asked to stop; somebody watches over them."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from benchmarks import _city as cities
from benchmarks._city import City
from outreach.errors import Interrupted, TryAgain
from outreach.rendering.compose import Composer
from outreach.sending import supervisor
from outreach.store import campaigns
from outreach.store.campaigns import Status
from outreach.testing import Fault, FaultServer, oracle

POISON = 7


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch):
    """Let making the message of resident 7 do something terrible, in workers that are our forks."""

    def how(act) -> None:
        make = Composer.compose_many

        def compose_many(self, recipients, *, now):
            if any(each.subscriber_id == POISON for each in recipients):
                act()
            return make(self, recipients, now=now)

        monkeypatch.setattr(Composer, "compose_many", compose_many)
        monkeypatch.setattr(supervisor, "_context", lambda: get_context("fork"))

    return how


def once(server: FaultServer, count: int, act: Callable[[], object]) -> threading.Thread:
    """Do it as soon as the server has taken so many."""

    def wait() -> None:
        while len(server.accepted) < count:
            time.sleep(0.01)
        act()

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    return waiting


def test_two_workers_send_everybody_one_message(tmp_path: Path, server: FaultServer) -> None:
    city = cities.build(tmp_path, 600, port=server.port)
    tally = supervisor.send(city.orders, count=2)
    assert sum(tally.values()) == 600
    assert city.counts() == {"accepted": 600}
    assert oracle(server.accepted_ids, city.ledger()).balanced


@pytest.mark.parametrize(
    "act", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: time.sleep(60)], ids=["dies", "stalls"]
)
def test_whoever_ends_a_worker_twice_is_quarantined_and_everybody_else_gets_it(
    tmp_path: Path, server: FaultServer, poisoned, act
) -> None:
    poisoned(act)
    city = cities.build(tmp_path, 60, port=server.port)
    supervisor.send(replace(city.orders, stalled_after=4.0), count=1)
    assert city.counts() == {"accepted": 59, "quarantined": 1}
    assert oracle(server.accepted_ids, city.ledger()).balanced


def test_workers_that_only_die_are_given_up_and_everybody_is_still_waiting(
    tmp_path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_context", lambda: get_context("fork"))
    monkeypatch.setattr(supervisor.workers, "run", lambda *_, **__: os._exit(9))
    city = cities.build(tmp_path, 10, port=server.port)
    with pytest.raises(TryAgain, match="exit code 9"):
        supervisor.send(city.orders, count=1)
    assert city.counts() == {"waiting": 10}


def test_sigterm_finishes_what_is_on_the_wire_and_begins_nothing_new(tmp_path: Path) -> None:
    with FaultServer([Fault("DOT", delay=0.05, times=None)]) as server:
        city = cities.build(tmp_path, 2_000, port=server.port)
        once(server, 20, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Interrupted, match="go on"):
            supervisor.send(city.orders, count=1)
        counts = city.counts()
        assert set(counts) == {"accepted", "waiting"}
        assert counts["accepted"] == len(server.accepted)


@pytest.mark.parametrize("status", [Status.PAUSED, Status.STOPPED])
def test_pause_and_stop_are_obeyed_within_five_seconds(tmp_path: Path, status: Status) -> None:
    with FaultServer([Fault("DOT", delay=0.05, times=None)]) as server:
        city = cities.build(tmp_path, 2_000, port=server.port)
        told: list[int] = []

        def tell() -> None:
            store = city.open()
            with store.write() as connection:
                campaigns.set_status(connection, city.orders.campaign_id, status, only_from=(Status.SENDING,))
            store.close()
            told.append(len(server.accepted))

        once(server, 20, tell)
        supervisor.send(city.orders, count=2)
        # Four connections to a server that takes 50 ms for each: in five seconds no more than 400 could have left.
        assert len(server.accepted) - told[0] < 400
        counts = city.counts()
        assert oracle(server.accepted_ids, city.ledger()).balanced
    rest = "waiting" if status is Status.PAUSED else "cancelled"
    # A stop through the command line cancels what nobody had claimed; here only what workers gave back is.
    assert set(counts) <= {"accepted", "waiting", "cancelled"}
    assert counts[rest] > 0


def test_a_running_send_leaves_the_relay_to_an_emergency_and_finishes_after_it(tmp_path: Path) -> None:
    with FaultServer([Fault("DOT", delay=0.02, times=None)]) as server:
        city = cities.build(tmp_path, 700, port=server.port, lanes=4)
        alarms: list[City] = []

        def alarm() -> None:
            store = city.open()
            number = cities.add_campaign(store, cities.small_message(), 40, message_class="emergency")
            store.close()
            alarms.append(City(city.folder, replace(city.orders, campaign_id=number)))
            supervisor.send(alarms[0].orders, count=1)

        alarming = once(server, 20, alarm)
        supervisor.send(city.orders, count=1)
        alarming.join()
        taken = server.accepted_ids
    assert len(taken) == len(set(taken)) == 740
    assert city.counts() == {"accepted": 700}
    theirs = alarms[0].ledger()
    urgent = [place for place, each in enumerate(taken) if each in theirs]
    # From its first to its last message hardly anybody else's: what was on its way, and less than half a second's.
    assert urgent[-1] - urgent[0] - 39 <= 4 + 100
