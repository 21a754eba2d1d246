"""An invitation to a date, as the one part a message may carry beside its text: `text/calendar; method=PUBLISH`.

RFC 5545 says how it is written, RFC 5546 (3.2.1) what a published event holds, RFC 6047 how it travels in mail. The
time is written in UTC, which every calendar shows in its owner's zone, so that no zone's rules have to travel along.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

FOLD: Final = 75
"""Octets of a line without its end (RFC 5545, 3.1)."""
UNSTAMPED: Final = "DTSTAMP:00000000T000000Z"
"""The line that says when the object was made: the moment its message is, which the composer fills in."""
FILE: Final = "event.ics"
_PRODUCT: Final = "-//Outreach//Outreach//EN"


@dataclass(frozen=True, slots=True)
class Event:
    """A date; both moments have a zone."""

    title: str
    start: dt.datetime
    end: dt.datetime
    place: str = ""


def calendar(event: Event, *, source: str, name: str, address: str) -> str:
    """The calendar object with its DTSTAMP left open. Lines end in a bare line feed; the wire makes CRLF of them.

    `name` and `address` are the organiser's. `source` is the campaign's file: the same file's event at the same hour
    is the same event, so that a second mail about it changes the entry instead of adding one.
    """
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{_PRODUCT}",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{_identity(source, event)}@{address.rpartition('@')[2]}",
        UNSTAMPED,
        f"DTSTART:{stamp(event.start)}",
        f"DTEND:{stamp(event.end)}",
        f"SUMMARY:{escaped(event.title)}",
        *([f"LOCATION:{escaped(event.place)}"] if event.place else []),
        f"ORGANIZER{_common_name(name)}:mailto:{address}",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return "".join(f"{folded(line)}\n" for line in lines)


def stamp(at: dt.datetime) -> str:
    """A moment in UTC (RFC 5545, 3.3.5, form 2)."""
    return f"{at.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}"


def escaped(text: str) -> str:
    """A text value (RFC 5545, 3.3.11)."""
    for plain, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(plain, written)
    return text


def folded(line: str) -> str:
    """Continued behind a line end and a blank wherever it would have more than 75 octets; no letter is divided."""
    out, room = "", FOLD
    for letter in line:
        size = len(letter.encode())
        if size > room:
            out, room = out + "\n ", FOLD - 1
        out, room = out + letter, room - size
    return out


def _common_name(name: str) -> str:
    """A parameter's quoted text knows no way to write a quote (RFC 5545, 3.2)."""
    return f';CN="{name.replace(chr(34), chr(39))}"' if name else ""


def _identity(source: str, event: Event) -> str:
    return blake2b(f"{source}\n{stamp(event.start)}".encode(), digest_size=12).hexdigest()
