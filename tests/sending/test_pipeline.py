"""The send pipeline against a real SMTP server that fails as it is told, on both databases."""

import asyncio
import datetime as dt
import email
from collections.abc import Callable
from dataclasses import replace
from email import policy
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from outreach.rendering.message import Message
from outreach.sending.outcomes import Outcome, Verb, outcome_of
from outreach.sending.retry import RetryPolicy
from outreach.sending.shaping import OTHER, Limits, Shaping
from outreach.sending.transports import RelayUnreachable
from outreach.sending.transports.memory import MemoryLane, MemoryTransport
from outreach.sending.transports.smtp import Relay, SmtpTransport
from outreach.store import campaigns, claims, tables
from outreach.store.campaigns import Status
from outreach.store.claims import Claimed
from outreach.store.deliveries import State
from outreach.testing import Fault, FaultServer, oracle

NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)


def to(server: FaultServer) -> SmtpTransport:
    return SmtpTransport(Relay("127.0.0.1", server.port), hello="city.example")


def test_everybody_gets_one_message_of_their_own(world) -> None:
    city = world(40)
    with FaultServer() as server:
        city.send(to(server))
        assert oracle(server.accepted_ids, city.ledger()).balanced
        names = {email.message_from_bytes(each.content, policy=policy.default)["subject"] for each in server.accepted}
    assert city.counts() == {"accepted": 40}
    assert names == {f"Street sweeping, Nguyễn {number}" for number in range(1, 41)}


def test_one_refusal_does_not_stop_the_batch(world) -> None:
    city = world(addresses=["ada@mail.example", "gone@mail.example", "full@mail.example", "bo@mail.example"])
    replies = {"gone@mail.example": "550 5.1.1 no such user", "full@mail.example": "452 4.2.2 mailbox full"}
    transport = MemoryTransport(replies)
    city.send(transport)
    assert city.counts() == {"accepted": 2, "bounced": 1, "waiting": 1}
    assert city.reasons(State.BOUNCED) == {"550 5.1.1 no such user": 1}


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "DOT"])
def test_a_4yz_anywhere_is_tried_again_later(world, verb: str) -> None:
    city = world(10)
    with FaultServer([Fault(verb, reply="451 4.3.0 try later", at=4)]) as server:
        city.send(to(server))
        assert sum(server.fired.values()) == 1
    assert city.counts() == {"accepted": 9, "waiting": 1}
    assert city.reasons(State.WAITING) == {"451 4.3.0 try later": 1}


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT"])
def test_a_connection_cut_before_the_final_dot_costs_nothing(world, verb: str) -> None:
    city = world(10)
    with FaultServer([Fault(verb, reply="", cut=True, at=2)]) as server:
        for _ in range(2):  # what the cut connection took back is due again at once
            city.send(to(server), lanes=2)
        verdict = oracle(server.accepted_ids, city.ledger())
        assert sum(server.fired.values()) == 1
    if verb == "CONTENT":  # the server cut while the message was arriving: from here that looks like a lost answer
        assert city.counts() == {"accepted": 9, "in_doubt": 1}
    else:
        assert city.counts() == {"accepted": 10}
    assert not verdict.duplicated
    assert not verdict.unexpected


@pytest.mark.parametrize("taken", [True, False])
def test_a_lost_answer_to_the_dot_is_in_doubt_whatever_the_server_did(world, taken: bool) -> None:
    city = world(10)
    with FaultServer([Fault("DOT", reply="", cut=True, keep=taken, at=5)]) as server:
        city.send(to(server), lanes=2)
        city.send(to(server), lanes=2)  # and a second run leaves it alone
        verdict = oracle(server.accepted_ids, city.ledger())
    assert city.counts() == {"accepted": 9, "in_doubt": 1}
    assert not verdict.lost
    assert not verdict.duplicated


def test_after_a_421_the_conversation_goes_on_elsewhere(world) -> None:
    city = world(10)
    with FaultServer([Fault("MAIL", reply="421 4.7.0 too many messages", cut=True, at=3)]) as server:
        city.send(to(server), lanes=1)
    assert city.counts() == {"accepted": 9, "waiting": 1}


def test_without_a_relay_nothing_is_claimed(world) -> None:
    city = world(5)
    with pytest.raises(RelayUnreachable, match="nobody has received anything"):
        city.send(SmtpTransport(Relay("127.0.0.1", 1), hello="city.example"))
    assert city.counts() == {"waiting": 5}


def test_a_relay_that_goes_away_leaves_everybody_waiting_or_accepted(world) -> None:
    city = world(40)
    server = FaultServer(
        [Fault("MAIL", reply="", cut=True, at=11, times=None), Fault("CONNECT", reply="554 no", at=4, times=None)]
    )
    with server, pytest.raises(RelayUnreachable):
        city.send(to(server), lanes=3)
    assert city.counts() == {"accepted": len(server.accepted), "waiting": 40 - len(server.accepted)}


def test_refusals_that_are_our_own_fault_trip_the_breaker_and_touch_nobody(world) -> None:
    city = world(100)
    with FaultServer([Fault("DOT", reply="550 5.7.1 blocked by policy", at=11, times=None)]) as server:
        breaker = city.send(to(server), lanes=3)
        tried = server.heard["DOT"]
    assert city.counts() == {"accepted": 10, "waiting": 90}
    assert tried <= 10 + 20 + 3
    assert breaker.reason is not None
    assert "20 messages in a row" in breaker.reason


