"""A mail service that misbehaves: nobody lost, nobody twice, and what is not certain is in doubt."""

import asyncio
import base64
import datetime as dt
import socket
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from outreach.errors import ConfigurationError
from outreach.rendering.invitation import Event, calendar
from outreach.rendering.message import Message
from outreach.sending.outcomes import Accepted, Deferred, Refused, Unknown, Unsent
from outreach.sending.retry import RetryPolicy
from outreach.sending.transports.address import transport_for
from outreach.sending.transports.esp import EspTransport, _retry_after
from outreach.sending.turns import Turns
from outreach.testing import EspFault, FakeEsp, oracle

pytest.importorskip("anymail", reason="the extra outreach[esp] is not installed")

NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
INACTIVE = b"""{"ErrorCode": 406, "Message": "Found inactive addresses: {to}. Inactive recipients are ones that"}"""
INVALID = b"""{"ErrorCode": 300, "Message": "Invalid 'To' address: '{to}'."}"""
GARBAGE = b"<html>we will be back soon</html>"
MESSAGE = Message(
    "<key@city.example>",
    "b@city.example",
    "ada@mail.example",
    b"Message-ID: <key@city.example>\r\nFrom: a@city.example\r\nSubject: Hello\r\n\r\nHello\r\n",
)


def outcome_of(fault: EspFault, *, timeout: float = 20.0) -> tuple[object, int]:
    """What one message came to, and how many the service took."""
    with FakeEsp([fault]) as service:

        async def run() -> object:
            lane = await EspTransport("postmark", service.options | {"timeout": timeout}).open()
            outcome = await lane.hand_over(MESSAGE, before_dot=lambda: True)
            assert lane.is_open is not isinstance(outcome, Unknown)
            await lane.close()
            return outcome

        outcome = asyncio.run(run())
        assert service.fired[fault] == 1
        return outcome, len(service.accepted)


@pytest.mark.parametrize(
    ("fault", "kind", "taken"),
    [
        (EspFault(delay=0.05), Accepted, 1),
        (EspFault(status=429, retry_after="7"), Deferred, 0),
        (EspFault(status=401, body=b'{"Message": "bad token"}'), Refused, 0),
        (EspFault(status=422, body=INVALID), Refused, 0),
        (EspFault(status=422, body=INACTIVE), Refused, 0),
        (EspFault(status=422, body=b'{"ErrorCode": 300, "Message": "Invalid metadata content"}'), Refused, 0),
        (EspFault(status=413), Refused, 0),
        (EspFault(status=408, keep=True), Unknown, 1),
        (EspFault(status=500), Unknown, 0),
        (EspFault(status=503, keep=True), Unknown, 1),
        (EspFault(status=302, keep=True), Unknown, 1),
        (EspFault(cut=True), Unknown, 0),
        (EspFault(cut=True, keep=True), Unknown, 1),
        (EspFault(body=GARBAGE, keep=True), Unknown, 1),
        (EspFault(body=b'{"odd": true}', keep=True), Unknown, 1),
        (EspFault(body=b"", keep=True), Unknown, 1),
    ],
)  # fmt: skip
def test_what_an_answer_means(fault: EspFault, kind: type, taken: int) -> None:
    outcome, accepted = outcome_of(fault)
    assert isinstance(outcome, kind), outcome
    assert accepted == taken


def test_an_answer_that_comes_too_late_is_in_doubt() -> None:
    outcome, _ = outcome_of(EspFault(delay=3.0, keep=True), timeout=0.2)
    assert isinstance(outcome, Unknown)


def test_without_a_connection_nothing_was_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        with FakeEsp() as service:
            options = service.options | {"api_url": f"http://127.0.0.1:{taken.getsockname()[1]}/"}

        async def run() -> object:
            lane = await EspTransport("postmark", options).open()
            outcome = await lane.hand_over(MESSAGE, before_dot=lambda: True)
            assert not lane.is_open
            await lane.close()
            return outcome

        assert isinstance(asyncio.run(run()), Unsent)


def test_a_campaign_through_a_service_that_fails_in_every_way_balances(world) -> None:
    city = world(40)
    faults = [
        EspFault(status=500, at=4),
        EspFault(status=502, keep=True, at=9),
        EspFault(cut=True, keep=True, at=14),
        EspFault(cut=True, at=19),
        EspFault(body=GARBAGE, keep=True, at=24),
        EspFault(delay=0.2, at=28),
        EspFault(status=422, body=INACTIVE, at=31),
    ]
    with FakeEsp(faults) as service:
        city.send(EspTransport("postmark", service.options), lanes=3)
        assert len(service.fired) == len(faults)
        verdict = oracle(service.accepted_ids, city.ledger())
    assert verdict.balanced
    assert len(verdict.in_doubt) == 5
    assert city.counts() == {"accepted": 34, "in_doubt": 5, "bounced": 1}


