"""The server's side of SMTP, byte by byte over a real socket, and with two independent clients."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

import aiosmtplib
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from outreach.practice.answers import BASIC_EXTENSIONS
from outreach.testing import Fault, FaultServer, Manner

LETTER = b"Message-ID: <1@city.example>\r\nSubject: Sweeping\r\n\r\nMonday.\r\n"


class Line:
    """A raw client: says bytes, hears one whole reply at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.file = self.socket.makefile("rb")

    def hear(self) -> str:
        while (line := self.file.readline())[3:4] == b"-":
            pass
        return line.decode().rstrip()

    def say(self, text: bytes) -> str:
        self.socket.sendall(text)
        return self.hear()

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@contextmanager
def line_to(server: FaultServer, *, hello: bool = True) -> Iterator[Line]:
    line = Line(server.port)
    assert line.hear().startswith("220 ")
    if hello:
        assert line.say(b"EHLO ada.example\r\n").startswith("250 ")
    try:
        yield line
    finally:
        line.close()


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    """One that behaves, for the tests that leave nothing behind."""
    with FaultServer() as server:
        yield server


def code(reply: str) -> str:
    return reply.partition(" ")[0]


def test_the_extensions_are_announced():
    with FaultServer() as server, smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo()
        assert sorted(client.esmtp_features) == ["8bitmime", "enhancedstatuscodes", "pipelining", "size"]


def test_a_message_arrives_as_it_was_sent():
    content = b"Subject: dots\r\n\r\n.\r\n..two\r\n.one\r\nend.\r\n"
    with FaultServer() as server:
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            client.sendmail("works@city.example", ["ada@mail1.example", "bo@mail2.example"], content)
        (envelope,) = server.accepted
    assert envelope.content == content
    assert (envelope.sender, envelope.recipients) == ("works@city.example", ("ada@mail1.example", "bo@mail2.example"))


def test_one_leading_dot_goes_whatever_follows_it(server):
    with line_to(server) as line:
        begin(line)
        line.say(b".careless\r\n...\r\n.\r\n")
    assert server.accepted[-1].content == b"careless\r\n..\r\n"  # RFC 5321 4.5.2


lines = st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\r", b"r").replace(b"\n", b".")), max_size=8)


@given(lines)
def test_any_lines_survive_dot_stuffing(server, content):
    whole = b"".join(line + b"\r\n" for line in content)
    stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in content)
    with line_to(server) as line:
        line.socket.sendall(b"MAIL FROM:<>\r\nRCPT TO:<ada@mail1.example>\r\nDATA\r\n")
        assert [code(line.hear()) for _ in range(3)] == ["250", "250", "354"]
        assert code(line.say(stuffed + b".\r\n")) == "250"
    assert server.accepted[-1].content == whole


def test_one_write_may_carry_a_whole_pipelined_conversation():
    envelope = b"MAIL FROM:<a@city.example> BODY=8BITMIME SIZE=70\r\nRCPT TO:<ada@mail1.example>\r\nDATA\r\n"
    with FaultServer() as server, line_to(server) as line:
        line.socket.sendall(envelope)
        assert [code(line.hear()) for _ in range(3)] == ["250", "250", "354"]
        line.socket.sendall(LETTER + b".\r\n" + envelope)
        assert [code(line.hear()) for _ in range(4)] == ["250", "250", "250", "354"]
        line.socket.sendall(LETTER + b".\r\nQUIT\r\n")
        assert [code(line.hear()) for _ in range(2)] == ["250", "221"]
        assert line.hear() == ""
        assert server.accepted_ids == ["<1@city.example>"] * 2


