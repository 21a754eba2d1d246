"""A real service in a subprocess over real sockets, for tests and rehearsals.

    with running(folder) as service:
        service.post(f"/u/{token(Purpose.UNSUBSCRIBE, 7)}", "List-Unsubscribe=One-Click")

Its keys are published here, so it is for practice only.
"""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from outreach.tokens import KeyRing, Purpose
from tracking.links import LinkTable, publish

KEYS = {1: b"a" * 32, 2: b"b" * 32}
WEBHOOK_SECRET = b"c" * 32
PARKING = LinkTable(
    links=("https://city.example/sweeping", "https://city.example/map?district=3&x=ä", "mailto:works@city.example"),
    topic_id=3,
    topic="Parking & street sweeping",
    organisation="City of Example",
    language="en",
)
_SERVER = """
import sys
from pathlib import Path
from outreach.tokens import KeyRing
from tracking.app import Tracking, TrackingConfig
from tracking.server import listen, serve
from tracking.testing import KEYS, WEBHOOK_SECRET
root, port = Path(sys.argv[1]), int(sys.argv[2])
config = TrackingConfig(
    root / "spool", root / "links", KeyRing(KEYS), root / "days", webhook_secret=WEBHOOK_SECRET,
    database_url=sys.argv[3] if len(sys.argv) > 3 else None, organisation="City of Example",
)
listener = listen("127.0.0.1", port)
if len(sys.argv) > 3:
    from tracking.loading import loading
    with loading(sys.argv[3], root / "spool"):
        serve(Tracking(config), listener)
else:
    serve(Tracking(config), listener)
"""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Service:
    """A running service; `get` and `post` speak real HTTP to it."""

    root: Path
    port: int
    process: subprocess.Popen[bytes]

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host=False, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, body: str = "", *, media_type: str = "application/x-www-form-urlencoded") -> Reply:
        return self.request("POST", path, body.encode(), {"Content-Type": media_type} if media_type else {})

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=15)


def token(purpose: Purpose, subscriber_id: int, *, campaign_id: int = 1) -> str:
    return KeyRing(KEYS).sign(purpose, campaign_id, subscriber_id)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(root: Path, *, database_url: str | None = None) -> Iterator[Service]:
    """A service on its own port, with campaign 1's links published; with a database also its loader."""
    publish(root / "links", 1, PARKING)
    port = free_port()
    log = (root / "service.log").open("ab")
    command = [sys.executable, "-c", _SERVER, str(root), str(port), *([database_url] if database_url else [])]
    process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own interpreter and text
    log.close()
    deadline = time.monotonic() + 15
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            break
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError((root / "service.log").read_text()) from None
            time.sleep(0.05)
    try:
        yield Service(root, port, process)
    finally:
        process.kill()
        process.wait()


Poll = Callable[[], bool]


def eventually(condition: Poll, *, seconds: float = 10.0) -> None:
    """Wait until a condition holds, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.02)
