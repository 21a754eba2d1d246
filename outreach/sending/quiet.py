"""Quiet hours and days: nobody's telephone rings at night or on a holiday for a newsletter, by their own clock."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from outreach.errors import ConfigurationError

_HOURS: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)")
_DATE: Final = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})")
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LONGEST: Final = 366
"""Days. Nobody is kept waiting for longer, whatever the setting says."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` to `end` of the recipient's day, and whole days; `zone` is for whoever has none of their own."""

    start: dt.time
    end: dt.time
    zone: str
    weekdays: frozenset[int] = field(default_factory=frozenset)
    dates: frozenset[tuple[int, int, int]] = field(default_factory=frozenset)
    """Year, month and day; year 0 is every year."""

    @classmethod
    def parse(cls, text: str, *, zone: str) -> QuietHours | None:
        """`21:00-08:00, sunday, 12-25, 2027-07-04`; an empty text is no quiet hours."""
        start = end = dt.time()
        weekdays: set[int] = set()
        dates: set[tuple[int, int, int]] = set()
        for word in re.sub(r"\s*-\s*", "-", text).replace(",", " ").lower().split():
            if hours := _HOURS.fullmatch(word):
                start, end = dt.time(int(hours[1]), int(hours[2])), dt.time(int(hours[3]), int(hours[4]))
            elif word.removesuffix("s") in _WEEKDAYS:
                weekdays.add(_WEEKDAYS.index(word.removesuffix("s")))
            elif (day := _DATE.fullmatch(word)) and _exists(day):
                dates.add((int(day[1] or 0), int(day[2]), int(day[3])))
            else:
                raise ConfigurationError(
                    f"policy.quiet_hours is {text!r}; write it like 21:00-08:00, with days if you like: "
                    "21:00-08:00, sunday, 12-25, 2027-07-04"
                )
        if len(weekdays) == len(_WEEKDAYS):
            raise ConfigurationError(f"policy.quiet_hours is {text!r}: that leaves no day of the week to write on")
        return (
            cls(start, end, zone, frozenset(weekdays), frozenset(dates)) if start != end or weekdays or dates else None
        )

    def until(self, now: dt.datetime, *, zone: str | None) -> dt.datetime | None:
        """When it is over for somebody in `zone` (UTC), or None if it is not quiet there now."""
        there = _zone(zone or self.zone, self.zone)
        here = began = now.astimezone(there).replace(tzinfo=None)
        for _ in range(_LONGEST):
            over = self._over(here)
            if over is None:
                break
            here = over
        return here.replace(tzinfo=there).astimezone(dt.UTC) if here != began else None

    def known(self, zone: str | None) -> str:
        """The zone that counts for somebody who gave this one."""
        return _zone(zone or self.zone, self.zone).key

    def _over(self, here: dt.datetime) -> dt.datetime | None:
        """The end of the quiet day or hours that this local time lies in."""
        today, clock = here.date(), here.time()
        if self._is_quiet(today):
            return dt.datetime.combine(today + dt.timedelta(days=1), dt.time())
        if self.start == self.end:
            return None
        if self.start < self.end:
            return dt.datetime.combine(today, self.end) if self.start <= clock < self.end else None
        if clock >= self.start:
            return dt.datetime.combine(today + dt.timedelta(days=1), self.end)
        return dt.datetime.combine(today, self.end) if clock < self.end else None

    def _is_quiet(self, day: dt.date) -> bool:
        return (
            day.weekday() in self.weekdays
            or (0, day.month, day.day) in self.dates
            or (day.year, day.month, day.day) in self.dates
        )


def _exists(day: re.Match[str]) -> bool:
    try:
        dt.date(int(day[1] or 2024), int(day[2]), int(day[3]))  # a leap year: 29 February may be quiet
    except ValueError:
        return False
    return True


@lru_cache(maxsize=512)
def _zone(name: str, fallback: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(fallback)
