"""One SMTP conversation, pipelined (RFC 2920): one write and one read for each message in the steady state.

    write:  content of A, final dot, MAIL B, RCPT B, DATA
    read:   reply to A's dot, replies to MAIL B, RCPT B, DATA

Content is only written after its 354, so at most one message on a lane can ever be in doubt, pipelined
or not. Where the server does not offer PIPELINING the same machine waits for each reply. We know to the byte whether a
lost connection lost the message too: before its final dot it certainly was not taken, after it nobody can say.

A reply nobody asked for means that the conversation is out of step, and ends it: a stray 250 must never be taken for
the answer to a dot.
"""

from __future__ import annotations

import asyncio
import re

from outreach.sending.outcomes import Outcome, Unknown, Unsent, Verb, outcome_of
from outreach.sending.transports import Feed, Ready
from outreach.sending.transports.envelope import Offer, envelope

COMMAND_TIMEOUT = 300.0
"""Seconds to wait for a reply to MAIL, RCPT and DATA (RFC 5321, section 4.5.3.2)."""
DOT_TIMEOUT = 600.0
"""Seconds to wait for the reply to the final dot (RFC 5321, section 4.5.3.2.6)."""
QUIT_TIMEOUT = 5.0
MAX_REPLY = 32 * 1024
"""Bytes of one reply with all its lines; more than that is no SMTP server."""

_STEADY = re.compile(rb"(?P<dot>2\d\d [^\r\n]*)\r?\n2\d\d [^\r\n]*\r?\n2\d\d [^\r\n]*\r?\n354 [^\r\n]*\r?\n").fullmatch
_ENVELOPE = (Verb.MAIL, Verb.RCPT, Verb.DATA)


