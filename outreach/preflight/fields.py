"""Every row of the audience renders: a message that cannot be made for somebody is found here, not while sending."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from outreach.preflight.draft import Draft, Reach
from outreach.preflight.findings import Finding, Severity

CHECK: Final = "fields"


def check(reach: Reach, drafts: Sequence[Draft]) -> Iterator[Finding]:
    """A field that is printed and missing is the author's to mend; one odd row costs one person, who is quarantined."""
    by_language = {draft.language: draft for draft in drafts}
    for failure in reach.failures:
        draft = by_language[failure.language]
        people = f"{failure.people:,} of {reach.people:,} people"
        if failure.field:
            yield Finding(
                CHECK, Severity.BLOCK, _printed_at(draft, failure.field),
                f'"{failure.field}" is not known for {people} (for one, subscriber {failure.example})',
                f'write {{{{ {failure.field} | default("…") }}}}, or put it inside {{% if {failure.field} %}}',
            )  # fmt: skip
        else:
            yield Finding(
                CHECK, Severity.WARN, reach.place,
                f"the message cannot be made for {people} (for one, subscriber {failure.example}): {failure.problem}",
                "mend their data, or let them be quarantined: nobody else is concerned",
            )  # fmt: skip


def _printed_at(draft: Draft, field: str) -> str:
    printed = re.compile(r"\{\{\s*" + re.escape(field) + r"\b(?![^}]*default)")
    for name, text in (("subject", draft.subject), ("preheader", draft.preheader)):
        if printed.search(text):
            return draft.at(name)
    for number, line in enumerate(draft.body.splitlines()):
        if printed.search(line):
            return draft.body_at(number)
    return draft.template_place
