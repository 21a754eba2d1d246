"""kill -9 of the service and of the loader under load: what was acknowledged is in the store exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import importlib.util
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import select

from outreach.cli.init import make_workspace
from outreach.events import Kind
from outreach.store import tables
from outreach.store.database import Store
from outreach.tokens import Purpose
from tracking.links import publish
from tracking.loader import Loader
from tracking.testing import KEYS, PARKING, Service, eventually, free_port, running, token

Serve = Callable[[Path], AbstractContextManager[Service]]

ROUNDS = int(os.environ.get("OUTREACH_KILLS", "4"))
"""So many kills in the usual run; OUTREACH_KILLS=20 for the long one."""
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
    if os.getpgid(pid) == pid:  # granian's worker is a child in its group
        os.killpg(pid, signal.SIGKILL)
    else:
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


@contextlib.contextmanager
def granian(root: Path) -> Iterator[Service]:
    """The plain ASGI application under another server."""
    if not (root / "outreach.toml").exists():
        make_workspace(root, name="City of Example", domain="city.example")
        lines = "".join(f"{number} {key.hex()}\n" for number, key in KEYS.items())
        (root / "keys" / "tokens").write_text(lines)
        publish(root / "data" / "links", 1, PARKING)
    port = free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", "asginl", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--no-ws", "--log-level", "error", "tracking.asgi:app",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=root, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: answers(port), seconds=20)
        yield Service(root, port, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz", headers={"Connection": "close"})
        response = connection.getresponse()
        response.read()
        return response.status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def uvicorn(root: Path) -> Iterator[Service]:
    with running(root) as service:
        yield service


@pytest.mark.parametrize("server", ["uvicorn", "granian"])
def test_every_acknowledged_event_is_in_the_store_exactly_once(
    request: pytest.FixtureRequest, tmp_path: Path, server: str
) -> None:
    if server == "granian":
        if importlib.util.find_spec("granian") is None:
            pytest.skip("the granian package is not installed")
        city = request.getfixturevalue("sqlite_city")
        serve, root, spools = granian, tmp_path / "city", tmp_path / "city" / "data" / "spool"
    else:
        city = request.getfixturevalue("sqlite_city")
        serve, root, spools = uvicorn, tmp_path, tmp_path / "spool"
    check(city, serve, root, spools)


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
def test_on_postgresql_too(city: Store, tmp_path: Path) -> None:
    check(city, uvicorn, tmp_path, tmp_path / "spool")


def check(city: Store, serve: Serve, root: Path, spools: Path) -> None:
    acknowledged: list[tuple[Kind, int]] = []
    numbers = itertools.count(1)
    url = city.main.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", LOADER, url, str(spools)]
    for _ in range(ROUNDS):
        with serve(root) as service:
            loader = subprocess.Popen(command)
            acknowledged += asyncio.run(load_until_killed(service.port, service.process.pid, numbers))
            time.sleep(random.random() * 0.1)
            loader.kill()
            loader.wait()
    Loader(city, spools).run_once(last=True)
    found = loaded(city)
    assert len(found) == len(set(found)), "an event came twice"
    assert set(acknowledged) <= set(found), "an acknowledged event was lost"
    # Answers that the kill cut off may be recorded beyond the acknowledged: one for each connection and round.
    assert len(found) - len(acknowledged) <= ROUNDS * CONNECTIONS
    assert len(acknowledged) > 50 * ROUNDS
    print(f"{ROUNDS} kills, {len(acknowledged)} acknowledged, 0 lost, 0 twice")