def test_it_makes_no_difference_where_the_packets_are_cut():
    whole = b"MAIL FROM:<>\r\nRCPT TO:<ada@mail1.example>\r\nDATA\r\n" + LETTER + b"..\r\n.\r\n"
    with FaultServer() as server, line_to(server) as line:
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in whole:
            line.socket.sendall(bytes((byte,)))
        assert [code(line.hear()) for _ in range(4)] == ["250", "250", "354", "250"]
        assert server.accepted[0].content == LETTER + b".\r\n"


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"HELO\r\n", "501 5.5.4"),
        (b"MAIL FROM:<a@city.example>\r\nMAIL FROM:<a@city.example>\r\n", "503 5.5.1"),
        (b"RCPT TO:<ada@mail1.example>\r\n", "503 5.5.1"),
        (b"DATA\r\n", "503 5.5.1"),
        (b"MAIL FROM:<a@city.example>\r\nDATA\r\n", "554 5.5.1"),
        (b"MAIL FROM: <a@city.example>\r\n", "501 5.5.4"),
        (b"MAIL FROM:a@city.example\r\n", "501 5.5.4"),
        (b"MAIL FROM:<a@city.example> COLOUR=RED\r\n", "555 5.5.4"),
        (b"MAIL FROM:<a@city.example> SIZE=99999999\r\n", "552 5.3.4"),
        (b"MAIL FROM:<>\r\nRCPT TO:<nobody>\r\n", "501 5.1.3"),
        (b"MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\n", "250 2.1.5"),
        (b"MAIL FROM:<>\r\nRCPT TO:<@relay.example:ada@mail1.example>\r\n", "250 2.1.5"),
        (b"MAIL FROM:<>\r\nRCPT TO:<\xc3\xa4da@mail1.example>\r\n", "553 5.6.7"),
        (b"MAIL FROM:<>\r\nRCPT TO:<" + b"a" * 300 + b"@mail1.example>\r\n", "501 5.1.3"),
        (b"BREW coffee\r\n", "500 5.5.1"),
        (b"\r\n", "500 5.5.1"),
        (b"STARTTLS\r\n", "502 5.5.1"),
        (b"AUTH PLAIN AGEAYQ==\r\n", "502 5.5.1"),
        (b"noop\n", "500 5.5.2"),
        (b"NOOP " + b"x" * 5000 + b"\r\n", "500 5.5.2"),
        (b"vrfy ada\r\n", "252 2.1.5"),
        (b"RSET\r\n", "250 2.0.0"),
    ],
)
def test_each_bad_command_has_its_answer_and_the_session_goes_on(server, said, answer):
    with line_to(server) as line:
        line.socket.sendall(said)
        for _ in range(said.count(b"\n")):
            heard = line.hear()
        assert heard.startswith(answer)
        assert line.say(b"NOOP\r\n") == "250 2.0.0 OK"


def test_mail_needs_a_greeting_first(server):
    with line_to(server, hello=False) as line:
        assert code(line.say(b"MAIL FROM:<>\r\n")) == "503"


def begin(line: Line) -> None:
    line.say(b"MAIL FROM:<>\r\n")
    line.say(b"RCPT TO:<ada@mail1.example>\r\n")
    assert code(line.say(b"DATA\r\n")) == "354"


@pytest.mark.parametrize(
    "content", [b"bare\nlf\r\n", b"bare\rcr\r\n", b"x\n.\nMAIL FROM:<evil@x.example>\r\n", b"x\r\n.\nx\r\n"]
)
def test_bare_line_ends_refuse_the_message_and_smuggle_nothing(content):
    with FaultServer() as server, line_to(server) as line:
        begin(line)
        assert line.say(content + b".\r\n").startswith("554 5.6.0")
        assert server.accepted == []
        assert line.say(b"NOOP\r\n") == "250 2.0.0 OK"


def test_an_enormous_message_is_read_to_its_end_without_being_kept():
    with FaultServer(manner=Manner(max_size=1000)) as server, line_to(server) as line:
        begin(line)
        for _ in range(50):
            line.socket.sendall(b"x" * 10_000 + b"\r\n")
        assert line.say(b".\r\n").startswith("552 5.3.4")
        assert server.accepted == []
        begin(line)
        assert code(line.say(LETTER + b".\r\n")) == "250"


def test_at_least_a_hundred_recipients_are_taken_and_not_endlessly_more(server):
    with line_to(server) as line:
        line.say(b"MAIL FROM:<>\r\n")
        replies = [code(line.say(b"RCPT TO:<p%d@mail1.example>\r\n" % number)) for number in range(101)]
    assert replies == ["250"] * 100 + ["452"]


