"""The fast path: the application's answers and events, and nothing that two servers could read in two ways."""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from outreach.events import Kind
from outreach.tokens import KeyRing, Purpose
from tracking import blocks, fast
from tracking.app import Tracking, TrackingConfig
from tracking.counters import cell
from tracking.fast import FastProtocol, protocol
from tracking.links import publish
from tracking.spool import Hit
from tracking.testing import KEYS, PARKING, Service, token

BROWSER = b"Host: t\r\nUser-Agent: Mozilla/5.0 (X11)\r\nAccept-Language: en"


def ask(service: Service, *pieces: bytes, wait: float = 0.0, expect: int = 1, patience: float = 3.0) -> bytes:
    """What comes back on one connection, until it closes or so many answers are complete."""
    with socket.create_connection(("127.0.0.1", service.port), 5) as connection:
        connection.settimeout(patience)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(wait)
        found = b""
        while answers(found) < expect:
            try:
                more = connection.recv(65536)
            except TimeoutError:
                break
            if not more:
                break
            found += more
    return found


def answers(stream: bytes) -> int:
    """How many whole answers a stream holds."""
    count = 0
    while (end := stream.find(b"\r\n\r\n")) >= 0:
        length = int(re.search(rb"content-length: (\d+)", stream[: end + 4])[1])
        if len(stream) < end + 4 + length:
            break
        count, stream = count + 1, stream[end + 4 + length :]
    return count


def statuses(stream: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3})", stream)]


def get(path: str, head: bytes = BROWSER) -> bytes:
    return f"GET {path} HTTP/1.1\r\n".encode() + head + b"\r\n\r\n"


def test_the_fast_answer_is_the_slow_one_byte_for_byte(service: Service) -> None:
    for path in (f"/o/{token(Purpose.OPEN, 50)}.gif", *(f"/c/{token(Purpose.CLICK, 50)}/{n}" for n in range(3))):
        quick = ask(service, get(path))
        slow = ask(service, get(path + "?"))  # a query goes the slow way
        assert quick.startswith((b"HTTP/1.1 200 OK\r\ndate: ", b"HTTP/1.1 302 Found\r\ndate: "))
        assert re.sub(rb"date: .*?\r\n", b"", quick) == re.sub(rb"date: .*?\r\n", b"", slow)


def test_what_the_fast_path_does_not_know_it_leaves_to_the_application(service: Service) -> None:
    click, pixel = token(Purpose.CLICK, 51), token(Purpose.OPEN, 51)
    for path, status in (
        (f"/o/{click}.gif", 200), (f"/o/{pixel}.png", 200), (f"/c/{click}/3", 404), (f"/c/{click}/", 404),
        (f"/c/{click}/0/", 404), (f"/c/{pixel}/0", 404), (f"/u/{click}", 404), ("/", 404), (f"/c/{click}/+1", 404),
        (f"/c/{token(Purpose.CLICK, 51, campaign_id=9)}/0", 503), (f"/c/{click}/ 0", 400),
    ):  # fmt: skip
        assert statuses(ask(service, get(path)))[:1] == [status], path


def test_requests_in_a_row_are_answered_in_order_fast_and_slow_mixed(service: Service) -> None:
    click, leave = token(Purpose.CLICK, 52), token(Purpose.UNSUBSCRIBE, 52)
    fast_one, page = get(f"/c/{click}/0"), get(f"/u/{leave}")
    for order in itertools.product((fast_one, page), repeat=3):
        expected = [302 if one is fast_one else 200 for one in order]
        assert statuses(ask(service, b"".join(order), expect=3)) == expected
        assert statuses(ask(service, *order, wait=0.005, expect=3)) == expected


def test_a_request_in_pieces_is_one_request(service: Service) -> None:
    whole = get(f"/c/{token(Purpose.CLICK, 53)}/1")
    for cut in range(1, len(whole), 13):
        assert statuses(ask(service, whole[:cut], whole[cut:], wait=0.002)) == [302]