def test_who_left_since_the_plan_is_left_out_and_counted(world) -> None:
    city = world(6)
    with city.store.write() as connection:
        person = tables.subscription.c.subscriber_id
        connection.execute(update(tables.subscription).where(person == 1).values(status=2))
        connection.execute(
            insert(tables.suppression).values(
                address="resident2@mail.example", subscriber_id=2, reason="complaint", source="test", at=city.clock()
            )
        )
        connection.execute(tables.subscriber.delete().where(tables.subscriber.c.id == 3))
    transport = MemoryTransport()
    city.send(transport)
    assert city.counts() == {"accepted": 3, "suppressed": 1, "excluded": 2}
    assert city.reasons(State.EXCLUDED) == {"erased": 1, "left the topic": 1}
    assert sorted(each.recipient for each in transport.messages) == [f"resident{n}@mail.example" for n in (4, 5, 6)]


def test_a_person_whose_message_cannot_be_made_is_quarantined_alone(world) -> None:
    city = world(5)
    with city.store.write() as connection:
        person = tables.subscriber.c.id
        connection.execute(update(tables.subscriber).where(person == 2).values(attributes={}))
    city.send(MemoryTransport())
    assert city.counts() == {"accepted": 4, "quarantined": 1}
    assert "first_name" in next(iter(city.reasons(State.QUARANTINED)))


def test_a_paused_campaign_hands_out_no_work(world) -> None:
    city = world(5)
    with city.store.write() as connection:
        campaigns.set_status(connection, city.campaign.id, Status.PAUSED, only_from=(Status.SENDING,))
    transport = MemoryTransport()
    city.send(transport)
    assert (city.counts(), transport.messages) == ({"waiting": 5}, [])


def test_retries_end_after_the_last_attempt(world) -> None:
    city = world(addresses=["full@mail.example"])
    transport = MemoryTransport({"full@mail.example": "452 4.2.2 full"})
    at_once = RetryPolicy(dt.timedelta(0), 3)
    for _ in range(3):
        city.send(transport, retry=at_once)
    assert city.counts() == {"expired": 1}


def test_nothing_of_a_finished_run_is_left_behind(world) -> None:
    city = world(5)
    city.send(MemoryTransport())
    with city.store.read() as connection:
        left = [connection.execute(select(table)).all() for table in (tables.claim, tables.worker, tables.retry)]
    assert left == [[], [], []]
    assert list(city.folder.iterdir()) == []


def test_an_outcome_is_named_by_the_replys_first_digit() -> None:
    kinds = [type(outcome_of(reply, Verb.DOT)).__name__ for reply in ("250 ok", "451 later", "550 no", "199 what")]
    assert kinds == ["Accepted", "Deferred", "Refused", "Deferred"]


def test_one_domain_that_refuses_us_is_not_asked_again_at_once_and_not_for_ever(world) -> None:
    city = world(addresses=["ada@mail.example", "bo@strict.example"])
    transport = MemoryTransport({"bo@strict.example": "550 5.7.1 not from you"})
    for _ in range(2):
        city.send(transport, retry=RetryPolicy(dt.timedelta(minutes=5), 2))
    assert city.counts() == {"accepted": 1, "waiting": 1}
    for _ in range(2):
        city.send(transport, retry=RetryPolicy(dt.timedelta(0), 1))
    with city.store.read() as connection:
        due = connection.execute(select(tables.retry.c.due_at)).scalar_one()
    assert due >= city.clock() + dt.timedelta(minutes=5)


class Counting(MemoryTransport):
    """Takes everything, after a moment, and knows how many lanes were at work at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = self.opened = 0

    async def open(self) -> MemoryLane:
        transport = self
        self.opened += 1

        class Lane(MemoryLane):
            async def hand_over(self, message: Message, *, before_dot: Callable[[], bool]) -> Outcome:
                transport.now += 1
                transport.most = max(transport.most, transport.now)
                await asyncio.sleep(0.001)
                transport.now -= 1
                return await super().hand_over(message, before_dot=before_dot)

        return Lane(self)


@pytest.mark.parametrize(("others", "lanes"), [(0, 6), (1, 3), (5, 1), (9, 1)])
def test_the_relays_connections_are_for_all_campaigns_that_are_being_sent(world, others: int, lanes: int) -> None:
    city, transport = world(60), Counting()
    with city.store.write() as connection:
        for number in range(others):
            values = {"campaign_id": 900 + number, "worker_id": 77, "lease_until": NOON, "size": 1}
            connection.execute(insert(tables.claim).values(**values))
    city.send(transport, lanes=6)
    assert city.counts() == {"accepted": 60}
    assert transport.most == lanes


def test_a_connection_that_has_nothing_to_do_for_a_moment_is_kept(world) -> None:
    city, transport = replace(world(100), clock=lambda: dt.datetime.now(dt.UTC)), Counting()
    with city.store.write() as connection:
        values = {"campaign_id": 900, "worker_id": 77, "lease_until": NOON, "size": 1}
        connection.execute(insert(tables.claim).values(**values))
    in_small_portions = Shaping({OTHER: Limits(OTHER, connections=6, per_second=60)})
    city.send(transport, lanes=6, shaping=in_small_portions)
    assert city.counts() == {"accepted": 100}
    assert transport.opened <= 3


def test_when_nobody_is_left_the_store_is_asked_once_for_all_lanes(world, monkeypatch: pytest.MonkeyPatch) -> None:
    city, asked = world(60), []
    take = claims.take

    def counted(*given: Any, **named: Any) -> list[Claimed]:
        asked.append(take(*given, **named))
        return asked[-1]

    monkeypatch.setattr(claims, "take", counted)
    city.send(MemoryTransport(), lanes=20)
    assert city.counts() == {"accepted": 60}
    assert len([each for each in asked if not each]) <= 2  # a look in between allows another
