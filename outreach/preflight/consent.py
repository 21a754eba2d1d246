"""On what ground each person is written to, and who is left out for want of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from outreach.preflight.draft import Reach
from outreach.preflight.findings import Finding, Severity

CHECK: Final = "consent"


def check(reach: Reach) -> Iterator[Finding]:
    if reach.message_class != "regular":
        yield Finding(
            CHECK, Severity.NOTE, reach.place,
            f'"{reach.topic}" is {reach.message_class}: it goes to people who did not ask for it, too',
            "make sure that the law or their safety asks for it; otherwise choose another topic",
        )  # fmt: skip
        return
    if reach.people and reach.without_evidence:
        yield Finding(
            CHECK, Severity.WARN, reach.place,
            f"for {reach.without_evidence:,} of {reach.people:,} people there is no record of how they asked for"
            f' "{reach.topic}"',
            "import them again with --source, or ask them to confirm",
        )  # fmt: skip
