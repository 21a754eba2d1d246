"""A week and a half around the change to summer time, with crashes and missed runs, in small."""

from __future__ import annotations

import datetime as dt

from outreach.cli.init import make_workspace
from outreach.practice.quarter import Quarter, open_fragile
from outreach.settings import load_settings


def test_every_item_reaches_everybody_who_wants_it_once_and_in_time(tmp_path):
    make_workspace(tmp_path / "city", name="City", domain="city.example", timezone="America/Los_Angeles")
    store = open_fragile(load_settings(tmp_path / "city", {"OUTREACH_DIGESTS_AT": "08:00"}))
    settings = load_settings(tmp_path / "city", {"OUTREACH_DIGESTS_AT": "08:00"})
    quarter = Quarter(store, settings, seed=3, people=30, topics=4, every=dt.timedelta(hours=22))
    # Los Angeles and New York change their clocks on 14 March 2027.
    outcome = quarter.run(dt.datetime(2027, 3, 12, tzinfo=dt.UTC), days=3, chance=0.1)
    store.close()
    assert outcome.crashes > 0
    assert outcome.missed > 0
    assert outcome.kept, outcome
