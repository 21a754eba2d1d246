"""A share of people, with what chance allows beside it, or in words when there are too few to speak of a rate."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from outreach.reports.words import decimals, number, percent

FEWEST = 30
"""Below this many people a percentage pretends to know more than it does."""
Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` of `of` people. `share`, `low` and `high` are None when there are fewer than FEWEST people.

    `low` to `high` is Wilson's interval for 95 %: the shares that would often give this count by chance.
    """

    count: int
    of: int
    share: float | None
    low: float | None
    high: float | None

    @property
    def text(self) -> str:
        """`7.0% (6.0 to 8.3%)`, or `3 of 25` when there are too few."""
        return f"{self.share_text} ({self.interval_text})" if self.interval_text else self.share_text

    @property
    def share_text(self) -> str:
        if self.share is None:
            return f"{number(self.count)} of {number(self.of)}" if self.of else "nobody to count"
        return percent(self.share, digits=self._digits)

    @property
    def interval_text(self) -> str:
        """Empty where there is no share."""
        if self.low is None or self.high is None:
            return ""
        low, high = (percent(value, digits=self._digits) for value in (self.low, self.high))
        return f"{low.removesuffix('%')} to {high}"

    @property
    def _digits(self) -> int:
        return decimals(*(value for value in (self.share, self.low, self.high) if value is not None))


def rate(count: int, of: int) -> Rate:
    """A rate; without a share when `of` is small, or when more people acted than were certainly reached."""
    if of < FEWEST or count > of:
        return Rate(count, of, None, None, None)
    low, high = wilson(count, of)
    return Rate(count, of, count / of, low, high)


def wilson(count: int, of: int) -> tuple[float, float]:
    """Wilson's score interval (E. B. Wilson, 1927), 95 %."""
    share, square = count / of, Z_95 * Z_95
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = Z_95 / (1 + square / of) * sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)
