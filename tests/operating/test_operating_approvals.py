"""What nobody signs by hand stands on what somebody did sign, and on nothing else."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from outreach import clock
from outreach.campaigns import credentials, lifecycle, series
from outreach.campaigns.approval import approve
from outreach.campaigns.plan import plan
from outreach.campaigns.terms import plan_hash
from outreach.errors import Blocked
from outreach.scheduling import digesting
from outreach.scheduling.due import find_due
from outreach.store import campaigns, digests, staff, tables
from outreach.store.campaigns import Status
from outreach.store.tables import campaign as table

MONDAYS = "FREQ=WEEKLY;BYDAY=MO from 2027-03-08 09:00"


@pytest.fixture
def signed(town, at, monkeypatch):
    """A town of two people with one approver, whose own token signs what they approve."""
    parking = town.topic("Parking")
    town.people(["ada", "grace"], [parking], at=at("2026-01-01 00:00"))
    town.people(["olga"], [parking], frequency=1, at=at("2026-01-01 00:00"))
    town.set(digests_at="08:00")
    token = credentials.new_token()
    with town.store.write() as connection:
        staff.add(
            connection, "Dana Lee", address="dana@city.example", role="administrator",
            public_key=credentials.public_key(token), now=at("2026-01-02 00:00"),
        )  # fmt: skip

    def make(name: str, *, now: dt.datetime, **fields: str) -> str:
        planned = plan(town.store, town.settings, town.campaign(name, topic="Parking", **fields), segments={}, now=now)
        approve(town.store, planned.name, by="Dana Lee", now=now, environment={credentials.VARIABLE: token})
        return planned.name

    return make


@pytest.fixture
def occurrence(town, signed, at, monkeypatch):
    """The second Monday of an approved weekly campaign."""
    signed("weekly", now=at("2027-03-01 12:00"), schedule=MONDAYS)
    monkeypatch.setattr(clock, "now", lambda: at("2027-03-08 17:00"))
    finish(town, "weekly-1", at("2027-03-08 17:00"))
    monkeypatch.setattr(clock, "now", lambda: at("2027-03-15 16:00"))
    (second,) = find_due(town.store, town.settings, segments={}, now=at("2027-03-15 16:00")).campaigns
    return second


def finish(town, name: str, now: dt.datetime) -> None:
    with town.store.write() as connection:
        number = campaigns.find(connection, name).id
        campaigns.set_status(connection, number, Status.FINISHED, only_from=(Status.APPROVED,), started_at=now)


def change(town, name: str, **values: object) -> None:
    with town.store.write() as connection:
        connection.execute(table.update().where(table.c.name == name).values(**values))


def test_an_occurrence_stands_on_the_signature_under_its_series(town, occurrence):
    assert occurrence.plan["series"]["name"] == "weekly-1"
    assert lifecycle.check(town.store, town.settings, occurrence.name).name == "weekly-2"


def test_the_third_occurrence_stands_on_the_first_too(town, occurrence, at, monkeypatch):
    finish(town, occurrence.name, at("2027-03-15 16:00"))
    monkeypatch.setattr(clock, "now", lambda: at("2027-03-22 16:00"))
    (third,) = find_due(town.store, town.settings, segments={}, now=at("2027-03-22 16:00")).campaigns
    assert third.plan["series"] == occurrence.plan["series"]
    lifecycle.check(town.store, town.settings, third.name)


def test_an_occurrence_of_a_series_that_was_not_signed_for_is_refused(town, occurrence):
    change(town, "weekly-1", approval=None)
    with pytest.raises(Blocked, match="the approval: it was not signed"):
        lifecycle.check(town.store, town.settings, occurrence.name)


def test_an_occurrence_that_says_something_else_than_its_series_is_refused(town, occurrence):
    forged = {**occurrence.plan, "rule": "everyone and district is 3", "links": ["https://evil.example/"]}
    change(town, occurrence.name, plan=forged, plan_hash=plan_hash(forged), rule=forged["rule"])
    with pytest.raises(Blocked, match="the links; the rule"):
        lifecycle.check(town.store, town.settings, occurrence.name)


def test_an_occurrence_of_a_series_that_was_changed_by_hand_is_refused(town, occurrence):
    with town.store.read() as connection:
        first = campaigns.find(connection, "weekly-1")
    change(town, "weekly-1", plan={**first.plan, "links": ["https://evil.example/"]})
    with pytest.raises(Blocked, match="weekly-1, which it is an occurrence of, is not as it was approved"):
        lifecycle.check(town.store, town.settings, occurrence.name)


def test_a_segment_edited_since_the_approval_keeps_the_occurrence_back(town, signed, at, monkeypatch):
    segments = {"near": "email is known"}
    path = town.campaign("weekly", topic="Parking", to="in segment near", schedule=MONDAYS)
    now = at("2027-03-01 12:00")
    planned = plan(town.store, town.settings, path, segments=segments, now=now)
    change(town, planned.name, status="approved", approved_at=at("2026-01-01 00:00"), approved_by="Dana Lee")
    finish(town, planned.name, at("2027-03-08 17:00"))
    monday = at("2027-03-15 16:00")
    monkeypatch.setattr(clock, "now", lambda: monday)
    (second,) = find_due(town.store, town.settings, segments={"near": "everyone"}, now=monday).campaigns
    with pytest.raises(Blocked, match="a segment its rule uses"):
        lifecycle.check(town.store, town.settings, second.name)


@pytest.fixture
def digest(town, signed, at, monkeypatch):
    """What Olga reads the next morning."""
    monkeypatch.setattr(clock, "now", lambda: at("2027-03-02 17:00"))
    signed("sweeping", now=at("2027-03-01 12:00"))
    with town.store.write() as connection:
        digests.publish(connection, campaigns.find(connection, "sweeping-1").id, now=at("2027-03-01 13:00"))
    (name,) = digesting.gather(town.store, town.settings, now=at("2027-03-02 17:00"))
    return name


def test_a_digest_stands_on_the_campaigns_it_quotes(town, digest):
    assert lifecycle.check(town.store, town.settings, digest).message_class == digests.MESSAGE_CLASS
    change(town, "sweeping-1", approval=None)
    with pytest.raises(Blocked, match="the approval of sweeping-1, which it quotes"):
        lifecycle.check(town.store, town.settings, digest)


def test_an_item_reworded_by_hand_is_left_out_by_name_and_the_others_go_out(town, signed, at, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: at("2027-03-02 17:00"))
    signed("sweeping", now=at("2027-03-01 12:00"), schedule=MONDAYS)
    signed("picnic", now=at("2027-03-01 12:00"))
    with town.store.write() as connection:
        for name in ("sweeping", "picnic"):
            digests.publish(connection, campaigns.find(connection, f"{name}-1").id, now=at("2027-03-01 13:00"))
        first = campaigns.find(connection, "sweeping-1").id
        forged = {"en": {"title": "Pay your fine", "body": "[Pay](https://evil.example/)"}}
        connection.execute(tables.item.update().where(tables.item.c.campaign_id == first).values(content=forged))
    told: list[str] = []
    (name,) = digesting.gather(town.store, town.settings, now=at("2027-03-02 17:00"), troubles=told)
    assert told == [
        "digests: sweeping-1 is left out, and all else goes out: not what was approved: the words in digests. 1 people "
        "wait for it; they get it once that is mended. Mend it, or take it out with: outreach campaigns stop sweeping-1"
        " (which ends sweeping if it is the last one, until it is planned and approved again)"
    ]
    with town.store.read() as connection:
        digest = campaigns.find(connection, name)
        text = campaigns.messages(connection, digest.id)["en"]["text"]
        assert [each.name for each, _ in series.quoted(connection, digest)] == ["picnic-1"]
    assert ("About picnic" in text, "Pay your fine" in text) == (True, False)
    assert lifecycle.check(town.store, town.settings, name).name == name


def test_a_digest_is_held_against_the_words_it_quotes_before_it_is_sent(town, digest):
    with town.store.write() as connection:
        connection.execute(tables.item.update().values(content={"en": {"title": "Pay", "body": "now"}}))
    with pytest.raises(Blocked, match="the words in digests of sweeping-1, which it quotes"):
        lifecycle.check(town.store, town.settings, digest)


def test_a_plan_that_names_no_words_for_digests_is_an_old_one(town, signed, at):
    signed("sweeping", now=at("2027-03-01 12:00"))
    with town.store.read() as connection:
        planned = campaigns.find(connection, "sweeping-1")
    old = dataclasses.replace(planned, plan={key: value for key, value in planned.plan.items() if key != "item"})
    assert [series.is_reworded(each, {"en": {"title": "Old", "body": "words"}}) for each in (planned, old)] == [
        True,
        False,
    ]


def test_in_trial_mode_a_digest_reaches_nobody_but_staff(town, digest):
    town.set(digests_at="08:00", mode="trial")
    with pytest.raises(Blocked, match="1 of 1 people are not"):
        lifecycle.check(town.store, town.settings, digest)
