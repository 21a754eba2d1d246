"""A global problem must never damage the list: too many refusals that are our own fault stop the campaign.

Policy, content and authentication refusals say that a receiver does not want this message or this sender. Going on
would only harm the sending domain, and blaming the citizens would empty the list.
"""

from __future__ import annotations

MAX_IN_A_ROW = 20


class Breaker:
    """Counts refusals that are our fault, and trips after MAX_IN_A_ROW of them with no acceptance between."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self.reason: str | None = None
        """In words, once tripped: what the campaign was paused for."""

    def accepted(self) -> None:
        self._in_a_row = 0

    def refused(self, reply: str, *, verb: str) -> bool:
        """Count one refusal; True if sending must stop."""
        self._in_a_row += 1
        if self._in_a_row == MAX_IN_A_ROW:
            self.reason = (
                f"the relay refused {self._in_a_row} messages in a row at {verb.upper()}: {reply!r}. "
                "Nobody was suppressed; everybody who has not got the message is still waiting"
            )
        return self.reason is not None
