"""Scheduled campaigns: once, in their window, or said to be missed."""

from __future__ import annotations

import datetime as dt

import pytest

from outreach.campaigns import later, lifecycle
from outreach.campaigns.approval import approve
from outreach.campaigns.definition import CampaignError
from outreach.campaigns.plan import plan
from outreach.errors import Blocked, UsageError
from outreach.scheduling import digesting
from outreach.scheduling.due import coming, find_due
from outreach.store import campaigns, schedule
from outreach.store.campaigns import Status
from outreach.store.schedule import State


@pytest.fixture
def approved(town, at):
    """Plans and approves a campaign of a town with two people, at one moment."""
    topic = town.topic("Parking")
    town.people(["ada", "grace"], [topic], at=at("2026-01-01 00:00"))

    def make(name: str, *, now: dt.datetime, **fields: str):
        path = town.campaign(name, topic="Parking", **fields)
        planned = plan(town.store, town.settings, path, segments={}, now=now)
        approve(town.store, planned.name, by="Dana Lee", now=now)
        return planned

    return make


def due(town, now):
    return find_due(town.store, town.settings, segments={}, now=now)


def start(town, campaign, now):
    with town.store.write() as connection:
        campaigns.set_status(connection, campaign.id, Status.SENDING, only_from=(Status.APPROVED,), started_at=now)
        later.begin(connection, campaign, now=now)
        campaigns.set_status(connection, campaign.id, Status.FINISHED, only_from=(Status.SENDING,), finished_at=now)


def test_a_campaign_is_due_when_its_moment_has_come_and_not_before(town, approved, at):
    planned = approved("sweeping", now=at("2026-11-21 12:00"), schedule="2026-12-01 09:00")
    assert planned.schedule == "Tue 2026-12-01 09:00 America/Los_Angeles (2026-12-01 17:00 UTC)"
    assert due(town, at("2026-12-01 16:59")).campaigns == []
    assert [each.name for each in due(town, at("2026-12-01 17:00")).campaigns] == ["sweeping-1"]


def test_a_missed_campaign_is_said_to_be_missed_once(town, approved, at):
    approved("sweeping", now=at("2026-11-21 12:00"), schedule="2026-12-01 09:00", not_after="6 hours")
    late = due(town, at("2026-12-02 08:00"))
    assert late.campaigns == []
    assert late.troubles == [
        "sweeping-1 was due Tue 2026-12-01 09:00 America/Los_Angeles (2026-12-01 17:00 UTC) and could be sent until "
        "2026-12-01 23:00 UTC; cron did not run in between, or it was refused, so nobody got it"
    ]
    assert due(town, at("2026-12-02 08:01")).troubles == []


def test_two_plans_of_one_file_for_one_moment_are_one_sending(town, approved, at):
    approved("sweeping", now=at("2026-11-21 12:00"), schedule="2026-12-01 09:00")
    town.people(["alan"], [town.topic("Parking")], at=at("2026-11-22 00:00"))
    approved("sweeping", now=at("2026-11-22 12:00"), schedule="2026-12-01 09:00")
    first, second = due(town, at("2026-12-01 17:00")).campaigns
    start(town, first, at("2026-12-01 17:00"))
    with pytest.raises(Blocked, match="already sent for"):
        start(town, second, at("2026-12-01 17:00"))


def test_nobody_can_send_it_early_by_hand(town, approved):
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    planned = approved("sweeping", now=dt.datetime.now(dt.UTC), schedule=f"{soon:%Y-%m-%d %H:%M} UTC")
    with pytest.raises(Blocked, match="is scheduled for"):
        lifecycle.check(town.store, town.settings, planned.name)


def test_a_weekly_campaign_is_planned_afresh_for_whom_the_rule_chooses_then(town, approved, at):
    approved("weekly", now=at("2027-03-01 12:00"), schedule="FREQ=WEEKLY;BYDAY=MO from 2027-03-08 09:00")
    (first,) = due(town, at("2027-03-08 17:00")).campaigns
    start(town, first, at("2027-03-08 17:00"))
    town.people(["alan"], [town.topic("Parking")], at=at("2027-03-10 00:00"))
    assert due(town, at("2027-03-15 15:59")).campaigns == []
    (second,) = due(town, at("2027-03-15 16:00")).campaigns  # nine o'clock, an hour earlier by UTC
    assert (second.name, second.frozen, second.status) == ("weekly-2", 3, Status.APPROVED)
    assert second.approved_by is not None
    assert second.approved_by.endswith("with weekly-1 for every occurrence")
    assert [each.name for each in due(town, at("2027-03-15 16:01")).campaigns] == ["weekly-2"]


def test_an_edited_recurring_campaign_refuses_until_it_is_approved_again(town, approved, at):
    approved("weekly", now=at("2027-03-01 12:00"), schedule="FREQ=WEEKLY;BYDAY=MO from 2027-03-08 09:00")
    start(town, due(town, at("2027-03-08 17:00")).campaigns[0], at("2027-03-08 17:00"))
    file = town.root / "campaigns" / "weekly.md"
    file.write_text(file.read_text("utf-8").replace("Hello.", "Buy now."), "utf-8")
    found = due(town, at("2027-03-15 16:00"))
    assert found.campaigns == []
    assert "the message in en" in found.troubles[0]
    with town.store.read() as connection:
        noted = schedule.find(connection, "weekly", at("2027-03-15 16:00"))
    assert noted is not None
    assert noted.state is State.REFUSED


