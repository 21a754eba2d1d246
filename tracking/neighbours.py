"""What one person did around a moment, over the spools of all service processes.

An unsubscribe that comes amid a burst of clicks may be a scanner's: some post every form they find.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from outreach.events import Event, Kind
from tracking import rules
from tracking.rules import Fact
from tracking.spool import SUFFIX

NEAR_MS = 1_500
_SLACK_MS = 5_000
"""Within a spool times follow each other nearly; so much earlier or later is looked at, too."""


class Neighbours:
    """Looks into the spools of a folder. What cannot be read has no neighbours."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clicks(self, event: Event) -> list[Fact]:
        """The same person's clicks on the same message within NEAR_MS, in the order of time."""
        found: list[Fact] = []
        for path in self._folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(sqlite3.Error, OSError):
                found += _clicks(path, event)
        return sorted(found, key=lambda fact: fact.at_ms)

    def burst(self, event: Event) -> bool:
        """Whether the event is amid a scanner's burst."""
        clicks = self.clicks(event)
        return bool(clicks) and bool(rules.burst_of(clicks, all_links=rules.BURST_LINKS))


def _clicks(path: Path, event: Event) -> Iterator[Fact]:
    first, last = event.at_ms - NEAR_MS, event.at_ms + NEAR_MS
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=1.0)
    try:
        rows = connection.execute(
            "SELECT kind, at_ms, subscriber_id, link, agent_class, network_class, prefix_hash, flags FROM hit"
            " WHERE sequence >= ? AND sequence <= ? AND kind = ? AND campaign_id = ? AND subscriber_id = ?"
            " AND at_ms BETWEEN ? AND ?",
            (
                _sequence_at(connection, first - _SLACK_MS),
                _sequence_at(connection, last + _SLACK_MS),
                int(Kind.CLICK),
                event.campaign_id,
                event.subscriber_id,
                first,
                last,
            ),
        ).fetchall()
    finally:
        connection.close()
    yield from map(Fact._make, rows)


def _sequence_at(connection: sqlite3.Connection, at_ms: int) -> int:
    """The first sequence at or after a moment, by halving: there is no index, for the service has better to do."""
    low, high = connection.execute("SELECT coalesce(min(sequence), 0), coalesce(max(sequence), 0) FROM hit").fetchone()
    while low < high:
        middle = (low + high) // 2
        row = connection.execute("SELECT at_ms FROM hit WHERE sequence >= ? LIMIT 1", (middle,)).fetchone()
        if row[0] < at_ms:
            low = middle + 1
        else:
            high = middle
    return int(low)
