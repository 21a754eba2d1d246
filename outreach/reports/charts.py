"""Charts as inline SVG, laid out by hand: no script, no font, no picture to fetch.

Widths are percentages and heights and letters are pixels, so a chart fills a phone and a desk alike and its text never
shrinks. Each has role=img with a title and a description that says what it shows; the numbers are in a table beside
it. Colours are classes, which the page's style sheet sets for light, dark and paper.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from markupsafe import Markup

from outreach.reports.series import Grid, Series
from outreach.reports.words import number, plain

THINNEST = 1.0
"""Per cent of the width: one person in 260,000 still shows in the stacked bar."""
LABEL_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a stacked bar, or one bar of a list. `colour` is a class of the style sheet."""

    label: str
    count: int
    colour: str


def stacked(parts: Sequence[Part], *, name: str, title: str, description: str) -> Markup:
    """All parts of a whole as one bar."""
    shown = [part for part in parts if part.count]
    total = sum(part.count for part in shown) or 1
    widths = [max(THINNEST, 100 * part.count / total) for part in shown]
    scale = 100 / sum(widths) if widths else 1
    drawn, left = [], 0.0
    for part, width in zip(shown, widths, strict=True):
        drawn.append(
            Markup('<rect class="part {}" x="{}%" y="0" width="{}%" height="36"><title>{}: {}</title></rect>').format(
                part.colour, _round(left), _round(width * scale), part.label, number(part.count)
            )
        )
        left += width * scale
    return _svg(drawn, name=name, title=title, description=description, height=36)


def bars(parts: Sequence[Part], *, name: str, title: str, description: str) -> Markup:
    """A list of things and how many people each: label and number above, bar below."""
    most = max((part.count for part in parts), default=0) or 1
    drawn = []
    for place, part in enumerate(parts):
        top = 44 * place
        drawn.append(
            Markup(
                '<text class="label" x="0" y="{}">{}</text><text class="value" x="100%" y="{}">{}</text>'
                '<rect class="track" x="0" y="{}" width="100%" height="8" rx="4"/>'
            ).format(top + 14, _shortened(part.label), top + 14, number(part.count), top + 22)
        )
        if part.count:
            drawn.append(
                Markup('<rect class="{}" x="0" y="{}" width="{}%" height="8" rx="4"/>').format(
                    part.colour, top + 22, _round(max(THINNEST, 100 * part.count / most))
                )
            )
    return _svg(drawn, name=name, title=title, description=description, height=44 * len(parts) - 8)


def columns(found: Series, *, name: str, title: str, description: str, colour: str, zone: ZoneInfo) -> Markup:
    """Counts over time, one column a step."""
    top, floor = 18, 138
    highest = _ceiling(max(found.counts, default=0))
    # Only the top line is labelled, from above: a label further down would lie under the columns.
    drawn = [
        Markup('<line class="line" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(y) for y in (top, (top + floor) // 2)
    ]
    drawn.append(Markup('<text class="tick" x="0" y="{}">{}</text>').format(top - 5, number(highest)))
    width = 100 / found.grid.steps
    for step, count in enumerate(found.counts):
        if count:
            height = max(1.5, (floor - top) * count / highest)
            drawn.append(
                Markup('<rect class="{}" x="{}%" y="{}" width="{}%" height="{}"><title>{}: {}</title></rect>').format(
                    colour,
                    _round(width * step + 0.1 * width),
                    _round(floor - height),
                    _round(0.8 * width),
                    _round(height),
                    clock(found.grid.beginning(step), found.grid, zone),
                    number(count),
                )
            )
    drawn.append(Markup('<line class="base" x1="0" x2="100%" y1="{}" y2="{}"/>').format(floor, floor))
    drawn += [
        Markup('<text class="tick {}" x="{}%" y="{}">{}</text>').format(anchor, x, floor + 18, text)
        for anchor, x, text in _times(found.grid, zone)
    ]
    return _svg(drawn, name=name, title=title, description=description, height=floor + 26)


def clock(at: dt.datetime, on: Grid, zone: ZoneInfo) -> str:
    """A moment in as few words as the grid needs to tell its steps apart."""
    local = at.astimezone(zone)
    date = f"{local.day} {local:%b}"
    if on.seconds >= 86_400:
        return date
    time = f"{local:%H:%M:%S}" if on.seconds < 60 else f"{local:%H:%M}"
    one_day = on.start.astimezone(zone).date() == (on.end - dt.timedelta(seconds=1)).astimezone(zone).date()
    return time if one_day else f"{date}, {time}"


def _times(on: Grid, zone: ZoneInfo) -> list[tuple[str, int, str]]:
    begin, middle, end = (
        clock(at, on, zone) for at in (on.start, on.start + (on.end - on.start) / 2, on.beginning(on.steps))
    )
    marks = [("", 0, begin), ("right", 100, end)]
    return marks if on.steps < 4 or on.steps % 2 else [marks[0], ("middle", 50, middle), marks[1]]


def _ceiling(value: int) -> int:
    """The next even round number: the top of the scale, whose half is a whole number too."""
    unit = 10 ** (len(str(value)) - 1)
    steps = (unit, 2 * unit, 4 * unit, 5 * unit, 6 * unit, 8 * unit, 10 * unit)
    return max(2, next((step for step in steps if step >= value), value))


def _shortened(label: str) -> str:
    return plain(label.removeprefix("https://").removeprefix("http://"), longest=LABEL_LENGTH)


def _round(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _svg(drawn: Sequence[Markup], *, name: str, title: str, description: str, height: int) -> Markup:
    return Markup(
        '<svg role="img" aria-labelledby="{name}-t {name}-d" width="100%" height="{height}">'
        '<title id="{name}-t">{title}</title><desc id="{name}-d">{description}</desc>{drawn}</svg>'
    ).format(name=name, height=height, title=title, description=description, drawn=Markup("").join(drawn))
