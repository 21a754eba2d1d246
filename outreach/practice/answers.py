"""What an SMTP server may say, and to whom it listens: the words shared by the server and those who steer it.

A Receiver says what becomes of recipients and messages, and may replace, delay or cut any answer of
the server in `smtpd`.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from email.parser import BytesHeaderParser

BASIC_EXTENSIONS = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")
MAX_SIZE = 25 * 1024 * 1024
"""Bytes of one message; announced as SIZE."""
MAX_SESSIONS = 500
IDLE_SECONDS = 300.0  # RFC 5321 4.5.3.2.7: at least five minutes


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said, when, and whether the connection ends with it."""

    reply: bytes | None = None
    """Sent as it stands, line ends included; None: what the server would have said; empty: nothing at all."""
    delay: float = 0.0
    """Seconds before it is said; the session reads nothing meanwhile."""
    cut: bool = False
    """Close the connection afterwards."""

    @property
    def goes_ahead(self) -> bool:
        """True if the command itself is carried out: the reply is the usual one, or a 2yz or 3yz."""
        return self.reply is None or self.reply.startswith((b"2", b"3"))

    def over(self, usual: Answer) -> Answer:
        """The usual answer, changed as this one says."""
        said = usual.reply if self.reply is None else self.reply
        return Answer(said, self.delay or usual.delay, self.cut or usual.cut)


def reply(text: str) -> Answer:
    """One line, such as `550 5.1.1 no such user`."""
    return Answer(text.encode() + b"\r\n")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A whole message as it was handed over: the dots are unstuffed, nothing is added."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    parameters: tuple[str, ...] = ()
    """Of MAIL and RCPT, as they came."""

    @property
    def message_id(self) -> str:
        """The Message-ID header with its angle brackets, or an empty string."""
        return str(BytesHeaderParser().parsebytes(self.content).get("Message-ID", "")).strip()


class Receiver:
    """Takes every message and forgets it. Override what should be otherwise; None is the usual answer."""

    def hear(self, verb: str, argument: str) -> Answer | None:
        """Before any verb is carried out; also CONNECT, and CONTENT when a message begins to arrive."""

    def recipient(self, sender: str, address: str) -> Answer | None:
        """A well-formed RCPT. An answer of 4yz or 5yz keeps this recipient out of the envelope."""

    def message(self, envelope: Envelope) -> Answer | None:
        """A whole message, unless it was malformed. Taking responsibility for it is up to this."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server presents itself."""

    host: str = "mx.practice.example"
    extensions: tuple[str, ...] = BASIC_EXTENSIONS
    max_size: int = MAX_SIZE
    max_sessions: int = MAX_SESSIONS
    idle_seconds: float = IDLE_SECONDS
    tls: ssl.SSLContext | None = None
    """Offers STARTTLS with this context."""

    def greeting(self, *, encrypted: bool) -> Answer:
        """The answer to EHLO. STARTTLS is no longer offered once it is on (RFC 3207 4.2)."""
        words = [self.host, *self.extensions, f"SIZE {self.max_size}"]
        if self.tls and not encrypted:
            words.append("STARTTLS")
        return Answer(b"".join(b"250-%b\r\n" % word.encode() for word in words[:-1]) + f"250 {words[-1]}\r\n".encode())
