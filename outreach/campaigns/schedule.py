"""When a campaign is due: a local time with its zone, once or again and again.

    schedule: 2026-12-01 09:00 America/Los_Angeles
    schedule: FREQ=WEEKLY;BYDAY=MO from 2026-12-01 09:00 America/Los_Angeles
    not_after: 2026-12-01 18:00                     or: 6 hours

Without a zone the organisation's counts. The rule is that of RFC 5545, 3.3.10, and walks through local
times, so a weekly nine o'clock stays nine o'clock when summer time begins or ends. A local time that the
change skips is due at the next minute that exists; one that happens twice is due the first time.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrulestr

from outreach.errors import OutreachError

MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{1,2}:\d{2})(?:\s+(\S+))?")
_SPAN = re.compile(r"(\d{1,4})\s+(minute|hour|day)s?")
_RULE = re.compile(r"(?:RRULE:)?(FREQ=\S+)\s+from\s+(.+)", re.IGNORECASE)
MAX_OCCURRENCES = 5_000
"""Looked through at most; ours: thirteen years of a daily campaign."""


class ScheduleError(OutreachError):
    """A schedule that cannot be meant; the message shows how one is written."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a campaign is due, as it was written."""

    text: str
    first: dt.datetime
    """Local, without a zone."""
    zone: str
    rule: str = ""
    """RFC 5545's RRULE; empty: once."""

    @property
    def recurring(self) -> bool:
        return bool(self.rule)

    def occurrences(self, *, after: dt.datetime | None = None) -> Iterator[dt.datetime]:
        """The moments in UTC, in order, that lie after `after`; at most MAX_OCCURRENCES are looked at."""
        zone = ZoneInfo(self.zone)
        last: dt.datetime | None = None
        for local in islice(self._local(after, zone), MAX_OCCURRENCES):
            at = resolve(local, zone)
            # 02:15 and 02:45 both become 03:00 where the hour between does not exist: that is one moment.
            if (after is None or at > after) and at != last:
                yield at
            last = at

    def due(self, *, after: dt.datetime | None, until: dt.datetime) -> list[dt.datetime]:
        """The moments in UTC after `after`, up to and with `until`."""
        found = []
        for at in self.occurrences(after=after):
            if at > until:
                break
            found.append(at)
        return found

    def _local(self, after: dt.datetime | None, zone: ZoneInfo) -> Iterator[dt.datetime]:
        if not self.rule:
            return iter([self.first])
        rule = rrulestr(self.rule, dtstart=self.first)
        if after is None:
            return iter(rule)
        # A day earlier, because no zone's change moves a time by more.
        return iter(rule.xafter(after.astimezone(zone).replace(tzinfo=None) - dt.timedelta(days=1), inc=True))


def parse(text: str, *, default_zone: str) -> Schedule:
    """A schedule from a campaign's front matter. ScheduleError says what is wrong with it."""
    text = " ".join(text.split())
    if match := _RULE.fullmatch(text):
        first, zone = moment(match[2], default_zone)
        rule = match[1].upper()
        _check(rule, first)
        return Schedule(text, first, zone, rule)
    first, zone = moment(text, default_zone)
    return Schedule(text, first, zone)


def not_after(text: str, *, at: dt.datetime, default_zone: str, recurring: bool = False) -> dt.datetime:
    """The end of the window that begins at `at`: a local time, or a span like `6 hours`, as `recurring` ones need."""
    if match := _SPAN.fullmatch(text.strip().lower()):
        return at + dt.timedelta(**{f"{match[2]}s": int(match[1])})
    local, zone = moment(text, default_zone)
    if recurring:
        raise ScheduleError(
            f"`not_after: {text}` is one moment, and this campaign comes again and again; "
            "write how long each time may take, as in `not_after: 6 hours`"
        )
    end = resolve(local, ZoneInfo(zone))
    if end <= at:
        raise ScheduleError(f"`not_after: {text}` is not later than its beginning, {shown(at, zone)}")
    return end


