"""The deliverability report: right to the person, honest about chance, and it says what to do."""

from __future__ import annotations

import datetime as dt
import json
import random

import pytest
from sqlalchemy import insert

from outreach.bounces.health.advice import next_steps
from outreach.bounces.health.chance import Share, chance_of_so_many
from outreach.bounces.health.figures import FALSE_ALARM, as_json, collect
from outreach.bounces.health.page import page
from outreach.events import Kind
from outreach.store import bounces, placement, tables
from outreach.store.database import Store
from outreach.store.deliveries import State

GMAIL, YAHOO, OWN = "gmail.com", "yahoo.com", "hill.example"


def send(
    store: Store, campaign: int, at: dt.datetime, outcomes: list[tuple[str, State, str]], *, complaints: int = 0
) -> None:
    """One campaign: (domain, state, bounce reason) for each person; the first `complaints` people complain."""
    first = campaign * 100_000
    with store.write() as connection:
        values = {"file": "x.md", "topic_id": None, "status": "sent", "rule": "", "plan": {}, "plan_hash": ""}
        connection.execute(
            insert(tables.campaign).values(
                id=campaign, name=f"c-{campaign}", frozen=len(outcomes), planned_at=at, started_at=at, **values
            )
        )
        people = [
            {"id": first + n, "address": f"p{first + n}@{domain}", "attributes": {}, "created_at": at}
            for n, (domain, _, _) in enumerate(outcomes)
        ]
        connection.execute(insert(tables.subscriber), people)
        rows = [
            {
                "campaign_id": campaign,
                "subscriber_id": first + n,
                "state": state.value,
                "attempts": 1 + (n % 10 == 0),
                "at": at + dt.timedelta(minutes=n % 20),
            }
            for n, (_, state, _) in enumerate(outcomes)
        ]
        connection.execute(insert(tables.delivery), rows)
        events = []
        names = {GMAIL: "google", YAHOO: "yahoo"}
        for n, (domain, state, reason) in enumerate(outcomes):
            if state is State.BOUNCED:
                detail = {"action": "failed", "reason": reason, "group": "", "provider": names.get(domain, domain)}
                events.append((Kind.BOUNCE, first + n, json.dumps(detail)))
        events += [(Kind.COMPLAINT, first + n, "{}") for n in range(complaints)]
        if events:
            connection.execute(
                insert(tables.feedback),
                [
                    {
                        "spool": f"test{campaign}",
                        "sequence": n,
                        "kind": int(kind),
                        "at": at + dt.timedelta(hours=1),
                        "campaign_id": campaign,
                        "subscriber_id": person,
                        "agent_class": 0,
                        "network_class": 0,
                        "flags": 0,
                        "detail": detail,
                    }
                    for n, (kind, person, detail) in enumerate(events)
                ],
            )


def ordinary(
    count: int, bounced: int, domain: str = GMAIL, reason: str = "userunknown"
) -> list[tuple[str, State, str]]:
    return [(domain, State.BOUNCED, reason)] * bounced + [(domain, State.ACCEPTED, "")] * (count - bounced)


def test_the_table_is_right_to_the_person(store: Store, now: dt.datetime) -> None:
    week = now - dt.timedelta(days=3)
    send(store, 1, week, [*ordinary(60, 2), *ordinary(40, 4, YAHOO, "mailboxfull"), (OWN, State.WAITING, "")])
    health = collect(store, organisation="City of Example", now=now)
    found = {each.name: (each.accepted, each.refused, each.waiting, dict(each.reasons)) for each in health.providers}
    assert found == {
        "google": (58, 2, 0, {"userunknown": 2}),
        "yahoo": (36, 4, 0, {"mailboxfull": 4}),
        OWN: (0, 0, 1, {}),
    }
    assert (health.everything.t50, health.providers[0].t50) == (None, 10.0)


def test_complaints_above_the_limit_come_first(sqlite_store: Store, now: dt.datetime) -> None:
    send(sqlite_store, 1, now - dt.timedelta(days=2), ordinary(2000, 0), complaints=8)
    health = collect(sqlite_store, organisation="City of Example", now=now)
    assert next_steps(health)[0].startswith("Stop sending to Gmail and Google until you know why: 0.40\u00a0%")


