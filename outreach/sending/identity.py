"""Which process is this, and is that one still alive?

A process is known by host, boot, pid and start time: pids are used again, and after a restart of
the machine everything that ran is dead.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

END_SECONDS = 5.0
"""How long a killed process may take to go; one that is stuck in the kernel cannot be taken over from."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One process on one boot of one machine."""

    host: str
    boot: str
    pid: int
    started: str


def this_process() -> Identity:
    pid = os.getpid()
    return Identity(socket.gethostname(), _boot(), pid, _started(pid))


def is_alive(other: Identity) -> bool:
    """True unless that process is certainly gone. Only its own machine can tell: elsewhere the lease decides."""
    if other.host != socket.gethostname():
        return True
    if other.boot != _boot():
        return False
    return _started(other.pid) == other.started != ""


def end(other: Identity) -> bool:
    """Kill that process of this machine and wait until it is gone; False if it may still live."""
    try:
        os.kill(other.pid, signal.SIGKILL)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    deadline = time.monotonic() + END_SECONDS
    while is_alive(other) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_alive(other)


def same_boot(other: Identity) -> bool:
    """True if the machine has not restarted since, so that what the process wrote is still there."""
    return other.host == socket.gethostname() and other.boot == _boot()


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return "unknown"


def _started(pid: int) -> str:
    """The process's start in clock ticks since boot, or "" if there is no such process (or it is a zombie)."""
    try:
        # proc(5): field 3 is the state, 22 the start; counted from behind the name, which may hold spaces and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except FileNotFoundError:
        return "" if Path("/proc/self").exists() else _portable(pid)
    except (OSError, IndexError):
        return ""


def _portable(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "running"
