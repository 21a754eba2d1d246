"""Twenty runs of cron at the same moment: each due thing once. Without their locks, so the store alone must do it."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
from collections import Counter
from pathlib import Path

from outreach.campaigns.approval import approve
from outreach.campaigns.plan import plan
from outreach.practice.postman import deliver
from outreach.scheduling import digesting
from outreach.scheduling.due import find_due
from outreach.settings import load_settings
from outreach.store import campaigns
from outreach.store.campaigns import Status
from outreach.store.database import Store

ROUNDS = int(os.environ.get("TWENTY_ROUNDS", "2"))


def cron(root: Path, moment, gate, said: Path) -> None:
    """What one run of cron does, in a process of its own; writes down whom it wrote to."""
    settings = load_settings(root, {"OUTREACH_DIGESTS_AT": "08:00"})
    store = Store.open(settings.database_url)
    gate.wait(60)
    due = [each.name for each in find_due(store, settings, segments={}, now=moment).campaigns]
    due += digesting.gather(store, settings, now=moment)
    with store.read() as connection:
        due += [each.name for each in campaigns.every(connection, Status.SENDING)]
    with said.open("w") as file:
        for name in dict.fromkeys(due):
            for message in deliver(store, settings, name, now=moment):
                subject = "digest" if name.startswith("digest") else name
                file.write(f"{message.recipient} {subject}\n")
    store.close()


def test_twenty_runs_at_once_do_each_due_thing_once(town, at, tmp_path):
    town.set(digests_at="08:00")
    topic = town.topic("Parking")
    town.people([f"now{n}" for n in range(8)], [topic], at=at("2027-01-01 00:00"))
    town.people([f"daily{n}" for n in range(8)], [topic], frequency=1, at=at("2027-01-01 00:00"))
    digesting.gather(town.store, town.settings, now=at("2027-02-28 20:00"))
    path = town.campaign("daily", topic="Parking", schedule="FREQ=DAILY from 2027-03-01 07:00")
    planned = plan(town.store, town.settings, path, segments={}, now=at("2027-03-01 00:00"))
    approve(town.store, planned.name, by="Dana Lee", now=at("2027-03-01 00:00"))
    context = multiprocessing.get_context("fork")
    expected: Counter[str] = Counter()
    said = []
    for number in range(ROUNDS * 2):  # at seven the campaign is due, at eight the digests, whatever the clocks do
        day = dt.date(2027, 3, 1) + dt.timedelta(days=number // 2)
        moment = dt.datetime.combine(day, dt.time(7 + number % 2), town.settings.zone).astimezone(dt.UTC)
        town.store.close()
        gate = context.Barrier(20)
        files = [tmp_path / f"{number}-{each}" for each in range(20)]
        runs = [context.Process(target=cron, args=(town.root, moment, gate, file)) for file in files]
        for run in runs:
            run.start()
        for run in runs:
            run.join(120)
            assert run.exitcode == 0
        said += [line for file in files for line in file.read_text().splitlines()]
        if number % 2:
            expected.update(f"daily{n}@example.org digest" for n in range(8))
        else:
            expected.update(f"now{n}@example.org daily-{number // 2 + 1}" for n in range(8))
    assert Counter(said) == expected
