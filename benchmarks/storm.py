"""The busiest minute of a simulated day, replayed in real time, with a reload in the middle.

260,000 mails (`--full`), otherwise a tenth of them and twenty seconds: every request on a connection of its own, at the
moment it was made, whether or not the earlier ones have been answered. Measured from that moment: how long a person
waits for a redirect. `outreach track --workers 2` gets a SIGHUP halfway; a request that nobody answers is a failure.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from pathlib import Path

from outreach.cli.init import make_workspace
from outreach.events import Kind
from outreach.practice.day import PUBLISHED, Act, acts
from outreach.tokens import KeyRing, Purpose, load_keys
from tracking.links import LinkTable, publish
from tracking.testing import free_port

FULL = "--full" in sys.argv
PEOPLE = 260_000 if FULL else 26_000
SECONDS = 60 if FULL else 20
SPEEDS = (1, 10)
OUTREACH = (sys.executable, "-c", "from outreach.cli import main; main()")


def main() -> None:
    day = list(acts(PUBLISHED, people=PEOPLE, seed=1))
    with tempfile.TemporaryDirectory(prefix="outreach-bench-") as name:
        city = Path(name) / "city"
        make_workspace(city, name="City of Example", domain="city.example")
        links = tuple(f"https://city.example/{number}" for number in range(PUBLISHED.links))
        publish(city / "data" / "links", 1, LinkTable(links, 3, "Parking", "City of Example"))
        keys = load_keys(city / "keys" / "tokens")
        port = free_port()
        command = [*OUTREACH, "track", "--port", str(port), "--workers", "2", "--proxies", "1"]
        service = subprocess.Popen(command, cwd=city, stderr=subprocess.DEVNULL)
        try:
            _wait(port)
            print(f"{PEOPLE:,} mails; people's redirects{'':<6}{'asked/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'most ms':>9}"
                  f"{'dropped':>9}")  # fmt: skip
            for speed in SPEEDS:
                _show(speed, asyncio.run(_replay(_busiest(day, SECONDS * speed), speed, port, keys, service.pid)))
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(60)


def _busiest(day: list[Act], seconds: float) -> list[Act]:
    """The stretch of so many seconds with the most requests."""
    times = [act.at for act in day]
    _, first = max((bisect_left(times, at + seconds) - number, number) for number, at in enumerate(times))
    return day[first : bisect_left(times, times[first] + seconds)]


async def _replay(
    minute: list[Act], speed: int, port: int, keys: KeyRing, supervisor: int
) -> tuple[int, list[float], int]:
    """How many were asked, how long people waited for their redirects in milliseconds, and how many were dropped."""
    loop = asyncio.get_running_loop()
    waits: list[float] = []
    dropped = 0

    async def ask(act: Act, due: float) -> None:
        nonlocal dropped
        purpose, end = (Purpose.OPEN, ".gif") if act.kind is Kind.OPEN else (Purpose.CLICK, f"/{act.link}")
        path = f"/{purpose.value.decode()}/{keys.sign(purpose, 1, act.subscriber_id)}{end}"
        head = f"GET {path} HTTP/1.1\r\nHost: t\r\nUser-Agent: {act.agent}\r\nX-Forwarded-For: {act.client}\r\n\r\n"
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode())
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            writer.close()
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            answer = b""
        dropped += not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 302"))
        if act.person and act.kind is Kind.CLICK:
            waits.append((loop.time() - due) * 1000)

    begun = loop.time() + 0.2
    begin = minute[0].at
    length = (minute[-1].at - begin) / speed
    loop.call_at(begun + length / 2, os.kill, supervisor, signal.SIGHUP)
    tasks = []
    for act in minute:
        due = begun + (act.at - begin) / speed
        if (pause := due - loop.time()) > 0:
            await asyncio.sleep(pause)
        tasks.append(asyncio.create_task(ask(act, due)))
    await asyncio.gather(*tasks)
    return round(len(minute) / length), sorted(waits), dropped


def _show(speed: int, found: tuple[int, list[float], int]) -> None:
    rate, waits, dropped = found
    shown = [f"{waits[len(waits) * share // 100]:.1f}" for share in (50, 99)] if waits else ["-", "-"]
    most = f"{waits[-1]:.1f}" if waits else "-"
    name = "as it was" if speed == 1 else f"{speed} times as fast"
    print(f"{name} ({len(waits)}){'':<{33 - len(name) - len(str(len(waits)))}}{rate:>9,}"
          f"{shown[0]:>9}{shown[1]:>9}{most:>9}{dropped:>9}")  # fmt: skip


def _wait(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the service did not start")


if __name__ == "__main__":
    main()
