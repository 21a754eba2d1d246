"""A quarter of a city's mail under a set clock: digests, summer time, crashes and nights without cron.

People of three frequencies in five zones follow topics; campaigns appear at any hour; some people change their
mind. Every fifteen minutes cron runs, unless it is kept from it, and any transaction may die before it commits.
What the people got is then compared, item by item, with what they were promised.
"""

from __future__ import annotations

import binascii
import datetime as dt
import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert, update

from outreach.campaigns.approval import approve
from outreach.campaigns.plan import plan
from outreach.campaigns.schedule import resolve
from outreach.practice.postman import deliver
from outreach.rendering.message import Message
from outreach.scheduling import digesting
from outreach.scheduling.due import find_due
from outreach.settings import Settings
from outreach.store import campaigns, tables, topics
from outreach.store.campaigns import Status
from outreach.store.consent import CONFIRMED, Frequency
from outreach.store.database import Store

ZONES = ("America/Los_Angeles", "America/New_York", "Europe/Berlin", "Asia/Kolkata", None)
TICK = dt.timedelta(minutes=15)
OUTAGE = dt.timedelta(hours=5)
"""The longest that cron is kept from running."""
_MARK = re.compile(rb"mark-(\d+)-end")


class Crash(Exception):
    """The process died here."""


class FragileStore(Store):
    """A store whose transactions die before they commit, or before they begin, as often as the dice say."""

    dice = random.Random(0)
    chance = 0.0
    crashes = 0

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self._maybe()
        with super().write() as connection:
            yield connection
            self._maybe()

    def _maybe(self) -> None:
        if self.dice.random() < self.chance:
            self.crashes += 1
            raise Crash


@dataclass(slots=True)
class Promise:
    """One item that one person wants, and when they may expect it."""

    earliest: dt.datetime
    latest: dt.datetime


@dataclass(slots=True)
class Outcome:
    """What became of the quarter."""

    items: int = 0
    promised: Counter[Frequency] = field(default_factory=Counter)
    once: Counter[Frequency] = field(default_factory=Counter)
    late: Counter[Frequency] = field(default_factory=Counter)
    lost: int = 0
    twice: int = 0
    unasked: int = 0
    messages: int = 0
    digests: int = 0
    crashes: int = 0
    ticks: int = 0
    missed: int = 0

    @property
    def kept(self) -> bool:
        """Everything reached everybody who wanted it once, in time, and nobody else."""
        return not (self.lost or self.twice or self.unasked or sum(self.late.values())) and self.items > 0


@dataclass(slots=True)
class _Person:
    address: str
    zone: str | None
    frequency: dict[int, Frequency]


