"""Size: Gmail cuts a message's HTML at about 102 KB, and with it the way to unsubscribe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from outreach.preflight.draft import Draft, Reach
from outreach.preflight.findings import Finding, Severity

CHECK: Final = "size"
LIMIT: Final = 102 * 1024
CLOSE: Final = 80 * 1024
"""Worth a word: the next long name or list would be too much."""


def check(reach: Reach, drafts: Sequence[Draft]) -> Iterator[Finding]:
    """What counts is the final HTML of the person who has the most, links rewritten."""
    for draft in drafts:
        size = max(reach.heaviest.get(draft.language, 0), len(draft.html.encode()))
        if size > CLOSE:
            yield Finding(
                CHECK, Severity.BLOCK if size > LIMIT else Severity.WARN, draft.place,
                f"the HTML has {size / 1024:.0f} KB for the person who gets the most; Gmail cuts it off at 102 KB",
                "shorten it, or put the long part on a page and link to it",
            )  # fmt: skip