@pytest.mark.parametrize(
    "ambiguous",
    [
        b"Content-Length: 44", b"Content-Length: 0", b"Transfer-Encoding: chunked", b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:\x0bchunked", b"Content-Length: +5", b"Upgrade: h2c\r\nConnection: Upgrade", b"Host: u",
        b"X: a\nContent-Length: 5", b"X: a\rContent-Length: 5", b" folded: line", b"X : space", b"X\x00: y", b": none",
        b"Expect: 100-continue", b"Connection: close, te\r\nTE: trailers", b"nonsense", b"X: \x01", b"\xe9: y",
    ],
)  # fmt: skip
def test_a_head_that_could_be_read_in_two_ways_is_not_simple(ambiguous: bytes) -> None:
    assert blocks.read(BROWSER + b"\r\n" + ambiguous) is None


def test_a_head_without_a_host_or_a_very_long_one_is_not_simple() -> None:
    assert blocks.read(b"") is None
    assert blocks.read(b"User-Agent: x") is None
    assert blocks.read(BROWSER + b"\r\nX: " + b"y" * 3000) is None
    assert blocks.read(BROWSER) == (
        (b"host", b"t"), (b"user-agent", b"Mozilla/5.0 (X11)"), (b"accept-language", b"en"),
    )  # fmt: skip


@given(st.binary(max_size=80))
def test_reading_a_head_never_raises_and_knows_only_clean_lines(block: bytes) -> None:
    for name, value in blocks.read(b"Host: t\r\n" + block) or ():
        assert re.fullmatch(rb"[^\x00-\x20:\x7f]+", name)
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value)


def test_a_smuggled_request_is_never_answered(service: Service) -> None:
    """The second request is the first one's body, or its header's value: there is one request, with one answer."""
    inner = get(f"/c/{token(Purpose.CLICK, 54)}/0")
    leave = f"POST /u/{token(Purpose.UNSUBSCRIBE, 54)} HTTP/1.1\r\nHost: t\r\n".encode()
    body = b"Content-Length: %d\r\n\r\n" % len(inner)
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner)
    for pieces in (
        (leave + body, inner),  # the body comes in a packet of its own, and looks like a fast request
        (leave + body + inner,),
        (leave + chunked,),
        (leave + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(inner), inner, b"\r\n0\r\n\r\n"),
        (leave + b"Content-Type: x\r\nX-Filler: ", inner),  # a header's value that goes on in the next packet
    ):
        found = ask(service, *pieces, wait=0.05, expect=2, patience=0.5)
        assert 302 not in statuses(found), pieces