class SmtpLane(asyncio.Protocol):
    """Speaks on a transport whose session (TLS, AUTH, EHLO) stands. One `run` at a time.

    `command_timeout` and `dot_timeout` count from the write to the end of the reply, so that one
    octet now and then does not prolong them.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        offer: Offer,
        *,
        command_timeout: float = COMMAND_TIMEOUT,
        dot_timeout: float = DOT_TIMEOUT,
    ) -> None:
        self._transport, self._offer = transport, offer
        self._encrypted = transport.get_extra_info("sslcontext") is not None
        """Then pieces would become TLS records of their own, and wait for each other's acknowledgements."""
        self._command_timeout, self._dot_timeout = command_timeout, dot_timeout
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._lines: list[bytes] = []
        self._feed: Feed | None = None
        self._rest: asyncio.Future[None] | None = None
        self._dotted: Ready | None = None
        """Its final dot has left; the reply is awaited."""
        self._skip = False
        """The reply to an RSET or a lone dot is awaited; it does not matter."""
        self._next: Ready | None = None
        """Its envelope has left, as far as `_step`; the reply to that step is awaited."""
        self._step = 0
        self._commands: tuple[bytes, ...] = ()
        self._refusal: tuple[str, Verb] | None = None
        self._quitting = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.is_open = True
        self.out_of_step = False
        """True if the server's replies did not fit our commands: it may not pipeline as well as it says."""
        self.handed_over = 0
        transport.set_protocol(self)

    # What the pipeline calls

    async def run(self, feed: Feed) -> None:
        if not self.is_open:
            return
        self._feed, self._rest = feed, self._loop.create_future()
        self._watch()
        try:
            self._guarded(self._begin)
            await self._rest
        finally:
            self._feed = self._rest = None
            if self._timer is not None:
                self._timer.cancel()
            if self._awaits:  # cut off in the middle: nothing more may be said or heard here
                self._drop()

    async def close(self) -> None:
        if not self.is_open:
            return
        self._quitting = True
        self._rest = self._loop.create_future()
        self._transport.write(b"QUIT\r\n")
        try:
            await asyncio.wait_for(self._rest, QUIT_TIMEOUT)
        except TimeoutError:
            pass
        finally:
            self._rest = None
            self._drop()

    # What the event loop calls

    def data_received(self, data: bytes) -> None:
        steady = self._dotted is not None and self._next is not None and self._step == 0 and not self._buffer
        if steady and (match := _STEADY(data)):
            self._guarded(self._steady, match["dot"])
        else:
            self._guarded(self._heard, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._guarded(self._lost, f"the connection was lost{f' ({exc})' if exc else ''}")

    def eof_received(self) -> bool:
        return False  # closes the transport, which calls connection_lost

    # The conversation

    @property
    def _awaits(self) -> bool:
        return self._dotted is not None or self._skip or self._next is not None

    def _steady(self, reply: bytes) -> None:
        """All four replies of the steady state in one read, all good: the way of nearly every message."""
        self._answered(reply.decode("ascii", "replace"))
        self._content()

    def _heard(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        start = 0
        while self.is_open and (end := data.find(b"\n", start)) >= 0:
            line = data[start:end].rstrip(b"\r")
            start = end + 1
            self._lines.append(line[:1000])
            if line[3:4] == b"-":  # more lines of this reply follow (RFC 5321, section 4.2.1)
                if sum(map(len, self._lines)) > MAX_REPLY:
                    self._fall("the relay's reply does not end")
                continue
            first, *others = self._lines
            self._lines = []
            if first[:3] != line[:3]:  # one reply, one code (RFC 5321, section 4.2.1)
                self._fall("the relay contradicts itself in one reply", out_of_step=True)
                break
            text = b" ".join((line[:3], first[4:], *(other[4:] for other in others)))
            self._reply(" ".join(text.decode("utf-8", "replace").split()), last=start == len(data))
        self._buffer = data[start:]
        if len(self._buffer) > MAX_REPLY:
            self._fall("the relay's reply does not end")

    def _reply(self, reply: str, *, last: bool) -> None:
        """One whole reply. `last`: nothing came behind it yet."""
        if self._quitting:
            self._at_rest()
        elif not self._awaits or not reply[:3].isdecimal():
            self._fall(f"the relay said {reply[:80]!r} where that is no answer")
        elif self._dotted is not None:
            self._answered(reply)
            if reply.startswith("421"):
                self._fall(reply)  # RFC 5321, section 3.8: the server closes
            elif self._next is None:
                self._begin()
        elif self._skip:
            self._skip = False
            if reply.startswith("421"):
                self._fall(reply)
            elif self._next is None:
                self._at_rest()
        else:
            self._envelope(reply, last=last)

    def _answered(self, reply: str) -> None:
        """The reply to a final dot."""
        ready, self._dotted = self._dotted, None
        assert ready is not None
        self._deadline = self._loop.time() + self._command_timeout
        self._done(ready, outcome_of(reply, Verb.DOT))

    def _envelope(self, reply: str, *, last: bool) -> None:
        """The reply to MAIL, RCPT or DATA of the next message."""
        verb, kind = _ENVELOPE[self._step], reply[0]
        expected = "3" if verb is Verb.DATA else "2"
        if reply.startswith("421"):
            ready, self._next = self._next, None
            assert ready is not None
            self._done(ready, outcome_of(reply, verb))
            self._fall(reply)
            return
        if kind not in "45" and kind != expected and not (verb is Verb.DATA and self._refusal):
            self._fall(f"the relay answered {verb.upper()} with {reply[:80]!r}", out_of_step=True)
            return
        if kind != expected and self._refusal is None:
            self._refusal = reply, verb
        self._step += 1
        if self._refusal is not None and (not self._offer.pipelining or verb is Verb.DATA):
            # Without recipients DATA should be refused; if it was not, a lone dot ends it (RFC 2920, section 3.1).
            self._refused(b".\r\n" if kind == "3" else b"RSET\r\n")
        elif self._step < len(_ENVELOPE):
            if not self._offer.pipelining:
                self._write(self._commands[self._step])
        elif not last:
            self._fall("the relay said more than its 354", out_of_step=True)
        else:
            self._content()

    def _refused(self, reset: bytes) -> None:
        """The envelope was refused: say so, clear the server's mind, and go on with the next message."""
        ready, self._next = self._next, None
        assert ready is not None
        assert self._refusal is not None
        reply, verb = self._refusal
        if reset == b".\r\n" and verb is Verb.MAIL:
            self._next = ready
            self._fall("the relay refused MAIL and yet wants the message", out_of_step=True)
            return
        self._done(ready, outcome_of(reply, verb))
        self._skip = True
        self._begin(reset)

    def _content(self) -> None:
        """Write the message whose 354 has come, and the envelope of the one after it in the same write."""
        ready, self._next = self._next, None
        assert ready is not None
        feed = self._feed
        assert feed is not None
        # Transparency (RFC 5321, section 4.5.2) is the composer's promise: no line of a Message begins with a dot.
        head, body = ready.message.head, ready.message.body
        following = self._take() if self._offer.pipelining else None
        if not feed.sending(ready):
            self._next = ready  # after a 354 only hanging up takes back what was begun
            self._fall("stopped before it left")
            return
        self._dotted = ready
        self._deadline = self._loop.time() + self._dot_timeout
        end = b".\r\n"
        if following is not None:
            self._next, self._commands = following
            self._step, self._refusal = 0, None
            end = b".\r\n%b%bDATA\r\n" % self._commands[:2]
        if self._encrypted:
            self._transport.write(b"".join((head, body, end)))
        else:
            self._transport.writelines((head, body, end))

    def _begin(self, prefix: bytes = b"") -> None:
        """The envelope of the next message, behind `prefix`; at rest if there is none."""
        taken = self._take()
        if taken is not None:
            self._next, self._commands = taken
            self._step, self._refusal = 0, None
            self._write(prefix + (b"".join(self._commands) if self._offer.pipelining else self._commands[0]))
        elif prefix:
            self._write(prefix)
        else:
            self._at_rest()

    def _take(self) -> tuple[Ready, tuple[bytes, ...]] | None:
        """The next message that may be written on this lane, and its commands."""
        assert self._feed is not None
        while (ready := self._feed.next()) is not None:
            commands = envelope(ready.message, self._offer)
            if isinstance(commands, tuple):
                return ready, commands
            self._done(ready, commands)
        return None

    def _write(self, data: bytes) -> None:
        self._deadline = self._loop.time() + self._command_timeout
        self._transport.write(data)

    # The end

    def _done(self, ready: Ready, outcome: Outcome) -> None:
        if not isinstance(outcome, Unsent | Unknown):
            self.handed_over += 1
        if self._feed is not None:
            self._feed.done(ready, outcome)

    def _at_rest(self) -> None:
        if self._rest is not None and not self._rest.done():
            self._rest.set_result(None)

    def _fall(self, why: str, *, out_of_step: bool = False) -> None:
        """End the conversation here and now."""
        self.out_of_step |= out_of_step
        self._drop()
        self._lost(why)

    def _lost(self, why: str) -> None:
        """What was dotted is in doubt, what was not certainly has not left."""
        dotted, following = self._dotted, self._next
        self._dotted = self._next = None
        self._skip = False
        if dotted is not None:
            self._done(dotted, Unknown(why))
        if following is not None:
            self._done(following, Unsent(why))
        self._at_rest()

    def _drop(self) -> None:
        self.is_open = False
        self._transport.abort()

    def _guarded(self, act: object, *arguments: object) -> None:
        """Whatever goes wrong in a callback ends this lane, and `run` raises it."""
        try:
            act(*arguments)  # type: ignore[operator]  # one guard for callbacks of every shape
        except BaseException as error:
            self._drop()
            if self._rest is not None and not self._rest.done():
                self._rest.set_exception(error)

    def _watch(self) -> None:
        """One timer for all deadlines, moved on only when it rings."""
        now = self._loop.time()
        if not self._awaits:
            self._deadline = now + self._command_timeout
        if now >= self._deadline:
            waited_for = "its final dot" if self._dotted is not None else "a command"
            self._guarded(self._fall, f"the relay did not answer {waited_for} in time")
            return
        self._timer = self._loop.call_later(max(0.01, min(self._deadline - now, self._command_timeout)), self._watch)
