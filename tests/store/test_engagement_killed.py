"""The folder is killed with -9 again and again, and every person is counted exactly once."""

from __future__ import annotations

import datetime as dt
import random
import signal
import subprocess
import sys
from collections import defaultdict
from zoneinfo import ZoneInfo

from sqlalchemy import func, insert, select

from outreach.store.database import Store
from outreach.store.engagement import fold
from outreach.store.engagement_check import compare
from outreach.store.tables import (
    campaign,
    delivery,
    department,
    engagement,
    engagement_day,
    event,
    event_position,
    profile,
    subscriber,
    topic,
)

CITY = ZoneInfo("America/Los_Angeles")
NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
PEOPLE, EVENTS, KILLS = 300, 4_000, 8
FOLD = """
import sys
from zoneinfo import ZoneInfo
from outreach.store.database import Store
from outreach.store.engagement import fold
store = Store.open(sys.argv[1])
print("folding", flush=True)
fold(store, zone=ZoneInfo("America/Los_Angeles"), batch=40)
print("done", flush=True)
"""


def seed(store: Store) -> dict[int, tuple[int, int]]:
    """People who opened and clicked, often twice; returns each one's campaigns opened and links followed."""
    dice = random.Random(5)
    opened: dict[int, set[int]] = defaultdict(set)
    clicked: dict[int, set[tuple[int, int]]] = defaultdict(set)
    rows = []
    for number in range(1, EVENTS + 1):
        kind, one, person, link = (
            dice.choice([1, 1, 2]),
            dice.randint(1, 3),
            dice.randint(1, PEOPLE),
            dice.randint(0, 1),
        )
        (clicked[person].add((one, link)) if kind == 2 else opened[person].add(one))
        rows.append(
            {"spool": "a", "sequence": number, "at": NOON + dt.timedelta(minutes=number), "kind": kind,
             "campaign_id": one, "subscriber_id": person, "link": link, "agent_class": 1, "network_class": 1,
             "flags": 0, "verdict": 0}
        )  # fmt: skip
    with store.write() as connection:
        connection.execute(insert(department).values(id=1, name="Works"))
        connection.execute(insert(topic).values(id=1, name="Parking", key="parking", department_id=1))
        people = range(1, PEOPLE + 1)
        connection.execute(
            insert(subscriber).values(attributes={}, created_at=NOON),
            [{"id": one, "address": f"p{one}@city.example"} for one in people],
        )
        connection.execute(insert(profile).values(status=1), [{"subscriber_id": one} for one in people])
        for number in range(1, 4):
            at = NOON + dt.timedelta(hours=number)
            connection.execute(
                insert(campaign).values(
                    id=number, name=f"c{number}", file="c", topic_id=1, department_id=1, status="finished", rule="",
                    plan={}, plan_hash="", frozen=PEOPLE, planned_at=NOON, finished_at=at,
                )
            )  # fmt: skip
            connection.execute(
                insert(delivery).values(campaign_id=number, state=3, at=at),
                [{"subscriber_id": one} for one in people],
            )
    with store.write_events() as connection:
        connection.execute(insert(event), rows)
        connection.execute(insert(event_position).values(spool="a", sequence=EVENTS))
    return {one: (len(opened[one]), len(clicked[one])) for one in range(1, PEOPLE + 1)}


def test_everybody_is_counted_once_however_often_the_folder_is_killed(store: Store) -> None:
    expected = seed(store)
    url = store.main.url.render_as_string(hide_password=False)
    dice = random.Random(6)
    killed = 0
    for _ in range(KILLS):
        folder = subprocess.Popen([sys.executable, "-c", FOLD, url], stdout=subprocess.PIPE, text=True)
        assert folder.stdout is not None
        folder.stdout.readline()
        try:
            folder.wait(dice.uniform(0.02, 0.25))
        except subprocess.TimeoutExpired:
            folder.send_signal(signal.SIGKILL)
            killed += 1
        folder.wait()
        folder.stdout.close()
    assert killed >= 2
    fold(store, zone=CITY)
    with store.read() as connection:
        rows = connection.execute(
            select(profile.c.subscriber_id, profile.c.opens, profile.c.clicks, profile.c.received)
        )
        assert {person: (opens, clicks) for person, opens, clicks, _ in rows} == expected
        scoped = select(func.sum(engagement.c.opens), func.sum(engagement.c.clicks)).where(engagement.c.scope_kind == 3)
        totals = tuple(map(int, connection.execute(scoped).one()))
        assert totals == tuple(map(sum, zip(*expected.values(), strict=True)))
        assert connection.execute(select(func.min(profile.c.received), func.max(profile.c.received))).one() == (3, 3)
        assert connection.execute(select(func.count()).select_from(engagement_day)).scalar_one() > 0
    assert compare(store, zone=CITY, people=PEOPLE).different == ()
