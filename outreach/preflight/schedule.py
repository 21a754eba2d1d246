"""When it leaves: not in the past, and not at night unless it is urgent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from outreach.preflight.draft import City, Reach, Schedule
from outreach.preflight.findings import Finding, Severity

CHECK: Final = "schedule"


def check(schedule: Schedule | None, city: City, reach: Reach) -> Iterator[Finding]:
    if schedule is None:
        return

    def finding(severity: Severity, problem: str, fix: str) -> Finding:
        return Finding(CHECK, severity, schedule.place, problem, fix)

    if schedule.at is None:
        yield finding(
            Severity.BLOCK, f'"{schedule.written}" is no time', "write it as 2026-12-01 09:00, in the city's own time"
        )
    elif schedule.at < schedule.now:
        yield finding(Severity.BLOCK, f'"{schedule.written}" is over', "name a time to come, or take the line away")
    elif city.quiet_hours and reach.message_class != "emergency" and is_quiet(schedule.at.time(), city.quiet_hours):
        begin, end = city.quiet_hours
        yield finding(
            Severity.BLOCK, f'"{schedule.written}" lies in the quiet hours, {begin:%H:%M} to {end:%H:%M}',
            f"send it at {end:%H:%M} or later",
        )  # fmt: skip


def is_quiet(at: dt.time, hours: tuple[dt.time, dt.time]) -> bool:
    """Whether a local time lies in the quiet hours, which may span midnight."""
    begin, end = hours
    return begin <= at < end if begin <= end else at >= begin or at < end
