"""How much of a difference is chance. Nothing here knows about mail.

`rarer_than` answers one question exactly: if both periods were alike, how often would the second have so many?
That is Fisher's one-sided test, so an alarm at 0.001 is false at most once in a thousand looks, however few mails.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, sqrt

_PERCENT = "\u00a0%"  # with a space that does not break the line
Z_95 = 1.959964
FEWEST = 30
"""Below this many mails a percentage pretends to know more than it does."""


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `of`, with Wilson's interval for 95 %."""

    count: int
    of: int

    @property
    def value(self) -> float:
        return self.count / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        if not self.of:
            return 0.0, 1.0
        n, p, z = self.of, self.value, Z_95
        middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))

    @property
    def text(self) -> str:
        if not self.of:
            return "–"
        if self.of < FEWEST:
            return f"{self.count:,} of {self.of:,}"
        low, high = self.interval
        return f"{percent(self.value)} ({percent(low).removesuffix(_PERCENT)} to {percent(high)})"

    def as_json(self) -> dict[str, float | int]:
        low, high = self.interval
        return {"count": self.count, "of": self.of, "share": self.value, "low": low, "high": high}


def percent(value: float) -> str:
    return f"{value * 100:.2f}{_PERCENT}" if value < 0.01 else f"{value * 100:.1f}{_PERCENT}"


def chance_of_so_many(count: int, of: int, before: int, before_of: int) -> float:
    """The probability of at least `count` of `of`, if they came by the same rate as `before` of `before_of`."""
    if not of or not before_of:
        return 1.0
    total, hits = of + before_of, count + before
    most = min(hits, of)
    logs = [_log_choose(hits, k) + _log_choose(total - hits, of - k) for k in range(count, most + 1)]
    if not logs:
        return 0.0
    base = _log_choose(total, of)
    return min(1.0, sum(exp(each - base) for each in logs))


def _log_choose(n: int, k: int) -> float:
    if k < 0 or k > n:
        return float("-inf")
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
