"""What people let us record of their opens and clicks: looked at on each hit, also of mail sent long ago.

One file beside the link tables, a byte for each subscriber (0: chose nothing), published by the
loader a second or two after somebody chose. The service holds it in memory, so the database may be down.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from outreach.events import Choice

NAME = "choices.bin"
RECHECK_SECONDS = 1.0
_MAGIC = b"choice1\n"


def publish(folder: Path, choices: Iterable[tuple[int, int]]) -> None:
    """Write the file so that a reader sees the old one or the new one. Unchanged choices are not written again.

    `choices` are (subscriber id, Choice) of all who chose.
    """
    target = folder / NAME
    content = _MAGIC + bytes(_table(choices))
    try:
        if target.read_bytes() == content:
            return
    except FileNotFoundError:
        if len(content) == len(_MAGIC):
            return
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{NAME}.{secrets.token_hex(4)}"
    with draft.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)


def _table(choices: Iterable[tuple[int, int]]) -> bytearray:
    known = sorted(choices)
    table = bytearray(known[-1][0] + 1 if known else 0)
    for subscriber_id, choice in known:
        table[subscriber_id] = choice
    return table


class Choices:
    """Everybody's choice. `default` is the organisation's, `clock` gives seconds, monotonic."""

    def __init__(
        self,
        folder: Path,
        *,
        default: Choice = Choice.INDIVIDUAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = folder / NAME
        self._default = int(default)
        self._clock = clock
        self._stamp: tuple[int, int, int] | None = None
        self._table = b""
        self._next_look = float("-inf")

    def of(self, subscriber_id: int) -> int:
        """One person's Choice, as a plain number."""
        if self._clock() >= self._next_look:
            self._look()
        table = self._table
        return (table[subscriber_id] if subscriber_id < len(table) else 0) or self._default

    def _look(self) -> None:
        self._next_look = self._clock() + RECHECK_SECONDS
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                content = self._path.read_bytes()
                if content.startswith(_MAGIC):
                    self._table, self._stamp = content.removeprefix(_MAGIC), stamp
        except OSError:
            # What was known a moment ago stays: a copy to a replica may be under way.
            return
