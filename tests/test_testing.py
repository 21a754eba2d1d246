"""The fault server fails as told, and the oracle tells the truth about a ledger."""

from __future__ import annotations

import asyncio
import smtplib
import time
from enum import IntEnum

import aiosmtplib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.testing import Fault, FaultServer, Manner, Verdict, oracle


def letter(number: int) -> bytes:
    return f"Message-ID: <{number}@city.example>\r\nSubject: Sweeping\r\n\r\nMonday.\r\n".encode()


def send(server: FaultServer, count: int = 1) -> list[str]:
    """Send messages one by one on one connection, and say how each ended, as a simple sender sees it."""
    outcomes: list[str] = []
    client = smtplib.SMTP("127.0.0.1", server.port, timeout=3)
    for number in range(count):
        try:
            client.sendmail("a@city.example", ["ada@mail1.example"], letter(number))
            outcomes.append("accepted")
        except smtplib.SMTPServerDisconnected:
            outcomes.append("cut")
            client = smtplib.SMTP("127.0.0.1", server.port, timeout=3)
        except smtplib.SMTPRecipientsRefused as refused:
            outcomes.append(str(refused.recipients["ada@mail1.example"][0]))
        except smtplib.SMTPResponseException as refused:
            outcomes.append(str(refused.smtp_code))
    client.close()
    return outcomes


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize("reply", ["451 4.3.0 not now", "550 5.7.1 never", "421 4.3.2 shutting down"])
def test_any_verb_of_any_message_can_be_refused(verb, reply):
    fault = Fault(verb, reply=reply, at=2)
    with FaultServer([fault]) as server:
        assert send(server, 3)[1] in (reply[:3], "cut")
        assert "<1@city.example>" not in server.accepted_ids
        assert server.fired == {fault: 1}


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "CONTENT", "DOT"])
def test_a_cut_before_the_reply_takes_nothing(verb):
    with FaultServer([Fault(verb, reply="", cut=True, at=2)]) as server:
        assert send(server, 3) == ["accepted", "cut", "accepted"]
        assert server.accepted_ids == ["<0@city.example>", "<2@city.example>"]


def test_a_lost_reply_after_acceptance_is_the_classic_doubt():
    with FaultServer([Fault("DOT", reply="", cut=True, keep=True)]) as server:
        assert send(server) == ["cut"]
        assert server.accepted_ids == ["<0@city.example>"]


def test_a_refusal_may_be_a_lie():
    with FaultServer([Fault("DOT", reply="451 4.3.0 so it says", keep=True)]) as server:
        assert send(server) == ["451"]
        assert server.accepted_ids == ["<0@city.example>"]


def test_a_cut_after_the_reply_leaves_the_message_accepted():
    with FaultServer([Fault("DOT", cut=True)]) as server:
        assert send(server, 2) == ["accepted", "cut"]
        assert server.accepted_ids == ["<0@city.example>"]


def test_a_fault_may_last():
    with FaultServer([Fault("RCPT", reply="450 4.2.0 busy", at=2, times=None)]) as server:
        assert send(server, 4) == ["accepted", "450", "450", "450"]


@pytest.mark.parametrize("greeting", ["554 5.3.2 no service", "421 4.3.2 full"])
def test_a_greeting_can_refuse(greeting):
    with FaultServer([Fault("CONNECT", reply=greeting)]) as server, pytest.raises(smtplib.SMTPConnectError):
        smtplib.SMTP("127.0.0.1", server.port)


def test_rubbish_leaves_as_it_stands():
    with FaultServer([Fault("EHLO", reply=b"\xff\xfenonsense\r\n")]) as server:
        client = smtplib.SMTP("127.0.0.1", server.port)
        assert client.ehlo()[0] == -1
        client.close()


def test_a_delay_is_a_delay():
    with FaultServer([Fault("DOT", delay=0.3)]) as server:
        begun = time.monotonic()
        assert send(server) == ["accepted"]
        assert time.monotonic() - begun >= 0.3


def test_silence_makes_a_client_time_out():
    async def wait(port: int) -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            with pytest.raises(aiosmtplib.SMTPReadTimeoutError):
                await client.execute_command(b"NOOP", timeout=0.2)
            client.close()

    with FaultServer([Fault("NOOP", reply="")]) as server:
        asyncio.run(wait(server.port))


def test_it_also_runs_in_the_loop_of_the_test():
    async def story() -> list[str]:
        async with FaultServer(manner=Manner(extensions=())) as server:
            client = aiosmtplib.SMTP(hostname="127.0.0.1", port=server.port, start_tls=False)
            async with client:
                assert not client.supports_extension("pipelining")
                await client.sendmail("a@city.example", ["ada@mail1.example"], letter(7))
            return server.accepted_ids

    assert asyncio.run(story()) == ["<7@city.example>"]


class State(IntEnum):
    WAITING = 1
    ACCEPTED = 3
    IN_DOUBT = 10


def test_the_oracle_names_everybody_about_whom_ledger_and_server_disagree():
    verdict = oracle(
        ["<ada>", "<bo>", "<bo>", "<cy>", "<stranger>", "<dee>"],
        {"<ada>": "accepted", "<bo>": "accepted", "<cy>": "waiting", "<dee>": "in_doubt", "<eve>": "accepted"},
    )
    assert verdict == Verdict(
        lost=frozenset({"<eve>"}),
        unexpected=frozenset({"<cy>", "<stranger>"}),
        duplicated=frozenset({"<bo>"}),
        in_doubt=frozenset({"<dee>"}),
    )
    assert not verdict.balanced


def test_doubt_is_no_disagreement():
    assert oracle(["<ada>"], {"<ada>": State.IN_DOUBT, "<bo>": State.IN_DOUBT, "<cy>": State.WAITING}).balanced


ids = st.sampled_from(["<ada>", "<bo>", "<cy>", "<dee>"])


@given(st.lists(ids), st.dictionaries(ids, st.sampled_from(list(State))))
def test_only_agreement_balances(taken, ledger):
    believed = [key for key, state in ledger.items() if state is State.ACCEPTED]
    certain = [key for key in taken if ledger.get(key) is not State.IN_DOUBT]
    assert oracle(taken, ledger).balanced == (sorted(certain) == sorted(believed) and len(set(taken)) == len(taken))
