"""How long a campaign will take: each provider by what it allows, all of them by what we can.

Providers are sent to side by side, so the slowest decides, or our own speed where that is less. What a provider asked
of us and the table of `shaping.toml` are its limits; our speed is that of the last large campaigns.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from outreach.sending.mx import KEEP
from outreach.sending.shaping import OTHER, Shaping, load
from outreach.store import destinations, throttles
from outreach.store.throttles import Slowed

ASSUMED: Final = 100.0
"""Messages a second of our own while no campaign has shown more; ours, and low."""
_SHOWN: Final = 4
"""Providers named to a person; all of them are in the plan."""


@dataclass(frozen=True, slots=True)
class Share:
    """One provider's part: how many people, and seconds until the last of them has it."""

    people: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds for everybody, and for each provider, the most people first."""

    seconds: int
    providers: Mapping[str, Share]

    def document(self) -> dict[str, Any]:
        providers = {name: {"people": each.people, "seconds": each.seconds} for name, each in self.providers.items()}
        return {"seconds": self.seconds, "providers": providers}

    def __str__(self) -> str:
        """`about 4 minutes (google 2,160 in 22 s, microsoft 900 in 9 s, 2 more)`."""
        parts = [f"{name} {each.people:,} in {lasting(each.seconds)}" for name, each in self.providers.items()]
        more = [f"{len(parts) - _SHOWN} more"] if len(parts) > _SHOWN else []
        return f"about {lasting(self.seconds)} ({', '.join([*parts[:_SHOWN], *more])})"


def estimate(connection: Connection, campaign_id: int, *, workspace: Path, now: dt.datetime) -> Estimate:
    """For a frozen campaign, as things are now."""
    shaping = load(workspace)
    known = throttles.domains(connection, since=now - KEEP) | shaping.by_domain()
    people: Counter[str] = Counter()
    for domain, count in destinations.by_domain(connection, campaign_id).items():
        people[known.get(domain, OTHER)] += count
    pace = destinations.pace(connection) or ASSUMED
    slowed = throttles.slowed(connection)
    shares = {
        provider: Share(count, _seconds(count, provider, pace, shaping, slowed.get(provider), now=now))
        for provider, count in people.most_common()
    }
    ours = math.ceil(people.total() / pace)
    return Estimate(max([ours, *(share.seconds for share in shares.values())]), shares)


def _seconds(
    people: int, provider: str, pace: float, shaping: Shaping, slowed: Slowed | None, *, now: dt.datetime
) -> int:
    limits = shaping.limits.get(provider) or shaping.limits[OTHER]
    rate = (slowed.rate if slowed else None) or limits.per_second
    wait = max(0.0, (slowed.until - now).total_seconds()) if slowed and slowed.until else 0.0
    return math.ceil(wait + people / min(rate, pace))


def lasting(seconds: int) -> str:
    """As people say it: 40 s, 12 minutes, 3 hours."""
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} minutes"
    return f"{round(seconds / 3600)} hours"
