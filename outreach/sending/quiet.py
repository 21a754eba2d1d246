"""Quiet hours: nobody's telephone rings at night for a newsletter, by the clock on their own wall."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from outreach.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` to `end` of the recipient's day; `zone` is for whoever has none of their own."""

    start: dt.time
    end: dt.time
    zone: str

    @classmethod
    def parse(cls, text: str, *, zone: str) -> QuietHours | None:
        """`21:00-08:00`; an empty text is no quiet hours."""
        if not text.strip():
            return None
        found = re.fullmatch(r"\s*([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)\s*", text)
        if found is None:
            raise ConfigurationError(f"policy.quiet_hours is {text!r}; write it like 21:00-08:00")
        start, end = dt.time(int(found[1]), int(found[2])), dt.time(int(found[3]), int(found[4]))
        return cls(start, end, zone) if start != end else None

    def until(self, now: dt.datetime, *, zone: str | None) -> dt.datetime | None:
        """When the quiet hours end for somebody in `zone` (UTC), or None if they are not in them now."""
        here = now.astimezone(_zone(zone or self.zone, self.zone))
        clock = here.time()
        quiet = self.start <= clock < self.end if self.start < self.end else clock >= self.start or clock < self.end
        if not quiet:
            return None
        day = here.date() if clock < self.end else here.date() + dt.timedelta(days=1)
        return dt.datetime.combine(day, self.end, here.tzinfo).astimezone(dt.UTC)


@lru_cache(maxsize=512)
def _zone(name: str, fallback: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(fallback)
