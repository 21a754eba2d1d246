"""What hands a message over. A transport opens lanes; a lane takes one message at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from outreach.errors import TryAgain
from outreach.rendering.message import Message
from outreach.sending.outcomes import Outcome


class RelayUnreachable(TryAgain):
    """The relay cannot be reached or will not talk to us. Nobody's message left."""


class Lane(Protocol):
    """One conversation with the next hop."""

    @property
    def is_open(self) -> bool:
        """False once the lane can take no further message."""

    async def hand_over(self, message: Message, *, before_dot: Callable[[], None]) -> Outcome:
        """Hand one message over and say how that ended.

        `before_dot` is called immediately before the message could become complete at the other
        side, and not at all if it never could. If it raises, the message has not left.
        """

    async def close(self) -> None:
        """End the conversation politely."""


class Transport(Protocol):
    """A way to the next hop."""

    async def open(self) -> Lane:
        """A new lane, or RelayUnreachable."""
