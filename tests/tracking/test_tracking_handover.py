"""Restarting the service under load: every request is answered, by the old workers or the new."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from outreach.cli.init import make_workspace
from outreach.tokens import Purpose, load_keys
from tracking.links import publish
from tracking.testing import PARKING, eventually, free_port

OUTREACH = [sys.executable, "-c", "from outreach.cli import main; main()"]


@contextlib.contextmanager
def tracking(folder: Path, *, workers: int, ends: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    make_workspace(folder, name="City of Example", domain="city.example")
    publish(folder / "data" / "links", 1, PARKING)
    port = free_port()
    log = (folder / "track.log").open("ab")
    command = [*OUTREACH, "track", "--port", str(port), "--workers", str(workers)]
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        eventually(lambda: answers(port) or process.poll() is not None, seconds=30)
        yield process, port
        process.terminate()
        assert process.wait(30) == ends, (folder / "track.log").read_text()
    finally:
        process.kill()
        process.wait()
        log.close()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
        return True
    return False


def workers_of(pid: int) -> set[int]:
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return {pid for pid in children if b"--lifeline" in Path(f"/proc/{pid}/cmdline").read_bytes()}


class Resident:
    """Asks again and again, keeps the connection while it may, and counts requests that nobody answered."""

    def __init__(self, port: int, path: str) -> None:
        self.port, self.path = port, path
        self.answered = self.dropped = 0

    async def live(self, until: asyncio.Event) -> None:
        writer = None
        while not until.is_set():
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(f"GET {self.path} HTTP/1.1\r\nHost: t\r\nUser-Agent: Mozilla/5.0 (X11)\r\n\r\n".encode())
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                assert head.startswith(b"http/1.1 302")
                self.answered += 1
            except (OSError, asyncio.IncompleteReadError):
                self.dropped += 1
                head = b"connection: close"
            if b"connection: close" in head:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
                writer = None
        if writer is not None:
            writer.close()


async def load(port: int, paths: list[str], process: subprocess.Popen[bytes]) -> list[Resident]:
    residents = [Resident(port, path) for path in paths]
    until = asyncio.Event()
    tasks = [asyncio.create_task(resident.live(until)) for resident in residents]
    for _ in range(2):
        before = workers_of(process.pid)
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 40
        # New workers first, then the old ones gone.
        while not (now := workers_of(process.pid)) or now & before:
            assert time.monotonic() < deadline, "the guard did not change"
            await asyncio.sleep(0.05)
    until.set()
    await asyncio.gather(*tasks)
    return residents


def test_a_restart_under_load_drops_no_request(tmp_path: Path) -> None:
    with tracking(tmp_path / "city", workers=2) as (process, port):
        keys = load_keys(tmp_path / "city" / "keys" / "tokens")
        paths = [f"/c/{keys.sign(Purpose.CLICK, 1, person)}/0" for person in range(1, 9)]
        residents = asyncio.run(load(port, paths, process))
        assert sum(resident.answered for resident in residents) > 100
        assert [resident.dropped for resident in residents] == [0] * 8, (tmp_path / "city" / "track.log").read_text()


def test_what_does_not_start_replaces_nothing_and_a_killed_worker_comes_back(tmp_path: Path) -> None:
    with tracking(tmp_path / "city", workers=1) as (process, port):
        settings = tmp_path / "city" / "outreach.toml"
        good = settings.read_text()
        before = workers_of(process.pid)
        settings.write_text(good + "\n[nonsense]\nx = 1\n")
        process.send_signal(signal.SIGHUP)
        eventually(lambda: "does not start" in (tmp_path / "city" / "track.log").read_text(), seconds=20)
        assert workers_of(process.pid) == before
        assert answers(port)
        settings.write_text(good)
        os.kill(before.pop(), signal.SIGKILL)
        eventually(lambda: answers(port), seconds=20)


def test_workers_end_with_their_supervisor(tmp_path: Path) -> None:
    with tracking(tmp_path / "city", workers=1, ends=-signal.SIGKILL) as (process, port):
        process.kill()
        eventually(lambda: not answers(port), seconds=20)


def metrics(port: int) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    assert lines[0].startswith("# HELP ")  # and not that it is of one process
    return {name: int(value) for name, value in (line.split() for line in lines if not line.startswith("#"))}


def test_whichever_worker_is_asked_answers_for_all_also_for_one_that_was_killed(tmp_path: Path) -> None:
    opened = 'outreach_tracking_recorded_total{kind="open"}'
    with tracking(tmp_path / "city", workers=2) as (process, port):
        keys = load_keys(tmp_path / "city" / "keys" / "tokens")
        for person in range(1, 31):  # each on a connection of its own, so that both workers get some
            url = f"http://127.0.0.1:{port}/o/{keys.sign(Purpose.OPEN, 1, person)}.gif"
            urllib.request.urlopen(url, timeout=10).close()
        assert [metrics(port)[opened] for _ in range(6)] == [30] * 6
        eventually(lambda: metrics(port)["outreach_tracking_workers"] == 2)
        before = workers_of(process.pid)
        os.kill(min(before), signal.SIGKILL)
        eventually(lambda: len(workers_of(process.pid) - before) == 1, seconds=30)
        assert metrics(port)[opened] == 30
        assert metrics(port)["outreach_tracking_healthy"] == 1
