"""Some of the people a rule chooses, to look at: real ones, or made-up ones who look like them.

A made-up person has each value from another real one, and only values that several people share, under a name and an
address of nobody: fit to be shown on a projector or pasted into a ticket.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from outreach.segmentation.counting import select_ids
from outreach.segmentation.fields import Catalogue, Type
from outreach.store.consent import CONFIRMED
from outreach.store.tables import profile, subscriber, subscription

SHARED_BY = 5
"""So many of those looked at must have a value before a made-up person may have it too."""
_LOOKED_AT = 500
_NAMES = ("Alex", "Bo", "Chris", "Dana", "Eli", "Fran", "Gale", "Hana", "Ira", "Jo", "Kim", "Lou", "Max", "Nico", "Ola")


@dataclass(frozen=True, slots=True)
class Example:
    """One person of a preview. `values` are the fields that rules use, where known; dates as they are."""

    address: str
    values: Mapping[str, object]
    topics: tuple[str, ...]
    opened: dt.date | None
    clicked: dt.date | None


def real(
    connection: Connection,
    expression: ColumnElement[bool],
    catalogue: Catalogue,
    *,
    zone: dt.tzinfo,
    limit: int,
    seed: int = 1,
) -> list[Example]:
    """People drawn by chance, with days in `zone`; the same ones for the same seed while nothing changes."""
    ids: list[Any] = [row[0] for row in connection.execute(select_ids(expression))]
    chosen = sorted(random.Random(seed).sample(ids, min(limit, len(ids))))  # noqa: S311 - an example, not a secret
    return _examples(connection, chosen, catalogue, zone)


def made_up(
    connection: Connection,
    expression: ColumnElement[bool],
    catalogue: Catalogue,
    *,
    zone: dt.tzinfo,
    limit: int,
    seed: int = 1,
) -> list[Example]:
    """People who do not exist, and look like those the rule chooses."""
    dice = random.Random(seed)  # noqa: S311 - an example, not a secret
    models = real(connection, expression, catalogue, zone=zone, limit=_LOOKED_AT, seed=seed)
    if not models:
        return []
    names = [name for name in catalogue.fields if any(name in one.values for one in models)]
    known = {name: _shared([_coarse(one.values.get(name)) for one in models]) for name in names}
    opened, clicked = _shared([_month(one.opened) for one in models]), _shared([_month(one.clicked) for one in models])
    topics = _shared([one.topics for one in models])
    return [
        Example(
            f"{_NAMES[number % len(_NAMES)].lower()}{number + 1}@example.com",
            {name: value for name, values in known.items() if (value := dice.choice(values)) is not None},
            dice.choice(topics) or (),
            dice.choice(opened),
            dice.choice(clicked),
        )
        for number in range(min(limit, len(models)))
    ]


def _shared(values: Sequence[Any]) -> list[Any]:
    often = Counter(values)
    return [value for value in values if value is None or often[value] >= SHARED_BY] or [None]


def _coarse(value: object) -> object:
    return _month(value.date()) if isinstance(value, dt.datetime) else value


def _month(day: dt.date | None) -> dt.date | None:
    return day.replace(day=1) if day else None


def common(connection: Connection, catalogue: Catalogue, *, limit: int = 6) -> dict[str, list[str]]:
    """For each text field that rules use, the values that most people have, the commonest first; no one's own."""
    found = {}
    for name, one in catalogue.fields.items():
        if one.column is None or one.type is not Type.TEXT or one.choices:
            continue
        column, people = profile.c[one.column], func.count()
        often = select(column).where(column.is_not(None)).group_by(column).having(people >= SHARED_BY)
        values = connection.execute(often.order_by(people.desc(), column).limit(limit)).scalars()
        found[name] = [str(value) for value in values]
    return found


def _examples(connection: Connection, ids: Sequence[int], catalogue: Catalogue, zone: dt.tzinfo) -> list[Example]:
    columns = {name: one for name, one in catalogue.fields.items() if one.column}
    topics = _topics(connection, ids, catalogue)
    rows = connection.execute(
        select(subscriber.c.address, profile)
        .join(profile, profile.c.subscriber_id == subscriber.c.id)
        .where(profile.c.subscriber_id.in_(ids))
        .order_by(profile.c.subscriber_id)
    )
    found = []
    for row in rows:
        facts = row._mapping  # the documented way to ask a Row by name
        values = {name: facts[str(one.column)] for name, one in columns.items()}
        yesno = {
            name: bool(values[name])
            for name, one in columns.items()
            if one.type is Type.YESNO and values[name] is not None
        }
        opened, clicked = row.last_open_at, row.last_click_at
        found.append(
            Example(
                row.address,
                {name: value for name, value in (values | yesno).items() if value is not None},
                topics.get(row.subscriber_id, ()),
                opened.astimezone(zone).date() if opened else None,
                clicked.astimezone(zone).date() if clicked else None,
            )
        )
    return found


def _topics(connection: Connection, ids: Sequence[int], catalogue: Catalogue) -> dict[int, tuple[str, ...]]:
    names = {topic.id: topic.name for topic in catalogue.topics}
    found: dict[int, tuple[str, ...]] = {}
    rows = connection.execute(
        select(subscription.c.subscriber_id, subscription.c.topic_id)
        .where(subscription.c.subscriber_id.in_(ids), subscription.c.status == CONFIRMED)
        .order_by(subscription.c.topic_id)
    )
    for person, topic in rows:
        found[person] = (*found.get(person, ()), names.get(topic, ""))
    return found
