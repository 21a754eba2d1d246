"""A relay that asks to be left alone for a time: nobody is held for it, nothing is lost, and afterwards it goes on."""

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from outreach.rendering.message import Message
from outreach.sending.outcomes import Deferred, Outcome, Verb
from outreach.sending.retry import RetryPolicy
from outreach.sending.transports import Feed
from outreach.sending.transports.memory import MemoryLane, MemoryTransport
from outreach.sending.turns import Turns
from outreach.store import tables

NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
AT_ONCE = RetryPolicy(dt.timedelta(0), 20)
REST = dt.timedelta(minutes=20)


class Waiting:
    """The time, which passes only while lanes wait; `then` is called when the first does."""

    def __init__(self) -> None:
        self.now, self.turns = NOON, 0
        self.then: Callable[[], None] = lambda: None

    def __call__(self) -> dt.datetime:
        return self.now

    async def come(self, _turns: Turns) -> None:
        self.turns += 1
        if self.turns == 1:
            self.then()
        self.now += dt.timedelta(minutes=1)
        await asyncio.sleep(0)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    time = Waiting()
    monkeypatch.setattr(Turns, "come", lambda turns: time.come(turns))
    return time


class Tired(MemoryTransport):
    """Asks to be left alone for a while in answer to its 11th call, and has closed that connection when it is over."""

    def __init__(self, clock: Waiting) -> None:
        super().__init__()
        self.clock, self.calls, self.opened = clock, 0, 0

    async def open(self) -> MemoryLane:
        transport = self
        self.opened += 1

        class Lane(MemoryLane):
            is_open, until = True, dt.datetime.max.replace(tzinfo=dt.UTC)

            async def run(self, feed: Feed) -> None:
                self.is_open = transport.clock.now < self.until
                await super().run(feed)

            async def hand_over(self, message: Message, *, before_dot: Callable[[], bool]) -> Outcome:
                transport.calls += 1
                if transport.calls != 11:
                    return await super().hand_over(message, before_dot=before_dot)
                self.until = transport.clock.now + REST
                return Deferred("451 4.7.0 too many", Verb.MAIL, retry_after=REST)

        return Lane(self)


def test_connections_are_not_lost_because_a_relay_rests(world, waiting: Waiting) -> None:
    city, transport = replace(world(40), clock=waiting), Tired(waiting)
    city.send(transport, lanes=1, retry=AT_ONCE)
    assert city.counts() == {"accepted": 40}
    assert (transport.opened, transport.calls) == (2, 41)
    assert waiting.now == NOON + REST


def test_whoever_leaves_while_a_relay_rests_is_not_written_to(world, waiting: Waiting) -> None:
    city, transport = replace(world(40), clock=waiting), Tired(waiting)

    def one_leaves() -> None:
        subscription = tables.subscription
        with city.store.write() as connection:
            leaves = update(subscription).where(subscription.c.subscriber_id == 15)
            connection.execute(leaves.values(status=2))

    waiting.then = one_leaves
    city.send(transport, lanes=2, retry=AT_ONCE)
    assert city.counts() == {"accepted": 39, "excluded": 1}
    assert "resident15@mail.example" not in {each.recipient for each in transport.messages}
    with city.store.read() as connection:
        tried = select(tables.delivery.c.attempts).where(tables.delivery.c.subscriber_id.in_((20, 40)))
        assert connection.execute(tried).scalars().all() == [1, 1]
