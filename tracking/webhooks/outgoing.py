"""Events for a city's own systems: posted to an address of theirs, signed, each at least once and in order.

    POST <tracking.push_url>
    Outreach-Signature: t=1795262400,v1=<hex HMAC-SHA256 of "1795262400." + body>

    {"events": [{"id": "...", "kind": "click", "at": "...", "position": "..."}]}

Signed with keys/webhook, as what comes in. Any answer but 2xx, and the same events are sent again at
the next run; an event's `id` never changes, so that a receiver can tell a repetition.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from outreach.errors import ConfigurationError, TryAgain
from outreach.store import tailing
from outreach.store.database import Store
from outreach.store.tailing import Position
from tracking.webhooks.feedback import sign

BATCH = 500
TIMEOUT_SECONDS = 20.0
_LOCAL = ("127.0.0.1", "::1", "localhost")

Post = Callable[[str, bytes, dict[str, str]], int]
"""Posts a body with headers to an address; the status of the answer. Raises OSError."""


def deliver(store: Store, url: str, *, secret: bytes, state: Path, at: int, post: Post | None = None) -> int:
    """Post what is new since the last run; how many events were taken. `state` holds the position reached.

    Raises TryAgain where the other side does not answer or does not accept; what it took before that is noted.
    """
    post = post or _post
    check(url)
    position = _position(state)
    taken = 0
    while True:
        with store.read() as main, store.read_events() as raw:
            found, behind = tailing.after(main, raw, position, limit=BATCH)
        if not found:
            return taken
        body = json.dumps({"events": found}, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "Outreach-Signature": sign(body, secret=secret, at=at)}
        try:
            status = post(url, body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise TryAgain(f"events cannot be posted to {urlsplit(url).hostname}: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise TryAgain(f"events were posted to {urlsplit(url).hostname}, which answered {status}")
        position = behind
        _note(state, position)
        taken += len(found)


def check(url: str) -> None:
    """Raises ConfigurationError unless events may be sent there: they carry addresses."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username:
        raise ConfigurationError(f"tracking.push_url is {url!r}; it must be https://host/path, without a user")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise ConfigurationError("tracking.push_url must begin with https://, for events carry people's addresses")


def _position(state: Path) -> Position:
    try:
        return Position.read(state.read_text("ascii").strip())
    except FileNotFoundError:
        return Position()
    except ValueError:
        raise ConfigurationError(f"{state} is damaged; remove it and everything is posted again") from None


def _note(state: Path, position: Position) -> None:
    draft = state.with_name(f".{state.name}.new")
    with draft.open("w", encoding="ascii") as file:
        file.write(f"{position}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(state)


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """One request, no redirect followed: the address was chosen by the operator, not by whoever answers."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_SECONDS)
    )
    try:
        connection.request("POST", parts._replace(scheme="", netloc="").geturl() or "/", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()
