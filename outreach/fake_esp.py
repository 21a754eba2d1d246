"""A mail service on this machine that misbehaves as it is told; `outreach.testing` publishes it.

It speaks Postmark's HTTP interface, as far as django-anymail needs it, and remembers what it took responsibility for.

    with FakeEsp([EspFault(status=429, retry_after="1", at=3)]) as service:
        EspTransport("postmark", service.options)
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OK = 200


@dataclass(frozen=True, slots=True)
class EspFault:
    """One thing that goes wrong, at the `at`-th call and `times` times in all (None: for ever)."""

    status: int = OK
    body: bytes | None = None
    """Instead of the usual answer; `{to}` in it is the recipient."""
    retry_after: str | None = None
    delay: float = 0.0
    """Seconds before the answer."""
    cut: bool = False
    """Close the connection instead of an answer."""
    keep: bool = False
    """The message is taken, whatever the answer says."""
    at: int = 1
    times: int | None = 1

    def strikes(self, call: int) -> bool:
        return self.at <= call and (self.times is None or call < self.at + self.times)


class FakeEsp:
    """An HTTP server on 127.0.0.1, in threads of its own. Use as a context."""

    def __init__(self, faults: Iterable[EspFault] = ()) -> None:
        self._faults = tuple(faults)
        self._lock = threading.Lock()
        self._calls = 0
        self.accepted: list[dict[str, Any]] = []
        """The calls whose message was taken, in order of arrival."""
        self.fired: Counter[EspFault] = Counter()

    @property
    def options(self) -> dict[str, str]:
        """What the transport is to be told, as it would stand in keys/esp.toml."""
        return {"server_token": "a-token", "api_url": f"http://127.0.0.1:{self.port}/"}

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def accepted_ids(self) -> list[str]:
        """The Message-IDs taken, in order of arrival; one that was taken twice is there twice."""
        return [_headers(call).get("Message-ID", "") for call in self.accepted]

    def __enter__(self) -> FakeEsp:
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="fake-esp", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def called(self, call: dict[str, Any]) -> EspFault | None:
        """Take a call's message, unless a fault says otherwise."""
        with self._lock:
            self._calls += 1
            fault = next((each for each in self._faults if each.strikes(self._calls)), None)
            if fault is not None:
                self.fired[fault] += 1
            if fault is None or fault.keep or (fault.status == OK and not fault.cut and fault.body is None):
                self.accepted.append(call)
            return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Nothing: clients that give up on an answer are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: FakeEsp

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        fault = self.service.called(call)
        if fault is not None:
            time.sleep(fault.delay)
            if fault.cut:
                self.close_connection = True
                return
        body = json.dumps({
            "To": call.get("To", ""), "MessageID": f"esp-{len(self.service.accepted)}", "ErrorCode": 0, "Message": "OK",
        }).encode()  # fmt: skip
        if fault is not None and fault.body is not None:
            body = fault.body.replace(b"{to}", str(call.get("To", "")).encode())
        self.send_response(fault.status if fault is not None else OK)
        if fault is not None and fault.retry_after is not None:
            self.send_header("Retry-After", fault.retry_after)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: addresses do not belong into a log."""


def _headers(call: dict[str, Any]) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in call.get("Headers", [])}
