"""Windows and relative dates as days: `within 3 months` is the days since that day three months ago."""

from __future__ import annotations

import calendar
import datetime as dt

from outreach.segmentation.errors import RuleError
from outreach.segmentation.rules import Unit, Value, Window

EARLIEST = dt.date(1900, 1, 1)
_DAY = dt.timedelta(days=1)

Span = tuple[dt.date | None, dt.date | None]
"""The first day, and the day after the last; None is no limit."""


def the_day(value: Value, *, today: dt.date) -> dt.date:
    """The day a date value names. RuleError if it is before 1900."""
    if value.text == "today":
        return today
    if value.text == "yesterday":
        return today - _DAY
    if value.text.endswith(" ago"):
        amount, unit, _ = value.text.split()
        return earlier(today, int(amount), _singular(unit), at=value.at)
    return dt.date.fromisoformat(value.text)


def first_and_end(window: Window, *, today: dt.date) -> Span:
    """The days of a window. `within` ends today; what began and has not ended (`this month`) ends when it ends."""
    days = [the_day(value, today=today) for value in window.dates]
    match window.kind:
        case "within":
            return earlier(today, window.amount, window.unit, at=window.at), today + _DAY
        case "this":
            return _period(today, window.unit)
        case "last":
            start, _ = _period(today, window.unit)
            return _period(start - _DAY, window.unit)
        case "before":
            return None, days[0]
        case "after":
            return days[0] + _DAY, None
        case "since":
            return days[0], None
        case "on":
            return days[0], days[0] + _DAY
        case "between":
            if days[0] > days[1]:
                at = window.at
                raise RuleError("the first day of a between has to be the earlier one", start=at[0], end=at[1])
            return days[0], days[1] + _DAY


def earlier(day: dt.date, amount: int, unit: Unit, *, at: tuple[int, int] = (0, 0)) -> dt.date:
    """So many days, weeks, calendar months or years before. 31 May less 3 months is 28 (or 29) February."""
    try:
        if unit in ("day", "week"):
            found = day - dt.timedelta(days=amount * (7 if unit == "week" else 1))
        else:
            months = day.year * 12 + day.month - 1 - amount * (12 if unit == "year" else 1)
            year, month = divmod(months, 12)
            found = dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
    except (ValueError, OverflowError):
        found = dt.date.min
    if found < EARLIEST:
        raise RuleError("that is before 1900; count fewer days, weeks, months or years", start=at[0], end=at[1])
    return found


def _period(day: dt.date, unit: Unit) -> tuple[dt.date, dt.date]:
    """The week (from Monday), month or year that has this day in it."""
    if unit == "week":
        start = day - dt.timedelta(days=day.weekday())
        return start, start + 7 * _DAY
    if unit == "month":
        start = day.replace(day=1)
        return start, (start + 31 * _DAY).replace(day=1)
    if unit == "year":
        return dt.date(day.year, 1, 1), dt.date(day.year + 1, 1, 1)
    return day, day + _DAY


def _singular(unit: str) -> Unit:
    return unit.rstrip("s")  # type: ignore[return-value]  # the grammar knows no other units
