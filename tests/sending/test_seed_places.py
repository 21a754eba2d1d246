"""Mailboxes of our own leave at the place that was drawn for them; everybody still gets the message once."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from outreach.campaigns.lifecycle import place_seeds
from outreach.sending.transports.memory import MemoryTransport
from outreach.store import claims, seeding, tables
from outreach.store.deliveries import State
from tracking.bounces import seeds
from tracking.bounces.imap import mailbox


def in_order(city, *, batch: int) -> list[int]:
    """People in the order in which they are claimed, `batch` at a time."""
    order: list[int] = []
    with city.store.write() as connection:
        names = {"host": "h", "boot": "b", "pid": 1, "started": "1", "journal": "j"}
        worker = claims.register(connection, **names, now=city.clock())
    while True:
        with city.store.write() as connection:
            lease = dt.timedelta(minutes=5)
            taken = claims.take(connection, city.campaign.id, worker.id, limit=batch, now=city.clock(), lease=lease)
        if not taken:
            return order
        order += [each.subscriber_id for each in taken]


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_each_waits_for_the_place_it_was_given(world, batch: int) -> None:
    city = world(40)
    turns = {2: 30, 39: 5, 20: 20, 40: 0, 7: 39}  # late, early, at its own, first, behind one who is held too
    with city.store.write() as connection:
        seeding.hold(connection, city.campaign.id, turns)
    order = in_order(city, batch=batch)
    assert sorted(order) == list(range(1, 41))
    place = {person: number for number, person in enumerate(order)}
    for person, after in turns.items():
        if after not in turns and after:
            assert abs(place[person] - place[after]) <= batch
    if batch < 20:
        assert place[40] < 2 * batch < place[2]
    with city.store.read() as connection:
        assert not claims.remaining(connection, city.campaign.id).unclaimed
        assert not seeding.any_waits(seeding.held(connection, city.campaign.id))


def test_a_whole_send_leaves_nobody_out(world) -> None:
    city = world(30)
    with city.store.write() as connection:
        seeding.hold(connection, city.campaign.id, {1: 30, 30: 1, 15: 99})
    transport = MemoryTransport()
    city.send(transport)
    assert city.counts() == {"accepted": 30}
    assert len(transport.messages) == 30


def test_one_who_is_put_off_after_an_early_turn_is_tried_again_once(world) -> None:
    city = world(30)
    with city.store.write() as connection:
        seeding.hold(connection, city.campaign.id, {25: 0})
    city.send(MemoryTransport({"resident25@mail.example": "451 4.3.0 later"}))
    assert city.counts() == {"accepted": 29, "waiting": 1}
    later = replace(city, clock=lambda: city.clock() + dt.timedelta(hours=2))
    again = MemoryTransport()
    later.send(again)
    assert city.counts() == {"accepted": 30}
    assert [each.recipient for each in again.messages] == ["resident25@mail.example"]
    with city.store.read() as connection:
        assert claims.remaining(connection, city.campaign.id).done


def test_who_no_longer_waits_is_let_go(world) -> None:
    city = world(10)
    with city.store.write() as connection:
        seeding.hold(connection, city.campaign.id, {3: 8})
        gone = update(tables.delivery).where(tables.delivery.c.subscriber_id == 3)
        connection.execute(gone.values(state=State.CANCELLED.value))
    assert in_order(city, batch=4) == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    with city.store.read() as connection:
        assert claims.remaining(connection, city.campaign.id).claims == 3  # none of them is empty


def test_places_are_drawn_over_the_whole_send(world) -> None:
    city = world(200)
    mine = [seeds.Seed(f"resident{n}@mail.example", mailbox("imap://a:b@127.0.0.1/INBOX")) for n in (1, 2, 199, 200)]
    drawn: list[int] = []
    for number in range(30):
        with city.store.write() as connection:
            seeds.place(connection, city.campaign.id, mine, count=200, dice=random.Random(number))
            drawn += seeding.held(connection, city.campaign.id).values()
    assert len(drawn) == 120
    assert 80 < sum(drawn) / len(drawn) < 120
    assert min(drawn) < 20
    assert max(drawn) > 180


def test_a_send_draws_places_for_the_mailboxes_of_the_workspace(world, tmp_path: Path) -> None:
    city, file = world(20), tmp_path / "seeds.toml"
    with city.store.write() as connection:
        place_seeds(connection, file, city.campaign)  # there are none
        assert seeding.held(connection, city.campaign.id) == {}
        file.write_text('[[seed]]\naddress = "resident3@mail.example"\nimap = "imap://a:b@127.0.0.1/INBOX"\n', "utf-8")
        place_seeds(connection, file, city.campaign)
        assert list(seeding.held(connection, city.campaign.id)) == [3]


@pytest.mark.parametrize(
    "written", [b"[[seed", b"[[seed]]\naddress = 'a@b.example'\n", b"\xff", b"[[seed]]\nimap = '?'"]
)
def test_a_file_of_mailboxes_that_cannot_be_read_keeps_nobody_s_mail_back(
    world, tmp_path: Path, written, caplog
) -> None:
    city, file = world(20), tmp_path / "seeds.toml"
    file.write_bytes(written)
    with city.store.write() as connection:
        place_seeds(connection, file, city.campaign)
        assert seeding.held(connection, city.campaign.id) == {}
    assert "begins without the mailboxes of our own" in caplog.text
    assert "seeds.toml" in caplog.text