def test_a_service_that_is_down_leaves_few_in_doubt(world) -> None:
    city = world(40)
    with FakeEsp([EspFault(status=503, times=None)]) as service, pytest.raises(Exception, match="connections in a row"):
        city.send(EspTransport("postmark", service.options), lanes=1)
    assert city.counts() == {"waiting": 35, "in_doubt": 5}


def test_too_many_requests_rest_everybody_for_as_long_as_was_asked(world, monkeypatch: pytest.MonkeyPatch) -> None:
    now, calls = [NOON], []
    city = replace(world(40), clock=lambda: now[0])

    async def wait(_turns: Turns) -> None:
        calls.append(service._calls)
        now[0] += dt.timedelta(seconds=100)
        await asyncio.sleep(0.01)

    monkeypatch.setattr(Turns, "come", wait)
    with FakeEsp([EspFault(status=429, retry_after="900", at=11)]) as service:
        city.send(EspTransport("postmark", service.options), lanes=2, retry=RetryPolicy(dt.timedelta(0), 20))
        assert service._calls == 41
        assert oracle(service.accepted_ids, city.ledger()).balanced
    assert city.counts() == {"accepted": 40}
    assert len(calls) >= 9
    assert calls[8] <= calls[0] + 1  # what the other lane had begun


def test_the_message_arrives_as_it_was_made_and_carries_our_key(world) -> None:
    city = world(1)
    with FakeEsp() as service:
        city.send(EspTransport("postmark", service.options), lanes=1)
    call = service.accepted[0]
    headers = {each["Name"]: each["Value"] for each in call["Headers"]}
    assert call["Subject"] == "Street sweeping, Nguyễn 1"
    assert (call["From"], call["To"]) == ("Public Works <works@city.example>", "resident1@mail.example")
    assert "Hello Nguyễn 1" in call["TextBody"]
    assert "Hello Nguyễn 1" in call["HtmlBody"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert not {"DKIM-Signature", "MIME-Version", "Content-Type"} & set(headers)
    assert f"<{call['Metadata']['outreach']}@city.example>" == city.message_id(1)


def test_an_invitation_travels_along(world) -> None:
    council = Event("Council meeting", NOON, NOON + dt.timedelta(hours=2), "Town Hall")
    invitation = calendar(council, source="council", name="Public Works", address="works@city.example")
    city = world(1, invitation=invitation)
    with FakeEsp() as service:
        city.send(EspTransport("postmark", service.options), lanes=1)
    (part,) = service.accepted[0]["Attachments"]
    assert (part["Name"], part["ContentType"].partition(";")[0]) == ("event.ics", "text/calendar")
    assert 'method="PUBLISH"' in part["ContentType"]
    lines = base64.b64decode(part["Content"]).decode().split("\r\n")
    assert {"BEGIN:VCALENDAR", "METHOD:PUBLISH", "SUMMARY:Council meeting", "DTSTAMP:20261121T120000Z"} <= set(lines)
    assert "Hello Nguyễn 1" in service.accepted[0]["HtmlBody"]


def test_a_message_that_cannot_be_read_anew_is_refused_and_nothing_leaves() -> None:
    torn = MESSAGE._replace(head=b"Content-Type: text/plain; charset=no-such\r\nFrom: a@city.example\r\n\r\n\xff\r\n")

    async def run(options: dict[str, str]) -> object:
        lane = await EspTransport("postmark", options).open()
        outcome = await lane.hand_over(torn, before_dot=lambda: True)
        await lane.close()
        return outcome

    with FakeEsp() as service:
        outcome = asyncio.run(run(service.options))
        assert isinstance(outcome, Refused), outcome
        assert service.accepted == []


def test_how_long_to_rest() -> None:
    now = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
    found = {text: _retry_after(text, now=now).total_seconds() for text in ("7", "Sat, 21 Nov 2026 12:01:00 GMT", "-3")}
    assert found == {"7": 7, "Sat, 21 Nov 2026 12:01:00 GMT": 60, "-3": 0}
    odd = Counter(_retry_after(text, now=now).total_seconds() for text in (None, "", "soon", "nan", "1e9"))
    assert odd == {30.0: 5}
    assert _retry_after("999999999999", now=now).total_seconds() == 3600


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "cannot be read"),
        ("[postmark]\nsecret = 'u:p'\n", r"no section \[postmark.sending\]"),
        ("[postmark.sending]\n", "is not set up.*server_token|POSTMARK_SERVER_TOKEN"),
        ("postmark", "cannot be read"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_claimed(tmp_path: Path, text: str | None, complaint: str) -> None:
    if text is not None:
        (tmp_path / "keys").mkdir()
        (tmp_path / "keys" / "esp.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=complaint):
        transport_for("esp:postmark", hello="city.example", workspace=tmp_path)


def test_a_service_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="SMTP address"):
        transport_for("esp:pigeon", hello="city.example", workspace=tmp_path)