def test_a_window_that_was_edited_since_the_approval_is_refused(town, approved, at):
    rule = "FREQ=WEEKLY;BYDAY=MO from 2027-03-08 09:00"
    approved("weekly", now=at("2027-03-01 12:00"), schedule=rule, not_after="6 hours")
    approved("later", now=at("2027-03-01 12:00"), schedule=rule)
    for campaign in due(town, at("2027-03-08 17:00")).campaigns:
        start(town, campaign, at("2027-03-08 17:00"))
    for name, edited in (("weekly", "not_after: 60 hours"), ("later", "not_after: 6 hours")):
        file = town.root / "campaigns" / f"{name}.md"
        text = file.read_text("utf-8").replace("not_after: 6 hours\n", "")
        file.write_text(text.replace("topic:", f"{edited}\ntopic:", 1), "utf-8")
    found = due(town, at("2027-03-15 16:00"))
    assert found.campaigns == []
    assert ["Changed: until when it may be sent (`not_after:`)." in each for each in found.troubles] == [True, True]


def test_after_a_fortnight_without_cron_only_the_latest_runs(town, approved, at):
    approved("daily", now=at("2027-03-01 12:00"), schedule="FREQ=DAILY from 2027-03-08 09:00", not_after="5 hours")
    start(town, due(town, at("2027-03-08 17:00")).campaigns[0], at("2027-03-08 17:00"))
    found = due(town, at("2027-03-22 17:00"))
    assert [each.name for each in found.campaigns] == ["daily-2"]
    assert found.troubles == [
        "daily was missed 13 times, last Sun 2027-03-21 09:00 America/Los_Angeles (2027-03-21 16:00 UTC): "
        "cron did not run"
    ]
    assert due(town, at("2027-03-22 17:01")).troubles == []


def test_what_comes_again_cannot_end_at_one_moment(town, approved, at):
    with pytest.raises(CampaignError, match=r"comes again and again; write how long .* `not_after: 6 hours`"):
        approved("weekly", now=at("2027-03-01 12:00"), schedule="FREQ=WEEKLY from 2027-03-08 09:00",
                 not_after="2027-03-08 18:00")  # fmt: skip


def test_stopping_it_ends_a_recurring_campaign(town, approved, at):
    approved("daily", now=at("2027-03-01 12:00"), schedule="FREQ=DAILY from 2027-03-08 09:00")
    assert [name for _, name in coming(town.store, now=at("2027-03-07 00:00"), until=at("2027-03-10 00:00"))] == [
        "daily-1",
        "daily",
    ]
    lifecycle.stop(town.store, "daily-1", now=at("2027-03-07 12:00"))
    assert due(town, at("2027-03-09 17:00")).campaigns == []
    assert coming(town.store, now=at("2027-03-07 13:00"), until=at("2027-03-12 00:00")) == []


def test_a_later_occurrence_takes_the_place_of_one_that_could_not_start(town, approved, at):
    approved("daily", now=at("2027-03-01 12:00"), schedule="FREQ=DAILY from 2027-03-08 09:00")
    told = []
    for day in (8, 9, 10):  # each is refused, as in trial mode
        found = due(town, at(f"2027-03-{day:02} 17:30"))
        assert [each.name for each in found.campaigns] == [f"daily-{day - 7}"]
        told += found.troubles
    assert told == [
        f"daily-{day - 7} was due {weekday} 2027-03-{day:02} 09:00 America/Los_Angeles (2027-03-{day:02} 17:00 UTC)"
        f"{again} and a later one has come since, so nobody got it"
        for day, weekday, again in ((8, "Mon", "; again by FREQ=DAILY"), (9, "Tue", "; again by FREQ=DAILY"))
    ]
    assert [each.name for each in due(town, at("2027-03-10 18:00")).campaigns] == ["daily-3"]
    with town.store.read() as connection:
        assert [each.status for each in campaigns.of_file(connection, "daily")] == ["approved", "stopped", "stopped"]
        noted = [schedule.find(connection, "daily", at(f"2027-03-{day:02} 17:00")) for day in (8, 9)]
    assert [each and each.state for each in noted] == [State.MISSED, State.MISSED]


