"""The parameters of MAIL and RCPT: only what the server offers, and nothing sent that it could only refuse."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.bounces.classify import fault
from outreach.rendering.message import Message
from outreach.sending.outcomes import Accepted, Refused, Verb
from outreach.sending.transports import NOBODY, Ready
from outreach.sending.transports.envelope import Offer, envelope
from outreach.sending.transports.smtp import Relay, SmtpTransport
from outreach.testing import FaultServer, Manner

EVERYTHING = Offer(pipelining=True, dsn=True, eight_bits=True, utf8=True, size=1_000_000)
ALL_EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN")


def message(recipient: str = "ada@mail.example", data: bytes = b"Subject: Hello\r\n\r\nHello\r\n") -> Message:
    return Message("<key@city.example>", "b-1@city.example", recipient, data, eight_bit=not data.isascii())


def test_a_plain_server_gets_plain_commands() -> None:
    assert envelope(message(), Offer()) == (
        b"MAIL FROM:<b-1@city.example>\r\n", b"RCPT TO:<ada@mail.example>\r\n", b"DATA\r\n",
    )  # fmt: skip


def test_a_modern_server_gets_what_it_offers_and_7_bit_content_needs_no_more() -> None:
    mail, rcpt, _ = envelope(message("o'neil+x@mail.example"), EVERYTHING)
    assert mail == b"MAIL FROM:<b-1@city.example> SIZE=25 RET=HDRS ENVID=<key@city.example>\r\n"
    assert rcpt == (b"RCPT TO:<o'neil+x@mail.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;o'neil+2Bx@mail.example\r\n")


@pytest.mark.parametrize(
    ("sent", "offer", "reply", "verb"),
    [
        (message(), Offer(size=24), "552 5.3.4", Verb.MAIL),
        (message("josé@mail.example"), Offer(eight_bits=True), "553 5.6.7", Verb.RCPT),
        (message(data="Subject: Grüße\r\n\r\n".encode()), Offer(utf8=True), "554 5.6.3", Verb.MAIL),
        (message("a b@mail.example"), EVERYTHING, "553 5.1.3", Verb.RCPT),
        (message("a@mail.example>\r\nDATA"), EVERYTHING, "553 5.1.3", Verb.RCPT),
        (message("nobody"), EVERYTHING, "553 5.1.3", Verb.RCPT),
    ],
)
def test_what_could_only_be_refused_is_not_sent(sent: Message, offer: Offer, reply: str, verb: Verb) -> None:
    outcome = envelope(sent, offer)
    assert isinstance(outcome, Refused)
    assert outcome.reply.startswith(reply)
    assert outcome.verb is verb


@given(st.text(max_size=30), st.booleans())
def test_no_address_can_add_a_command_or_a_parameter(text: str, utf8: bool) -> None:
    commands = envelope(message(text), Offer(utf8=utf8))
    if isinstance(commands, tuple):
        assert commands[1] == f"RCPT TO:<{text}>\r\n".encode()
        assert not set(text) & set("<> \t\r\n\0")


def outcomes(manner: Manner, *messages: Message) -> tuple[list[object], list[tuple[str, ...]]]:
    """How each ended on one connection, and with which parameters those arrived that did."""
    waiting, found = list(messages), []

    class Feed:
        def next(self) -> Ready | None:
            return Ready(NOBODY, waiting.pop(0)) if waiting else None

        def sending(self, ready: Ready) -> bool:
            return True

        def done(self, ready: Ready, outcome: object) -> None:
            found.append(outcome)

    async def run(port: int) -> None:
        lane = await SmtpTransport(Relay("127.0.0.1", port), hello="city.example").open()
        await lane.run(Feed())
        await lane.close()

    with FaultServer(manner=manner) as server:
        asyncio.run(run(server.port))
        return found, [each.parameters for each in server.accepted]


def test_a_server_that_offers_everything_takes_it_so() -> None:
    eight = message("josé@mail.example", "Subject: Grüße\r\n\r\nHello\r\n".encode())
    ended, parameters = outcomes(Manner(extensions=ALL_EXTENSIONS), message(), eight)
    assert [type(each) for each in ended] == [Accepted, Accepted]
    assert parameters[1] == (
        "SMTPUTF8", "BODY=8BITMIME", f"SIZE={len(eight.data)}", "RET=HDRS", "ENVID=<key@city.example>",
        "NOTIFY=FAILURE,DELAY", "ORCPT=utf-8;josé@mail.example",
    )  # fmt: skip


def test_who_cannot_be_reached_through_this_relay_stops_nobody_else() -> None:
    big = message(data=b"Subject: Hello\r\n\r\n" + b"x" * 2_000)
    ended, parameters = outcomes(Manner(max_size=1_000), message(), big, message("josé@mail.example"), message())
    assert Counter(type(each) for each in ended) == {Accepted: 2, Refused: 2}
    assert parameters == [("SIZE=25",), ("SIZE=25",)]


def test_what_needs_an_extension_that_the_relay_lacks_is_refused_here_and_blames_nobody() -> None:
    eight = message(data="Subject: Grüße\r\n\r\n".encode())
    ended, parameters = outcomes(Manner(extensions=("PIPELINING",)), message(), eight, message("josé@mail.example"))
    assert len(parameters) == 1
    refused = [each for each in ended if isinstance(each, Refused)]
    assert [each.reply[:9] for each in refused] == ["554 5.6.3", "553 5.6.7"]
    assert all(fault(each.reply, verb=each.verb).ours for each in refused)
