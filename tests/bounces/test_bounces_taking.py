"""Mail that comes back: what is proven takes effect once, and nothing else does."""

from __future__ import annotations

import asyncio
import datetime as dt
import smtplib
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from outreach.bounces.policy import Limits
from outreach.bounces.recording import Fate, record_refusals
from outreach.errors import ConfigurationError, TryAgain
from outreach.sending.gate import gate
from outreach.sending.outcomes import Refused, Verb
from outreach.store import bounces, tables, throttles
from outreach.store.claims import Claimed
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.tokens import Purpose
from tests.bounces.returned_mail import KEYS, dsn, envelope, seed
from tracking.bounces import listening, maildir
from tracking.bounces.taking import Desk

MakeDesk = Callable[[Store], Desk]


def suppressed(store: Store) -> dict[str, str]:
    with store.read() as connection:
        rows = connection.execute(select(tables.suppression.c.address, tables.suppression.c.reason))
        return {row.address: row.reason for row in rows}


def events(store: Store) -> int:
    with store.read() as connection:
        return connection.execute(select(func.count()).select_from(tables.feedback)).scalar_one()


def states(store: Store) -> dict[int, State]:
    with store.read() as connection:
        rows = connection.execute(select(tables.delivery.c.subscriber_id, tables.delivery.c.state))
        return {row.subscriber_id: State(row.state) for row in rows}


def test_a_hard_bounce_suppresses_at_once_and_returns_the_delivery(city: Store, make_desk: MakeDesk) -> None:
    taken = make_desk(city).take(dsn("ada@example.com", to=envelope(1)))
    assert (taken.fate, suppressed(city)) == (Fate.RECORDED, {"ada@example.com": "bounce"})
    assert states(city) == {1: State.BOUNCED, 2: State.ACCEPTED, 3: State.ACCEPTED}


def test_the_same_mail_again_changes_nothing(city: Store, make_desk: MakeDesk) -> None:
    desk = make_desk(city)
    fates = [desk.take(dsn("ada@example.com", to=envelope(1))).fate for _ in range(3)]
    assert (fates, events(city)) == ([Fate.RECORDED, Fate.KNOWN, Fate.KNOWN], 1)


def test_a_forged_bounce_suppresses_nobody(city: Store, make_desk: MakeDesk) -> None:
    desk = make_desk(city)
    mine = envelope(1)
    for number, to in enumerate(("bounces@city.example", mine[:-20] + "aaaa" + mine[-16:], "b-@city.example")):
        taken = desk.take(dsn("mary@example.org", to=to, message_id=f"<{number}@forger.example>"))
        assert taken.fate is Fate.KEPT
    assert (suppressed(city), events(city)) == ({}, 0)


def test_a_forger_with_a_token_can_only_bounce_themselves(city: Store, make_desk: MakeDesk) -> None:
    make_desk(city).take(dsn("mary@example.org", to=envelope(1)))
    assert suppressed(city) == {"ada@example.com": "bounce"}


def test_a_refusal_of_our_domain_pauses_the_domain_and_nobody_else(
    city: Store, make_desk: MakeDesk, now: dt.datetime
) -> None:
    text = "550 5.7.26 This mail has been blocked because the sender is unauthenticated. - gsmtp"
    make_desk(city).take(dsn("grace@gmail.com", to=envelope(2), diagnostic=text, status="5.7.26"))
    with city.read() as connection:
        found = [(each.domain, each.provider) for each in bounces.pauses(connection, now=now)]
    assert (suppressed(city), found) == ({}, [("city.example", "google")])


def test_a_delay_is_no_failure(city: Store, make_desk: MakeDesk) -> None:
    make_desk(city).take(dsn("ada@example.com", to=envelope(1), action="delayed", status="4.1.1"))
    assert (suppressed(city), states(city)[1]) == ({}, State.ACCEPTED)


