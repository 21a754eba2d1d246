"""Tools for testing a sender, published because trust is shown, not claimed.

`FaultServer` is a real SMTP server that answers, delays or cuts as it is told, and remembers what it took; `FakeEsp`
is the same for a mail service's HTTP interface. `Proxy` stands between and cuts a connection at any byte, or makes it
slow; `failpoints` kill a worker at any of its steps. `oracle` compares what a server took with what a ledger says, and
names everybody who was lost, reached unexpectedly, reached twice, or is in doubt.

    with FaultServer([Fault("DOT", reply="451 4.3.0 later", at=3)]) as server:
        send_everything(port=server.port)
    assert oracle(server.accepted_ids, ledger).balanced
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import cast

from outreach.fake_esp import EspFault, FakeEsp
from outreach.practice.answers import Answer, Envelope, Manner, Receiver
from outreach.practice.smtpd import SmtpServer
from outreach.sending import failpoints

__all__ = [
    "Envelope",
    "EspFault",
    "FakeEsp",
    "Fault",
    "FaultServer",
    "Manner",
    "Proxy",
    "Verdict",
    "failpoints",
    "oracle",
]

THREAD_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, at one verb, for the `at`-th time that verb is heard and `times` times in all.

    The verbs are those of SMTP, and CONNECT, CONTENT (the message begins to arrive) and DOT (it has
    ended). Counting is over the whole server, so that "the third message" is `Fault("DOT", at=3)`.
    """

    verb: str
    reply: str | bytes | None = None
    """A line without its end, or bytes that leave as they are; None: the usual reply; empty: none at all."""
    delay: float = 0.0
    """Seconds before the reply."""
    cut: bool = False
    """Close the connection after the reply; with an empty reply, instead of one."""
    keep: bool = False
    """At DOT: the message is taken although the reply is lost or says otherwise."""
    at: int = 1
    times: int | None = 1
    """None: from then on for ever."""

    def strikes(self, verb: str, count: int) -> bool:
        return verb == self.verb and self.at <= count and (self.times is None or count < self.at + self.times)

    @property
    def answer(self) -> Answer:
        said = self.reply
        if isinstance(said, str):
            said = said.encode() + b"\r\n" if said else b""
        return Answer(said, self.delay, self.cut)


@dataclass(slots=True)
class _Faulty(Receiver):
    faults: tuple[Fault, ...]
    accepted: list[Envelope] = field(default_factory=list)
    heard: Counter[str] = field(default_factory=Counter)
    fired: Counter[Fault] = field(default_factory=Counter)

    def hear(self, verb: str, argument: str) -> Answer | None:
        fault = self._struck(verb)
        return fault.answer if fault else None

    def message(self, envelope: Envelope) -> Answer | None:
        fault = self._struck("DOT")
        if fault is None or fault.keep or fault.answer.goes_ahead:
            self.accepted.append(envelope)
        return fault.answer if fault else None

    def _struck(self, verb: str) -> Fault | None:
        self.heard[verb] += 1
        fault = next((fault for fault in self.faults if fault.strikes(verb, self.heard[verb])), None)
        if fault:
            self.fired[fault] += 1
        return fault


