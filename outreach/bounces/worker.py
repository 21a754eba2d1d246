"""Reads strangers' mail in a process of its own, which may be killed: time and memory have an end.

The reader is linear and bounded already; this is for what nobody thought of. A mail that takes a
reader with it is answered as unreadable, and the next mail gets a new reader.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import resource
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType

from outreach.bounces.mime import MAX_BYTES
from outreach.bounces.reading import Kind, Reading, read

SECONDS = 5.0
"""Time for one mail; a thousand times what a bounce takes."""
START_SECONDS = 30.0
MEMORY = 600 * 1024 * 1024


class Reader:
    """A context: `with Reader() as reader: reader.read(raw)`."""

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def read(self, raw: bytes) -> Reading:
        """What the mail says; UNREADABLE if that takes too long or too much."""
        if len(raw) > MAX_BYTES:
            return Reading(Kind.UNREADABLE, why=f"the mail is larger than {MAX_BYTES // 2**20} MB")
        pipe = self._start()
        try:
            pipe.send_bytes(raw)
            if pipe.poll(self._seconds):
                answer = pipe.recv()
                if isinstance(answer, Reading):
                    return answer
                why = f"the mail cannot be read: {answer}"
            else:
                why = f"reading the mail took more than {self._seconds:g} seconds"
        except (EOFError, OSError):
            why = "reading the mail took too much memory"
        self._stop()
        return Reading(Kind.UNREADABLE, why=why)

    def _start(self) -> Connection:
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            return self._pipe
        self._stop()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="bounce reader", daemon=True)
        self._process.start()
        theirs.close()
        if not ours.poll(START_SECONDS):
            raise OSError("the reader of returned mail did not start")
        ours.recv()
        self._pipe = ours
        return ours

    def _stop(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
        self._pipe = self._process = None


def _serve(pipe: Connection) -> None:
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    read(b"Subject: warm up\n\n550 5.1.1 user unknown")  # compiles the rules
    pipe.send(True)
    while True:
        try:
            raw = pipe.recv_bytes(MAX_BYTES + 1)
        except (EOFError, OSError):
            return
        try:
            pipe.send(read(raw))
        except MemoryError:
            pipe.send("out of memory")
        except Exception as error:
            pipe.send(type(error).__name__)