def test_five_full_mailboxes_in_a_fortnight_suspend(store: Store, make_desk: MakeDesk, now: dt.datetime) -> None:
    seed(store, campaigns=6)
    desk = make_desk(store)

    def full(campaign: int) -> None:
        desk.take(
            dsn(
                "ada@example.com",
                to=envelope(1, campaign),
                diagnostic="552 5.2.2 mailbox full",
                status="5.2.2",
                message_id=f"<{campaign}@mx>",
            )
        )

    for campaign in range(1, 5):
        full(campaign)
    assert suppressed(store) == {}
    full(5)
    assert suppressed(store) == {"ada@example.com": "bounce"}
    with store.write() as connection:
        assert bounces.lift_suspensions(connection, before=now) == 0
        assert bounces.lift_suspensions(connection, before=now + dt.timedelta(seconds=1)) == 1


def test_old_soft_bounces_no_longer_count(store: Store, make_desk: MakeDesk, now: dt.datetime) -> None:
    seed(store, campaigns=5)
    desk = make_desk(store)
    for campaign in range(1, 6):
        text = "552 5.2.2 mailbox full"
        to = envelope(1, campaign)
        desk.take(dsn("ada@example.com", to=to, diagnostic=text, status="5.2.2", message_id=f"<{campaign}@mx>"))
        with store.write() as connection:  # four days pass
            older = tables.feedback.c.at
            for row in connection.execute(select(tables.feedback.c.id, older)).all():
                connection.execute(
                    update(tables.feedback).where(tables.feedback.c.id == row.id).values(at=row.at - dt.timedelta(4))
                )
    assert suppressed(store) == {}


def test_a_complaint_suppresses_in_the_same_transaction(city: Store, make_desk: MakeDesk, shared: Path) -> None:
    token = KEYS.sign(Purpose.MESSAGE_ID, 1, 3)
    report = f"""From: <feedback@arf.example.net>
To: fbl@city.example
Subject: FW: Street sweeping
Message-ID: <arf1@example.net>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

This is an email abuse report.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1

--b
Content-Type: message/rfc822

From: works@city.example
Message-ID: <{token}@city.example>
Subject: Street sweeping

--b--
""".encode()
    assert make_desk(city).take(report).fate is Fate.RECORDED
    assert suppressed(city) == {"mary@example.org": "complaint"}


def test_an_unsubscribe_mail_with_our_token_acts(city: Store, make_desk: MakeDesk) -> None:
    token = KEYS.sign(Purpose.UNSUBSCRIBE, 1, 1)
    mail = f"From: ada@example.com\nTo: leave@city.example\nSubject: {token}\nMessage-ID: <u1@example.com>\n\n\n"
    assert make_desk(city).take(mail.encode()).fate is Fate.RECORDED
    with city.read() as connection:
        status = connection.execute(
            select(tables.subscription.c.status).where(tables.subscription.c.subscriber_id == 1)
        ).scalar()
    assert status == 2


def test_words_that_ask_to_leave_are_listed_for_a_person(city: Store, make_desk: MakeDesk) -> None:
    mail = b"From: ada@example.com\nTo: works@city.example\nSubject: Re: sweeping\n\nPlease take me off this list.\n"
    make_desk(city).take(mail)
    with city.read() as connection:
        (kept,) = bounces.kept(connection)
    assert "asks to leave" in kept.why


def test_refusals_during_smtp_go_through_the_same_policy(city: Store, now: dt.datetime) -> None:
    with city.write() as connection:
        for person, reply in (
            (1, "550 no such user"),
            (2, "552 5.2.2 mailbox full"),
            (3, Refused("550 no such user", Verb.DOT).told),  # said after the person had been accepted
        ):
            connection.execute(
                update(tables.delivery)
                .where(tables.delivery.c.subscriber_id == person)
                .values(state=State.BOUNCED.value, reason=reply, at=now)
            )
    for expected in (3, 0):
        with city.write() as connection:
            assert record_refusals(connection, 1, limits=Limits(), domain="city.example", now=now) == expected
    assert suppressed(city) == {"ada@example.com": "bounce"}


