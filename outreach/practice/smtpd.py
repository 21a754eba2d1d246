"""One small SMTP server, strict on purpose. The practice mailboxes and the fault server are built on it.

RFC 5321 with PIPELINING (RFC 2920), 8BITMIME (RFC 6152), SIZE (RFC 1870), ENHANCEDSTATUSCODES
(RFC 2034), and on request STARTTLS (RFC 3207) and AUTH PLAIN (RFC 4954, any password is right).
The session keeps the protocol; a Receiver says what becomes of recipients and messages, and may
replace, delay or cut any answer.

Strict means: only CR LF ends a line, only CR LF . CR LF ends a message, and a bare CR or LF refuses
the message, so that a sender which writes them is found out here and not by a city's residents.
Memory stays bounded whatever a client sends.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from outreach.practice.answers import Answer, Envelope, Manner, Receiver, reply

MAX_LINE = 2048
"""Octets of a command line. RFC 5321 4.5.3.1.4 says 512; extensions add to that."""
MAX_RECIPIENTS = 100  # RFC 5321 4.5.3.1.8: at least 100 must be taken

_PATH = re.compile(r'<((?:"(?:[^"\\]|\\.)*"|[^<>"])*)>(?: (.*))?\Z')
_END = b"\r\n.\r\n"

_OK = reply("250 2.0.0 OK")
_GO_ON = reply("354 end with <CR><LF>.<CR><LF>")
_TOO_LONG = reply("500 5.5.2 line too long")
_BARE_LF = reply("500 5.5.2 a line must end with CR LF")
_NO_HELLO = reply("503 5.5.1 EHLO first")
_RECIPIENT_TAKEN = reply("250 2.1.5 recipient taken")
_MESSAGE_TAKEN = reply("250 2.0.0 message taken")
_TOO_BIG = reply("552 5.3.4 message too big")
_NOT_ASCII = reply("553 5.6.7 only ASCII addresses without SMTPUTF8")  # RFC 6531 3.5
_MAIL_PARAMETERS = (("BODY", "7BIT"), ("BODY", "8BITMIME"), ("AUTH", "<>"))
_MAIL_OFFERS = {"RET": "DSN", "ENVID": "DSN", "SMTPUTF8": "SMTPUTF8"}
_RCPT_OFFERS = {"NOTIFY": "DSN", "ORCPT": "DSN"}


@dataclass(slots=True)
class _Transaction:
    sender: str
    recipients: list[str] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    utf8: bool = False
    """The client asked for SMTPUTF8 (RFC 6531)."""


class Session(asyncio.Protocol):
    """One client's connection. Replies to pipelined commands leave in one write."""

    def __init__(self, receiver: Receiver, manner: Manner, sessions: set[Session]) -> None:
        self._receiver, self._manner, self._sessions = receiver, manner, sessions
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._holds = 0
        self._transaction: _Transaction | None = None
        self._greeted = self._encrypted = self._overlong = False
        self._in_content = self._content_begun = self._oversized = self._authenticating = False
        self._searched = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._late_timer: asyncio.TimerHandle | None = None
        self._upgrade: asyncio.Task[None] | None = None
        self._last_heard = 0.0
        self._verbs: dict[str, Callable[[str], Answer]] = {
            "EHLO": self._ehlo, "HELO": self._helo, "STARTTLS": self._starttls, "AUTH": self._auth, "MAIL": self._mail,
            "RCPT": self._rcpt, "DATA": self._data, "RSET": self._rset, "NOOP": lambda _: _OK, "QUIT": self._quit,
            "VRFY": lambda _: reply("252 2.1.5 send mail and see"), "HELP": lambda _: reply("214 2.0.0 RFC 5321"),
            "EXPN": lambda _: reply("502 5.5.1 not here"),
        }  # fmt: skip

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._sessions.add(self)
        self._last_heard = asyncio.get_running_loop().time()
        self._watch_idleness()
        if len(self._sessions) > self._manner.max_sessions:
            self._give(Answer(b"421 4.3.2 too many connections, come back later\r\n", cut=True))
        else:
            self._perform("CONNECT", "", lambda _: reply(f"220 {self._manner.host} ESMTP practice"))
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._sessions.discard(self)
        for timer in (self._idle_timer, self._late_timer):
            if timer:
                timer.cancel()
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._last_heard = asyncio.get_running_loop().time()
        self._buffer += data
        self._work()

    def pause_writing(self) -> None:
        self._hold()  # a client that never reads its replies gets no more of them

    def resume_writing(self) -> None:
        self._release()

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._transport:
            self._transport.abort()

    def _hold(self) -> None:
        self._holds += 1
        if self._transport:
            self._transport.pause_reading()

    def _release(self) -> None:
        self._holds -= 1
        if not self._holds and self._transport and not self._transport.is_closing():
            self._transport.resume_reading()
            self._work()

    def _watch_idleness(self) -> None:
        loop = asyncio.get_running_loop()
        rest = self._last_heard + self._manner.idle_seconds - loop.time()
        if rest <= 0 and not self._holds:
            self._give(Answer(b"421 4.4.2 nothing heard for too long\r\n", cut=True))
        elif rest <= 0 and not self._late_timer:
            self.abort()  # held by a client that does not read, or not shake hands: it would not hear a 421
        else:
            self._idle_timer = loop.call_later(max(rest, 1.0), self._watch_idleness)

    # Reading and answering

    def _work(self) -> None:
        while self._alive() and (self._read_content() if self._in_content else self._read_line()):
            pass
        self._flush()

    def _alive(self) -> bool:
        return not self._holds and self._transport is not None and not self._transport.is_closing()

    def _flush(self) -> None:
        if self._out and self._transport:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _give(self, answer: Answer) -> None:
        if answer.delay:
            self._flush()
            self._hold()
            later = Answer(answer.reply, cut=answer.cut)
            self._late_timer = asyncio.get_running_loop().call_later(answer.delay, self._give_late, later)
            return
        if answer.reply:
            self._out.append(answer.reply)
        if answer.cut:
            self._flush()
            if self._transport:
                self._transport.close()

    def _give_late(self, answer: Answer) -> None:
        self._late_timer = None
        self._give(answer)
        self._flush()
        self._release()

    def _perform(self, verb: str, argument: str, usual: Callable[[str], Answer]) -> None:
        special = self._receiver.hear(verb, argument)
        if special is None:
            self._give(usual(argument))
        else:
            self._give(special.over(usual(argument)) if special.goes_ahead else special)

    def _read_line(self) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > MAX_LINE:
                self._overlong = True
                self._buffer.clear()
            return False
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if self._overlong or len(line) > MAX_LINE:
            self._overlong = False
            self._give(_TOO_LONG)
        elif not line.endswith(b"\r\n"):
            self._give(_BARE_LF)
        elif self._authenticating:
            self._authenticating = False
            self._give(reply("235 2.7.0 welcome") if line != b"*\r\n" else reply("501 5.7.0 as you wish"))
        else:
            verb, _, argument = line[:-2].decode("utf-8", "replace").partition(" ")
            verb = verb.upper()
            self._perform(verb, argument, self._verbs.get(verb, lambda _: reply("500 5.5.1 unknown command")))
        return True

    # The verbs

    def _ehlo(self, argument: str) -> Answer:
        return self._greet(argument, self._manner.greeting(encrypted=self._encrypted))

    def _helo(self, argument: str) -> Answer:
        return self._greet(argument, reply(f"250 {self._manner.host}"))

    def _greet(self, name: str, answer: Answer) -> Answer:
        if not name.strip():
            return reply("501 5.5.4 say who you are")
        self._greeted, self._transaction = True, None
        return answer

    def _mail(self, argument: str) -> Answer:
        if not self._greeted:
            return _NO_HELLO
        if self._transaction:
            return reply("503 5.5.1 a transaction is open already")
        found = _parse_path("FROM:", argument)
        if isinstance(found, Answer):
            return found
        address, parameters = found
        for parameter in parameters:
            name, _, value = parameter.upper().partition("=")
            if name == "SIZE" and value.isdecimal():
                if int(value) > self._manner.max_size:
                    return _TOO_BIG
            elif (name, value) not in _MAIL_PARAMETERS and not self._offered(_MAIL_OFFERS, name):
                return reply("555 5.5.4 unknown parameter of MAIL")
        utf8 = "SMTPUTF8" in (each.upper() for each in parameters)
        if not (utf8 or address.isascii()):
            return _NOT_ASCII
        self._transaction = _Transaction(address, parameters=parameters, utf8=utf8)
        return reply("250 2.1.0 sender taken")

    def _offered(self, offers: dict[str, str], name: str) -> bool:
        """Does a parameter belong to an extension that we announce?"""
        return offers.get(name, "") in self._manner.extensions

    def _rcpt(self, argument: str) -> Answer:
        if self._transaction is None:
            return reply("503 5.5.1 MAIL first")
        found = _parse_path("TO:", argument)
        if isinstance(found, Answer):
            return found
        address, parameters = found
        if not all(self._offered(_RCPT_OFFERS, each.upper().partition("=")[0]) for each in parameters):
            return reply("555 5.5.4 unknown parameter of RCPT")
        if not (self._transaction.utf8 or address.isascii()):
            return _NOT_ASCII
        if "@" not in address and address.lower() != "postmaster":
            return reply("501 5.1.3 an address needs a local part, @ and a domain")
        if len(self._transaction.recipients) >= MAX_RECIPIENTS:
            return reply("452 4.5.3 too many recipients")
        special = self._receiver.recipient(self._transaction.sender, address)
        if special and not special.goes_ahead:
            return special
        self._transaction.recipients.append(address)
        self._transaction.parameters += parameters
        return special.over(_RECIPIENT_TAKEN) if special else _RECIPIENT_TAKEN

    def _data(self, argument: str) -> Answer:
        if argument:
            return reply("501 5.5.4 DATA stands alone")
        if self._transaction is None:
            return reply("503 5.5.1 MAIL first")
        if not self._transaction.recipients:
            return reply("554 5.5.1 no recipient was taken")
        self._in_content, self._content_begun, self._oversized, self._searched = True, False, False, 0
        # With a line end put before it, the content's first line can be looked at like any other.
        self._buffer[:0] = b"\r\n"
        return _GO_ON

    def _rset(self, _: str) -> Answer:
        self._transaction = None
        return _OK

    def _quit(self, _: str) -> Answer:
        return Answer(f"221 2.0.0 {self._manner.host} goodbye\r\n".encode(), cut=True)

    def _auth(self, argument: str) -> Answer:
        if not any(word.startswith("AUTH") for word in self._manner.extensions):
            return reply("502 5.5.1 AUTH is not offered")
        mechanism, _, initial = argument.partition(" ")
        if mechanism.upper() != "PLAIN":
            return reply("504 5.5.4 only PLAIN is spoken here")
        if initial:
            return reply("235 2.7.0 welcome")
        self._authenticating = True
        return reply("334 ")

    def _starttls(self, _: str) -> Answer:
        if not self._manner.tls or self._encrypted:
            return reply("502 5.5.1 STARTTLS is not offered")
        # Whatever was pipelined behind STARTTLS came in the clear and must not count (RFC 3207 4.2).
        self._buffer.clear()
        self._hold()
        self._upgrade = asyncio.get_running_loop().create_task(self._encrypt(self._manner.tls))
        return reply("220 2.0.0 go ahead")

    async def _encrypt(self, context: ssl.SSLContext) -> None:
        assert self._transport is not None
        self._encrypted, self._greeted, self._transaction = True, False, None
        try:
            transport = await asyncio.get_running_loop().start_tls(self._transport, self, context, server_side=True)
        except (OSError, ssl.SSLError):
            self.abort()
            return
        self._transport = transport
        self._release()

    # The message

    def _read_content(self) -> bool:
        buffer = self._buffer
        if len(buffer) > 2 and not self._content_begun:
            self._content_begun = True
            if (special := self._receiver.hear("CONTENT", "")) is not None:
                self._give(special)
                if not self._alive():
                    return False
        end = buffer.find(_END, self._searched)
        if end < 0:
            if len(buffer) > self._manner.max_size + 2:
                self._oversized = True
                del buffer[: -len(_END)]
            self._searched = max(0, len(buffer) - len(_END) + 1)
            return False
        stuffed = bytes(buffer[: end + 2])
        del buffer[: end + len(_END)]
        self._in_content = False
        answer = self._receive(stuffed)
        self._transaction = None
        self._give(answer)
        return True

    def _receive(self, stuffed: bytes) -> Answer:
        if self._oversized or len(stuffed) - 2 > self._manner.max_size:
            return _TOO_BIG
        if not stuffed.count(b"\r\n") == stuffed.count(b"\n") == stuffed.count(b"\r"):
            return reply("554 5.6.0 a bare CR or LF in the message")
        assert self._transaction is not None
        content = stuffed.replace(b"\r\n.", b"\r\n")[2:]
        asked = self._transaction
        envelope = Envelope(asked.sender, tuple(asked.recipients), content, tuple(asked.parameters))
        special = self._receiver.message(envelope)
        return special.over(_MESSAGE_TAKEN) if special else _MESSAGE_TAKEN


