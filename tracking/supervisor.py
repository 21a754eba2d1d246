"""Several workers on one socket, and a change of guard that drops no request.

The supervisor opens the listening socket once and passes it to its workers, so connections wait in
one queue, whoever takes them from it. A worker that dies is started again.

On SIGHUP the supervisor makes sure that the code now on disk starts at all, then replaces itself with
it (exec: same process id, the socket stays open), starts new workers, and only when they answer asks
the old ones to finish what they are at. So `systemctl reload`, a restart and an upgrade are one thing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from outreach.errors import TryAgain
from tracking.counters import Board

HANDOVER = "OUTREACH_TRACK_HANDOVER"
"""In the environment across the exec: the socket's descriptor, the lifeline's two, and the old workers."""
START_SECONDS = 30.0
STOP_SECONDS = 30.0
RESTART_SECONDS = 1.0
_SYSTEMD_FD = 3
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Guard:
    """What survives an exec."""

    listener: socket.socket
    lifeline: tuple[int, int]
    """A pipe that nobody writes to: when its writing end closes, the supervisor is gone, and the workers end."""
    old: list[int] = field(default_factory=list)
    """Workers of the supervisor that was here before."""
    board: Board = field(default_factory=Board)
    """Where the workers count; a new supervisor has a new one, for new code may count other things."""


def inherited() -> Guard | None:
    """The socket of the supervisor that this one replaces, or of systemd (sd_listen_fds(3)); None at a first start."""
    if text := os.environ.pop(HANDOVER, ""):
        listener, read, write, *old = map(int, text.split(","))
        for descriptor in (listener, read, write):
            os.set_inheritable(descriptor, False)
        return Guard(socket.socket(fileno=listener), (read, write), old)
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        return Guard(socket.socket(fileno=_SYSTEMD_FD), os.pipe())
    return None


def first(listener: socket.socket) -> Guard:
    return Guard(listener, os.pipe())


def supervise(guard: Guard, command: Sequence[str], *, workers: int) -> bool:
    """Keep `workers` processes of `command` answering. True if a new supervisor is to take over, False at the end.

    Each gets `--fd`, `--ready`, `--lifeline` and `--board` with a descriptor, and a `--page` of its own. Raises
    TryAgain if they do not start.
    """
    signals = _Signals()
    running = [_start(guard, command) for _ in range(workers)]
    for pid in guard.old:  # the new ones answer: the old ones may finish
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    while not signals.stop:
        signals.wait(RESTART_SECONDS)
        _reap(guard.old)
        for place, worker in enumerate(running):
            if worker.poll() is not None and not signals.stop:
                _log.error("a worker ended with code %s and is started again", worker.returncode)
                with contextlib.suppress(TryAgain):
                    running[place] = _start(guard, command)
        if signals.change:
            signals.change = False
            if _starts(command):
                guard.old += [worker.pid for worker in running]
                return True
    _stop(running)
    return False


def hand_over(guard: Guard) -> None:
    """Become a new supervisor, of the code that is on disk now. Does not return."""
    descriptors = (guard.listener.fileno(), *guard.lifeline)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    os.environ[HANDOVER] = ",".join(map(str, (*descriptors, *guard.old)))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves, again


class _Signals:
    """What we were told, and a way to sleep until told."""

    def __init__(self) -> None:
        self.stop = self.change = False
        self._wake, write = os.pipe()
        os.set_blocking(write, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_change)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to wake us

    def _on_stop(self, *_: object) -> None:
        self.stop = True

    def _on_change(self, *_: object) -> None:
        self.change = True

    def wait(self, seconds: float) -> None:
        select.select([self._wake], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 1024)


def _start(guard: Guard, command: Sequence[str]) -> subprocess.Popen[bytes]:
    """A worker that answers. Raises TryAgain if it does not within START_SECONDS."""
    ready, tell = os.pipe()
    passed = (guard.listener.fileno(), tell, guard.lifeline[0], guard.board.descriptor)
    words = [*command, "--page", str(guard.board.new_page())]
    for name, descriptor in zip(("--fd", "--ready", "--lifeline", "--board"), passed, strict=True):
        words += [name, str(descriptor)]
    # Its own group: Ctrl-C is for the supervisor, which ends the workers in good order.
    worker = subprocess.Popen(words, pass_fds=passed, process_group=0)  # noqa: S603 - our own program
    os.close(tell)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not select.select([ready], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if time.monotonic() >= deadline:
                break
        else:
            if os.read(ready, 1):
                return worker
    finally:
        os.close(ready)
    worker.kill()
    worker.wait()
    raise TryAgain("a worker of the tracking service did not start; the lines above say why")


def _starts(command: Sequence[str]) -> bool:
    """Whether the code and settings now on disk start at all; if not, all stays as it is."""
    found = subprocess.run([*command, "--check"], capture_output=True, check=False)  # noqa: S603 - our own program
    if found.returncode:
        _log.error("not replaced, for what is on disk does not start: %s", found.stderr.decode(errors="replace"))
    return found.returncode == 0


def _reap(old: list[int]) -> None:
    for pid in list(old):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue
        old.remove(pid)


def _stop(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for worker in workers:
        try:
            worker.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