class FaultServer:
    """An SMTP server on 127.0.0.1 that fails as told and records what it took responsibility for.

    `with` runs it in a thread of its own; `async with` in the running loop. `manner` changes what it
    announces: leave PIPELINING out, add "AUTH PLAIN", give a TLS context.
    """

    def __init__(self, faults: Iterable[Fault] = (), *, manner: Manner | None = None, port: int = 0) -> None:
        self._receiver = _Faulty(tuple(faults))
        self._server = SmtpServer(self._receiver, manner)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.port = port

    @property
    def accepted(self) -> list[Envelope]:
        """The messages taken, in order of arrival."""
        return list(self._receiver.accepted)

    @property
    def accepted_ids(self) -> list[str]:
        """The Message-IDs taken, in order of arrival; one that was taken twice is there twice."""
        return [envelope.message_id for envelope in self._receiver.accepted]

    @property
    def heard(self) -> Counter[str]:
        """How often each verb arrived."""
        return self._receiver.heard.copy()

    @property
    def fired(self) -> Counter[Fault]:
        """How often each fault struck: a test whose fault never did has shown nothing."""
        return self._receiver.fired.copy()

    async def __aenter__(self) -> FaultServer:
        self.port = await self._server.listen(port=self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    def __enter__(self) -> FaultServer:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-server", daemon=True)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._server.listen(port=self.port), self._loop).result(
            THREAD_SECONDS
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._thread is not None
        asyncio.run_coroutine_threadsafe(self._server.close(), self._loop).result(THREAD_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(THREAD_SECONDS)
        self._loop.close()


class Proxy:
    """Stands between a client and 127.0.0.1:`target`: cuts the first connection after some bytes, or delays all.

    `cut_after` counts the bytes that went towards the server; what is beyond never arrives, and both sides lose
    the connection. `delay` is seconds in each direction: half a round trip. `with` runs it in a thread of its own.
    """

    def __init__(self, target: int, *, cut_after: int | None = None, delay: float = 0.0) -> None:
        self._target, self._cut_after, self._delay = target, cut_after, delay
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self.port = 0
        self.cuts = 0

    def __enter__(self) -> Proxy:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(THREAD_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(THREAD_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(THREAD_SECONDS)
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await self._loop.create_server(lambda: _Side(self), "127.0.0.1", 0, backlog=1024)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in asyncio.all_tasks(self._loop) - {asyncio.current_task(self._loop)}:
            task.cancel()
        await asyncio.sleep(0)

    def allowed(self, data: bytes) -> tuple[bytes, bool]:
        """What of this may pass towards the server, and whether the connection is cut behind it."""
        if self._cut_after is None or self.cuts:
            return data, False
        passing = data[: self._cut_after]
        self._cut_after -= len(passing)
        self.cuts += len(passing) < len(data)
        return passing, len(passing) < len(data)

    def later(self, act: Callable[[], object]) -> None:
        if self._delay:
            self._loop.call_later(self._delay, act)
        else:
            act()


class _Side(asyncio.Protocol):
    """One side of a proxied connection; the client's side opens the server's."""

    def __init__(self, proxy: Proxy, other: _Side | None = None) -> None:
        self._proxy, self._other = proxy, other
        self._is_client = other is None
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._is_client:
            asyncio.get_running_loop().create_task(self._join())
        else:
            assert self._other is not None
            self._other._other = self
            for data in self._other._early:
                self._transport.write(data)

    async def _join(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Side(self._proxy, self), "127.0.0.1", self._proxy._target)
        except OSError:
            self.cut()

    def data_received(self, data: bytes) -> None:
        ends = False
        if self._is_client:
            data, ends = self._proxy.allowed(data)
        self._proxy.later(partial(self._pass, data, ends))

    def _pass(self, data: bytes, ends: bool) -> None:
        if self._other is None:
            self._early.append(data)
        elif self._other._transport is not None:
            self._other._transport.write(data)
        if ends:
            self.cut()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._other is not None and self._other._transport is not None:
            self._proxy.later(self._other._transport.close)

    def cut(self) -> None:
        """Close both sides; what was passed on still arrives."""
        for side in (self, self._other):
            if side is not None and side._transport is not None:
                side._transport.close()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a ledger and a server do not agree on. All four hold Message-IDs."""

    lost: frozenset[str]
    """The ledger says accepted, and the server never took it."""
    unexpected: frozenset[str]
    """The server took it, and the ledger says neither accepted nor in doubt, or does not know it."""
    duplicated: frozenset[str]
    """The server took it more than once, whatever the ledger says."""
    in_doubt: frozenset[str]
    """The ledger admits that it does not know."""

    @property
    def balanced(self) -> bool:
        """Nobody lost, nobody unexpected, nobody twice. How many may be in doubt is for the test to say."""
        return not (self.lost or self.unexpected or self.duplicated)


def oracle(accepted: Iterable[str], ledger: Mapping[str, str | Enum]) -> Verdict:
    """Compare the Message-IDs a server took with a ledger of Message-ID to delivery state.

    States are the names of delivery states, in any case, or enum members with such names.
    """
    taken = Counter(accepted)
    states = {key: (state.name if isinstance(state, Enum) else state).lower() for key, state in ledger.items()}
    in_doubt = frozenset(key for key, state in states.items() if state == "in_doubt")
    believed = frozenset(key for key, state in states.items() if state == "accepted")
    return Verdict(
        lost=believed - taken.keys(),
        unexpected=frozenset(taken) - believed - in_doubt,
        duplicated=frozenset(key for key, times in taken.items() if times > 1),
        in_doubt=in_doubt,
    )
