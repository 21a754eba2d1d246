"""The wall clock, which a test may set.

    OUTREACH_TEST_CLOCK=1 OUTREACH_NOW=2027-03-14T09:59:00Z outreach cron

OUTREACH_NOW without OUTREACH_TEST_CLOCK=1 is ignored: a variable left behind in a shell must not send
tomorrow's mail today. A clock that was set goes on running from that moment.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable
from functools import partial

from outreach.errors import ConfigurationError

_STARTED = time.monotonic()


def now() -> dt.datetime:
    """This moment, UTC. ConfigurationError if a test clock is asked for and cannot be read."""
    if os.environ.get("OUTREACH_TEST_CLOCK") == "1" and (text := os.environ.get("OUTREACH_NOW")):
        return _set(text) + dt.timedelta(seconds=time.monotonic() - _STARTED)
    return dt.datetime.now(dt.UTC)


def hands() -> Callable[[], dt.datetime]:
    """`now`, for whoever asks for each of thousands of messages: whether the clock was set is looked up once, here."""
    return now if os.environ.get("OUTREACH_TEST_CLOCK") == "1" else partial(dt.datetime.now, dt.UTC)


def _set(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"OUTREACH_NOW is {text!r}; write it like 2027-03-14T09:59:00Z") from None
    if moment.tzinfo is None:
        raise ConfigurationError(f"OUTREACH_NOW is {text!r}, without a zone; write it like 2027-03-14T09:59:00Z")
    return moment.astimezone(dt.UTC)
