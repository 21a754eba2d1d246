"""How long it will take: the slowest provider decides, or we do."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import insert

from outreach.campaigns.estimate import estimate, lasting
from outreach.store import throttles
from outreach.store.tables import campaign, delivery, subscriber
from tests.campaigns.conftest import GOOD


@pytest.fixture
def frozen(store, now, tmp_path):
    """Call it with people by domain: their campaign's estimate."""

    def made(**people: int):
        with store.write() as connection:
            values = {"file": "x", "status": "planned", "rule": "", "plan": {}, "plan_hash": "", "planned_at": now}
            number = connection.execute(insert(campaign).values(name="x-1", frozen=0, **values)).inserted_primary_key[0]
            for domain, count in people.items():
                for each in range(count):
                    address = f"p{each}@{domain.replace('_', '.')}"
                    row = {"address": address, "attributes": {}, "created_at": now}
                    who = connection.execute(insert(subscriber).values(row)).inserted_primary_key[0]
                    connection.execute(
                        insert(delivery).values(campaign_id=number, subscriber_id=who, state=1, language="en", at=now)
                    )
            return estimate(connection, number, workspace=tmp_path, now=now)

    return made


def test_people_are_counted_by_who_takes_their_mail(frozen, store, now):
    with store.write() as connection:
        throttles.remember_domain(connection, "firm.example", "google", now=now)
    found = frozen(gmail_com=3, firm_example=2, t_online_example=1)
    assert {name: share.people for name, share in found.providers.items()} == {"google": 5, "other": 1}
    assert str(found) == "about 1 s (google 5 in 1 s, other 1 in 1 s)"


def test_a_provider_that_asked_us_to_slow_down_is_believed(frozen, store, now):
    with store.write() as connection:
        throttles.slow_down(
            connection, "google", until=now + dt.timedelta(seconds=600), lanes=1, rate=0.1, reply="421", now=now
        )
    assert frozen(gmail_com=6, yahoo_com=6).seconds == 660


def test_the_speed_of_the_last_large_campaigns_is_ours(frozen, store, now):
    with store.write() as connection:
        connection.execute(
            insert(campaign).values(
                name="before-1", file="before", status="finished", rule="", plan={}, plan_hash="", planned_at=now,
                frozen=1_000, started_at=now, finished_at=now + dt.timedelta(seconds=2_000),
            )
        )  # fmt: skip
    assert frozen(gmail_com=5).seconds == 10


@pytest.mark.parametrize(("seconds", "said"), [(0, "0 s"), (89, "89 s"), (90, "2 minutes"), (7_200, "2 hours")])
def test_a_span_is_said_as_people_say_it(seconds, said):
    assert lasting(seconds) == said


def test_the_plan_shows_it(city):
    plan = city.json("campaigns", "plan", city.write(GOOD))
    assert plan["estimate"] == {"seconds": 1, "providers": {"other": {"people": 60, "seconds": 1}}}
    assert "takes about 1 s (other 60 in 1 s)" in city.run("campaigns", "plan", city.write(GOOD)).stdout
