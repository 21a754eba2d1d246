"""A recurring campaign that one person approved alone, and that has grown beyond what one alone may approve."""

from __future__ import annotations

import datetime as dt

import pytest
from click.testing import CliRunner

from outreach.campaigns import credentials, lifecycle
from outreach.campaigns.approval import approve
from outreach.cli import main
from outreach.errors import ApprovalMissing, OutreachError
from outreach.store import campaigns
from outreach.store.campaigns import Status
from tests.operating.office import NOON, office

__all__ = ["office"]

MONDAY = dt.datetime(2026, 11, 23, 17, 30, tzinfo=dt.UTC)
WEEK = dt.timedelta(days=7)


@pytest.fixture
def cron(office, monkeypatch):
    """Call it with the hour and the exit code: what cron says then."""
    monkeypatch.chdir(office.town.root)
    settings = {"policy_approval_above": "5", "relay_url": "directory:mails", "mode": "live"}
    office.town.set(**settings)
    office.restart()
    environment = {f"OUTREACH_{name.upper()}": value for name, value in settings.items()}

    def run(now: dt.datetime, code: int = 0) -> str:
        monkeypatch.setenv("OUTREACH_NOW", now.isoformat())
        done = CliRunner().invoke(main, ["cron"], env=environment, catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done.output

    return run


def test_it_waits_for_a_second_person_and_goes_on_by_their_word(office, cron):
    signs(office, office.plans("weekly", schedule="FREQ=WEEKLY;BYDAY=MO from 2026-11-23 09:00"), "Dana")
    assert cron(MONDAY) == ""
    grows(office, 4)
    said = cron(MONDAY + WEEK, code=1)
    assert (
        "weekly-2 waits for somebody's approval: it reaches 7 people, and what Dana approved alone is good for 5"
        in said
    )
    assert "Asked by mail: Eli" in said
    assert (office.status("weekly-2"), cron(MONDAY + WEEK)) == (Status.PLANNED, "")
    with pytest.raises(ApprovalMissing, match="weekly-2 is not approved"):
        lifecycle.check(office.town.store, office.town.settings, "weekly-2")
    with pytest.raises(ApprovalMissing, match="a second person has to approve what Dana planned"):
        signs(office, "weekly-2", "Dana")
    signs(office, "weekly-2", "Eli")
    assert cron(MONDAY + WEEK) == ""
    assert reached(office) == {"weekly-1": Status.FINISHED, "weekly-2": Status.FINISHED}
    grows(office, 90)
    assert cron(MONDAY + 2 * WEEK) == ""
    assert reached(office)["weekly-3"] is Status.FINISHED
    assert office.campaign("weekly-3").frozen == 97


def test_one_that_nobody_approved_in_time_leaves_nobody_with_two_the_week_after(office, cron):
    office.hires("Fay", "approver", verified=False)
    signs(office, office.plans("weekly", schedule="FREQ=WEEKLY;BYDAY=MO from 2026-11-23 09:00"), "Dana")
    cron(MONDAY)
    grows(office, 4)
    cron(MONDAY + WEEK, code=1)
    said = cron(MONDAY + 2 * WEEK, code=1)
    assert "weekly-3 waits" in said
    assert "weekly-2 was due Mon 2026-11-30 09:00" in said
    assert "nobody approved it" in said
    assert (office.status("weekly-2"), cron(MONDAY + 2 * WEEK)) == (Status.STOPPED, "")
    with pytest.raises(OutreachError, match="weekly-2 is not what was planned any more"):
        signs(office, "weekly-2", "Eli")
    signs(office, "weekly-3", "Eli")
    assert cron(MONDAY + 2 * WEEK) == ""
    assert reached(office) == {
        "weekly-1": Status.FINISHED,
        "weekly-2": Status.STOPPED,
        "weekly-3": Status.FINISHED,
    }


def test_one_that_nobody_approves_is_told_when_its_window_closes_and_ends_no_series(office, cron):
    signs(office, office.plans("weekly", schedule="FREQ=WEEKLY;BYDAY=MO from 2026-11-23 09:00"), "Dana")
    cron(MONDAY)
    grows(office, 4)
    cron(MONDAY + WEEK, code=1)
    late = MONDAY + WEEK + dt.timedelta(days=5)
    said = cron(late, code=1)
    assert "weekly-2 was due" in said
    assert "nobody approved it until 2026-12-0" in said
    assert "so nobody got it" in said
    assert (office.status("weekly-2"), cron(late)) == (Status.STOPPED, "")
    assert "weekly-3 waits" in cron(MONDAY + 2 * WEEK, code=1)


def signs(office, name: str, by: str) -> None:
    environment = {credentials.VARIABLE: office.tokens[by]}
    approve(office.town.store, name, by=by, now=NOON, above=5, environment=environment)


def grows(office, count: int) -> None:
    """So many more people want to hear about parking."""
    office.more = getattr(office, "more", 0) + count
    names = [f"p{office.more}-{number}" for number in range(count)]
    office.town.people(names, [office.town.topic("Parking")], at=NOON - dt.timedelta(days=30))


def reached(office) -> dict[str, Status]:
    with office.town.store.read() as connection:
        return {each.name: each.status for each in campaigns.every(connection)}
