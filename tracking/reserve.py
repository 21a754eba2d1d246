"""Room for the last unsubscribe: how full the disk is, and a file that can be given up.

As space runs short the service stops recording opens first, then clicks; the kinds that bind us
go on until nothing is left, and the reserve file makes sure that there is something left.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

NAME = "reserve"
LOOK_SECONDS = 0.25
MEBIBYTE = 1 << 20
_log = logging.getLogger(__name__)


class Level(IntEnum):
    """What is turned away for want of space."""

    NOTHING = 0
    NO_OPENS = 1
    BINDING_ONLY = 2


@dataclass(frozen=True, slots=True)
class Marks:
    """Free bytes below which opens, then clicks, are no longer recorded, and the size of the reserve file."""

    opens: int
    clicks: int
    reserve: int


DEFAULT_MARKS = Marks(opens=64 * MEBIBYTE, clicks=32 * MEBIBYTE, reserve=8 * MEBIBYTE)
"""A million binding events need about 100 MB; the reserve holds some 80,000 in the time until somebody makes room."""


class Reserve:
    """Watches the free space of a folder. Used by the spool's writing thread; `level` may be read by any."""

    def __init__(self, folder: Path, *, marks: Marks, clock: Callable[[], float]) -> None:
        self.level = Level.NOTHING
        self._path = folder / NAME
        self._marks = marks
        self._clock = clock
        self._looked = float("-inf")
        self.look()

    def look(self) -> None:
        """Set the level; make the reserve file again once there is room for it. Looks four times a second at most."""
        now = self._clock()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        free = self._free()
        before, self.level = self.level, self._level(free)
        if self.level > before:
            _log.warning("only %d MiB are free beside %s: %s", free // MEBIBYTE, self._path, self.level.name)
        if self.level is Level.NOTHING and free > self._marks.opens + self._marks.reserve:
            self._make()

    def release(self) -> None:
        """The disk is full: give the reserve up, and record nothing but what binds us."""
        self.level = Level.BINDING_ONLY
        self._looked = self._clock()
        self._path.unlink(missing_ok=True)

    def _level(self, free: int) -> Level:
        if free < self._marks.clicks:
            return Level.BINDING_ONLY
        return Level.NO_OPENS if free < self._marks.opens else Level.NOTHING

    def _free(self) -> int:
        status = os.statvfs(self._path.parent)
        return status.f_bavail * status.f_frsize

    def _make(self) -> None:
        """Real blocks, not a hole: posix_fallocate. Processes share the file; the first one makes it."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._marks.reserve)
            finally:
                os.close(descriptor)
