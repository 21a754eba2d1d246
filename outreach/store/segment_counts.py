"""How many people each segment had, night by night."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from outreach.store.checkpoints import insert
from outreach.store.tables import segment_count


@dataclass(frozen=True, slots=True)
class Night:
    """One night's count. Another `rule_hash` than the night before: the rule was changed in between."""

    day: int
    """Days since 1970 in the organisation's zone."""
    people: int
    rule_hash: str


def note(connection: Connection, name: str, *, day: int, people: int, rule_hash: str) -> None:
    """Keep a segment's count for that day; a second one of the same day takes its place."""
    statement = insert(connection, segment_count).values(name=name, day=day, people=people, rule_hash=rule_hash)
    changed = {"people": statement.excluded["people"], "rule_hash": statement.excluded["rule_hash"]}
    connection.execute(statement.on_conflict_do_update(index_elements=["name", "day"], set_=changed))


def nights(connection: Connection, name: str, *, limit: int) -> list[Night]:
    """The latest nights, oldest first."""
    rows = connection.execute(
        select(segment_count.c.day, segment_count.c.people, segment_count.c.rule_hash)
        .where(segment_count.c.name == name)
        .order_by(segment_count.c.day.desc())
        .limit(limit)
    )
    return [Night(*row) for row in rows][::-1]
