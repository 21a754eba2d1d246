"""A transport that keeps every message and answers as it was told to. The one the tests use."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from outreach.rendering.message import Message
from outreach.sending.outcomes import Outcome, Verb, outcome_of


class MemoryTransport:
    """Accepts everything but the recipients in `replies`, which maps an address to an RCPT reply."""

    def __init__(self, replies: Mapping[str, str] | None = None) -> None:
        self.replies = dict(replies or {})
        self.messages: list[Message] = []

    async def open(self) -> MemoryLane:
        return MemoryLane(self)


class MemoryLane:
    """A lane of a MemoryTransport; it is always open."""

    is_open = True

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport

    async def hand_over(self, message: Message, *, before_dot: Callable[[], None]) -> Outcome:
        if reply := self._transport.replies.get(message.recipient):
            return outcome_of(reply, Verb.RCPT)
        before_dot()
        self._transport.messages.append(message)
        return outcome_of("250 2.0.0 kept in memory", Verb.DOT)

    async def close(self) -> None:
        """Nothing to end."""
