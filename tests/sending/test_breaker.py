"""When refusals that are our own fault stop a campaign: soon, by all workers together, and not by a receiver's whim."""

from pathlib import Path

import pytest

from benchmarks import _city as cities
from outreach.sending import supervisor
from outreach.sending.breaker import MAX_IN_A_ROW, Breaker
from outreach.store.campaigns import Status
from outreach.testing import Fault, FaultServer

REPLY = "550 5.7.1 not from you"


def refused(breaker: Breaker, times: int) -> list[bool]:
    return [breaker.refused(REPLY, verb="dot") for _ in range(times)]


@pytest.mark.parametrize(("crew", "most"), [(1, 20), (2, 10), (4, 5), (16, 5)])
def test_a_row_without_an_acceptance_trips_it_in_each_workers_part(crew: int, most: int) -> None:
    breaker = Breaker(crew)
    refused(breaker, most - 1)
    breaker.accepted()
    assert refused(breaker, most) == [False] * (most - 1) + [True]
    assert breaker.reason is not None
    assert breaker.reason.startswith(f"the relay refused {most} messages in a row at DOT: '550 5.7.1")


def test_a_large_share_trips_it_although_some_get_through() -> None:
    breaker = Breaker()
    told: list[bool] = []
    while not any(told) and len(told) < 400:
        breaker.accepted()
        told += refused(breaker, 1)
    assert len(told) == 61  # 61 of 122: more than three tenths of the two hundred that are looked at
    assert "61 of the last 122 messages" in str(breaker.reason)


def test_one_in_five_is_a_receivers_matter() -> None:
    breaker = Breaker()
    for _ in range(500):
        for _ in range(4):
            breaker.accepted()
        assert refused(breaker, 1) == [False]


def test_two_workers_together_try_no_more_than_twenty_and_their_connections(tmp_path: Path) -> None:
    people, lanes, good = 1_200, 8, 100
    with FaultServer([Fault("DOT", reply=REPLY, at=good + 1, times=None)]) as server:
        city = cities.build(tmp_path, people, port=server.port, lanes=lanes)
        supervisor.send(city.orders, count=2)
        assert len(server.accepted) == good
        assert server.heard["DOT"] <= good + MAX_IN_A_ROW + lanes
    assert city.counts() == {"accepted": good, "waiting": people - good}
    campaign = city.campaign()
    assert campaign.status is Status.PAUSED
    assert "Nobody was suppressed" in str(campaign.pause_reason)
