"""A simulated day, through the service's own eyes, the loader, the rules and the report's figures."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, insert, select

from outreach.events import Kind
from outreach.practice.day import PUBLISHED, Act, Habits, accepted, acts
from outreach.reports.balance import Balance, balance
from outreach.reports.metrics import Figures, figures
from outreach.store import tables
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.events import Verdict
from tracking.judging import judge_due, reclassify
from tracking.loader import Loader
from tracking.machines import DayKeys, Observer
from tracking.spool import BINDING_INDEX, TABLE

BEGIN = dt.datetime(2026, 11, 2, 8, 0, tzinfo=dt.UTC)
PEOPLE = 20_000


@dataclass
class Score:
    """How a day was judged, beside the truth."""

    scanner_clicks: float
    """Share of scanners' clicks that were flagged."""
    people: float
    """Share of people's hits that were flagged."""
    figures: Figures
    opened: float
    clicked: float
    """In truth, shares of all people."""


def live_through(store: Store, folder: Path, habits: Habits, *, people: int, seed: int) -> Score:
    day = list(acts(habits, people=people, seed=seed))
    _seed(store, habits, people)
    _record(folder, day)
    Loader(store, folder).run_once()
    while judge_due(store, now=BEGIN + dt.timedelta(days=60)):
        pass
    with store.read() as main, store.read_events() as raw:
        books: Balance = balance(main, 1)
        found = figures(main, raw, 1, balance=books, links=[""] * habits.links, zone=ZoneInfo("UTC"))
        verdicts = {
            sequence: Verdict(verdict)
            for sequence, verdict in raw.execute(select(tables.event.c.sequence, tables.event.c.verdict))
        }
    flagged = Counter[tuple[str, bool]]()
    for sequence, act in enumerate(day, 1):
        who = "person" if act.person else f"machine {act.kind.name}"
        flagged[who, verdicts[sequence] is Verdict.MACHINE] += 1
    return Score(
        scanner_clicks=_share(flagged, "machine CLICK"),
        people=_share(flagged, "person"),
        figures=found,
        opened=habits.opened,
        clicked=len({act.subscriber_id for act in day if act.person and act.kind is Kind.CLICK}) / people,
    )


def _share(flagged: Counter[tuple[str, bool]], who: str) -> float:
    return flagged[who, True] / max(1, flagged[who, True] + flagged[who, False])


def _seed(store: Store, habits: Habits, people: int) -> None:
    def taken(person: int) -> dt.timedelta:
        return dt.timedelta(seconds=accepted(habits, person, people=people))

    with store.write() as connection:
        connection.execute(
            insert(tables.subscriber),
            [
                {"id": n, "address": f"p{n}@office{n % 40}.example", "attributes": {}, "created_at": BEGIN}
                for n in range(1, people + 1)
            ],
        )
        connection.execute(
            insert(tables.campaign).values(
                id=1,
                name="day-1",
                file="day.md",
                status="finished",
                rule="",
                plan={},
                plan_hash="",
                frozen=people,
                planned_at=BEGIN,
                started_at=BEGIN,
                finished_at=BEGIN + dt.timedelta(seconds=habits.sending),
            )
        )
        connection.execute(
            insert(tables.delivery),
            [
                {"campaign_id": 1, "subscriber_id": n, "state": State.ACCEPTED.value, "at": BEGIN + taken(n)}
                for n in range(1, people + 1)
            ],
        )


def _record(folder: Path, day: list[Act]) -> None:
    """As the service would have: what each request shows, in a spool file."""
    observer = Observer(DayKeys(folder / "days"))
    begin = int(BEGIN.timestamp() * 1000)
    spool = sqlite3.connect(folder / "0000000000000001.spool")
    spool.execute(TABLE)
    spool.execute(BINDING_INDEX)
    rows = []
    for sequence, act in enumerate(day, 1):
        at_ms = begin + round(act.at * 1000)
        headers = [(b"user-agent", act.agent.encode())]
        seen = observer.observe(method="GET", headers=headers, client=act.client, at_ms=at_ms)
        rows.append((sequence, int(act.kind), at_ms, 1, act.subscriber_id, act.link, *seen, ""))
    spool.executemany("INSERT INTO hit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    spool.commit()
    spool.close()


def check(score: Score) -> None:
    measured_open, measured_click = score.figures.open_rate, score.figures.click_rate
    assert score.scanner_clicks >= 0.97
    assert score.people <= 0.005
    assert abs(measured_click.share - score.clicked) < 0.01
    assert abs(measured_open.share - score.opened) < 0.01


def test_a_day_with_the_published_timing_is_told_apart(sqlite_store: Store, tmp_path: Path) -> None:
    check(live_through(sqlite_store, tmp_path, PUBLISHED, people=PEOPLE, seed=1))
    again = reclassify(sqlite_store)
    assert (again.hits > 10_000, again.changed) == (True, 0)


def blind(seed: int) -> Habits:
    """Everything the rules look at, drawn at random; nothing was tuned on it."""
    dice = Random(f"blind {seed}")
    begin = dice.uniform(1, 400)
    return Habits(
        links=dice.randint(3, 14),
        apple=dice.uniform(0.2, 0.6),
        scanned=dice.uniform(0.02, 0.2),
        opened=dice.uniform(0.1, 0.4),
        clicked=dice.uniform(0.01, 0.08),
        second_click=dice.uniform(0.1, 0.5),
        burst_after=((0.5, 0, begin), (0.5, begin, begin * dice.uniform(2, 20))),
        burst_seconds=dice.uniform(0.05, 1.5),
        picture_before=dice.uniform(1, 60),
        picture_spread=dice.uniform(0.1, 30),
        same_place=dice.uniform(0.5, 1.0),
        disguised=1.0,
        scanner_places=dice.randint(5, 3000),
        homes=dice.randint(500, 30_000),
        think=(1.2, dice.uniform(10, 200)),
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_a_day_with_timings_that_the_rules_never_saw(sqlite_store: Store, tmp_path: Path, seed: int) -> None:
    check(live_through(sqlite_store, tmp_path, blind(seed), people=PEOPLE, seed=seed))


def test_every_hit_is_kept(sqlite_store: Store, tmp_path: Path) -> None:
    live_through(sqlite_store, tmp_path, PUBLISHED, people=500, seed=3)
    with sqlite_store.read_events() as raw:
        count = raw.execute(select(func.count()).select_from(tables.event)).scalar_one()
    assert count == len(list(acts(PUBLISHED, people=500, seed=3)))
