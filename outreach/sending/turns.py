"""Whose message is made next: claimed, past the gate, and not before their provider's turn.

Where providers set the pace, people are lined up by provider, and each provider has its turn when it has room. While
all of those in line have to wait, a few more are claimed now and then: they may be another provider's, which has room.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from outreach.sending.ledger import Ledger
from outreach.sending.throttle import Throttle
from outreach.store.claims import Claimed

LOOK_AHEAD, LOOK_SECONDS = 200, 0.2
"""While everybody in line must wait: how many more are claimed, and when, if none of them could go."""
TURN_SECONDS = 0.25
"""How long a lane sleeps at most before it looks whether a provider's turn has come."""


class Turns:
    """One worker's queue. `passes` is the gate; whom it leaves out it has settled itself."""

    def __init__(self, ledger: Ledger, throttle: Throttle, *, passes: Callable[[Claimed], bool]) -> None:
        self._ledger, self._throttle, self._passes = ledger, throttle, passes
        self._look_at = 0.0
        self._sleepers: deque[asyncio.Future[None]] = deque()

    def take(self, limit: int) -> list[Claimed]:
        """Up to `limit` people; none if nobody is due, or everybody who is has to wait."""
        turn = self._throttle.take(limit) if self._throttle.lined_up else []
        while not turn:
            batch = self._claim(limit)
            turn = self._in_turn([claimed for claimed in batch if self._passes(claimed)], limit)
            if not turn and self._throttle.lined_up:
                if batch:
                    self._look_at = time.monotonic() + LOOK_SECONDS
                return []
            if not batch:
                return turn
        return turn

    @property
    def waiting(self) -> bool:
        """True if somebody only has to wait for their provider's turn, or everybody for the relay's."""
        return self._throttle.lined_up or self._throttle.resting

    async def come(self) -> None:
        """Sleep until somebody's turn may have come."""
        turn = asyncio.get_running_loop().create_future()
        self._sleepers.append(turn)
        await asyncio.wait((turn,), timeout=TURN_SECONDS)

    def wake(self, lanes: int | None = None) -> None:
        """Let so many sleeping lanes, or all of them, look whether there is a turn for them now."""
        for _ in range(len(self._sleepers) if lanes is None else min(lanes, len(self._sleepers))):
            turn = self._sleepers.popleft()
            if not turn.done():
                turn.set_result(None)

    def _claim(self, limit: int) -> list[Claimed]:
        if not self._throttle.lined_up:
            return self._ledger.claim(limit)
        return self._ledger.claim(LOOK_AHEAD) if time.monotonic() >= self._look_at else []

    def _in_turn(self, people: list[Claimed], limit: int) -> list[Claimed]:
        """Whoever may be sent to now, of these and of those who waited for their provider's turn."""
        if not self._throttle.active:
            return people
        for claimed in people:
            due_at = self._throttle.line_up(claimed)
            if due_at is not None:
                self._ledger.put_off(claimed, "waiting for its provider's turn", due_at=due_at)
        for claimed, tomorrow in self._throttle.for_tomorrow():
            self._ledger.put_off(claimed, "waiting for tomorrow: the warm-up has sent its share", due_at=tomorrow)
        return self._throttle.take(limit)
