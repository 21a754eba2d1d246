"""The real command, many times at the same second: on two hosts with one PostgreSQL, and on one with SQLite.

TWENTY_ROUNDS=50 makes it twenty processes, fifty days, on both; `make trust` does.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from outreach.testing import FaultServer

ROUNDS = int(os.environ.get("TWENTY_ROUNDS", "1"))
PROCESSES, DATABASES = (20, ["sqlite", "postgres"]) if ROUNDS > 1 else (4, ["postgres"])
NOW, LATER = ([f"{kind}{number}@example.org" for number in range(5)] for kind in ("now", "daily"))
TOGETHER = [sys.executable, "-W", "error", str(Path(__file__).with_name("together.py"))]
DAY = dt.timedelta(days=1)


@pytest.mark.parametrize("database", DATABASES)
def test_each_due_thing_is_done_once(command, request, tmp_path, database):
    command(tmp_path).run("init", "city", "--name", "City of Testing")
    moment = dt.datetime(2027, 3, 1, 8, tzinfo=ZoneInfo("America/Los_Angeles"))  # eight on each day, as clocks have it
    with FaultServer([]) as server:
        shared = {"OUTREACH_MODE": "live", "OUTREACH_RELAY_URL": f"smtp://127.0.0.1:{server.port}"}
        shared |= {"OUTREACH_TEST_CLOCK": "1", "OUTREACH_ORGANISATION_TIMEZONE": "America/Los_Angeles"}
        if database == "postgres":
            shared["OUTREACH_DATABASE_URL"] = request.getfixturevalue("postgres_database")
        city = command(tmp_path / "city", shared | {"OUTREACH_NOW": (moment - DAY).isoformat()})
        rows = "".join(f"{each},City news,immediate\n" for each in NOW)
        rows += "".join(f"{each},City news,daily\n" for each in LATER)
        (city.root / "people.csv").write_text("email,topic,frequency\n" + rows, "utf-8")
        city.run("subscribers", "import", "people.csv", "--topic", "City news", "--source", "form")
        welcome = (city.root / "campaigns" / "welcome.md").read_text("utf-8")
        text = welcome.replace("---\n", "---\nschedule: FREQ=DAILY from 2027-03-01 08:00\n", 1)
        (city.root / "campaigns" / "welcome.md").write_text(text, "utf-8")
        city.run("cron")  # the digests' first moment, with nothing in it
        city.run("campaigns", "plan", "campaigns/welcome.md")
        city.run("campaigns", "approve", "welcome-1", "--by", "Dana Lee")
        city.environment["OUTREACH_NOW"] = moment.isoformat()
        city.run("cron")
        assert Counter(each.recipients[0] for each in server.accepted) == Counter(NOW)
        hosts = [city.root]
        if database == "postgres":
            shutil.copytree(city.root, tmp_path / "host", ignore=shutil.ignore_patterns("data"))
            command(tmp_path / "host", city.environment).run("worker")
            hosts.append(tmp_path / "host")
        for _ in range(ROUNDS):
            moment += DAY
            before = len(server.accepted)
            environment = {"PATH": os.environ["PATH"], "LANG": "C", **shared, "OUTREACH_NOW": moment.isoformat()}
            folders = [str(hosts[number % len(hosts)]) for number in range(PROCESSES)]
            done = subprocess.run(
                [*TOGETHER, str(tmp_path / "said"), *folders], env=environment, text=True, stdout=subprocess.PIPE,
                timeout=300,
            )  # fmt: skip
            assert "".join(file.read_text("utf-8") for file in tmp_path.glob("said.*")) == ""
            assert done.stdout.split() == ["0"] * PROCESSES
            # Today's occurrence to whoever wants it at once, and yesterday's in a digest to the others.
            assert Counter(each.recipients[0] for each in server.accepted[before:]) == Counter(NOW + LATER)