@lru_cache(maxsize=4096)
def resolve(local: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """The moment in UTC of a local time: skipped, the next minute that exists; repeated, the first one."""
    at = local.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)
    if at.astimezone(zone).replace(tzinfo=None) == local:
        return at
    # PEP 495: in a gap, fold=0 reads the clock before the change and fold=1 the clock after it, so the change
    # lies between the two readings.
    early, late = local.replace(tzinfo=zone, fold=1).astimezone(dt.UTC), at
    while late - early > dt.timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).replace(tzinfo=None) < local:
            early = middle
        else:
            late = middle
    # Some zones changed at odd seconds; the next whole minute is one that people can read.
    second = late.replace(microsecond=0)
    return second if second.second == 0 else second.replace(second=0) + dt.timedelta(minutes=1)


def how(local: dt.datetime, zone: ZoneInfo) -> str:
    """What the change of the clock did to a local time; empty: nothing."""
    at = resolve(local, zone)
    seen = at.astimezone(zone).replace(tzinfo=None)
    if seen != local:
        return f"{local:%H:%M} does not exist on that day in {zone.key}; it is {seen:%H:%M}"
    if local.replace(tzinfo=zone, fold=1).utcoffset() != local.replace(tzinfo=zone, fold=0).utcoffset():
        return f"{local:%H:%M} comes twice on that day in {zone.key}; it is the first one"
    return ""


def shown(at: dt.datetime, zone: str) -> str:
    """A moment as the plan shows it: local time, zone, and UTC."""
    return f"{at.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M} {zone} ({at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC)"


def in_words(at: dt.datetime, zone: str) -> str:
    """Monday, 30 November 2026, 8:30 America/Los_Angeles (UTC 16:30)"""
    local, utc = at.astimezone(ZoneInfo(zone)), at.astimezone(dt.UTC)
    day = "" if utc.date() == local.date() else f"{utc:%Y-%m-%d} "
    same = "" if zone == "UTC" else f" (UTC {day}{utc:%H:%M})"
    return f"{local:%A}, {local.day} {local:%B %Y}, {local.hour}:{local:%M} {zone}{same}"


def moment(text: str, default_zone: str) -> tuple[dt.datetime, str]:
    """A local time, and the name of its zone. ScheduleError says how one is written."""
    match = MOMENT.fullmatch(text.strip())
    if match is None:
        raise ScheduleError(
            f"{text!r} is no time we can read; write 2026-12-01 09:00 America/Los_Angeles, "
            "or FREQ=WEEKLY;BYDAY=MO from 2026-12-01 09:00"
        )
    zone = match[3] or default_zone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(f"{zone!r} is no time zone; write it like America/Los_Angeles") from None
    try:
        return dt.datetime.fromisoformat(f"{match[1]} {match[2]:0>5}"), zone
    except ValueError:
        raise ScheduleError(f"{match[1]} {match[2]} is no date and time that exists") from None


def _check(rule: str, first: dt.datetime) -> None:
    """A rule that dateutil can follow, that is not finer than an hour, and that ever comes."""
    if re.search(r"FREQ=(MINUTELY|SECONDLY)", rule):
        raise ScheduleError("a campaign cannot be due every minute or second; the finest rule is FREQ=HOURLY")
    if re.search(r"INTERVAL=(?!0*[1-9]\d*(;|$))", rule):  # 0 would never come to an end
        raise ScheduleError("INTERVAL is a whole number from 1: FREQ=WEEKLY;INTERVAL=2 is every other week")
    if "UNTIL=" in rule and rule.partition("UNTIL=")[2].partition(";")[0].endswith("Z"):
        raise ScheduleError("write UNTIL as a local time, without the Z at its end")
    try:
        found = next(iter(rrulestr(rule, dtstart=first)), None)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ScheduleError(f"{rule} is no rule of RFC 5545 that we can follow: {error}") from None
    if found is None:
        raise ScheduleError(f"{rule} never comes after {first:%Y-%m-%d %H:%M}")
