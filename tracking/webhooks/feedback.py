"""Complaints from a city's own systems: JSON, signed with a shared secret.

    POST /hooks/feedback
    Outreach-Signature: t=1795262400,v1=<hex HMAC-SHA256 of "1795262400." + body>

    {"events": [{"kind": "complaint", "token": "..."}]}

A feedback loop's report (RFC 5965) carries the mail that was complained about; the token is the one
in its unsubscribe link, return path or Message-ID, so a report can only be about mail that we sent.
The signature covers the time, and is good for five minutes: a recorded request cannot be used later.
All events of a request are recorded, or it is answered with an error and may be repeated.
"""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from pathlib import Path

from outreach.errors import ConfigurationError, OutreachError
from outreach.events import Kind
from outreach.tokens import BadToken, KeyRing, Purpose, Subject

HEADER = b"outreach-signature"
GOOD_FOR_SECONDS = 300
MAX_BODY = 256 * 1024
MAX_EVENTS = 1000
MIN_SECRET_BYTES = 16
_PURPOSES = (Purpose.UNSUBSCRIBE, Purpose.RETURN_PATH, Purpose.MESSAGE_ID)
_KINDS = {"complaint": Kind.COMPLAINT}
"""What a webhook may do at most is suppress. Bounces come with the bounce policy."""


class BadReport(OutreachError):
    """The request is not one we understand; the message says why."""


def load_secret(path: Path) -> bytes | None:
    """The shared secret, in hexadecimal; None if this workspace has none, and then there is no such webhook."""
    try:
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError:
        return None
    except ValueError:
        secret = b""
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigurationError(f"{path} must hold at least {MIN_SECRET_BYTES * 2} hexadecimal digits")
    return secret


def sign(body: bytes, *, secret: bytes, at: int) -> str:
    """The header's value for a request made `at` (seconds since 1970)."""
    return f"t={at},v1={hmac.new(secret, b'%d.' % at + body, sha256).hexdigest()}"


def is_signed(body: bytes, header: str, *, secret: bytes, now: float) -> bool:
    """Whether the secret's owner made this request within the last five minutes."""
    stamp = header.partition(",")[0].removeprefix("t=")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    if abs(now - int(stamp)) > GOOD_FOR_SECONDS:
        return False
    expected = sign(body, secret=secret, at=int(stamp))
    return hmac.compare_digest(expected.encode(), header.encode("latin-1", "replace"))


def read(body: bytes, keys: KeyRing) -> list[tuple[Kind, Subject]]:
    """What a request reports, all of it or BadReport."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BadReport("the body is not JSON") from None
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(events, list) or not 0 < len(events) <= MAX_EVENTS:
        raise BadReport(f'the body must be {{"events": [...]}} with 1 to {MAX_EVENTS} events')
    return [_read_one(number, event, keys) for number, event in enumerate(events, 1)]


def _read_one(number: int, event: object, keys: KeyRing) -> tuple[Kind, Subject]:
    if not isinstance(event, dict):
        raise BadReport(f"event {number} is not an object")
    kind = _KINDS.get(str(event.get("kind")))
    if kind is None:
        raise BadReport(f"event {number} must have a kind among {', '.join(_KINDS)}")
    for purpose in _PURPOSES:
        try:
            return kind, keys.verify(purpose, str(event.get("token")))
        except BadToken:
            continue
    raise BadReport(f"event {number} has a token that is not of our mail")
