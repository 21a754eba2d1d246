"""Images of our own: how much a phone has to fetch, and whether they are larger than anybody sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from outreach.preflight import source
from outreach.preflight.draft import City, Draft
from outreach.preflight.findings import Finding, Severity

CHECK: Final = "images"
TOTAL: Final = 1_000_000
"""Bytes of one message's images, ours: some four seconds on a slow phone."""
WIDE: Final = 1_280
"""Pixels: a mail is at most 640 wide, and good screens show two for each."""
NARROW: Final = 300
"""Pixels: an image alone in its paragraph is drawn as wide as the text."""


def check(draft: Draft, city: City) -> Iterator[Finding]:
    del city
    if (total := sum(image.size for image in draft.images.values())) > TOTAL:
        yield Finding(
            CHECK, Severity.WARN, draft.body_place,
            f"its images have {total / 1e6:.1f} MB together; on a slow phone they come late or not at all",
            f"save them as JPEG, or no wider than {WIDE} pixels",
        )  # fmt: skip
    for written, image in draft.images.items():
        if image.width > WIDE:
            yield Finding(
                CHECK, Severity.WARN, _place(draft, written),
                f"{written} is {image.width:,} pixels wide, and nobody sees more than {WIDE:,}",
                f"make it {WIDE:,} pixels wide",
            )  # fmt: skip
        elif image.width < NARROW and image.height > 1:
            yield Finding(
                CHECK, Severity.NOTE, _place(draft, written),
                f"{written} is {image.width} pixels wide and is drawn larger, so that it looks blurred",
                "use a larger one",
            )  # fmt: skip


def _place(draft: Draft, written: str) -> str:
    lines = [link.line for link in source.links(draft.body) if link.image and link.url == written]
    return draft.body_at(lines[0]) if lines else draft.template_place
