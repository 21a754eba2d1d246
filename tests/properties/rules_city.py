"""A small city with facts of every kind, many of them missing: in the store, and the same as plain persons."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert, select, update

from outreach.events import Kind
from outreach.segmentation import Catalogue, Person, load_catalogue
from outreach.segmentation.person import ActiveDay, Engagement, Mail
from outreach.store import tables

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
ZONE = ZoneInfo("America/Chicago")
TODAY = NOW.astimezone(ZONE).date()
PEOPLE = 80
TEXTS = [
    "3",
    "4",
    "02134",
    "North",
    "north",
    "NORTH gate",
    "Ñandú",
    "ñandú",
    "50%_off",
    "o'Brien",
    'say "hi"',
    "a\\b",
    "x",
]
FIELDS = {
    "district": "text",
    "zip": "text",
    "renter": "yesno",
    "age": "number",
    "moved": "date",
    "language": "text",
    "joined": "date",
    "first_name": "text",
    "street": "text",
    "pets": "number",
    "dog": "yesno",
    "built": "date",
    "email": "text",
}
SLOTS = {"district": "t1", "zip": "t2", "renter": "n1", "age": "n2", "moved": "d1"}
TOPICS = {"Parking": 1, "Parks and trails": 2, "Road works": 1, "Nothing yet": None}
IMPORTED = (4, 7)
"""Campaigns of another system: planned here when they were imported, and sent long before."""
SEGMENTS = {
    "engaged": "opened within 90 days or clicked at least 2 times within 200 days",
    "renters here": "renter and not district is unknown",
    "of segments": 'in segment "renters here" or not in segment engaged',
}


@dataclass(frozen=True)
class City:
    catalogue: Catalogue
    people: dict[int, Person]


def build(connection: Connection) -> City:
    """People with facts of every kind, many of them missing, and the same facts as Person."""
    dice = random.Random(7)

    def maybe(make: object, share: float = 0.7) -> object:
        return make() if dice.random() < share else None  # type: ignore[operator]

    def past(days: int) -> dt.datetime:
        return NOW - dt.timedelta(milliseconds=dice.randrange(days * 86_400_000))

    known = set(connection.execute(select(tables.field.c.name)).scalars())
    for name, kind in FIELDS.items():
        if name in ("email", "language", "joined"):
            continue
        row = {"type": kind, "slot": SLOTS.get(name)}
        if name in known:
            connection.execute(update(tables.field).where(tables.field.c.name == name).values(**row))
        else:
            connection.execute(insert(tables.field).values(name=name, **row))
    connection.execute(insert(tables.department), [{"id": 1, "name": "Public Works"}, {"id": 2, "name": "Parks"}])
    connection.execute(
        insert(tables.topic),
        [
            {"id": number, "name": name, "key": name.casefold(), "department_id": department}
            for number, (name, department) in enumerate(TOPICS.items(), 1)
        ],
    )
    campaigns = {}
    for number in range(1, 9):
        planned = NOW - dt.timedelta(days=60 * number)
        campaigns[number] = {
            "id": number,
            "name": f"letter-{number}",
            "file": "letter.md",
            "topic_id": 1 + number % 3,
            "department_id": [None, 1, 2][number % 3],
            "status": "finished",
            "rule": "everyone",
            "plan": {},
            "plan_hash": "",
            "frozen": 0,
            "planned_at": NOW if number in IMPORTED else planned,
            "started_at": planned,
            "finished_at": planned + dt.timedelta(days=20) if number > 1 else None,
        }
    connection.execute(insert(tables.campaign), list(campaigns.values()))
    people = {}
    for person in range(1, PEOPLE + 1):
        address = f"Person{person}@{dice.choice(['city', 'mail'])}.example".lower()
        slots = {
            "district": maybe(lambda: dice.choice(TEXTS)),
            "zip": maybe(lambda: dice.choice(["", *TEXTS])),
            "renter": maybe(lambda: float(dice.randint(0, 1))),
            "age": maybe(lambda: dice.choice([18.0, 30.5, 65.0])),
            "moved": maybe(lambda: past(900)),
        }
        attributes = {
            "first_name": maybe(lambda: dice.choice(TEXTS)),
            "street": maybe(lambda: dice.choice([*TEXTS, 3, 4.5, True, None, ["x"]])),
            "pets": maybe(lambda: dice.choice([0, 1, 2.5, "2", None, False])),
            "dog": maybe(lambda: dice.choice([True, False, 1, "yes", None])),
            "built": maybe(lambda: dice.choice(["1999-12-31", "2026-11-20", "2026-11-20T23:59:59Z", "soon", 2026])),
        }
        attributes = {name: value for name, value in attributes.items() if value is not None}
        overall = figures(dice, past)
        profile = {
            "locale": maybe(lambda: dice.choice(["en", "es", "es-mx", "hmn"])),
            "joined_at": maybe(lambda: past(900)),
            **{SLOTS[name]: value for name, value in slots.items()},
        }
        connection.execute(
            insert(tables.subscriber).values(id=person, address=address, attributes=attributes, created_at=NOW)
        )
        connection.execute(insert(tables.profile).values(subscriber_id=person, status=1, **profile, **overall))
        subscribed = {number: dice.choice([0, 1, 1, 2]) for number in range(1, 4) if dice.random() < 0.5}
        for topic, status in subscribed.items():
            connection.execute(
                insert(tables.subscription).values(topic_id=topic, subscriber_id=person, status=status, changed_at=NOW)
            )
        reason = maybe(lambda: "bounce", 0.2)
        if reason:
            connection.execute(
                insert(tables.suppression).values(
                    address=address, subscriber_id=dice.choice([person, None]), reason=reason, source="test", at=NOW
                )
            )
        scopes = {(kind, one): figures(dice, past) for kind in (1, 2) for one in (1, 2, 3) if dice.random() < 0.5}
        scopes.pop((1, 3), None)
        for campaign_id in campaigns:
            if dice.random() < 0.3:
                scopes[3, campaign_id] = figures(dice, past) | {"received": 0, "unopened": 0, "last_sent_at": None}
        for (kind, one), row in scopes.items():
            connection.execute(
                insert(tables.engagement).values(scope_kind=kind, scope_id=one, subscriber_id=person, **row)
            )
        days = {
            ActiveDay(
                dice.choice([Kind.OPEN, Kind.CLICK]),
                TODAY - dt.timedelta(days=dice.choice([0, 1, 5, 29, 30, 31, 90, 300])),
                number := dice.randint(1, 8),
                campaigns[number]["department_id"] or 0,
                campaigns[number]["topic_id"],
                dice.randint(1, 2),
            )
            for _ in range(dice.randint(0, 9))
        }
        days = {(day.event, day.day, day.campaign_id): day for day in days}
        for day in days.values():
            connection.execute(
                insert(tables.engagement_day).values(
                    kind=int(day.event),
                    day=(day.day - dt.date(1970, 1, 1)).days,
                    subscriber_id=person,
                    campaign_id=day.campaign_id,
                    department_id=day.department_id,
                    topic_id=day.topic_id,
                    count=day.count,
                )
            )
        mails = []
        for number, one in campaigns.items():
            if dice.random() < 0.4:
                state = dice.choice([3, 3, 3, 4, 6])
                at = min(NOW, one["started_at"] + dt.timedelta(hours=dice.randrange(480)))
                connection.execute(
                    insert(tables.delivery).values(campaign_id=number, subscriber_id=person, state=state, at=at)
                )
                if state == 3:
                    mails.append(Mail(number, one["department_id"], one["topic_id"], at))
        values = {
            **slots,
            **attributes,
            "language": profile["locale"],
            "joined": profile["joined_at"],
            "email": address,
        }
        people[person] = Person(
            values={name: value for name, value in values.items() if value is not None},
            topics=frozenset(topic for topic, status in subscribed.items() if status == 1),
            suppressed=reason,
            engagement={(0, 0): Engagement(**overall)} | {key: Engagement(**row) for key, row in scopes.items()},
            days=tuple(days.values()),
            mails=tuple(mails),
        )
    return City(load_catalogue(connection, segments=SEGMENTS), people)


def figures(dice: random.Random, past: object) -> dict[str, object]:
    moments = {
        name: past(days) if dice.random() < 0.6 else None  # type: ignore[operator]
        for name, days in (("last_sent_at", 20), ("last_open_at", 200), ("last_click_at", 400))
    }
    counts = {name: dice.randint(0, 5) for name in ("received", "opens", "clicks", "unopened")}
    return {**counts, **moments}
