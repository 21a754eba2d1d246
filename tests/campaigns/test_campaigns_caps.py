"""Two campaigns that were planned side by side, and a cap that only one of them can keep."""

from __future__ import annotations

import json

from outreach.testing import FaultServer
from tests.campaigns.conftest import GOOD, Workspace


def test_the_later_of_two_plans_leaves_out_who_reached_the_cap_since(city: Workspace) -> None:
    cap = "1 in 7 days"
    wide = city.write(GOOD, "all-districts")
    narrow = city.write(GOOD.replace('to: topic is "Street sweeping"', "to: district is 3"), "district-3")
    plans = [
        json.loads(city.run("campaigns", "plan", file, "--json", OUTREACH_POLICY_CAP_REGULAR=cap).stdout)["plan"]
        for file in (narrow, wide)
    ]
    for plan in plans:
        city.run("campaigns", "approve", plan, "--by", "Dana Lee")
    counts = []
    for plan in plans:
        with FaultServer() as server:
            relay = f"smtp://127.0.0.1:{server.port}"
            sent = city.run("campaigns", "send", plan, "--yes", "--json", code=None, OUTREACH_RELAY_URL=relay)
            counts.append(json.loads(sent.stdout))
    assert [(each["accepted"], each["excluded"], each["frozen"]) for each in counts] == [(7, 0, 7), (53, 7, 60)]
    assert "over the cap of 1 in 7 days" in city.run("report", plans[1]).stdout
