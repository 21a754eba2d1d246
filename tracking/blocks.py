"""A request's head, read strictly: for the fast path, which must never see a request otherwise than uvicorn does.

Whatever two servers could read in two ways (request smuggling) is not simple: a body announced by
any header, a name or value with odd bytes, a folded line, a bare CR or LF, no Host or two, any
`Connection` but keep-alive and close, `Upgrade`, `Expect`. What is not simple goes the slow way.
"""

from __future__ import annotations

import re

MAX_BLOCK = 2048
"""Longer heads go the slow way too: short ones are kept, by the thousand, beside what they say."""

_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*))?")
"""RFC 9110, 5.1 and 5.5: a token, a colon right behind it, and a value without control characters."""
_CONNECTION = (b"keep-alive", b"close")
_NOT_SIMPLE = frozenset(
    (b"content-length", b"transfer-encoding", b"upgrade", b"expect", b"trailer", b"te", b"http2-settings")
)

Block = tuple[tuple[bytes, bytes], ...]


def read(block: bytes) -> Block | None:
    """The header lines between a request line and the empty line, names in lower case; None if not simple."""
    if len(block) > MAX_BLOCK:
        return None
    headers: list[tuple[bytes, bytes]] = []
    hosts = 0
    for line in block.split(b"\r\n"):
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        name, value = found[1].lower(), (found[2] or b"").rstrip(b" \t")
        if name in _NOT_SIMPLE or (name == b"connection" and value.lower() not in _CONNECTION):
            return None
        hosts += name == b"host"
        headers.append((name, value))
    return tuple(headers) if hosts == 1 else None


def keeps_alive(block: Block) -> bool:
    """Whether the client wants to ask again on this connection (RFC 9112, 9.3). All of its wishes must say so."""
    return all(value.lower() != b"close" for name, value in block if name == b"connection")