@pytest.mark.parametrize("mended", ["resume", "stop"])
def test_nothing_goes_out_beside_an_occurrence_that_is_paused(town, approved, at, mended):
    approved("daily", now=at("2027-03-01 12:00"), schedule="FREQ=DAILY from 2027-03-08 09:00")
    (first,) = due(town, at("2027-03-08 17:00")).campaigns
    with town.store.write() as connection:
        campaigns.set_status(connection, first.id, Status.SENDING, only_from=(Status.APPROVED,))
        later.begin(connection, first, now=at("2027-03-08 17:00"))
    lifecycle.pause(town.store, "daily-1", reason="9 of 50 came back")
    found = due(town, at("2027-03-09 17:00"))
    assert (found.campaigns, found.troubles) == (
        [],
        [
            "daily, due Tue 2027-03-09 09:00 America/Los_Angeles (2027-03-09 17:00 UTC): daily-1 is paused (9 of 50 "
            "came back), and nobody gets two at once, so nobody gets this one. Look at it, then: outreach campaigns "
            "resume daily-1; or outreach campaigns stop daily-1, which ends daily until it is planned and approved "
            "again"
        ],
    )
    assert due(town, at("2027-03-09 17:01")).troubles == []
    if mended == "resume":
        lifecycle.resume(town.store, "daily-1")
        assert due(town, at("2027-03-09 20:00")).campaigns == []
        assert [each.name for each in due(town, at("2027-03-10 17:00")).campaigns] == ["daily-2"]
    else:
        lifecycle.stop(town.store, "daily-1", now=at("2027-03-09 20:00"))
        assert due(town, at("2027-03-10 17:00")).campaigns == []


def test_a_recurring_campaign_goes_on_though_its_first_moment_was_missed(town, approved, at):
    rule = "FREQ=WEEKLY;BYDAY=MO from 2027-03-08 09:00"
    approved("weekly", now=at("2027-03-01 12:00"), schedule=rule, not_after="6 hours")
    assert "weekly-1 was due" in due(town, at("2027-03-09 12:00")).troubles[0]
    assert coming(town.store, now=at("2027-03-10 00:00"), until=at("2027-03-16 00:00")) == [
        (at("2027-03-15 16:00"), "weekly")
    ]
    (second,) = due(town, at("2027-03-15 16:00")).campaigns
    assert (second.name, second.plan["series"]["name"]) == ("weekly-2", "weekly-1")


def test_a_second_plan_for_the_same_moment_does_not_end_a_recurring_campaign(town, approved, at):
    rule = "FREQ=WEEKLY;BYDAY=MO from 2027-03-08 09:00"
    approved("weekly", now=at("2027-03-01 12:00"), schedule=rule)
    town.people(["alan"], [town.topic("Parking")], at=at("2027-03-02 00:00"))
    approved("weekly", now=at("2027-03-03 12:00"), schedule=rule)
    first, _ = due(town, at("2027-03-08 17:00")).campaigns
    start(town, first, at("2027-03-08 17:00"))
    found = due(town, at("2027-03-08 17:01"))
    assert (found.campaigns, len(found.troubles)) == ([], 1)
    assert "another plan of its file went out for that moment, so nobody got it" in found.troubles[0]
    assert [each.name for each in due(town, at("2027-03-15 16:00")).campaigns] == ["weekly-3"]


def test_a_campaign_file_called_digest_is_no_digest(town, approved, at):
    town.set(digests_at="08:00")
    town.people(["hedy"], [town.topic("Parking")], frequency=1, at=at("2026-01-01 00:00"))
    assert digesting.gather(town.store, town.settings, now=at("2027-03-07 17:00")) == []
    approved("digest", now=at("2027-03-01 12:00"), schedule="FREQ=WEEKLY;BYDAY=MO from 2027-03-08 09:00")
    start(town, due(town, at("2027-03-08 17:00")).campaigns[0], at("2027-03-08 17:00"))
    assert digesting.gather(town.store, town.settings, now=at("2027-03-09 17:00")) == ["digest-2027-03-09-1"]
    with town.store.read() as connection:
        assert [each.name for each in campaigns.of_file(connection, "digest")] == ["digest-1"]
        assert campaigns.find(connection, "digest").name == "digest-1"
    names = [each.name for each in due(town, at("2027-03-15 16:00")).campaigns]
    assert names == ["digest-2"]


def test_every_occurrence_names_who_approved_the_first_within_what_the_store_keeps(town, approved, at):
    name = "street-sweeping-reminder-for-district-3-and-its-neighbours"
    approved(name, now=at("2027-03-01 12:00"), schedule="FREQ=DAILY from 2027-03-08 09:00")
    words = f", with {name}-1 for every occurrence"
    for day in range(8, 12):
        now = at(f"2027-03-{day:02} 17:00")
        (campaign,) = due(town, now).campaigns
        start(town, campaign, now)
        if day > 8:
            who = "Dana Lee (shell user "[: 120 - len(words)]
            assert campaign.approved_by is not None
            assert (campaign.approved_by[: len(who)], campaign.approved_by[-len(words) :]) == (who, words)
            assert len(campaign.approved_by) <= 120


def test_a_name_too_long_to_approve_is_refused_in_words(town, at):
    town.people(["ada"], [town.topic("Parking")], at=at("2026-01-01 00:00"))
    planned = plan(
        town.store, town.settings, town.campaign("x", topic="Parking"), segments={}, now=at("2027-03-01 12:00")
    )
    with pytest.raises(UsageError, match="`--by` has 110 characters"):
        approve(town.store, planned.name, by="D" * 110, now=at("2027-03-01 12:00"))
