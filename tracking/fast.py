"""The fast path: a whole, simple GET of an open or a click on a connection at rest, answered without ASGI.

    uvicorn.Config(app, http=protocol(app))

The same spool, promise and answers as the application's, in a fifth of its time: the head is parsed
once for each client that repeats it, the answer is made of bytes that stand ready, and a callback
takes the place of tasks and futures. Everything else falls through to uvicorn and the application:
other methods and paths, queries, wrong tokens, unknown links, bodies, pipelined or partial requests.

Care against request smuggling: the fast path looks at a connection only while uvicorn's parser is
between two messages and nothing is being answered, and takes only heads that `blocks` calls simple.
Care against idle clients: a connection is closed when no whole request came in time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from outreach.events import Kind
from outreach.tokens import LENGTH, KeyRing, Purpose
from tracking import answers, blocks
from tracking.answers import Answer
from tracking.counters import cell
from tracking.links import LinkTables
from tracking.machines import DAY_MS, Signals
from tracking.recording import Recorder, client_of
from tracking.spool import Hit

IDLE_SECONDS = 75.0
"""Longer than common proxies keep a connection, so that we are not the one who hangs up under a request."""
REQUEST_SECONDS = 20.0
"""A request's head has to be complete by then, counted from its first byte or from the connection's beginning."""
DRAIN_SECONDS = 3.0
"""How long a quiet connection is kept when the service ends: its client may just be writing."""
_HEADS = 8192
_log = logging.getLogger(__name__)
_START = b"GET /"
_VERSION = b" HTTP/1.1"
_END = b"\r\n\r\n"
_CLOSE = b"\r\nconnection: close\r\n"
_PIXEL_END = 7 + LENGTH
_OPEN, _CLICK = Kind.OPEN, Kind.CLICK
_OPENED, _OPENED_LOST = cell("recorded", _OPEN), cell("lost", _OPEN)
_CLICKED, _CLICKED_LOST, _FAILED = cell("recorded", _CLICK), cell("lost", _CLICK), cell("failed")


class HotPath:
    """What the fast path of one process needs to know."""

    def __init__(self, keys: KeyRing, links: LinkTables, recorder: Recorder) -> None:
        self.links = links
        self.recorder = recorder
        self.cells = recorder.counters.cells
        self.reads = {b"o/": keys.reader(Purpose.OPEN), b"c/": keys.reader(Purpose.CLICK)}
        self.signals = lru_cache(_HEADS)(self._signals)
        """(head, peer's address, day) to what it shows, and whether the connection is kept; None if not simple."""
        self._dates: object = None
        self._pixel = self._redirect = self._tail = b""

    def pixel(self, dates: list[tuple[bytes, bytes]]) -> bytes:
        if dates is not self._dates:
            self._date(dates)
        return self._pixel

    def redirect(self, dates: list[tuple[bytes, bytes]], location: bytes) -> bytes:
        if dates is not self._dates:
            self._date(dates)
        return b"%slocation: %s%s" % (self._redirect, location, self._tail)

    def _date(self, dates: list[tuple[bytes, bytes]]) -> None:
        """The answers with the headers that uvicorn puts before ours, made again each second."""
        self._dates = dates
        self._pixel = _wire(b"HTTP/1.1 200 OK\r\n", dates, answers.PIXEL_ANSWER)
        whole = _wire(b"HTTP/1.1 302 Found\r\n", dates, answers.redirect(b""))
        self._redirect, _, self._tail = whole.partition(b"location: ")

    def _signals(self, block: bytes, peer: str, day: int) -> tuple[Signals, bool] | None:
        headers = blocks.read(block)
        if headers is None:
            return None
        recorder = self.recorder
        client = client_of(headers, peer, proxies=recorder.proxies)
        seen = recorder.observer.observe(method="GET", headers=headers, client=client, at_ms=day * DAY_MS)
        return seen, blocks.keeps_alive(headers)


def _wire(status: bytes, dates: list[tuple[bytes, bytes]], answer: Answer) -> bytes:
    headers = b"".join(b"%s: %s\r\n" % header for header in (*dates, *answer.start["headers"]))
    return status + headers + b"\r\n" + bytes(answer.body["body"])


class FastProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with the fast path before it. Made for uvicorn 0.3x to 0.5x: see the tests."""

    hot: ClassVar[HotPath]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._at_rest = True
        """uvicorn's parser is between two messages."""
        self._upgraded = False
        self._answering = False
        self._leaving = False
        self._keep = True
        self._held = b""
        self._location = b""
        self._quiet_since = 0.0
        self._partial_since: float | None = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # --- one request --------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._answering:
            # In order, and no more than one read of it: the client may send as much as it likes.
            self._held += data
            self.flow.pause_reading()
            return
        try:
            fast = data.startswith(_START) and data.endswith(_END) and self._fast(data)
        except Exception as error:
            # Not the message: it may quote the request. Nothing of this has reached uvicorn, and nothing will.
            _log.error("the fast path failed: %s", type(error).__name__)
            self.hot.cells[_FAILED] += 1
            self.transport.close()
            return
        if not fast:
            self._slow(data)

    def _fast(self, data: bytes) -> bool:
        cycle = self.cycle
        if not self._at_rest or self._leaving or self._upgraded or (cycle is not None and not cycle.response_complete):
            return False
        end = data.find(b"\r\n")
        read = self.hot.reads.get(data[5:7])
        if read is None or data[end - 9 : end] != _VERSION or data.find(_END, end) != len(data) - 4:
            return False
        if self.flow.write_paused or self.transport.is_closing():
            return False
        subject = read(data[7:_PIXEL_END])
        if subject is None:
            return False
        hot = self.hot
        at_ms = time.time_ns() // 1_000_000
        seen = hot.signals(data[end + 2 : -4], self.client[0] if self.client else "", at_ms // DAY_MS)
        if seen is None:
            return False
        signals, self._keep = seen
        rest = data[_PIXEL_END : end - 9]
        if data[5:6] == b"o":
            if rest != b".gif":
                return False
            self._put(hot.recorder.observed(_OPEN, subject, 0, signals, at_ms), self._opened)
            return True
        link = int(rest[1:]) if rest[:1] == b"/" and len(rest) <= 4 and rest[1:].isdigit() else -1
        found = hot.links.get(subject.campaign_id)
        if found is None or not 0 <= link < len(found.locations) or (location := found.locations[link]) is None:
            return False
        self._location = location
        self._put(hot.recorder.observed(_CLICK, subject, link, signals, at_ms), self._clicked)
        return True

    def _put(self, hit: Hit | None, done: Callable[[bool | None], None]) -> None:
        self._answering = True
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        if hit is None:
            done(None)
        else:
            self.hot.recorder.spool.put(hit, done)

    def _opened(self, durable: bool | None) -> None:
        if durable is not None:
            self.hot.cells[_OPENED if durable else _OPENED_LOST] += 1
        self._answer(self.hot.pixel(self.server_state.default_headers))

    def _clicked(self, durable: bool | None) -> None:
        if durable is not None:
            self.hot.cells[_CLICKED if durable else _CLICKED_LOST] += 1
        self._answer(self.hot.redirect(self.server_state.default_headers, self._location))

    def _answer(self, whole: bytes) -> None:
        self._answering = False
        self.server_state.total_requests += 1
        transport = self.transport
        if transport.is_closing():
            return
        if not self._keep:
            transport.write(whole.replace(b"\r\n", _CLOSE, 1))
            transport.close()
            return
        transport.write(whole)
        self._quiet_since = self.loop.time()
        if self._held:
            data, self._held = self._held, b""
            self.flow.resume_reading()
            self.data_received(data)
        elif self._leaving:
            self._close_soon()

    # --- everything else ----------------------------------------------------------------------------------------

    def _slow(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before or not self._waits():
            self._partial_since = None
        elif self._partial_since is None:
            self._partial_since = self.loop.time()

    def on_message_begin(self) -> None:
        self._at_rest = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.parser.should_upgrade():
            self._upgraded = True
        if self._leaving and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._at_rest = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._quiet_since = self.loop.time()
        super().on_response_complete()

    # --- a connection's life ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        super().connection_made(transport)
        self._quiet_since = self._partial_since = self.loop.time()
        self._timer = self.loop.call_later(REQUEST_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The service ends: what is being asked is answered, and the client told to come back on a new connection."""
        self._leaving = True
        if self._waits():
            self._close_soon()
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    def _waits(self) -> bool:
        """True while nothing is asked of us."""
        return not self._answering and (self.cycle is None or self.cycle.response_complete)

    def _look(self) -> None:
        """Close a connection on which nothing whole was asked for too long; look again when that could next be."""
        if self.transport.is_closing():
            return
        now = self.loop.time()
        patience = IDLE_SECONDS
        since = self._quiet_since
        if self._partial_since is not None and self._partial_since >= self._quiet_since:
            since, patience = self._partial_since, REQUEST_SECONDS
        left = since + patience - now if self._waits() else patience
        if left <= 0:
            self.transport.close()
        else:
            self._timer = self.loop.call_later(max(left, 0.05), self._look)

    def _close_soon(self) -> None:
        self.loop.call_later(DRAIN_SECONDS, self._close_if_quiet)

    def _close_if_quiet(self) -> None:
        if self._waits() and not self.transport.is_closing():
            self.transport.close()


def protocol(hot: HotPath) -> type[FastProtocol]:
    """The protocol class for a server whose application has this hot path."""
    return type("TrackingProtocol", (FastProtocol,), {"hot": hot})
