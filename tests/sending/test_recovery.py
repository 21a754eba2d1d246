"""Recovery: what a dead worker's deliveries become, and that the living are left alone."""

import datetime as dt

import pytest
from sqlalchemy import select, update

from outreach.sending import identity
from outreach.sending.journal import Journal
from outreach.sending.ledger import LEASE, Ledger
from outreach.sending.outcomes import Verb
from outreach.sending.recovery import recover
from outreach.sending.transports.memory import MemoryTransport
from outreach.store import claims, tables
from outreach.store.claims import FenceLost
from outreach.store.deliveries import State

DEAD = 2**22 + 1
"""More than any pid on Linux."""


def crash(city, *, journal: bool = True, boot: str | None = None, host: str | None = None) -> None:
    """A worker that claimed everybody and died: person 1 was accepted, 2 bounced, 3 was on the wire."""
    me = identity.this_process()
    path = city.folder / "dead.journal"
    if journal:
        log = Journal(path)
        for person in (1, 2, 3):
            log.sending(city.campaign.id, person)
        log.answered(city.campaign.id, 1, Verb.DOT, "250 2.0.0 ok")
        log.answered(city.campaign.id, 2, Verb.RCPT, "550 5.1.1 no such user")
        log.flush()
    with city.store.write() as connection:
        worker = claims.register(
            connection,
            host=host or me.host,
            boot=boot or me.boot,
            pid=DEAD,
            started="1",
            journal=str(path),
            now=city.clock(),
        )
        claims.take(connection, city.campaign.id, worker.id, limit=100, now=city.clock(), lease=LEASE)


def test_the_journal_decides(world) -> None:
    city = world(6)
    crash(city)
    assert city.counts() == {"sending": 6}
    found = recover(city.store, now=city.clock())
    assert found == {State.ACCEPTED: 1, State.BOUNCED: 1, State.IN_DOUBT: 1, State.WAITING: 3}
    transport = MemoryTransport()
    city.send(transport)
    assert city.counts() == {"accepted": 4, "bounced": 1, "in_doubt": 1}
    assert len(transport.messages) == 3
    assert list(city.folder.iterdir()) == []


def test_what_was_accepted_keeps_the_time_of_its_claim(world) -> None:
    """Nobody knows when the server answered; what a person did since must not come before it (tracking.rules)."""
    city = world(3)
    crash(city)
    recover(city.store, now=city.clock() + dt.timedelta(hours=1))
    assert times(city) == {1: city.clock(), 2: city.clock(), 3: city.clock()}


def test_an_outcome_has_the_time_of_its_answer_not_of_its_writing(world) -> None:
    city = world(2)
    now = city.clock()
    with Ledger(city.store, city.campaign.id, folder=city.folder, clock=lambda: now) as ledger:
        first, second = ledger.claim(2)
        now += dt.timedelta(seconds=20)
        ledger.settle(first, State.ACCEPTED, "250 2.0.0 ok")
        now += dt.timedelta(seconds=9)
        ledger.settle(second, State.ACCEPTED, "250 2.0.0 ok")
        now += dt.timedelta(minutes=1)
        ledger.flush()
    assert times(city) == {n: city.clock() + dt.timedelta(seconds=after) for n, after in ((1, 20), (2, 29))}


def times(city) -> dict[int, dt.datetime]:
    with city.store.read() as connection:
        return dict(connection.execute(select(tables.delivery.c.subscriber_id, tables.delivery.c.at)).all())


def test_recovering_twice_is_recovering_once(world) -> None:
    city = world(6)
    crash(city)
    recover(city.store, now=city.clock())
    assert not recover(city.store, now=city.clock())
    assert city.counts() == {"accepted": 1, "bounced": 1, "in_doubt": 1, "waiting": 3}


def test_an_emergency_prefers_a_repeat_to_silence(world) -> None:
    city = world(6, in_doubt="resend")
    crash(city)
    recover(city.store, now=city.clock())
    assert city.counts() == {"accepted": 1, "bounced": 1, "waiting": 4}


def test_after_a_restart_of_the_machine_what_was_claimed_is_in_doubt(world) -> None:
    city = world(6)
    crash(city, boot="another boot")
    recover(city.store, now=city.clock())
    assert city.counts() == {"accepted": 1, "bounced": 1, "in_doubt": 4}


def test_a_worker_elsewhere_is_left_alone_until_its_lease_ends(world) -> None:
    city = world(6)
    crash(city, journal=False, host="other.example")
    assert not recover(city.store, now=city.clock())
    recover(city.store, now=city.clock() + LEASE + dt.timedelta(seconds=1))
    assert city.counts() == {"in_doubt": 6}


def test_a_living_worker_is_never_robbed(world) -> None:
    city = world(6)
    with Ledger(city.store, city.campaign.id, folder=city.folder, clock=city.clock) as ledger:
        ledger.claim(2)
        assert not recover(city.store, now=city.clock())
    assert city.counts() == {"waiting": 6}


def test_a_worker_that_was_taken_for_dead_cannot_write(world) -> None:
    city = world(3)
    ledger = Ledger(city.store, city.campaign.id, folder=city.folder, clock=city.clock)
    claimed = ledger.claim(3)
    with city.store.write() as connection:
        connection.execute(update(tables.worker).values(pid=DEAD))
    recover(city.store, now=city.clock())
    ledger.settle(claimed[0], State.ACCEPTED, "250 late")
    with pytest.raises(FenceLost):
        ledger.flush()
    assert city.counts() == {"waiting": 3}


def test_this_process_is_alive_and_a_used_up_pid_is_not() -> None:
    me = identity.this_process()
    assert identity.is_alive(me)
    assert not identity.is_alive(identity.Identity(me.host, me.boot, me.pid, "another start"))
    assert not identity.is_alive(identity.Identity(me.host, me.boot, DEAD, "1"))
