"""A browser's worth of HTTP/1.1 for practice residents: one request, one connection, this computer only."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from outreach.errors import ConfigurationError
from outreach.practice.manners import FORM

TIMEOUT = 15.0
"""Seconds for one whole request."""
MAX_ANSWER = 1_000_000
"""Bytes; a longer answer is cut."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of a repeated header the last."""
    body: bytes


class NoAnswer(Exception):
    """The service did not answer, or not in HTTP."""


@dataclass(frozen=True, slots=True)
class Browser:
    """Somebody's browser: its habits are headers, its home is a network address.

    `via` is where the service listens, if the links name a public address for it.
    """

    headers: Mapping[str, str]
    home: str = ""
    """An address of 127.0.0.0/8 to come from, so that residents do not all share one; Linux only."""
    via: tuple[str, int] | None = None

    async def get(self, url: str, extra: Mapping[str, str]) -> Page:
        """NoAnswer if there is none. `extra` are headers of this request only."""
        return await self._ask("GET", url, extra, b"")

    async def post(self, url: str, form: str, extra: Mapping[str, str]) -> Page:
        """As `get`; `form` is already URL-encoded."""
        return await self._ask("POST", url, {**FORM, **extra}, form.encode())

    async def _ask(self, method: str, url: str, extra: Mapping[str, str], body: bytes) -> Page:
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Host": parts.netloc, **self.headers, **extra, "Connection": "close"}
        if method == "POST":
            headers["Content-Length"] = str(len(body))
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._exchange(parts, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        except (OSError, ValueError, IndexError, TimeoutError) as problem:
            raise NoAnswer(f"{method} {shape(url)} was not answered: {problem!r}") from None

    async def _exchange(self, parts: SplitResult, request: bytes) -> Page:
        reader, writer = await self._connect(parts)
        try:
            writer.write(request)
            answer = bytearray()
            while len(answer) < MAX_ANSWER and (chunk := await reader.read(65_536)):
                answer += chunk
        finally:
            writer.close()
        head, _, body = bytes(answer).partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = _joined(body)
        return Page(int(status.split()[1]), headers, body)

    async def _connect(self, parts: SplitResult) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.via:
            host, port, tls = *self.via, None
        else:
            tls = True if parts.scheme == "https" else None
            host, port = parts.hostname or "", parts.port or (443 if tls else 80)
        if self.home and host.startswith("127."):
            try:
                return await asyncio.open_connection(host, port, ssl=tls, local_addr=(self.home, 0))
            except OSError:
                pass  # only Linux has all of 127.0.0.0/8; elsewhere everybody comes from 127.0.0.1
        return await asyncio.open_connection(host, port, ssl=tls)


def _joined(chunks: bytes) -> bytes:
    """The content of a chunked body (RFC 9112 7.1); ValueError if it is broken off."""
    content = bytearray()
    while True:
        size, _, chunks = chunks.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if not length:
            return bytes(content)
        content += chunks[:length]
        chunks = chunks[length + 2 :]


def stay_here(url: str, *, via: tuple[str, int] | None) -> None:
    """ConfigurationError if following this URL would leave the computer: practice never touches the world."""
    host = urlsplit(url).hostname or ""
    if via or host == "localhost":
        return
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise ConfigurationError(
            f"the links of this mail lead to {host}, and practice residents only visit this computer;"
            " set the tracking address to http://127.0.0.1 and the port of the practice service"
        )


def shape(url: str) -> str:
    """The URL without its token, for messages that may be logged."""
    parts = urlsplit(url)
    path = "/".join(part if len(part) < 16 else "…" for part in parts.path.split("/"))
    return f"{parts.scheme}://{parts.netloc}{path}"
