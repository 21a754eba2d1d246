"""Images of mails: kept by everybody for ever, and nothing else is served from that folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from outreach.tokens import KeyRing
from tracking.app import Tracking, TrackingConfig
from tracking.testing import KEYS

NAME = "0123456789abcdef0123456789abcdef.png"


@pytest.fixture
def ask(tmp_path: Path):
    """What a service answers to a GET (or another method) of a path: status, headers, body."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / NAME).write_bytes(b"\x89PNG picture")
    (tmp_path / "images" / "notes.txt").write_bytes(b"secret")
    (tmp_path / NAME).write_bytes(b"secret")
    service = Tracking(TrackingConfig(tmp_path / "spool", tmp_path / "links", KeyRing(KEYS), tmp_path / "days"))

    def get(path: str, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": [], "client": ("203.0.113.7", 1)}
        asyncio.run(service(scope, receive, send))
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    return get


def test_an_image_is_kept_for_a_year_and_no_browser_guesses_what_it_is(ask):
    for _ in range(2):
        status, headers, body = ask(f"/i/{NAME}")
        assert (status, body) == (200, b"\x89PNG picture")
        assert headers[b"cache-control"] == b"public, max-age=31536000, immutable"
        assert headers[b"content-type"] == b"image/png"
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert headers[b"content-length"] == b"12"
    assert ask(f"/i/{NAME}", "HEAD")[::2] == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/i/",
        "/i/notes.txt",
        f"/i/../{NAME}",
        f"/i/%2e%2e/{NAME}",
        f"/i/{'f' * 32}.png",
        f"/i/{NAME}\n",
        "/i/" + "0" * 9_000,
    ],
)
def test_nothing_else_is_there(path, ask):
    assert ask(path)[0] == 404


def test_it_cannot_be_posted_to(ask):
    assert ask(f"/i/{NAME}", "POST")[0] == 405
