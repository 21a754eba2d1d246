"""What every transport keeps to, whatever it hands messages over to."""

import asyncio
import email
from collections.abc import Callable, Iterator
from email import policy
from pathlib import Path

import pytest

from outreach.rendering.message import Message
from outreach.sending.outcomes import Accepted, Outcome, Unsent
from outreach.sending.transports import Ready, Transport
from outreach.sending.transports.directory import DirectoryTransport
from outreach.sending.transports.esp import EspTransport
from outreach.sending.transports.failover import Failover
from outreach.sending.transports.memory import MemoryTransport
from outreach.sending.transports.smtp import Relay, SmtpTransport
from outreach.store.claims import Claimed
from outreach.testing import FakeEsp, FaultServer, Manner

NAMES = ["smtp", "smtp without pipelining", "directory", "memory", "failover", "esp"]
Arrived = Callable[[], list[bytes]]


def ready(number: int) -> Ready:
    claimed = Claimed(1, number, 1, "en", f"ada{number}@mail.example", {}, None, None, 1, None, 1, None, None)
    data = f"Message-ID: <{number}@city.example>\r\nSubject: {number}\r\n\r\nHello\r\n".encode()
    return Ready(claimed, Message(f"<{number}@city.example>", "b+1@city.example", f"ada{number}@mail.example", data))


class Script:
    """A feed of `count` messages that writes down what it is told; from message `stop` on nothing may leave."""

    def __init__(self, count: int, *, first: int = 1, stop: int | None = None, fail: int | None = None) -> None:
        self._waiting = [ready(number) for number in range(first, first + count)]
        self._stop, self._fail = stop, fail
        self.told: list[tuple[str, int]] = []
        self.outcomes: dict[int, Outcome] = {}

    def next(self) -> Ready | None:
        return self._waiting.pop(0) if self._waiting else None

    def sending(self, item: Ready) -> bool:
        number = item.claimed.subscriber_id
        if self._fail == number:
            raise OSError(28, "No space left on device")
        self.told.append(("sending", number))
        return self._stop is None or number < self._stop

    def done(self, item: Ready, outcome: Outcome) -> None:
        assert item.claimed.subscriber_id not in self.outcomes
        self.told.append(("done", item.claimed.subscriber_id))
        self.outcomes[item.claimed.subscriber_id] = outcome


@pytest.fixture(params=NAMES)
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Callable[[], Transport], Arrived]]:
    """How to make the transport (in the loop that uses it), and what has arrived through it."""
    made: Transport
    if request.param == "memory":
        memory = MemoryTransport()
        yield lambda: memory, lambda: [each.data for each in memory.messages]
    elif request.param == "directory":
        folder = tmp_path / "out"
        yield lambda: DirectoryTransport(folder), lambda: [each.read_bytes() for each in sorted(folder.glob("*.eml"))]
    elif request.param == "esp":
        pytest.importorskip("anymail", reason="the extra outreach[esp] is not installed")
        with FakeEsp() as service:
            made = EspTransport("postmark", service.options)
            yield lambda: made, lambda: [f"Subject: {each['Subject']}\r\n\r\n".encode() for each in service.accepted]
    else:
        manner = Manner(extensions=()) if "without" in request.param else None
        with FaultServer(manner=manner) as server:
            smtp = SmtpTransport(Relay("127.0.0.1", server.port), hello="city.example")
            down = SmtpTransport(Relay("127.0.0.1", 1), hello="city.example")
            both = Failover([down, smtp])
            made = both if request.param == "failover" else smtp
            yield lambda: made, lambda: [each.content for each in server.accepted]


def run(make: Callable[[], Transport], *feeds: Script) -> None:
    async def work() -> None:
        lane = await make().open()
        for feed in feeds:
            if lane.is_open:
                await lane.run(feed)
        await lane.close()

    asyncio.run(work())


def test_everything_arrives_once_in_order_and_is_announced_before(transport) -> None:
    make, arrived = transport
    feed = Script(5)
    run(make, feed)
    assert [type(outcome) for outcome in feed.outcomes.values()] == [Accepted] * 5
    assert [email.message_from_bytes(each, policy=policy.default)["subject"] for each in arrived()] == list("12345")
    for number in range(1, 6):
        assert feed.told.index(("sending", number)) < feed.told.index(("done", number))


def test_a_lane_rests_and_goes_on(transport) -> None:
    make, arrived = transport
    run(make, Script(2), Script(0), Script(1, first=3))
    assert len(arrived()) == 3


def test_a_message_that_may_not_leave_has_not_left(transport) -> None:
    make, arrived = transport
    feed = Script(4, stop=3)
    run(make, feed)
    assert len(arrived()) == 2
    assert isinstance(feed.outcomes[3], Unsent)
    assert all(isinstance(feed.outcomes[number], Unsent) for number in (3, 4) if number in feed.outcomes)


def test_what_cannot_be_written_down_does_not_leave(transport) -> None:
    make, arrived = transport
    feed = Script(4, fail=3)
    with pytest.raises(OSError, match="No space left"):
        run(make, feed)
    assert len(arrived()) == 2
    assert 3 not in feed.outcomes
