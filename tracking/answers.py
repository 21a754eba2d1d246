"""What the service says back, and the headers that go with everything it says.

Nothing is cached, nothing is indexed, no referrer is passed on, and a page may load nothing and
run nothing: its style is allowed by its hash.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Header = tuple[bytes, bytes]

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""A GIF of one transparent point, 42 bytes."""

_ALWAYS: tuple[Header, ...] = (
    (b"cache-control", b"no-store, private"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex, nofollow"),
    (b"x-content-type-options", b"nosniff"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP response, ready to be sent as often as wanted."""

    start: Message
    body: Message

    async def send(self, send: Send, *, head: bool) -> None:
        await send(self.start)
        await send(_EMPTY if head else self.body)


_EMPTY: Message = {"type": "http.response.body", "body": b""}


def answer(status: int, body: bytes = b"", *, media_type: bytes = b"", headers: tuple[Header, ...] = ()) -> Answer:
    """An answer with the headers that every answer of ours carries."""
    described = ((b"content-type", media_type),) if media_type else ()
    length = ((b"content-length", b"%d" % len(body)),)
    start = {"type": "http.response.start", "status": status, "headers": [*described, *headers, *_ALWAYS, *length]}
    return Answer(start, {"type": "http.response.body", "body": body})


def text(status: int, body: str, *, media_type: bytes = b"text/plain; charset=utf-8") -> Answer:
    return answer(status, body.encode(), media_type=media_type)


def page(status: int, html: str, *, policy: bytes, headers: tuple[Header, ...] = ()) -> Answer:
    """An HTML page under a Content-Security-Policy."""
    return answer(
        status,
        html.encode(),
        media_type=b"text/html; charset=utf-8",
        headers=((b"content-security-policy", policy), (b"vary", b"accept-language"), *headers),
    )


def kept(body: bytes, *, media_type: bytes) -> Answer:
    """What never changes under its name, so that everybody may keep it for a year (RFC 8246)."""
    headers = [
        (b"content-type", media_type),
        (b"cache-control", b"public, max-age=31536000, immutable"),
        *_ALWAYS[1:],
        (b"content-length", b"%d" % len(body)),
    ]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    return Answer(start, {"type": "http.response.body", "body": body})


def redirect(location: bytes) -> Answer:
    """302, not 301: the table behind a link may be corrected, and every click is to be seen."""
    return answer(302, headers=((b"location", location),))


def not_allowed(methods: tuple[str, ...]) -> Answer:
    """405 with what would have been allowed (RFC 9110, 15.5.6)."""
    return answer(405, headers=((b"allow", ", ".join(methods).encode()),))


PIXEL_ANSWER = answer(200, PIXEL, media_type=b"image/gif")
ROBOTS = text(200, "User-agent: *\nDisallow: /\n")
TOO_LARGE = text(413, "too large\n")
EMPTY_404 = answer(404)
EMPTY_500 = answer(500)
