"""What hands messages over. A transport opens lanes; a lane takes messages from a feed until there are none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from outreach.errors import ConfigurationError, TryAgain
from outreach.rendering.message import Message
from outreach.sending.outcomes import Outcome, Unknown, Unsent
from outreach.store.claims import Claimed


class RelayUnreachable(TryAgain):
    """The relay cannot be reached or will not talk to us. Nobody's message left."""


class RelayRefusesUs(RelayUnreachable):
    """The relay is there and will not have our user and password. Only a person can mend that."""

    exit_code = ConfigurationError.exit_code


class Ready(NamedTuple):
    """A claimed delivery and the signed message that goes out for it."""

    claimed: Claimed
    message: Message


NOBODY = Claimed(0, 0, 1, "", None, {}, None, None, None, None, None, None, None)
"""Stands for the delivery of a message that is in no ledger: a test mail."""


class Feed(Protocol):
    """Where a lane's messages come from, and who hears what became of them."""

    def next(self) -> Ready | None:
        """The next message to hand over; None if there is none now."""

    def sending(self, ready: Ready) -> bool:
        """Asked immediately before the message could become complete. False, or an exception: it must not leave."""

    def done(self, ready: Ready, outcome: Outcome) -> None:
        """How it ended. Called once for every message that `next` gave."""


class Lane(Protocol):
    """One conversation with the next hop."""

    @property
    def is_open(self) -> bool:
        """False once the lane can take no further message."""

    @property
    def handed_over(self) -> int:
        """How many messages got an answer on this lane, whatever it was."""

    async def run(self, feed: Feed) -> None:
        """Hand over what the feed gives, until it gives nothing or the lane is lost. Raises what `sending` raises."""

    async def close(self) -> None:
        """End the conversation politely."""


class Transport(Protocol):
    """A way to the next hop."""

    async def open(self) -> Lane:
        """A new lane, or RelayUnreachable."""


class OneByOne:
    """A lane for transports that take one message in one call: give it `hand_over`, it does the rest."""

    is_open = True

    def __init__(self) -> None:
        self.handed_over = 0

    async def hand_over(self, message: Message, *, before_dot: Callable[[], bool]) -> Outcome:
        """Hand one message over. `before_dot` is asked just before it could be taken, or not at all."""
        raise NotImplementedError

    async def run(self, feed: Feed) -> None:
        while self.is_open and (ready := feed.next()) is not None:
            outcome = await self.hand_over(ready.message, before_dot=partial(feed.sending, ready))
            self.handed_over += not isinstance(outcome, Unsent | Unknown)
            feed.done(ready, outcome)

    async def close(self) -> None:
        """Nothing to end."""
