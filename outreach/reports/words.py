"""Numbers, moments and strangers' words, as a report may show them.

Every string that came from outside (a server's reply, a link, a name) goes through `plain` before it reaches a terminal
or a page: no control characters, no escape sequences, no characters that turn the reading direction around.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from zoneinfo import ZoneInfo

LONGEST = 200
_FIELD = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str, *, longest: int = LONGEST) -> str:
    """One harmless line of at most `longest` characters."""
    line = " ".join("".join(" " if _unsafe(character) else character for character in text[: 4 * longest]).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def without_fields(template: str) -> str:
    """A subject as everybody may read it: `Sweeping in district {{ district }}` is `Sweeping in district …`."""
    return _FIELD.sub("…", template)


def number(value: int) -> str:
    return f"{value:,}"


def people(value: int) -> str:
    return "1 person" if value == 1 else f"{value:,} people"


def some(value: int, one: str, many: str) -> str:
    """`1 link`, `1,200 links`."""
    return f"1 {one}" if value == 1 else f"{value:,} {many}"


def percent(share: float, *, digits: int | None = None) -> str:
    """Few digits: more would promise more than was counted. A small share never becomes 0, nor a large one 100."""
    value = 100 * share
    if value in (0.0, 100.0):
        return f"{value:.0f}%"
    digits = decimals(share) if digits is None else digits
    least = 10.0**-digits
    return f"{max(least, min(100 - least, value)):.{digits}f}%"


def decimals(*shares: float) -> int:
    """How many digits after the point tell these shares from nobody and from everybody."""
    return 1 if any(0 < share < 0.1 or 0.985 < share < 1 for share in shares) else 0


def moment(at: dt.datetime, zone: ZoneInfo) -> str:
    """21 November 2026, 14:05"""
    local = at.astimezone(zone)
    return f"{local.day} {local:%B %Y, %H:%M}"


def day(at: dt.datetime, zone: ZoneInfo) -> str:
    """Saturday, 21 November 2026"""
    local = at.astimezone(zone)
    return f"{local:%A}, {local.day} {local:%B %Y}"


def span(seconds: float) -> str:
    """A length of time in its largest sensible unit."""
    for size, one, many in ((86_400, "day", "days"), (3_600, "hour", "hours"), (60, "minute", "minutes")):
        if seconds >= 2 * size or seconds == size:
            return some(round(seconds / size), one, many)
    return some(max(1, round(seconds)), "second", "seconds")


def series(items: list[str], *, last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""


def _unsafe(character: str) -> bool:
    return character in _BIDI or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
