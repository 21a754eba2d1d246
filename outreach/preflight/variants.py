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


def spoken(reach: Reach, drafts: Sequence[Draft]) -> Iterator[Finding]:
    """Languages of the audience that the campaign is not written in."""
    written = {_base(draft.language) for draft in drafts}
    people_of: dict[str, int] = {}
    for locale, people in reach.locales.items():
        people_of[_base(locale)] = people_of.get(_base(locale), 0) + people
    stem = drafts[0].place.removesuffix(".md")
    for language, people in sorted(people_of.items(), key=lambda item: -item[1]):
        if language and language not in written:
            much = people >= SHARE * reach.people
            yield Finding(
                CHECK, Severity.WARN if much else Severity.NOTE, drafts[0].place,
                f"{people:,} of {reach.people:,} people read {language}, and would get it in {drafts[0].language}",
                f"write {stem}.{language}.md beside it",
            )  # fmt: skip


def written(drafts: Sequence[Draft]) -> Iterator[Finding]:
    """Variants that are there by half: a template without the campaign's words, or the other way round."""
    main = drafts[0]
    links = _destinations(main)
    for draft in drafts[1:]:
        here = _destinations(draft)
        if draft.written_in is not None and not _among(draft.language, draft.written_in):
            yield Finding(
                CHECK, Severity.WARN, draft.place,
                f"who reads {draft.language} gets this subject, and the message in {main.language}",
                f"write message.{draft.language}.mjml and .txt beside the template's own",
            )  # fmt: skip
        elif len(here) < len(links):
            yield Finding(
                CHECK, Severity.WARN, draft.place,
                f"there are links to {len(here)} pages in {draft.language}, and to {len(links)} in {main.language}",
                "make sure that nothing was forgotten in translation",
            )  # fmt: skip
    for language in main.written_in or ():
        if not any(_among(draft.language, (language,)) for draft in drafts):
            yield Finding(
                CHECK, Severity.WARN, main.place,
                f"the template is written in {language}, and nobody would get it: the campaign is not",
                f"write {main.place.removesuffix('.md')}.{language}.md beside it, with its `subject:`",
            )  # fmt: skip


def _among(language: str, known: Sequence[str]) -> bool:
    return language.lower() in known or _base(language) in known


def _base(locale: str) -> str:
    return locale.lower().split("-", 1)[0]


def _destinations(draft: Draft) -> set[str]:
    return {link.url for link in source.links(draft.body) if not link.image}
