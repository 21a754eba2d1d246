"""A campaign that has run: two thousand neighbours, their servers, their scanners and what they did."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert

from outreach.events import Flag, Kind
from outreach.reports.document import Report, build
from outreach.store import campaigns
from outreach.store.campaigns import Campaign
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.events import Verdict
from outreach.store.tables import campaign, delivery, department, event, feedback, topic

START = dt.datetime(2026, 11, 19, 17, 0, tzinfo=dt.UTC)  # nine in the morning in Los Angeles
CITY = ZoneInfo("America/Los_Angeles")
LINKS = [
    "https://city.example/sweeping/your-street",
    "https://city.example/parking/permits?district=3",
    "https://city.example/report-a-problem",
]
REFUSALS = ["550 5.1.1 <{}> no such user here", "550 5.1.1 unknown recipient {}", "552 5.2.2 mailbox {} full"]


@dataclass
class Truth:
    """What really happened, to compare the report with."""

    states: Counter[State] = field(default_factory=Counter)
    opened: set[int] = field(default_factory=set)
    clicked: dict[int, set[int]] = field(default_factory=lambda: {0: set(), 1: set(), 2: set()})
    unsubscribed: set[int] = field(default_factory=set)
    complained: set[int] = field(default_factory=set)
    machine_hits: int = 0


def run_campaign(store: Store, *, people: int = 2_000, seed: int = 7, subject: str = "Street sweeping") -> Truth:
    """Plan, send and live through campaign 1; deterministic."""
    dice, truth = random.Random(seed), Truth()
    rows, hits, back = [], [], []
    for person in range(1, people + 1):
        state, reason = _fate(dice, person)
        at = START + dt.timedelta(milliseconds=35 * person + dice.randrange(400))
        truth.states[state] += 1
        rows.append({"campaign_id": 1, "subscriber_id": person, "state": state.value, "at": at, "reason": reason})
        if state is State.ACCEPTED:
            _react(dice, truth, person, at, hits, back)
    with store.write() as connection:
        connection.execute(insert(department).values(id=1, name="Public Works"))
        connection.execute(insert(topic).values(id=3, name="Parking & street sweeping", key="parking", department_id=1))
        connection.execute(
            insert(campaign).values(
                id=1,
                name="street-sweeping-1",
                file="street-sweeping",
                topic_id=3,
                department_id=1,
                status="finished",
                rule='topic is "Parking & street sweeping" and district in (3, 4)',
                plan={"subject": subject, "excluded": {"suppressed": 21, "did not ask for it": 16}},
                plan_hash="9f2c" * 16,
                frozen=people,
                planned_at=START - dt.timedelta(hours=2),
                approved_at=START - dt.timedelta(minutes=20),
                approved_by="Maria Okafor",
                started_at=START,
                finished_at=START + dt.timedelta(minutes=3),
            )
        )
        connection.execute(insert(delivery), rows)
        if back:
            connection.execute(insert(feedback), [_feedback(number, *item) for number, item in enumerate(back, 1)])
    if hits:
        with store.write_events() as connection:
            connection.execute(insert(event), [_event(number, *item) for number, item in enumerate(hits, 1)])
    return truth


def _fate(dice: random.Random, person: int) -> tuple[State, str | None]:
    roll = dice.random()
    if roll < 0.015:
        return State.BOUNCED, dice.choice(REFUSALS).format(f"resident{person}")
    if roll < 0.019:
        return State.SUPPRESSED, dice.choice(["complaint", "bounce"])
    if roll < 0.022:
        return State.EXCLUDED, "unsubscribed since the plan"
    return (
        (State.IN_DOUBT, "connection lost after the final dot") if roll < 0.0235 else (State.ACCEPTED, "250 2.0.0 ok")
    )


def _react(dice, truth: Truth, person: int, at: dt.datetime, hits: list, back: list) -> None:
    if dice.random() < 0.05:  # a scanner loads and follows everything within a second
        burst = at + dt.timedelta(seconds=dice.uniform(20, 90))
        hits += [(Kind.OPEN, person, burst, 0, Verdict.MACHINE)]
        hits += [(Kind.CLICK, person, burst, link, Verdict.MACHINE) for link in range(3)]
        truth.machine_hits += 4
    if dice.random() < 0.31:
        opened = at + dt.timedelta(hours=min(70, dice.lognormvariate(1.1, 1.2)))
        truth.opened.add(person)
        hits += [(Kind.OPEN, person, opened, 0, Verdict.UNJUDGED)] * 1
        if dice.random() < 0.3:
            hits += [(Kind.OPEN, person, opened + dt.timedelta(minutes=7), 0, Verdict.UNJUDGED)]
        if dice.random() < 0.22:
            link = dice.choices([0, 1, 2], [6, 3, 1])[0]
            truth.clicked[link].add(person)
            hits += [(Kind.CLICK, person, opened + dt.timedelta(seconds=40), link, Verdict.PERSON)]
        if dice.random() < 0.02:
            truth.unsubscribed.add(person)
            flags, detail = dice.choice(
                [(Flag.POST, None), (Flag.POST | Flag.ONE_CLICK, None), (Flag.POST, '{"all": true}')]
            )
            back += [(Kind.UNSUBSCRIBE, person, opened, flags, detail)]
        elif dice.random() < 0.003:
            truth.complained.add(person)
            back += [(Kind.COMPLAINT, person, opened, 0, None)]


def _event(sequence: int, kind: Kind, person: int, at: dt.datetime, link: int, verdict: Verdict) -> dict:
    return {
        "spool": "a", "sequence": sequence, "kind": kind.value, "campaign_id": 1, "subscriber_id": person, "at": at,
        "link": link, "agent_class": 7, "network_class": 1, "flags": 0, "verdict": verdict.value,
    }  # fmt: skip


def _feedback(sequence: int, kind: Kind, person: int, at: dt.datetime, flags: int, detail: str | None) -> dict:
    return {
        "spool": "a", "sequence": sequence, "kind": kind.value, "campaign_id": 1, "subscriber_id": person, "at": at,
        "agent_class": 7, "network_class": 1, "flags": int(flags), "detail": detail,
    }  # fmt: skip


@pytest.fixture
def sweeping(store: Store) -> tuple[Campaign, Truth]:
    """The campaign after three days, and the truth about it."""
    truth = run_campaign(store)
    return found(store), truth


@pytest.fixture
def small_sweeping(store: Store) -> Callable[..., Campaign]:
    """The same with as many people as asked for."""

    def make(people: int, **values: str) -> Campaign:
        run_campaign(store, people=people, **values)
        return found(store)

    return make


@pytest.fixture
def report_of(store: Store) -> Callable[..., Report]:
    """The report of a campaign, three days after it began."""

    def make(found: Campaign, *, organisation: str = "City of Example") -> Report:
        return build(store, found, links=LINKS, organisation=organisation, zone=CITY, now=START + dt.timedelta(days=3))

    return make


def found(store: Store) -> Campaign:
    with store.read() as connection:
        return campaigns.get(connection, 1)


@pytest.fixture
def small_sweeping_in() -> Callable[..., Truth]:
    """Runs the campaign in any store."""
    return run_campaign
