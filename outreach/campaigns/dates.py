"""`event:` in a campaign file: the date that comes along as an invitation.

    event: Council meeting; 2026-12-08 18:00 to 20:00; Town Hall, 1 Main Street
    event: Winter market; 2026-12-05 10:00 to 2026-12-06 18:00 America/Los_Angeles; Old Town

What it is, when, and where; the place may be left out. Without a zone the organisation's counts.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from outreach.campaigns.definition import CampaignError, Definition
from outreach.campaigns.schedule import ScheduleError, moment, resolve
from outreach.errors import OutreachError
from outreach.rendering import headers
from outreach.rendering.invitation import Event, calendar

LONGEST: Final = 200
"""Characters of a title or a place, ours."""
_FORM: Final = "event: Council meeting; 2026-12-08 18:00 to 20:00; Town Hall"
_CLOCK = re.compile(r"\d{2}:\d{2}").fullmatch


def invitation(definition: Definition, *, default_zone: str) -> str:
    """The calendar object of a campaign's event; empty if it has none. CampaignError names the line."""
    event = event_of(definition, default_zone=default_zone)
    if event is None:
        return ""
    stem = definition.path.name.partition(".")[0]
    return calendar(event, source=stem, name=definition.sender.name, address=definition.sender.address)


def event_of(definition: Definition, *, default_zone: str) -> Event | None:
    if not definition.event:
        return None
    try:
        return read(definition.event, default_zone=default_zone)
    except OutreachError as error:
        raise _error(definition.path, definition.lines.get("event"), str(error)) from None


def read(text: str, *, default_zone: str) -> Event:
    """An event as it is written in a file. ScheduleError or HeaderError says what is wrong with it."""
    title, *rest = (part.strip() for part in text.split(";"))
    if not title or len(rest) not in (1, 2):
        raise ScheduleError(f"say what, when and where, as in  {_FORM}")
    place = rest[1] if len(rest) == 2 else ""
    for words in (title, place):
        headers.tidy(words)
        if "{{" in words or "{%" in words:
            raise ScheduleError("an event is the same for everybody: {{ … }} and {% … %} cannot stand in it")
        if len(words) > LONGEST:
            raise ScheduleError(f"{words[:30]!r}… has {len(words)} characters; an event's words have at most {LONGEST}")
    start, end = _span(rest[0], default_zone)
    if end <= start:
        raise ScheduleError(f"{rest[0]!r} ends before it begins")
    return Event(title, start, end, place)


def _span(text: str, default_zone: str) -> tuple[dt.datetime, dt.datetime]:
    """`2026-12-08 18:00 to 20:00 ZONE`; the end may have a day of its own."""
    begins, to, ends = text.partition(" to ")
    if not to:
        raise ScheduleError(f"{text!r} does not say until when, as in  {_FORM}")
    words = ends.split()
    if len(words) > 1 and not _CLOCK(words[-1]):
        default_zone = words.pop()
    first, zone = moment(begins, default_zone)
    if len(words) == 1 and _CLOCK(words[0]):
        words.insert(0, f"{first:%Y-%m-%d}")
    last, _ = moment(" ".join(words), zone)
    return resolve(first, ZoneInfo(zone)), resolve(last, ZoneInfo(zone))


def _error(path: Path, line: int | None, problem: str) -> CampaignError:
    return CampaignError(f"`event:` {problem}", place=path, line=line)
