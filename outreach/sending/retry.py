"""When to try again: later and later, never all at once, and not for ever.

Greylisting servers want the same envelope again after some minutes (RFC 6647, section 5), so the first retry
waits `first`, each further one twice as long up to `MAX_DELAY`, spread by a tenth so that a thousand deferred
deliveries do not come back in the same second.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass

MAX_DELAY = dt.timedelta(hours=4)
SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The delay of the first retry, and how many attempts one delivery gets."""

    first: dt.timedelta
    max_attempts: int

    def next_attempt(self, attempts: int, *, now: dt.datetime, not_after: dt.datetime | None) -> dt.datetime | None:
        """When attempt `attempts` + 1 is due, or None if there is to be no other."""
        if attempts >= self.max_attempts:
            return None
        delay = min(self.first * 2 ** (attempts - 1), MAX_DELAY)
        due = now + delay * random.uniform(1, 1 + SPREAD)  # noqa: S311 - spreading load, not guarding a secret
        return None if not_after is not None and due > not_after else due
