"""Nothing leaves from cron that a person at the command line could not have sent."""

from __future__ import annotations

from outreach.campaigns.approval import approve
from outreach.campaigns.plan import plan
from outreach.store.tables import campaign
from outreach.testing import FaultServer

MONDAY = "2027-03-08T17:00:00Z"
NEXT = "2027-03-15T16:00:00Z"


def test_a_trial_an_altered_plan_and_an_altered_series_are_refused_by_cron_too(town, command, at):
    parking = town.topic("Parking")
    town.people(["ada"], [parking], at=at("2026-01-01 00:00"))
    town.people(["grace"], [parking], frequency=1, at=at("2026-01-01 00:00"))
    path = town.campaign("weekly", topic="Parking", schedule="FREQ=WEEKLY;BYDAY=MO from 2027-03-08 09:00")
    planned = plan(town.store, town.settings, path, segments={}, now=at("2027-03-01 12:00"))
    approve(town.store, planned.name, by="Dana Lee", now=at("2027-03-01 12:00"))
    with FaultServer([]) as server:
        shared = {"OUTREACH_TEST_CLOCK": "1", "OUTREACH_RELAY_URL": f"smtp://127.0.0.1:{server.port}"}

        def cron(moment: str, *, code: int, mode: str = "live") -> str:
            environment = shared | {"OUTREACH_NOW": moment, "OUTREACH_MODE": mode}
            return command(town.root, environment).run("cron", code=code).stderr

        assert "trial mode" in cron(MONDAY, code=1, mode="trial")
        assert server.accepted == []
        cron(MONDAY, code=0)
        assert [each.recipients for each in server.accepted] == [("ada@example.org",)]
        # Grace's digest: in trial mode it waits as well.
        assert "trial mode" in cron("2027-03-09T16:00:00Z", code=1, mode="trial")
        cron("2027-03-09T16:01:00Z", code=0)
        assert len(server.accepted) == 2
        # Somebody changes what was approved, in the database: the next occurrence is refused.
        with town.store.write() as connection:
            first = connection.execute(campaign.select().where(campaign.c.name == "weekly-1")).one()
            forged = {**first.plan, "links": ["https://evil.example/"]}
            connection.execute(campaign.update().where(campaign.c.name == "weekly-1").values(plan=forged))
        assert "weekly-1, which it is an occurrence of, is not as it was approved" in cron(NEXT, code=1)
        assert len(server.accepted) == 2