def test_a_maildir_is_emptied_into_seen(city: Store, make_desk: MakeDesk, tmp_path: Path) -> None:
    for name in ("new", "cur", "tmp"):
        (tmp_path / "box" / name).mkdir(parents=True)
    for number in (1, 2):
        (tmp_path / "box" / "new" / f"{number}.mx").write_bytes(
            dsn("ada@example.com", to=envelope(number), message_id=f"<{number}@mx>")
        )
    assert maildir.collect(tmp_path / "box", make_desk(city)) == 2
    assert (len(suppressed(city)), len(list((tmp_path / "box" / "cur").iterdir()))) == (2, 2)
    with pytest.raises(ConfigurationError, match="no Maildir"):
        maildir.collect(tmp_path, make_desk(city))


@pytest.mark.parametrize("lmtp", [False, True])
def test_an_mta_hands_returned_mail_over(sqlite_store: Store, make_desk: MakeDesk, *, lmtp: bool) -> None:
    seed(sqlite_store)
    desk = make_desk(sqlite_store)

    async def talk() -> list[str]:
        def take(raw: bytes, to: tuple[str, ...]) -> None:
            desk.take(raw, envelope=to)

        server = await listening.serve(take, host="127.0.0.1", port=0, lmtp=lmtp)
        port = server.sockets[0].getsockname()[1]

        def client() -> list[str]:
            if not lmtp:
                with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
                    smtp.sendmail("", [envelope(1)], dsn("ada@example.com", to="somebody@city.example"))
                return []
            with smtplib.LMTP("127.0.0.1", port) as lmtp_client:
                lmtp_client.sendmail("", [envelope(1)], dsn("ada@example.com", to="somebody@city.example"))
            return []

        async with server:
            return await asyncio.to_thread(client)

    asyncio.run(talk())
    assert suppressed(sqlite_store) == {"ada@example.com": "bounce"}


def test_a_busy_store_makes_the_mta_come_again(tmp_path: Path) -> None:
    async def talk() -> int:
        def take(raw: bytes, to: tuple[str, ...]) -> None:
            raise TryAgain("the database is busy")

        server = await listening.serve(take, host="127.0.0.1", port=0, lmtp=False)
        port = server.sockets[0].getsockname()[1]

        def client() -> int:
            with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp, pytest.raises(smtplib.SMTPDataError) as error:
                smtp.sendmail("", ["b@city.example"], b"Subject: x\n\nx")
            return error.value.smtp_code

        async with server:
            return await asyncio.to_thread(client)

    assert asyncio.run(talk()) == 451


def test_returned_mail_is_not_taken_from_the_network() -> None:
    with pytest.raises(ConfigurationError, match="only taken on this machine"):
        asyncio.run(listening.serve(lambda raw, to: None, host="0.0.0.0", port=0, lmtp=False))


def test_a_pause_holds_every_worker_back_from_that_provider(city: Store, make_desk: MakeDesk, now: dt.datetime) -> None:
    text = "550 5.7.1 blocked using zen.spamhaus.org"
    make_desk(city).take(dsn("grace@gmail.com", to=envelope(2), diagnostic=text, status="5.7.1"))
    with city.write() as connection:
        held = throttles.slowed(connection)["google"].until
        bounces.resume(connection, provider="google", now=now)
        assert (held, throttles.slowed(connection).get("google")) == (now + dt.timedelta(hours=4), None)


@pytest.mark.parametrize(("message_class", "passes"), [("regular", False), ("statutory", True), ("emergency", True)])
def test_a_complaint_leaves_statutory_mail_alone(message_class: str, *, passes: bool) -> None:
    facts = {"address": "ada@example.com", "status": 1, "suppressed": "complaint", "subscription": 1}
    claimed = Claimed(**{**dict.fromkeys(Claimed._fields), **facts})
    assert (gate(claimed, message_class=message_class) is None) == passes
