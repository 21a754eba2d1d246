"""kill -9 of the service and of the loader under load: what was acknowledged is in the store exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import select

from outreach.events import Kind
from outreach.store import tables
from outreach.store.database import Store
from outreach.tokens import Purpose
from tracking.loader import Loader
from tracking.testing import running, token

ROUNDS = 4
CONNECTIONS = 16
LOADER = """
import sys, time
from pathlib import Path
from outreach.store.database import Store
from tracking import loader
loader.BATCH = 200
found = loader.Loader(Store.open(sys.argv[1]), Path(sys.argv[2]))
while True:
    found.run_once()
    time.sleep(0.01)
"""


async def resident(port: int, numbers: itertools.count[int], acknowledged: list[tuple[Kind, int]]) -> None:
    """Opens, clicks and leaves as fast as it is answered, and notes each answer, until the connection breaks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        for number in numbers:
            kind = (Kind.OPEN, Kind.CLICK, Kind.UNSUBSCRIBE)[number % 3]
            writer.write(request(kind, number))
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            assert status == {Kind.OPEN: 200, Kind.CLICK: 302, Kind.UNSUBSCRIBE: 200}[kind], head
            acknowledged.append((kind, number))
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def request(kind: Kind, number: int) -> bytes:
    if kind is Kind.OPEN:
        line = f"GET /o/{token(Purpose.OPEN, number)}.gif"
    elif kind is Kind.CLICK:
        line = f"GET /c/{token(Purpose.CLICK, number)}/0"
    else:
        line = f"POST /u/{token(Purpose.UNSUBSCRIBE, number)}"
    return f"{line} HTTP/1.1\r\nHost: t\r\nUser-Agent: Mozilla/5.0\r\nContent-Length: 0\r\n\r\n".encode()


async def load_until_killed(port: int, pid: int, numbers: itertools.count[int]) -> list[tuple[Kind, int]]:
    acknowledged: list[tuple[Kind, int]] = []
    residents = [asyncio.create_task(resident(port, numbers, acknowledged)) for _ in range(CONNECTIONS)]
    await asyncio.sleep(0.3 + random.random() * 0.3)
    os.kill(pid, signal.SIGKILL)
    await asyncio.gather(*residents)
    return acknowledged


def loaded(store: Store) -> list[tuple[Kind, int]]:
    columns = ("kind", "subscriber_id")
    with store.read() as main, store.read_events() as events:
        rows = [
            *main.execute(select(*(tables.feedback.c[name] for name in columns))),
            *events.execute(select(*(tables.event.c[name] for name in columns))),
        ]
    return [(Kind(row.kind), row.subscriber_id) for row in rows]


def test_every_acknowledged_event_is_in_the_store_exactly_once(city: Store, tmp_path: Path) -> None:
    acknowledged: list[tuple[Kind, int]] = []
    numbers = itertools.count(1)
    url = city.main.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", LOADER, url, str(tmp_path / "spool")]
    for _ in range(ROUNDS):
        with running(tmp_path) as service:
            loader = subprocess.Popen(command)
            acknowledged += asyncio.run(load_until_killed(service.port, service.process.pid, numbers))
            time.sleep(random.random() * 0.1)
            loader.kill()
            loader.wait()
    Loader(city, tmp_path / "spool").run_once()
    found = loaded(city)
    assert len(found) == len(set(found)), "an event came twice"
    assert set(acknowledged) <= set(found), "an acknowledged event was lost"
    # Answers that the kill cut off may be recorded beyond the acknowledged: one for each connection and round.
    assert len(found) - len(acknowledged) <= ROUNDS * CONNECTIONS
    assert len(acknowledged) > 200
