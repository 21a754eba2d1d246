"""A small SMTP and LMTP server on loopback, for an MTA's alias or transport to hand returned mail to.

It takes mail for anybody and relays nothing. 250 after the dot means the effect is committed; 451 asks the
MTA to come again. LMTP (RFC 2033) answers once for each recipient.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from ipaddress import ip_address

from outreach.bounces.mime import MAX_BYTES
from outreach.errors import ConfigurationError, OutreachError

MAX_LINE = 2048
MAX_RECIPIENTS = 100
IDLE_SECONDS = 300
_PATH = re.compile(r"(?:FROM|TO):\s*<([^<>]{0,320})>", re.IGNORECASE)

Take = Callable[[bytes, tuple[str, ...]], None]


async def serve(take: Take, *, host: str, port: int, lmtp: bool) -> asyncio.Server:
    """Listen. `take` commits one mail or raises OutreachError. Loopback only: there is no password here."""
    if not (host == "localhost" or _loopback(host)):
        raise ConfigurationError(f"returned mail is only taken on this machine (127.0.0.1 or ::1), not on {host}")
    one_at_a_time = asyncio.Lock()

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _Session(reader, writer, take, lmtp=lmtp, lock=one_at_a_time).run()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(session, host, port, limit=MAX_BYTES + 65536)


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class _Session:
    """One client's conversation (RFC 5321, 4.1)."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        take: Take,
        *,
        lmtp: bool,
        lock: asyncio.Lock,
    ) -> None:
        self._reader, self._writer, self._take, self._lmtp, self._lock = reader, writer, take, lmtp, lock
        self._recipients: list[str] = []
        self._sender: str | None = None

    async def run(self) -> None:
        await self._say("220 outreach takes returned mail")
        while True:
            line = await asyncio.wait_for(self._reader.readline(), IDLE_SECONDS)
            if not line:
                return
            if len(line) > MAX_LINE:
                await self._say("500 5.5.2 the line is too long")
                continue
            words = line.decode("utf-8", "replace").strip()
            verb = words[:4].upper()
            if verb == "QUIT":
                await self._say("221 2.0.0 bye")
                return
            await self._command(verb, words)

    async def _command(self, verb: str, words: str) -> None:
        if verb in ("EHLO", "LHLO"):
            await self._say("250-outreach", f"250-SIZE {MAX_BYTES}", "250-8BITMIME", "250 PIPELINING")
        elif verb in ("HELO", "NOOP"):
            await self._say("250 2.0.0 ok")
        elif verb == "RSET":
            self._sender, self._recipients = None, []
            await self._say("250 2.0.0 ok")
        elif verb == "MAIL":
            self._sender, self._recipients = words, []
            await self._say("250 2.1.0 ok")
        elif verb == "RCPT":
            await self._recipient(words)
        elif verb == "DATA":
            await self._data()
        else:
            await self._say("502 5.5.1 not known here")

    async def _recipient(self, words: str) -> None:
        match = _PATH.search(words)
        if self._sender is None:
            await self._say("503 5.5.1 MAIL first")
        elif match is None:
            await self._say("501 5.1.3 no address")
        elif len(self._recipients) >= MAX_RECIPIENTS:
            await self._say("452 4.5.3 too many recipients")
        else:
            self._recipients.append(match[1])
            await self._say("250 2.1.5 ok")

    async def _data(self) -> None:
        if not self._recipients:
            await self._say("503 5.5.1 RCPT first")
            return
        await self._say("354 end with a dot")
        raw = await self._content()
        answers = len(self._recipients) if self._lmtp else 1
        if raw is None:
            reply = f"552 5.3.4 more than {MAX_BYTES} bytes"
        else:
            reply = await self._taken(raw)
        await self._say(*[reply] * answers)
        self._sender, self._recipients = None, []

    async def _taken(self, raw: bytes) -> str:
        async with self._lock:  # one reader, one writer
            try:
                await asyncio.to_thread(self._take, raw, tuple(self._recipients))
            except (OutreachError, OSError):
                return "451 4.3.0 not now; try again"
        return "250 2.0.0 taken"

    async def _content(self) -> bytes | None:
        lines: list[bytes] = []
        size = 0
        while True:
            line = await asyncio.wait_for(self._reader.readline(), IDLE_SECONDS)
            if not line:
                raise asyncio.IncompleteReadError(b"", None)
            if line in (b".\r\n", b".\n"):
                return b"".join(lines) if size <= MAX_BYTES else None
            size += len(line)
            if size <= MAX_BYTES:
                lines.append(line[1:] if line.startswith(b".") else line)

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self._writer.drain()
