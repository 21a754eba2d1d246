"""Places where a test may make this process die or fail. Off unless armed; published so that anybody can try.

    OUTREACH_FAILPOINT=dotted:3            kill -9 ourselves when `dotted` is reached for the third time
    OUTREACH_FAILPOINT=flushing:1:stop     SIGSTOP instead (a laptop's lid); `term`, or `full` (no room on the disk)

`REACHED` counts what was passed while armed, so that a test can show that its failpoint ever fired.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from pathlib import Path

POINTS = (
    "claiming",  # before a batch is claimed
    "claimed",  # its claim is committed
    "composed",  # a batch is made and signed
    "sending",  # before the journal knows of a message
    "dotted",  # the journal knows; the final dot has not been given to the socket
    "answered",  # the reply to a dot was read, and is nowhere yet
    "noted",  # the reply is on its way to the journal
    "flushing",  # before outcomes go to the store
    "written",  # outcomes are in the transaction, not committed
    "flushed",  # committed; the journal still holds them
    "restarted",  # the journal was begun anew
    "leaving",  # all is written down; the worker is about to be forgotten
    "recovering",  # recovery has found a dead worker
    "recovered",  # its deliveries are settled, not committed
    "forgotten",  # committed; its journal is still there
)
REACHED: Counter[str] = Counter()
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "term": signal.SIGTERM}

_armed: tuple[str, int, str] | None = None
_trace: Path | None = None


def arm(text: str, *, trace: Path | None = None) -> None:
    """Arm one failpoint, `name:count[:action]`; an empty text disarms. `trace` gets its name when it fires."""
    global _armed, _trace
    REACHED.clear()
    _trace = trace
    name, _, rest = text.partition(":")
    count, _, action = rest.partition(":")
    if text and (name not in POINTS or not count.isdecimal() or (action or "kill") not in (*_SIGNALS, "full")):
        raise ValueError(f"OUTREACH_FAILPOINT={text!r} is not NAME:COUNT[:kill|stop|term|full]; there are {POINTS}")
    _armed = (name, int(count), action or "kill") if text else None


def reach(name: str) -> None:
    """This place was reached. Does nothing unless it is armed."""
    if _armed is not None:
        _strike(name, *_armed)


def _strike(name: str, armed: str, count: int, action: str) -> None:
    REACHED[name] += 1
    if name != armed or REACHED[name] != count:
        return
    if _trace is not None:
        with _trace.open("a") as file:
            file.write(f"{name}\n")
    if action == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.kill(os.getpid(), _SIGNALS[action])


arm(os.environ.get("OUTREACH_FAILPOINT", ""))
