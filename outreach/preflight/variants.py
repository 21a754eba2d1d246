"""The languages people read: which of them the campaign is written in, and whether the versions say the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from outreach.preflight import source
from outreach.preflight.draft import Draft, Reach
from outreach.preflight.findings import Finding, Severity

CHECK: Final = "languages"
SHARE: Final = 0.05
"""Of the audience: from there on a language of its own is worth a warning."""


def check(reach: Reach, drafts: Sequence[Draft]) -> Iterator[Finding]:
    written = {draft.language.lower().split("-", 1)[0] for draft in drafts}
    spoken: dict[str, int] = {}
    for locale, people in reach.locales.items():
        language = locale.lower().split("-", 1)[0]
        spoken[language] = spoken.get(language, 0) + people
    stem = drafts[0].place.removesuffix(".md")
    for language, people in sorted(spoken.items(), key=lambda item: -item[1]):
        if language and language not in written:
            much = people >= SHARE * reach.people
            yield Finding(
                CHECK, Severity.WARN if much else Severity.NOTE, drafts[0].place,
                f"{people:,} of {reach.people:,} people read {language}, and would get it in {drafts[0].language}",
                f"write {stem}.{language}.md beside it",
            )  # fmt: skip
    main = _destinations(drafts[0])
    for draft in drafts[1:]:
        here = _destinations(draft)
        if len(here) < len(main):
            yield Finding(
                CHECK, Severity.WARN, draft.place,
                f"there are links to {len(here)} pages in {draft.language}, and to {len(main)} in {drafts[0].language}",
                "make sure that nothing was forgotten in translation",
            )  # fmt: skip


def _destinations(draft: Draft) -> set[str]:
    return {link.url for link in source.links(draft.body) if not link.image}