class Quarter:
    """The simulation; `run` does it all."""

    def __init__(
        self, store: FragileStore, settings: Settings, *, seed: int, people: int, topics: int, every: dt.timedelta
    ) -> None:
        self._store, self._settings = store, settings
        self._dice = random.Random(seed)
        self._every = every
        self._folder = settings.root / "campaigns"
        self._people: dict[int, _Person] = {}
        self._promises: dict[tuple[str, int], Promise] = {}
        self._wish: dict[tuple[str, int], Frequency] = {}
        self._got: Counter[tuple[str, int]] = Counter()
        self.outcome = Outcome()
        with store.write() as connection:
            self._topics = topics_of(connection, topics)
            for number in range(people):
                self._join(connection, number)

    def run(self, start: dt.datetime, *, days: int, chance: float) -> Outcome:
        """From `start` for so many days, and a week more without news, so that the last weekly digest is out."""
        publishing = start + dt.timedelta(days=days)
        now, quiet_until = start, start
        news = start + self._every
        digesting.gather(self._store, self._settings, now=now)
        self._store.chance, self._store.dice = chance, self._dice
        while now < publishing + dt.timedelta(days=8):
            if news <= now < publishing:
                self._write(now)
                news += self._every
            if now.hour == 5 and now.minute == 0 and now < publishing:
                self._change_minds(now)
            if now >= quiet_until and self._dice.random() < 0.002:
                quiet_until = now + OUTAGE * self._dice.random()
            if now < quiet_until:
                self.outcome.missed += 1
            else:
                self._cron(now)
            self.outcome.ticks += 1
            now += TICK
        self.outcome.crashes = self._store.crashes
        self._judge()
        return self.outcome

    def _join(self, connection: Connection, number: int) -> None:
        zone = ZONES[number % len(ZONES)]
        address = f"resident{number}@example.org"
        row = {"address": address, "attributes": {}, "created_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}
        made = connection.execute(insert(tables.subscriber).values(row)).inserted_primary_key
        assert made is not None
        locale = self._dice.choice(("en", "en", "es", None))
        profile = {"subscriber_id": made[0], "status": 1, "timezone": zone, "locale": locale}
        connection.execute(insert(tables.profile).values(profile))
        chosen = self._dice.sample(self._topics, k=min(len(self._topics), self._dice.randint(1, 6)))
        wishes = {topic: self._dice.choice(list(Frequency)) for topic in chosen}
        connection.execute(
            insert(tables.subscription),
            [
                {
                    "topic_id": topic,
                    "subscriber_id": made[0],
                    "status": CONFIRMED,
                    "frequency": wish.value,
                    "changed_at": row["created_at"],
                }
                for topic, wish in wishes.items()
            ],
        )
        self._people[made[0]] = _Person(address, zone, wishes)

    def _write(self, now: dt.datetime) -> None:
        """A campaign is written, approved, and scheduled for within a day."""
        chance, self._store.chance = self._store.chance, 0.0  # people notice when their command dies
        number = self.outcome.items = self.outcome.items + 1
        topic = self._dice.choice(self._topics)
        at = now + TICK * self._dice.randint(1, 90)
        path = self._folder / f"item{number}.md"
        path.write_text(
            f"---\nsubject: Item {number}\nto: everyone\ntopic: Topic {topic}\nfrom: City <news@city.example>\n"
            f"schedule: {at:%Y-%m-%d %H:%M} UTC\n---\nmark-{number}-end\n",
            "utf-8",
        )
        planned = plan(self._store, self._settings, path, segments={}, now=now)
        approve(self._store, planned.name, by="Dana Lee", now=now)
        for person in self._people.values():
            if topic in person.frequency:
                self._promise(person, number, person.frequency[topic], at)
        self._store.chance = chance

    def _promise(self, person: _Person, number: int, wish: Frequency, at: dt.datetime) -> None:
        # It is published by the first cron after its moment, so a digest's moment counts from there on.
        zone = ZoneInfo(person.zone) if person.zone else self._settings.zone
        earliest, latest = at, at + OUTAGE + 4 * TICK
        if wish is not Frequency.AT_ONCE:
            weekly = wish is Frequency.WEEKLY
            earliest = next_slot(at, zone, weekly=weekly)
            latest = next_slot(at + OUTAGE, zone, weekly=weekly) + OUTAGE + 4 * TICK
        self._promises[person.address, number] = Promise(earliest, latest)
        self._wish[person.address, number] = wish

    def _change_minds(self, now: dt.datetime) -> None:
        chance, self._store.chance = self._store.chance, 0.0
        with self._store.write() as connection:
            for who in self._dice.sample(sorted(self._people), k=max(1, len(self._people) // 200)):
                person = self._people[who]
                topic, wish = self._dice.choice(sorted(person.frequency)), self._dice.choice(list(Frequency))
                person.frequency[topic] = wish
                mine = (tables.subscription.c.subscriber_id == who) & (tables.subscription.c.topic_id == topic)
                values = {"frequency": wish.value, "frequency_at": now}
                connection.execute(update(tables.subscription).where(mine).values(values))
        self._store.chance = chance

    def _cron(self, now: dt.datetime) -> None:
        try:
            due = [each.name for each in find_due(self._store, self._settings, segments={}, now=now).campaigns]
            due += digesting.gather(self._store, self._settings, now=now)
            with self._store.read() as connection:
                due += [each.name for each in campaigns.every(connection, Status.SENDING)]
            for name in dict.fromkeys(due):
                self.outcome.digests += name.startswith("digest")

                def note(batch: list[Message]) -> None:
                    for message in batch:
                        self._receive(message, now)

                deliver(self._store, self._settings, name, now=now, handed=note)
        except Crash:
            return  # the next run goes on

    def _receive(self, message: Message, now: dt.datetime) -> None:
        self.outcome.messages += 1
        text = message.data.partition(b"text/html")[0]
        for number in {int(each) for each in _MARK.findall(binascii.a2b_qp(text))}:
            key = (message.recipient, number)
            self._got[key] += 1
            promise = self._promises.get(key)
            if promise is None:
                self.outcome.unasked += 1
            elif not promise.earliest <= now <= promise.latest:
                self.outcome.late[self._wish[key]] += 1

    def _judge(self) -> None:
        for key in self._promises:
            self.outcome.promised[self._wish[key]] += 1
            times = self._got[key]
            self.outcome.once[self._wish[key]] += times == 1
            self.outcome.lost += times == 0
            self.outcome.twice += times > 1


def next_slot(at: dt.datetime, zone: ZoneInfo, *, weekly: bool) -> dt.datetime:
    """The first eight o'clock (on a Monday, if weekly) in a zone that is not before `at`."""
    day = at.astimezone(zone).date()
    while True:
        moment = resolve(dt.datetime.combine(day, dt.time(8)), zone)
        if moment >= at and (not weekly or day.weekday() == 0):
            return moment
        day += dt.timedelta(days=1)


def topics_of(connection: Connection, count: int) -> list[int]:
    """New topics, each named for its number."""
    numbers = range(1, count + 1)
    return topics.ensure(connection, [f"Topic {number}" for number in numbers])


def open_fragile(settings: Settings) -> FragileStore:
    """The workspace's store, which breaks once `run` begins."""
    store = FragileStore.open(settings.database_url)
    assert isinstance(store, FragileStore)
    return store