def test_one_client_too_many_is_told_to_come_back():
    with FaultServer(manner=Manner(max_sessions=1)) as server, line_to(server) as line:
        late = Line(server.port)
        assert late.hear().startswith("421 4.3.2")
        late.close()
        assert line.say(b"NOOP\r\n") == "250 2.0.0 OK"


def test_a_silent_client_is_let_go():
    with FaultServer(manner=Manner(idle_seconds=0.2)) as server, line_to(server) as line:
        assert line.hear().startswith("421 4.4.2")


def test_a_client_that_stops_reading_is_let_go_too():
    with FaultServer(manner=Manner(idle_seconds=1.0)) as server, line_to(server) as line:
        line.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            line.socket.sendall(b"NOOP\r\n" * 20_000_000)
        line.socket.settimeout(5)
        with pytest.raises(ConnectionError):
            line.socket.sendall(b"NOOP\r\n" * 20_000_000)


def test_a_storm_of_connections_that_come_and_go_leaves_the_server_well():
    with FaultServer() as server:
        clients = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(300)]
        for number, client in enumerate(clients):
            client.sendall((b"EHLO storm\r\n" * 50)[: number * 3])
            client.close()
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            client.sendmail("a@city.example", ["ada@mail1.example"], LETTER)
        assert len(server.accepted) == 1


def test_a_client_that_never_reads_cannot_fill_the_memory():
    with FaultServer() as server, line_to(server) as line:
        line.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            line.socket.sendall(b"NOOP\r\n" * 20_000_000)


def certificates() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for localhost, and a client's that trusts it."""
    authority = trustme.CA()
    serving, trusting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(serving)
    authority.configure_trust(trusting)
    return serving, trusting


def test_starttls_and_auth_for_those_who_want_them():
    context, trusting = certificates()
    manner = Manner(extensions=(*BASIC_EXTENSIONS, "AUTH PLAIN"), tls=context)

    async def send(port: int) -> None:
        client = aiosmtplib.SMTP(hostname="localhost", port=port, start_tls=True, tls_context=trusting)
        async with client:
            await client.login("works", "secret")
            await client.sendmail("a@city.example", ["ada@mail1.example"], LETTER)

    with FaultServer(manner=manner) as server:
        asyncio.run(send(server.port))
        assert [envelope.content for envelope in server.accepted] == [LETTER]
        assert server.heard["STARTTLS"] == server.heard["AUTH"] == 1


def test_what_was_pipelined_behind_starttls_does_not_count():
    context, trusting = certificates()
    with FaultServer(manner=Manner(tls=context)) as server, line_to(server) as line:
        assert code(line.say(b"STARTTLS\r\nNOOP\r\nMAIL FROM:<evil@x.example>\r\n")) == "220"
        with trusting.wrap_socket(line.socket, server_hostname="localhost") as safe, safe.makefile("rb") as replies:
            safe.sendall(b"VRFY ada\r\nMAIL FROM:<a@city.example>\r\n")
            assert [replies.readline()[:3] for _ in range(2)] == [b"252", b"503"]  # it wants a new EHLO too
        assert server.heard["NOOP"] == 0


def test_a_plain_client_at_a_tls_handshake_is_dropped():
    context, _ = certificates()
    with FaultServer(manner=Manner(tls=context)) as server:
        with line_to(server) as line:
            line.say(b"STARTTLS\r\n")
            assert not line.say(b"EHLO ada.example\r\n").startswith("250")
        with line_to(server):
            pass


def test_a_pause_holds_the_pipelined_rest_back():
    with FaultServer([Fault("NOOP", delay=0.3)]) as server, line_to(server) as line:
        begun = time.monotonic()
        line.socket.sendall(b"RSET\r\nNOOP\r\nVRFY ada\r\n")
        assert code(line.hear()) == "250"
        assert time.monotonic() - begun < 0.25
        assert [code(line.hear()) for _ in range(2)] == ["250", "252"]
        assert time.monotonic() - begun >= 0.3
