"""The gate: every check, over every language, as one list of findings.

    for each language:  subject  sender  links  images  accessibility  plain language  footer  unfinished  spam
    for the audience:   fields  size  languages  consent  audience  schedule

A check that fails to run is a finding itself; it must not hide the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from outreach.preflight import (
    accessibility,
    audience,
    consent,
    fields,
    footer,
    images,
    language,
    links,
    schedule,
    sender,
    size,
    spam,
    subject,
    unfinished,
    variants,
)
from outreach.preflight.draft import City, Draft, Reach, Schedule
from outreach.preflight.findings import Finding, Severity, ordered

Check: TypeAlias = Callable[[Draft, City], Iterable[Finding]]

EACH_LANGUAGE: Final[Mapping[str, Check]] = {
    subject.CHECK: subject.check,
    sender.CHECK: sender.check,
    links.CHECK: links.check,
    images.CHECK: images.check,
    accessibility.CHECK: accessibility.check,
    language.CHECK: language.check,
    footer.CHECK: footer.check,
    unfinished.CHECK: unfinished.check,
}


def inspect(
    drafts: Sequence[Draft],
    city: City,
    *,
    reach: Reach | None,
    schedule: Schedule | None = None,
    mails: Mapping[str, bytes] | None = None,
) -> list[Finding]:
    """All findings, the worst first. `reach` is None when the rule could not be read; that is told elsewhere.

    `mails` is a whole message for each language, for a spam filter to read.
    """
    return ordered(_found(drafts, city, reach, schedule, mails or {}))


def _found(
    drafts: Sequence[Draft],
    city: City,
    reach: Reach | None,
    planned: Schedule | None,
    mails: Mapping[str, bytes],
) -> Iterator[Finding]:
    for draft in drafts:
        for name, check in EACH_LANGUAGE.items():
            yield from _guarded(name, draft.place, lambda check=check, draft=draft: check(draft, city))  # type: ignore[misc]
        if city.spamd and draft.language in mails:
            yield from spam.check(draft, mails[draft.language], city.spamd)
    yield from _guarded(variants.CHECK, drafts[0].place, lambda: variants.written(drafts))
    if reach is not None:
        place = reach.place
        yield from _guarded(fields.CHECK, place, lambda: fields.check(reach, drafts))
        yield from _guarded(size.CHECK, place, lambda: size.check(reach, drafts))
        yield from _guarded(variants.CHECK, place, lambda: variants.spoken(reach, drafts))
        yield from _guarded(consent.CHECK, place, lambda: consent.check(reach))
        yield from _guarded(audience.CHECK, place, lambda: audience.check(reach))
        yield from _guarded(schedule.CHECK, place, lambda: schedule.check(planned, city, reach))


def _guarded(name: str, place: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # whatever goes wrong in one check, the others are still worth knowing
        problem = f"this check broke down ({type(error).__name__}: {error})"
        return [Finding(name, Severity.WARN, place, problem, "look at it by hand, and tell who maintains Outreach")]
