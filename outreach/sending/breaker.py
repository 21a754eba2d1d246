"""A global problem must never damage the list: too many refusals that are our own fault stop the campaign.

Policy, content and authentication refusals say that a receiver does not want this message or this sender. Going on
would only harm the sending domain, and blaming the citizens would empty the list.
"""

from __future__ import annotations

from collections import deque

MAX_IN_A_ROW = 20
"""By all workers of a send together …"""
LEAST_IN_A_ROW = 5
"""… and by one of many workers at least, for a few in a row may be one small receiver's whim."""
WINDOW, MAX_SHARE = 200, 0.3
"""Of so many answers no larger a share may be our fault, in a row or not."""


class Breaker:
    """One worker's count of refusals that are our fault, `crew` being how many workers share the send.

    Trips when its part of MAX_IN_A_ROW came with no acceptance between, or MAX_SHARE of the last WINDOW answers.
    """

    def __init__(self, crew: int = 1) -> None:
        self._most = max(LEAST_IN_A_ROW, MAX_IN_A_ROW // crew)
        self._in_a_row = 0
        self._last: deque[bool] = deque(maxlen=WINDOW)
        self._ours = 0
        self.reason: str | None = None
        """In words, once tripped: what the campaign was paused for."""

    def accepted(self) -> None:
        self._in_a_row = 0
        self._note(ours=False)

    def refused(self, reply: str, *, verb: str) -> bool:
        """Count one refusal; True if sending must stop."""
        self._in_a_row += 1
        self._note(ours=True)
        if self.reason is None and self._in_a_row >= self._most:
            self.reason = self._words(f"{self._in_a_row} messages in a row", reply, verb)
        elif self.reason is None and self._ours > MAX_SHARE * WINDOW:
            self.reason = self._words(f"{self._ours} of the last {len(self._last)} messages", reply, verb)
        return self.reason is not None

    def _note(self, *, ours: bool) -> None:
        if len(self._last) == WINDOW:
            self._ours -= self._last[0]
        self._last.append(ours)
        self._ours += ours

    def _words(self, how_many: str, reply: str, verb: str) -> str:
        return (
            f"the relay refused {how_many} at {verb.upper()}: {reply!r}. "
            "Nobody was suppressed; everybody who has not got the message is still waiting"
        )
