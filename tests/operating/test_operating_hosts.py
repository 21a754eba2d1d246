"""Several hosts on one PostgreSQL: they join once, share the work, and a copy of one of them sends nothing."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import pytest

from outreach.campaigns import restored
from outreach.errors import Blocked
from outreach.store import installation
from outreach.store.database import Store
from outreach.testing import FaultServer

PEOPLE = [f"resident{number}@example.org" for number in range(30)]


@pytest.fixture
def shared_store(postgres_database):
    store = Store.open(postgres_database)
    yield store
    store.close()


def test_a_second_host_joins_once_and_both_send(shared_store, tmp_path, now):
    first, second = tmp_path / "first", tmp_path / "second"
    for _ in range(3):
        installation.refuse_restored(shared_store, first, now=now)
    with pytest.raises(Blocked, match="outreach worker"):
        installation.refuse_restored(shared_store, second, now=now)
    installation.refuse_restored(shared_store, first, now=now)  # the stranger stopped nobody but itself
    assert installation.join(shared_store, second)
    for _ in range(2):
        installation.refuse_restored(shared_store, second, now=now)
        installation.refuse_restored(shared_store, first, now=now)
    assert not installation.join(shared_store, second)


def test_a_copy_of_a_host_sends_nothing_and_stops_nobody(shared_store, tmp_path, now):
    first, copy = tmp_path / "first", tmp_path / "copy"
    installation.refuse_restored(shared_store, first, now=now)
    shutil.copytree(first, copy)
    assert not installation.join(shared_store, copy)
    with pytest.raises(Blocked, match="is a copy of"):
        installation.refuse_restored(shared_store, copy, now=now)
    installation.refuse_restored(shared_store, first, now=now)


def test_a_database_put_back_stops_every_host_until_somebody_resumes(shared_store, tmp_path, now):
    first, second = tmp_path / "first", tmp_path / "second"
    installation.refuse_restored(shared_store, first, now=now)
    installation.join(shared_store, second)
    installation.refuse_restored(shared_store, first, now=now)
    known = json.loads((first / installation.FILE).read_text("utf-8"))
    (first / installation.FILE).write_text(json.dumps(known | {"generation": 99}), "utf-8")  # as after a restore
    for folder in (first, second):
        with pytest.raises(Blocked, match="a backup was put back"):
            installation.refuse_restored(shared_store, folder, now=now)
    restored.resume(shared_store, first, logs=None, nothing_sent=True, now=now)
    installation.refuse_restored(shared_store, first, now=now)
    with pytest.raises(Blocked, match="two different installations; to join it"):
        installation.refuse_restored(shared_store, second, now=now)
    installation.refuse_restored(shared_store, first, now=now)


def test_the_database_of_one_host_is_not_joined(sqlite_store, tmp_path, now):
    installation.refuse_restored(sqlite_store, tmp_path / "data", now=now)
    assert not installation.join(sqlite_store, tmp_path / "other")
    with pytest.raises(Blocked, match="another state folder"):
        installation.refuse_restored(sqlite_store, tmp_path / "other", now=now)


def test_the_second_host_finishes_what_the_first_began(command, postgres_database, tmp_path):
    """The real commands: the first host starts a campaign and is stopped by a relay that is away; the second sends."""
    command(tmp_path).run("init", "city", "--name", "City of Testing")
    shared = {"OUTREACH_DATABASE_URL": postgres_database, "OUTREACH_MODE": "live"}
    with FaultServer([]) as server:
        city = command(tmp_path / "city", shared | {"OUTREACH_RELAY_URL": "smtp://127.0.0.1:1"})
        (city.root / "people.csv").write_text("email\n" + "".join(f"{each}\n" for each in PEOPLE), "utf-8")
        city.run("subscribers", "import", "people.csv", "--topic", "City news", "--source", "form")
        city.run("campaigns", "plan", "campaigns/welcome.md")
        city.run("campaigns", "approve", "welcome-1", "--by", "Dana Lee")
        city.run("campaigns", "send", "welcome-1", "--yes", "--patience", "0", "--workers", "1", code=75)
        shutil.copytree(city.root, tmp_path / "host", ignore=shutil.ignore_patterns("data"))
        host = command(tmp_path / "host", shared | {"OUTREACH_RELAY_URL": f"smtp://127.0.0.1:{server.port}"})
        assert "outreach worker" in host.run("cron", code=1).stderr
        joined = host.run("worker", "--workers", "1")
        assert "beside the others" in joined.stderr
        assert host.run("cron").stderr == ""
        assert Counter(each.recipients[0] for each in server.accepted) == Counter(PEOPLE)
        found = city.json("report", "welcome-1")
    assert found["balance"]["accepted"] == len(PEOPLE)
