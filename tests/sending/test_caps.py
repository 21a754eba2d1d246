"""A cap that was reached between planning and sending."""

from __future__ import annotations

import dataclasses
import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, event, insert, text, update

from outreach.sending.transports.memory import MemoryTransport
from outreach.store import claims, tables
from outreach.store.campaigns import get
from outreach.store.caps import Cap, Reached
from outreach.store.deliveries import State


def capped(world, cap: str = "2 in 7 days", kind: str = "regular"):  # type: ignore[no-untyped-def]
    city = world(5)
    campaign = dataclasses.replace(city.campaign, plan={**city.campaign.plan, "cap": cap}, message_class=kind)
    return dataclasses.replace(city, campaign=campaign)


def others(city, number: int, people: dict[int, State], *, hours: float, kind: str = "regular") -> None:  # type: ignore[no-untyped-def]
    """Another campaign, of which these people's messages ended so; `hours` after the capped one was planned."""
    at = city.campaign.planned_at + dt.timedelta(hours=hours)
    plan = {"file": "x", "rule": "", "plan": {}, "plan_hash": "", "frozen": len(people), "status": "finished"}
    with city.store.write() as connection:
        connection.execute(insert(tables.campaign).values(
            id=number, name=f"other-{number}", message_class=kind, planned_at=at, started_at=at, finished_at=at, **plan
        ))  # fmt: skip
        rows = [
            {"campaign_id": number, "subscriber_id": person, "state": state.value, "at": at}
            for person, state in people.items()
        ]
        connection.execute(insert(tables.delivery), rows)


def test_who_reached_the_cap_since_the_plan_is_left_out_with_its_name(world) -> None:  # type: ignore[no-untyped-def]
    city = capped(world)
    others(city, 101, {1: State.ACCEPTED, 2: State.ACCEPTED, 3: State.ACCEPTED}, hours=-48)
    others(city, 102, {1: State.ACCEPTED, 2: State.BOUNCED, 4: State.IN_DOUBT}, hours=0)
    others(city, 103, {2: State.ACCEPTED, 5: State.ACCEPTED}, hours=0, kind="statutory")
    transport = MemoryTransport()
    city.send(transport)
    assert city.counts() == {"accepted": 4, "excluded": 1}
    assert city.reasons(State.EXCLUDED) == {"over the cap of 2 in 7 days": 1}
    assert "resident1@mail.example" not in {message.recipient for message in transport.messages}


def test_messages_before_the_window_and_other_classes_are_not_capped(world) -> None:  # type: ignore[no-untyped-def]
    city = capped(world, "1 in 1 day", kind="statutory")
    others(city, 101, {1: State.ACCEPTED}, hours=0)
    city.send(MemoryTransport())
    assert city.counts() == {"accepted": 5}


def test_where_nothing_was_sent_since_the_plan_nobody_is_looked_up(world) -> None:  # type: ignore[no-untyped-def]
    city = capped(world, "1 in 7 days")
    others(city, 101, {1: State.ACCEPTED}, hours=-24)  # planning knew of it
    asked: list[str] = []
    event.listen(city.store.main, "before_cursor_execute", lambda *call: asked.append(call[2]))
    city.send(MemoryTransport())
    assert city.counts() == {"accepted": 5}
    assert not [text for text in asked if "GROUP BY delivery.subscriber_id" in text]


@pytest.mark.parametrize("store", ["postgres"], indirect=True)  # SQLite has one writer: there is no same instant
def test_two_campaigns_that_claim_one_person_in_the_same_instant_keep_the_cap(world) -> None:  # type: ignore[no-untyped-def]
    city = capped(world, "1 in 7 days")
    noon = city.campaign.planned_at
    others(city, 101, dict.fromkeys((1, 2, 3), State.WAITING), hours=0)
    sending = {"status": "sending", "started_at": noon, "plan": {"cap": "1 in 7 days"}}
    with city.store.write() as connection:
        connection.execute(update(tables.campaign).values(**sending, finished_at=None))

    def claim(connection: Connection, number: int) -> set[int]:
        reached = Reached.of(get(connection, number))
        assert reached is not None
        taken = claims.take(connection, number, 1, limit=10, now=noon, lease=dt.timedelta(minutes=1))
        return {each.subscriber_id for each in reached.mark(connection, taken, now=noon) if not each.capped}

    def second(pids: list[int]) -> set[int]:
        with city.store.write() as connection:
            pids.append(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
            return claim(connection, 101)

    def held_up(pid: int) -> bool:
        with city.store.read() as connection:
            waits = text("SELECT cardinality(pg_blocking_pids(:pid)) > 0")
            return bool(connection.execute(waits, {"pid": pid}).scalar_one())

    pids: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        with city.store.write() as connection:
            first = claim(connection, city.campaign.id)
            other = pool.submit(second, pids)
            while not other.done() and not (pids and held_up(pids[0])):
                pass
        assert (first, other.result()) == ({1, 2, 3, 4, 5}, set())


def test_a_cap_is_read_as_it_is_written() -> None:
    assert (Cap.read("4 in 7 days"), Cap.read("1 in 1 day"), Cap.read("often")) == (Cap(4, 7), Cap(1, 1), None)
    assert [Cap.read(str(cap)) for cap in (Cap(4, 7), Cap(1, 1))] == [Cap(4, 7), Cap(1, 1)]
