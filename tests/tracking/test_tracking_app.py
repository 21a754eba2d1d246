"""The application in this process: failing disks, proxies, and errors of our own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from outreach.tokens import KeyRing, Purpose
from tracking import unsubscribe
from tracking.app import Tracking, TrackingConfig
from tracking.links import publish
from tracking.recording import client_of
from tracking.reserve import Marks
from tracking.spool import Spool
from tracking.testing import KEYS, PARKING, token

Response = tuple[int, dict[bytes, bytes], bytes]
LEAVE = ("POST", f"/u/{token(Purpose.UNSUBSCRIBE, 7)}")


@pytest.fixture
def config(tmp_path: Path) -> TrackingConfig:
    publish(tmp_path / "links", 1, PARKING)
    return TrackingConfig(tmp_path / "spool", tmp_path / "links", KeyRing(KEYS), tmp_path / "days")


def ask(config: TrackingConfig, *requests: tuple[str, str]) -> list[Response]:
    """What an application with an empty spool answers to these requests, one after the other."""

    async def life() -> list[Response]:
        service = Tracking(config)
        found = [await one(service, method, path) for method, path in requests]
        await lifespan(service, "lifespan.shutdown")
        return found

    return asyncio.run(life())


async def one(service: Tracking, method: str, path: str) -> Response:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "client": ("203.0.113.7", 1)}
    await service(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


async def lifespan(service: Tracking, event: str) -> list[Any]:
    """What a server is told when it says that it starts, or stops."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": event}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "lifespan.startup.complete":
            raise asyncio.CancelledError

    with contextlib.suppress(asyncio.CancelledError):
        await service({"type": "lifespan"}, receive, send)
    return sent


def test_while_nothing_can_be_written_people_are_redirected_and_nobody_is_told_they_have_left(
    config: TrackingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spool, "_refuses", lambda *_: True)
    opened, clicked, leaving, metrics = ask(
        config,
        ("GET", f"/o/{token(Purpose.OPEN, 7)}.gif"),
        ("GET", f"/c/{token(Purpose.CLICK, 7)}/0"),
        LEAVE,
        ("GET", "/metrics"),
    )
    assert (opened[0], clicked[0], clicked[1][b"location"]) == (200, 302, b"https://city.example/sweeping")
    assert (leaving[0], leaving[1][b"retry-after"]) == (503, b"30")
    assert b"nothing has been changed" in leaving[2]
    assert b'name="leave" value="topic"' in leaving[2]
    for line in (b'lost_total{kind="open"} 1', b'lost_total{kind="click"} 1', b'refused_total{kind="unsubscribe"} 1'):
        assert line in metrics[2]


def test_health_tells_a_load_balancer_when_space_is_short(config: TrackingConfig) -> None:
    tight = replace(config, marks=Marks(opens=1 << 60, clicks=0, reserve=0))
    leaving, health = ask(tight, LEAVE, ("GET", "/healthz"))
    assert (leaving[0], health[0]) == (200, 503)
    assert b"NO_OPENS" in health[2]


def test_a_spool_that_cannot_be_opened_stops_the_start_with_a_reason(config: TrackingConfig, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    service = Tracking(replace(config, spool_dir=tmp_path / "file" / "spool"))
    [message] = asyncio.run(lifespan(service, "lifespan.startup"))
    assert message["type"] == "lifespan.startup.failed"
    assert "the spool cannot be opened" in message["message"]


def test_an_error_of_ours_is_logged_without_what_the_client_sent(
    config: TrackingConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_fields: object) -> None:
        raise RuntimeError(LEAVE[1])

    monkeypatch.setattr(unsubscribe, "wish_of", fail)
    with caplog.at_level(logging.ERROR):
        [(status, _headers, body)] = ask(config, LEAVE)
    assert (status, body) == (500, b"")
    assert "answering /u/<token> failed: RuntimeError" in caplog.text
    assert token(Purpose.UNSUBSCRIBE, 7) not in caplog.text


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        (0, b"198.51.100.1", "203.0.113.7"),  # anybody may write this header
        (1, b"198.51.100.1", "198.51.100.1"),
        (1, b"10.9.9.9, 198.51.100.1", "198.51.100.1"),
        (2, b"198.51.100.1, 10.0.0.1", "198.51.100.1"),
        (1, b"10.9.9.9\n198.51.100.1", "198.51.100.1"),
        (2, b"198.51.100.1", "203.0.113.7"),
        (1, b"", ""),
    ],
)
def test_only_what_our_own_proxies_say_about_the_client_counts(proxies: int, forwarded: bytes, client: str) -> None:
    lines = [(b"x-forwarded-for", line) for line in forwarded.split(b"\n")]
    assert client_of(lines, "203.0.113.7", proxies=proxies) == client
