"""What a worker was doing when it died: an append-only file of its own.

    C campaign subscriber… crc            these people's messages are being made; nobody's: they are made
    S campaign subscriber crc             the final dot of this message may leave from now on
    R campaign subscriber verb reply crc  the server answered, at this step
    F campaign:subscriber… crc            what stands above is in the store; only these are on the wire

`S` is written before the dot, `R` after the answer. After a crash, R is an outcome, S without R is
in doubt, and a claimed delivery with neither never left. Each line ends in a checksum, so a torn last line is
ignored rather than believed. A write(2) survives `kill -9` of the process; against a power cut the file is
fdatasync'ed every `SYNC_EVERY` seconds, beside the sending, which waits only for a disk that takes longer than
`SYNC_LAG`; and what was claimed when a machine restarted is in doubt anyway.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from outreach.sending.outcomes import Verb

SYNC_EVERY, SYNC_LAG = 0.05, 0.5
"""Seconds: as much of the journal as was written in them, at the most, is lost with the power."""
ROLL_BYTES = 4 * 1024 * 1024
"""A journal that has grown to this size begins anew in a file of its own."""

Key = tuple[int, int]
"""(campaign id, subscriber id)"""


@dataclass(frozen=True, slots=True)
class Entry:
    """The last word of a journal about one delivery. `reply` is None if the server never answered."""

    reply: str | None
    verb: Verb = Verb.DOT


class Journal:
    """One worker's journal. Writing fails loudly: what cannot be recorded must not be sent."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC, 0o600)
        self._size = 0
        self._answers: list[bytes] = []
        self._synced = time.monotonic()
        self._syncs = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._syncing: Future[None] | None = None
        _sync_folder(path.parent)

    def composing(self, campaign_id: int, people: Iterable[int]) -> None:
        """Record whose messages are being made: should that kill the worker, recovery knows whose it may have been."""
        self._answers.append(_line(" ".join(map(str, ("C", campaign_id, *people)))))
        self._write()

    def sending(self, campaign_id: int, subscriber_id: int) -> None:
        """Record that the final dot may leave. Answers noted since travel in the same write."""
        self._answers.append(_checked(b"S %d %d" % (campaign_id, subscriber_id)))
        self._write()

    def answered(self, campaign_id: int, subscriber_id: int, verb: Verb, reply: str) -> None:
        """Note the server's reply; it reaches the file with the next `sending` or `flush`."""
        self._answers.append(_line(f"R {campaign_id} {subscriber_id} {verb} {_one_line(reply)}"))

    def flush(self) -> None:
        """Write what is noted. Called when a worker is idle, and before outcomes go to the store."""
        if self._answers:
            self._write()

    def restart(self, open_keys: Iterable[Key]) -> None:
        """Forget all but what is on the wire right now, after outcomes reached the store."""
        self._answers.clear()
        kept = _line(" ".join(("F", *(f"{campaign_id}:{subscriber_id}" for campaign_id, subscriber_id in open_keys))))
        if self._size < ROLL_BYTES:
            self._answers.append(kept)
            self._write()
        else:
            self._roll(kept)

    def close(self) -> None:
        """Close and remove: only for a worker whose outcomes are all in the store."""
        self._syncs.shutdown()
        os.close(self._file)
        self.path.unlink(missing_ok=True)

    def _roll(self, content: bytes) -> None:
        """The new file is complete before it takes the old one's name."""
        fresh = self.path.with_suffix(".new")
        file = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC, 0o600)
        _write_all(file, content)
        os.replace(fresh, self.path)
        if self._syncing is not None:
            self._syncing.result()
        os.close(self._file)
        self._file, self._size = file, len(content)

    def _write(self) -> None:
        data = b"".join(self._answers)
        self._answers.clear()
        _write_all(self._file, data)
        self._size += len(data)
        now = time.monotonic()
        if now - self._synced >= SYNC_EVERY:
            self._sync(now)

    def _sync(self, now: float) -> None:
        """Have what is written synced, once what was to be synced before is."""
        if self._syncing is not None:
            if not self._syncing.done() and now - self._synced < SYNC_LAG:
                return
            self._syncing.result()
        self._syncing, self._synced = self._syncs.submit(os.fdatasync, self._file), now


def read(path: Path) -> dict[Key, Entry]:
    """The last word about each delivery. A missing file and torn or damaged lines say nothing."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    entries: dict[Key, Entry] = {}
    for line in content.split(b"\n"):
        body, _, checksum = line.rpartition(b" ")
        if not body or checksum != _checksum(body):
            continue
        match body.decode("utf-8", "replace").split(" ", 4):
            case ["F", *open_keys]:
                entries = {key: Entry(None) for key in _keys(" ".join(open_keys))}
            case ["S", campaign_id, subscriber_id]:
                entries[int(campaign_id), int(subscriber_id)] = Entry(None)
            case ["R", campaign_id, subscriber_id, verb, reply]:
                entries[int(campaign_id), int(subscriber_id)] = Entry(reply, Verb(verb))
    return entries


def suspects(path: Path) -> tuple[int, list[int]] | None:
    """The campaign and the people whose messages were being made at the end; None if none were."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    for line in reversed(content.split(b"\n")):
        body, _, checksum = line.rpartition(b" ")
        if body and checksum == _checksum(body):
            match body.decode("ascii", "replace").split(" "):
                case ["C", campaign_id, *people] if people:
                    return int(campaign_id), [int(person) for person in people]
            return None
    return None


def _keys(text: str) -> Iterator[Key]:
    for word in text.split():
        campaign_id, _, subscriber_id = word.partition(":")
        yield int(campaign_id), int(subscriber_id)


def _line(body: str) -> bytes:
    return _checked(body.encode("utf-8", "replace"))


def _checked(body: bytes) -> bytes:
    return b"%b %08x\n" % (body, crc32(body))


def _checksum(body: bytes) -> bytes:
    return b"%08x" % crc32(body)


def _one_line(reply: str) -> str:
    return " ".join(reply.split())[:500]


def _write_all(file: int, data: bytes) -> None:
    while (written := os.write(file, data)) < len(data):
        data = data[written:]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
