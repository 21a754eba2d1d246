"""How long it will take: the slowest provider decides, or we do."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import insert, select

from outreach.campaigns.estimate import estimate, lasting
from outreach.campaigns.trial import refuse_trial
from outreach.cli.init import make_workspace
from outreach.settings import load_settings
from outreach.store import campaigns, past_events, throttles
from outreach.store.destinations import ENOUGH, pace
from outreach.store.dialects import to_ms
from outreach.store.past_events import Happened, Past
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


def test_what_another_system_sent_was_not_sent_by_us(frozen, store, now, tmp_path):
    """A history's receipts all bear one moment: neither our speed, nor what was sent in trial mode today."""
    make_workspace(tmp_path / "city", name="City", domain="city.example", mode="trial")
    frozen(gmail_com=ENOUGH)
    values = {"message_class": "regular", "rule": "", "plan": {}, "plan_hash": "", "frozen": 1, "planned_at": now}
    with store.write() as connection:
        people = list(connection.execute(select(subscriber.c.id)).scalars())
        campaigns.add(connection, name="mine-1", file="mine", **values)
    sent = Happened(Past.SENT, "March news", to_ms(now - dt.timedelta(hours=1)))
    past_events.write(store, [(person, sent) for person in people], topic_id=None, source="old.csv", now=now)
    with store.read() as connection:
        imported = campaigns.find(connection, "imported-march-news-1")
        assert (imported.frozen, imported.started_at) == (ENOUGH, now - dt.timedelta(hours=1))
        assert pace(connection) is None
        mine = campaigns.find(connection, "mine-1")
        refuse_trial(connection, load_settings(tmp_path / "city", {}), mine, now=now)


@pytest.mark.parametrize(("seconds", "said"), [(0, "0 s"), (89, "89 s"), (90, "2 minutes"), (7_200, "2 hours")])
def test_a_span_is_said_as_people_say_it(seconds, said):
    assert lasting(seconds) == said


def test_the_plan_shows_it(city):
    plan = city.json("campaigns", "plan", city.write(GOOD))
    assert plan["estimate"] == {"seconds": 1, "providers": {"other": {"people": 60, "seconds": 1}}}
    assert "takes about 1 s (other 60 in 1 s)" in city.run("campaigns", "plan", city.write(GOOD)).stdout
