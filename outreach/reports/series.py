"""Counts over time: moments sorted into equal steps, wide enough that a chart of them stays readable."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

FEWEST_STEPS, MOST_STEPS = 12, 36
"""Fewer would be slabs, more would be hairs."""
STEPS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800)
"""Widths of a step in seconds; all divide a day, or are whole days."""


@dataclass(frozen=True, slots=True)
class Grid:
    """`steps` steps of `seconds` each, the first beginning at `start`."""

    start: dt.datetime
    seconds: int
    steps: int

    @property
    def end(self) -> dt.datetime:
        return self.beginning(self.steps)

    def beginning(self, step: int) -> dt.datetime:
        return self.start + dt.timedelta(seconds=self.seconds * step)

    def index(self, at: dt.datetime) -> int:
        """Which step a moment falls into; what lies outside is put into the nearest one."""
        step = (at - self.start) // dt.timedelta(seconds=self.seconds)
        return max(0, min(self.steps - 1, step))


@dataclass(frozen=True, slots=True)
class Series:
    """How much happened in each step of a grid."""

    grid: Grid
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.counts)

    @property
    def peak(self) -> int:
        """The step in which most happened, the first of equals."""
        return max(range(len(self.counts)), key=self.counts.__getitem__)

    def reached(self, share: float) -> dt.datetime:
        """The end of the step in which this share of everything had happened."""
        so_far = 0
        for step, count in enumerate(self.counts):
            so_far += count
            if so_far >= share * self.total:
                return self.grid.beginning(step + 1)
        return self.grid.end


def grid(first: dt.datetime, last: dt.datetime, zone: ZoneInfo) -> Grid:
    """The finest grid of FEWEST_STEPS to MOST_STEPS that holds both moments, on whole steps of the local clock."""
    shift = int((first.astimezone(zone).utcoffset() or dt.timedelta()).total_seconds())
    local_first, local_last = first.timestamp() + shift, last.timestamp() + shift
    seconds = next(
        (width for width in STEPS if local_last // width - local_first // width < MOST_STEPS),
        (int((local_last - local_first) / MOST_STEPS / STEPS[-1]) + 1) * STEPS[-1],
    )
    steps = int(local_last // seconds - local_first // seconds) + 1
    start = dt.datetime.fromtimestamp(local_first // seconds * seconds - shift, dt.UTC)
    return Grid(start, seconds, max(FEWEST_STEPS, steps))


def series(moments: Iterable[dt.datetime], on: Grid) -> Series:
    found = Counter(map(on.index, moments))
    return Series(on, tuple(found[step] for step in range(on.steps)))