def _parse_path(keyword: str, argument: str) -> tuple[str, list[str]] | Answer:
    """The address and the parameters of MAIL or RCPT, or the answer that refuses them (RFC 5321 4.1.2)."""
    if not argument.upper().startswith(keyword) or not (match := _PATH.match(argument, len(keyword))):
        return reply(f"501 5.5.4 say {keyword}<address>")
    address = match[1]
    if address.startswith("@"):  # a source route: accepted and ignored (RFC 5321 4.1.1.3)
        address = address.rpartition(":")[2]
    if len(address) > 256:
        return reply("501 5.1.3 address too long")
    return address, (match[2] or "").split()


class SmtpServer:
    """Listens, and hands each connection to a Session. Needs a running event loop."""

    def __init__(self, receiver: Receiver, manner: Manner | None = None) -> None:
        self._receiver, self._manner = receiver, manner or Manner()
        self._sessions: set[Session] = set()
        self._server: asyncio.Server | None = None

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Start listening; returns the port, chosen by the system if `port` is 0. OSError if it is taken."""
        session = partial(Session, self._receiver, self._manner, self._sessions)
        self._server = await asyncio.get_running_loop().create_server(session, host, port, backlog=1024)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server:
            self._server.close()
        for session in list(self._sessions):
            session.abort()
        await asyncio.sleep(0)  # the dropped connections are told in the loop's next turn
