"""A transport that keeps every message and answers as it was told to. The one the tests use."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from outreach.rendering.message import Message
from outreach.sending.outcomes import Outcome, Unsent, Verb, outcome_of
from outreach.sending.transports import OneByOne


class MemoryTransport:
    """Accepts everything but the recipients in `replies`, which maps an address to an RCPT reply."""

    def __init__(self, replies: Mapping[str, str] | None = None) -> None:
        self.replies = dict(replies or {})
        self.messages: list[Message] = []

    async def open(self) -> MemoryLane:
        return MemoryLane(self)


class MemoryLane(OneByOne):
    """A lane of a MemoryTransport; it is always open."""

    def __init__(self, transport: MemoryTransport) -> None:
        super().__init__()
        self._transport = transport

    async def hand_over(self, message: Message, *, before_dot: Callable[[], bool]) -> Outcome:
        if reply := self._transport.replies.get(message.recipient):
            return outcome_of(reply, Verb.RCPT)
        if not before_dot():
            return Unsent("stopped before it left")
        self._transport.messages.append(message)
        return outcome_of("250 2.0.0 kept in memory", Verb.DOT)
