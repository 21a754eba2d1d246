"""Quiet hours in what is planned and what is coming: how many wait, in which zone, until when."""

from __future__ import annotations

from outreach.campaigns.approval import approve
from outreach.campaigns.plan import plan
from outreach.campaigns.quiet_times import waits
from outreach.store import campaigns


def test_the_plan_and_cron_next_say_who_waits_and_until_when(town, command, at):
    town.set(policy_quiet_hours="21:00-08:00, sunday")
    parking = town.topic("Parking")
    town.people(["ada", "alan"], [parking], at=at("2026-01-01 00:00"))
    town.people(["grace"], [parking], zone="Europe/Berlin", at=at("2026-01-01 00:00"))
    town.people(["hedy"], [parking], zone="Asia/Kolkata", at=at("2026-01-01 00:00"))
    path = town.campaign("sweeping", topic="Parking", schedule="2026-11-28 20:00 UTC")
    planned = plan(town.store, town.settings, path, segments={}, now=at("2026-11-21 12:00"))
    with town.store.read() as connection:
        campaign = campaigns.find(connection, planned.name)
        found = [str(each) for each in waits(connection, town.settings, campaign, at=at("2026-11-28 20:00"))]
    berlin = "1 people are in their quiet hours then and get it Mon 2026-11-30 08:00 Europe/Berlin"
    kolkata = "1 people are in their quiet hours then and get it Mon 2026-11-30 08:00 Asia/Kolkata"
    assert found == [kolkata, berlin]  # noon in Los Angeles
    approve(town.store, planned.name, by="Dana Lee", now=at("2026-11-21 12:00"))
    clock = {"OUTREACH_TEST_CLOCK": "1", "OUTREACH_NOW": "2026-11-28T00:00:00Z"}
    quiet = {"OUTREACH_POLICY_QUIET_HOURS": "21:00-08:00, sunday"}
    (coming,) = command(town.root, clock | quiet).json("cron", "next")
    assert coming["what"] == f"sweeping-1; {kolkata}; {berlin}"
    again = command(town.root, clock | quiet | {"OUTREACH_NOW": "2026-11-28T21:00:00Z"})
    town.campaign("picnic", topic="Parking", body="A picnic.\n\nCome to the park at noon. " * 3)
    said = again.run("campaigns", "plan", "campaigns/picnic.md").stdout
    assert f"  {berlin}\n" in said


def test_an_emergency_waits_for_nobody(town, at):
    town.set(policy_quiet_hours="00:00-23:59")
    town.people(["ada"], [town.topic("Flood", "emergency")], at=at("2026-01-01 00:00"))
    planned = plan(
        town.store, town.settings, town.campaign("flood", topic="Flood"), segments={}, now=at("2026-11-21 12:00")
    )
    with town.store.read() as connection:
        campaign = campaigns.find(connection, planned.name)
        assert list(waits(connection, town.settings, campaign, at=at("2026-11-28 20:00"))) == []
