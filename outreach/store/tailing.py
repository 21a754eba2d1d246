"""Events as another system wants to follow them: each once, as they were loaded, from a position of its own."""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from outreach.events import Kind
from outreach.store import tables
from outreach.store.events import Verdict


class Position(NamedTuple):
    """How far a follower has read: the last binding event, and the last sequence of each spool."""

    feedback: int = 0
    spools: tuple[tuple[str, int], ...] = ()

    @classmethod
    def read(cls, text: str) -> Position:
        """From what `str` wrote. Raises ValueError."""
        if not text:
            return cls()
        found = json.loads(base64.urlsafe_b64decode(text.encode("ascii")))
        return cls(int(found[0]), tuple((str(spool), int(sequence)) for spool, sequence in found[1]))

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.feedback, self.spools]).encode()).decode("ascii")


def after(
    main: Connection, raw: Connection, position: Position, *, limit: int
) -> tuple[list[dict[str, Any]], Position]:
    """The next events, binding ones first, and the position behind the last of them."""
    found: list[tuple[dict[str, Any], Position]] = []
    for row in main.execute(
        select(tables.feedback)
        .where(tables.feedback.c.id > position.feedback)
        .order_by(tables.feedback.c.id)
        .limit(limit)
    ):
        position = position._replace(feedback=row.id)
        detail = {"detail": json.loads(row.detail)} if row.detail else {}
        found.append(({**_common(row), **detail}, position))
    read = dict(position.spools)
    event = tables.event
    spools = raw.execute(select(tables.event_position.c.spool)).scalars()
    for spool in sorted({file.partition(".")[0] for file in spools}):
        room = limit - len(found)
        if room <= 0:
            break
        rows = raw.execute(
            select(event)
            .where(event.c.spool == spool, event.c.sequence > read.get(spool, 0))
            .order_by(event.c.sequence)
            .limit(room)
        )
        for row in rows:
            read[spool] = row.sequence
            position = position._replace(spools=tuple(sorted(read.items())))
            found.append(({**_common(row), **_judged(row)}, position))
    _name(main, [event for event, _ in found])
    return [{**event, "position": str(place)} for event, place in found], position


def _common(row: Any) -> dict[str, Any]:
    return {
        "id": f"{row.spool}-{row.sequence}",
        "kind": Kind(row.kind).name.lower(),
        "at": row.at.isoformat(),
        "campaign": row.campaign_id,
        "subscriber": row.subscriber_id,
    }


def _judged(row: Any) -> dict[str, Any]:
    link = {Kind.CLICK: {"link": row.link}, Kind.ANSWER: {"answer": row.link}}.get(row.kind, {})
    return {**link, "who": Verdict(row.verdict).name.lower()}


def _name(main: Connection, events: list[dict[str, Any]]) -> None:
    """Campaigns by their names, people by their addresses; somebody erased, or counted without a name, by none."""
    people = sorted({event["subscriber"] for event in events})
    addresses: dict[int, str] = {}
    for start in range(0, len(people), 500):
        columns = (tables.subscriber.c.id, tables.subscriber.c.address)
        query = select(*columns).where(tables.subscriber.c.id.in_(people[start : start + 500]))
        addresses |= {number: address for number, address in main.execute(query)}  # noqa: C416 - as below
    every = main.execute(select(tables.campaign.c.id, tables.campaign.c.name))
    names = {number: name for number, name in every}  # noqa: C416 - dict() would lose the types
    for event in events:
        event["campaign"] = names.get(event["campaign"])
        event["subscriber"] = addresses.get(event["subscriber"])