def test_both_lengths_at_once_close_the_connection(service: Service) -> None:
    inner = get(f"/c/{token(Purpose.CLICK, 55)}/0")
    both = (
        f"POST /u/{token(Purpose.UNSUBSCRIBE, 55)} HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n".encode()
        + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    assert 302 not in statuses(ask(service, both, inner, wait=0.05, expect=2, patience=0.5))


# --- in this process, with a spool that answers when it is told --------------------------------------------------


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = self.paused = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_extra_info(self, name: str) -> object:
        return ("203.0.113.7", 1) if name in ("peername", "sockname") else None


class SlowSpool:
    """Keeps hits until `settle`."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Hit, object]] = []

    def put(self, hit: Hit, done: object) -> None:
        self.waiting.append((hit, done))

    def settle(self, durable: bool = True) -> None:
        waiting, self.waiting = self.waiting, []
        for _, done in waiting:
            done(durable)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[tuple[FastProtocol, Wire, SlowSpool]]:
    publish(tmp_path / "links", 1, PARKING)
    app = Tracking(TrackingConfig(tmp_path / "spool", tmp_path / "links", KeyRing(KEYS), tmp_path / "days"))
    spool = app.hot.recorder._spool = SlowSpool()
    loop = asyncio.new_event_loop()
    state = SimpleNamespace(total_requests=0, connections=set(), tasks=set(), default_headers=[(b"date", b"now")])
    config = uvicorn.Config(app, http=protocol(app.hot), proxy_headers=False, ws="none", log_level="critical")
    made = config_protocol(config, state, loop)
    wire = Wire()
    made.connection_made(wire)
    yield made, wire, spool
    made.connection_lost(None)
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def config_protocol(config: uvicorn.Config, state: object, loop: asyncio.AbstractEventLoop) -> FastProtocol:
    config.load()
    return config.http_protocol_class(config=config, server_state=state, app_state={}, _loop=loop)


def test_nothing_is_answered_before_the_spool_has_it(connection: tuple[FastProtocol, Wire, SlowSpool]) -> None:
    made, wire, spool = connection
    made.data_received(get(f"/o/{token(Purpose.OPEN, 7)}.gif"))
    assert wire.written == b""
    assert spool.waiting[0][0].kind is Kind.OPEN
    spool.settle()
    assert wire.written.startswith(b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-type: image/gif")


def test_an_event_that_is_lost_is_counted_and_the_person_goes_on(
    connection: tuple[FastProtocol, Wire, SlowSpool],
) -> None:
    made, wire, spool = connection
    made.data_received(get(f"/c/{token(Purpose.CLICK, 7)}/0"))
    spool.settle(durable=False)
    assert statuses(wire.written) == [302]
    assert made.hot.cells[cell("lost", Kind.CLICK)] == 1


def test_while_one_is_being_answered_the_next_waits_and_no_more_is_read(
    connection: tuple[FastProtocol, Wire, SlowSpool],
) -> None:
    made, wire, spool = connection
    one = get(f"/c/{token(Purpose.CLICK, 7)}/0")
    made.data_received(one)
    made.data_received(one)
    assert (wire.paused, len(spool.waiting)) == (True, 1)
    spool.settle()
    assert (wire.paused, len(spool.waiting), statuses(wire.written)) == (False, 1, [302])
    spool.settle()
    assert statuses(wire.written) == [302, 302]


def test_a_client_that_hung_up_disturbs_nobody(connection: tuple[FastProtocol, Wire, SlowSpool]) -> None:
    made, wire, spool = connection
    made.data_received(get(f"/c/{token(Purpose.CLICK, 7)}/0"))
    wire.close()
    spool.settle()
    assert wire.written == b""
    assert made.hot.cells[cell("recorded", Kind.CLICK)] == 1


def test_connection_close_is_obeyed(connection: tuple[FastProtocol, Wire, SlowSpool]) -> None:
    made, wire, spool = connection
    made.data_received(get(f"/c/{token(Purpose.CLICK, 7)}/0", BROWSER + b"\r\nConnection: close"))
    spool.settle()
    assert (wire.closed, b"\r\nconnection: close\r\n" in wire.written) == (True, True)


def test_idle_and_dawdling_clients_are_let_go(connection: tuple[FastProtocol, Wire, SlowSpool]) -> None:
    made, wire, spool = connection
    clock = SimpleNamespace(now=1000.0)
    made.loop = SimpleNamespace(time=lambda: clock.now, call_later=lambda *_: SimpleNamespace(cancel=lambda: None))
    made._quiet_since, made._partial_since = 1000.0, None
    made.data_received(get(f"/c/{token(Purpose.CLICK, 7)}/0"))
    clock.now += 500
    made._look()
    assert not wire.closed  # it is we who are slow
    spool.settle()
    clock.now += fast.IDLE_SECONDS - 1
    made._look()
    assert not wire.closed
    made.data_received(b"GET /o/AAAA")  # and then nothing
    clock.now += fast.REQUEST_SECONDS + 1
    made._look()
    assert wire.closed


def test_an_error_of_ours_ends_one_connection(
    connection: tuple[FastProtocol, Wire, SlowSpool], caplog: pytest.LogCaptureFixture
) -> None:
    made, wire, spool = connection
    spool.put = None
    made.data_received(get(f"/c/{token(Purpose.CLICK, 7)}/0"))
    assert (wire.closed, made.hot.cells[cell("failed")]) == (True, 1)
    assert token(Purpose.CLICK, 7) not in caplog.text
