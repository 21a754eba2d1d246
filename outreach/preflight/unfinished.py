"""What was never written: text that a template came with, and marks like TODO."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from outreach.preflight import source
from outreach.preflight.draft import City, Draft
from outreach.preflight.findings import Finding, Severity
from outreach.rendering.layouts import content_folder

CHECK: Final = "unfinished"
SENTENCE: Final = 6
"""Words; shorter ones, like a greeting, may well be meant."""
_MARK = re.compile(r"\b(?:TODO|TBD|FIXME|XXX+|lorem ipsum)\b|\[(?:insert|your) [^\]]{1,40}\](?!\()", re.IGNORECASE)


def check(draft: Draft, city: City) -> Iterator[Finding]:
    del city
    for paragraph in source.paragraphs(draft.body):
        place = draft.body_at(paragraph.line)
        if paragraph.text in _starters():
            yield Finding(
                CHECK, Severity.BLOCK, place, f'"{paragraph.text[:50]} …" is what the template came with',
                "write your own text there, or take it away",
            )  # fmt: skip
        elif mark := _MARK.search(paragraph.text):
            place = draft.body_at(paragraph.line_of(mark.start()))
            yield Finding(CHECK, Severity.BLOCK, place, f'it still says "{mark[0]}"', "write what belongs there")
    if mark := _MARK.search(draft.subject):
        yield Finding(
            CHECK, Severity.BLOCK, draft.at("subject"), f'it still says "{mark[0]}"', "write what belongs there"
        )


@lru_cache(maxsize=1)
def _starters() -> frozenset[str]:
    """The paragraphs of the starter templates that tell an author what to write."""
    return frozenset(
        paragraph.text
        for file in content_folder().glob("*/starter.md")
        for paragraph in source.paragraphs(file.read_text("utf-8"))
        if len(paragraph.text.split()) >= SENTENCE
    )
