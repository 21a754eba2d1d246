"""Whom it reaches, against last time: a slip in a rule shows in its number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from outreach.preflight.draft import Reach
from outreach.preflight.findings import Finding, Severity

CHECK: Final = "audience"
TIMES: Final = 3
"""So many times the largest before is worth a second look; ours."""
ENOUGH: Final = 50
"""People; among fewer, three times means nothing."""


def check(reach: Reach) -> Iterator[Finding]:
    if not reach.people:
        left_out = "; ".join(f"{count:,} left out: {reason}" for reason, count in reach.excluded.items())
        yield Finding(
            CHECK, Severity.BLOCK, reach.place,
            f"nobody would get this campaign ({left_out or 'the rule matches nobody'})",
            reach.hint or "look at the rule with `outreach segments explain`",
        )  # fmt: skip
        return
    largest = max(reach.previous, default=0)
    if largest and reach.people >= max(TIMES * largest, ENOUGH):
        yield Finding(
            CHECK, Severity.WARN, reach.place,
            f"{reach.people:,} people is {reach.people / largest:.0f} times the largest of this campaign before"
            f" ({largest:,})",
            "make sure that the rule says what you mean",
        )  # fmt: skip
    elif largest and reach.people * TIMES <= largest:
        yield Finding(
            CHECK, Severity.NOTE, reach.place,
            f"{reach.people:,} people is much less than the largest of this campaign before ({largest:,})",
            "make sure that the rule says what you mean",
        )  # fmt: skip