def test_an_alarm_sounds_when_it_got_worse(sqlite_store: Store, now: dt.datetime) -> None:
    send(sqlite_store, 1, now - dt.timedelta(days=20), ordinary(2000, 10))
    send(sqlite_store, 2, now - dt.timedelta(days=2), ordinary(1000, 40))
    health = collect(sqlite_store, organisation="City of Example", now=now)
    (alarm,) = health.providers[0].alarms
    assert (alarm.what, alarm.recent.count, alarm.before.count) == ("refused", 40, 10)
    assert any("That is hardly chance" in each for each in next_steps(health))


def test_alarms_are_false_no_more_often_than_stated() -> None:
    dice = random.Random(7)
    looks = 4000

    def drawn(people: int) -> int:
        return sum(dice.random() < 0.02 for _ in range(people))

    false = sum(
        chance_of_so_many(drawn(200), 200, drawn(400), 400) < FALSE_ALARM * 20 for _ in range(looks)
    )  # at twenty times the rate, so that a short test can see it
    assert false / looks <= FALSE_ALARM * 20


@pytest.mark.parametrize(("numbers", "expected"), [((1, 1, 0, 9), 0.1), ((0, 5, 3, 5), 1.0), ((2, 2, 0, 2), 1 / 6)])
def test_the_chance_is_fishers(numbers: tuple[int, int, int, int], expected: float) -> None:
    assert chance_of_so_many(*numbers) == pytest.approx(expected)


def test_placement_is_weighted_by_our_people_with_an_interval(sqlite_store: Store, now: dt.datetime) -> None:
    send(sqlite_store, 1, now - dt.timedelta(days=1), [*ordinary(900, 0), *ordinary(100, 0, YAHOO)])
    with sqlite_store.write() as connection:
        for number in range(20):
            where = [("google", "inbox"), ("yahoo", "inbox" if number < 10 else "junk")]
            for name, lay in where:
                placement.place(
                    connection,
                    campaign_id=1,
                    address=f"seed{number}@{name}",
                    minutes=30,
                    provider=name,
                    placement=lay,
                    at=now - dt.timedelta(hours=3),
                )
    estimate = collect(sqlite_store, organisation="City", now=now).inbox_estimate()
    assert estimate is not None
    middle, low, high = estimate
    assert middle == pytest.approx(0.95)
    assert low < middle < high <= 1


def test_what_strangers_say_is_escaped(sqlite_store: Store, now: dt.datetime) -> None:
    with sqlite_store.write() as connection:
        later = now + dt.timedelta(hours=2)
        reason = "<script>alert(1)</script>"
        bounces.pause(connection, domain="city.example", provider="google", until=later, reason=reason, now=now)
    health = collect(sqlite_store, organisation="City of <b>", now=now)
    html = page(health, next_steps(health))
    assert "<script>" not in html
    assert "<b>" not in html.replace("<b>0", "")
    assert as_json(health, [])["pauses"][0]["provider"] == "google"


def test_a_share_of_few_is_told_as_a_count() -> None:
    assert (Share(3, 25).text, Share(0, 0).text) == ("3 of 25", "–")
    assert Share(3, 3000).text == "0.10\u00a0% (0.03 to 0.29\u00a0%)"


def test_custom_domains_count_where_their_mail_servers_are(store: Store, now: dt.datetime) -> None:
    week = now - dt.timedelta(days=3)
    send(store, 1, week, [*ordinary(40, 0), *ordinary(30, 5, OWN), *ordinary(20, 0, "lane.example")])
    with store.write() as connection:
        rows = [
            {"domain": OWN, "provider": "google", "at": now - dt.timedelta(days=30)},
            {"domain": "lane.example", "provider": "other", "at": now},
        ]
        connection.execute(insert(tables.mail_domain), rows)
    health = collect(store, organisation="City of Example", now=now)
    found = {each.name: (each.accepted, each.refused, dict(each.reasons)) for each in health.providers}
    assert found == {"google": (65, 5, {"userunknown": 5}), "lane.example": (20, 0, {})}
