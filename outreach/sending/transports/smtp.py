"""Handing over to an SMTP relay (RFC 5321), on a connection that aiosmtplib makes.

aiosmtplib connects, negotiates TLS and authenticates; the transaction itself is spoken here, so that we
know to the byte whether a lost connection lost the message too: before the final dot it certainly
was not taken, after it nobody can say.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponse

from outreach.errors import ConfigurationError
from outreach.rendering.message import Message
from outreach.sending.outcomes import Accepted, Outcome, Unknown, Unsent, Verb, outcome_of
from outreach.sending.transports import RelayUnreachable

COMMAND_TIMEOUT = 300.0
"""Seconds to wait for a reply to MAIL, RCPT and DATA (RFC 5321, section 4.5.3.2)."""
DOT_TIMEOUT = 600.0
"""Seconds to wait for the reply to the final dot (RFC 5321, section 4.5.3.2.6)."""
CONNECT_TIMEOUT = 30.0

_ADDRESS = re.compile(r"[!-;=?-~]+@[!-;=?-~]+\Z")
"""Printable ASCII without space or angle brackets: what may stand inside `<>` in MAIL and RCPT."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Where to hand over: host, port, how to secure it, and who we are."""

    host: str
    port: int
    tls_at_once: bool = False
    """smtps: TLS from the first byte."""
    require_tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str, *, require_tls: bool = False) -> Relay:
        """`smtp://[user:password@]host[:port]` or `smtps://…`. With credentials TLS is always required."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or port == 0:
            raise ConfigurationError(
                "relay.url (OUTREACH_RELAY_URL) must be like smtp://host:25 or smtps://user:password@host:465"
            )
        at_once = parts.scheme == "smtps"
        return cls(
            host=parts.hostname,
            port=port or (465 if at_once else 25),
            tls_at_once=at_once,
            require_tls=require_tls or parts.username is not None,
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class SmtpTransport:
    """Opens lanes to one relay. `hello` is the name we give in EHLO."""

    def __init__(self, relay: Relay, *, hello: str) -> None:
        self.relay = relay
        self.hello = hello

    async def open(self) -> SmtpLane:
        relay = self.relay
        connection = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            username=relay.user,
            password=relay.password,
            local_hostname=self.hello,
            timeout=CONNECT_TIMEOUT,
            use_tls=relay.tls_at_once,
            start_tls=None if relay.tls_at_once else _start_tls(relay),
            # TLS that nobody demanded is better than none even without a name to check it by (RFC 7435).
            validate_certs=relay.tls_at_once or relay.require_tls,
        )
        try:
            await connection.connect()
            await connection._ehlo_or_helo_if_needed()
        except (SMTPException, OSError, ssl.SSLError, TimeoutError) as error:
            connection.close()
            raise RelayUnreachable(
                f"the relay {relay} cannot be used: {_words(error)}; nobody has received anything from this attempt. "
                "Check relay.url (OUTREACH_RELAY_URL) and that the relay is running, then run the same command again"
            ) from None
        connection.timeout = COMMAND_TIMEOUT
        return SmtpLane(connection)


class SmtpLane:
    """One connection, one transaction at a time."""

    def __init__(self, connection: aiosmtplib.SMTP) -> None:
        self._connection = connection

    @property
    def is_open(self) -> bool:
        return self._connection.is_connected

    async def hand_over(self, message: Message, *, before_dot: Callable[[], None]) -> Outcome:
        try:
            refused = await self._envelope(message)
        except (SMTPException, OSError) as error:
            self._connection.close()
            return Unsent(_words(error))
        if refused is not None:
            return refused
        before_dot()
        try:
            reply = await self._content(message.data)
        except (SMTPException, OSError) as error:
            self._connection.close()
            return Unknown(_words(error))
        if reply.code == 421:
            self._connection.close()
        return outcome_of(_text(reply), Verb.DOT)

    async def close(self) -> None:
        if not self._connection.is_connected:
            return
        try:
            await self._connection.quit(timeout=5)
        except (SMTPException, OSError):
            self._connection.close()

    async def _envelope(self, message: Message) -> Outcome | None:
        """MAIL, RCPT and DATA. None if the server now waits for the message."""
        for verb, argument in (
            (Verb.MAIL, _path("FROM", message.return_path)),
            (Verb.RCPT, _path("TO", message.recipient)),
        ):
            reply = await self._connection.execute_command(verb.upper().encode("ascii"), argument)
            if not 200 <= reply.code < 300:
                return await self._refused(reply, verb)
        reply = await self._connection.execute_command(b"DATA")
        if reply.code != 354:
            return await self._refused(reply, Verb.DATA)
        return None

    async def _refused(self, reply: SMTPResponse, verb: Verb) -> Outcome:
        outcome = outcome_of(_text(reply), verb)
        if isinstance(outcome, Accepted):
            # A positive answer where none belongs: the conversation is out of step.
            self._connection.close()
            return Unsent(f"the relay answered {verb.upper()} with {outcome.reply!r}")
        if self._connection.is_connected:
            await self._connection.execute_command(b"RSET")
        return outcome

    async def _content(self, data: bytes) -> SMTPResponse:
        protocol = self._connection.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("the connection was lost")
        # Transparency (RFC 5321, section 4.5.2); our composer already leaves no line that begins with a dot.
        if b"\r\n." in data:
            data = data.replace(b"\r\n.", b"\r\n..")
        protocol.write(data + b".\r\n")
        return await protocol.read_response(timeout=DOT_TIMEOUT)


def _start_tls(relay: Relay) -> bool | None:
    if relay.require_tls:
        return True
    return False if _is_loopback(relay.host) else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _path(keyword: str, address: str) -> bytes:
    if not _ADDRESS.match(address):
        raise aiosmtplib.SMTPException(f"an address that cannot stand in {keyword}")
    return f"{keyword}:<{address}>".encode("ascii")


def _text(reply: SMTPResponse) -> str:
    message = " ".join(reply.message.split())
    return f"{reply.code} {message}".strip()


def _words(error: BaseException) -> str:
    """An exception in a few words, without addresses in them."""
    text = re.sub(r"\S+@\S+", "…", str(error)).strip()
    return text or type(error).__name__
