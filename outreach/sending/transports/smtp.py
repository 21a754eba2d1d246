"""Handing over to an SMTP relay (RFC 5321).

aiosmtplib connects, negotiates TLS, authenticates and says EHLO; then the connection is given to our own
pipelined lane (see `lane`), which costs a tenth of the time for each message.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTPAuthenticationError, SMTPException

from outreach.errors import ConfigurationError
from outreach.sending.transports import RelayRefusesUs, RelayUnreachable
from outreach.sending.transports.envelope import Offer
from outreach.sending.transports.lane import COMMAND_TIMEOUT, DOT_TIMEOUT, SmtpLane

CONNECT_TIMEOUT = 30.0
"""Seconds for each step until EHLO is answered. RFC 5321 allows minutes; nothing is lost by trying again."""
DISTRUST = 2
"""After so many conversations that fell out of step we no longer believe in the server's PIPELINING."""


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

    def __init__(
        self, relay: Relay, *, hello: str, command_timeout: float = COMMAND_TIMEOUT, dot_timeout: float = DOT_TIMEOUT
    ) -> None:
        self.relay = relay
        self.hello = hello
        self._timeouts = {"command_timeout": command_timeout, "dot_timeout": dot_timeout}
        self._lanes: list[SmtpLane] = []
        self._out_of_step = 0

    async def open(self) -> SmtpLane:
        relay = self.relay
        connection = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            username=relay.user,
            password=relay.password,
            local_hostname=self.hello,
            timeout=min(CONNECT_TIMEOUT, self._timeouts["command_timeout"]),
            use_tls=relay.tls_at_once,
            start_tls=None if relay.tls_at_once else _start_tls(relay),
            # TLS that nobody demanded is better than none even without a name to check it by (RFC 7435).
            validate_certs=relay.tls_at_once or relay.require_tls,
        )
        try:
            await connection.connect()
            await connection._ehlo_or_helo_if_needed()
        except SMTPAuthenticationError as error:
            connection.close()
            raise RelayRefusesUs(
                f"the relay {relay} does not take our user and password: {_words(error)}; nobody has received anything "
                "from this attempt. Mend relay.url (OUTREACH_RELAY_URL), then run the same command again"
            ) from None
        except (SMTPException, OSError, ValueError) as error:
            connection.close()
            raise RelayUnreachable(
                f"the relay {relay} cannot be used: {_words(error)}; nobody has received anything from this attempt. "
                "Check relay.url (OUTREACH_RELAY_URL) and that the relay is running, then run the same command again"
            ) from None
        transport = cast(asyncio.Transport, connection.transport)  # uvloop's is one in all but name
        lane = SmtpLane(transport, self._offer(connection), **self._timeouts)
        self._remember(lane)
        return lane

    def _offer(self, connection: aiosmtplib.SMTP) -> Offer:
        said = connection.esmtp_extensions
        size = said.get("size")
        return Offer(
            pipelining="pipelining" in said and self._out_of_step < DISTRUST,
            dsn="dsn" in said,
            eight_bits="8bitmime" in said,
            utf8="smtputf8" in said,
            size=None if size is None else int(size) if size.isdecimal() else 0,
        )

    def _remember(self, lane: SmtpLane) -> None:
        """Count what became of earlier lanes: some servers announce PIPELINING and cannot do it."""
        self._out_of_step += sum(each.out_of_step for each in self._lanes)
        self._lanes = [each for each in self._lanes if each.is_open] + [lane]


def _start_tls(relay: Relay) -> bool | None:
    if relay.require_tls:
        return True
    return False if _is_loopback(relay.host) else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _words(error: BaseException) -> str:
    """An exception in a few words, without addresses in them."""
    text = re.sub(r"\S+@\S+", "…", str(error)).strip()
    return text or type(error).__name__
