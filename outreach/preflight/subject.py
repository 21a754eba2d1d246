"""Subject and preheader: honest, readable on a phone, and nothing that filters or providers forbid.

Google's sender guidelines (81126): no "Re:" or "Fwd:" for what is neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from outreach.preflight.draft import City, Draft
from outreach.preflight.findings import Finding, Severity
from outreach.preflight.language import SHOUTED

CHECK: Final = "subject"
PHONE: Final = 60
"""Characters of a subject that a phone shows, about; ours."""
LONGEST: Final = 150

_REPLY = re.compile(r"\s*(?:re|fwd?|aw|wg|rv|tr|enc)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_VALUE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff]")
_HYPE = re.compile(r"\$\$+|!{2,}|\?{2,}|100 ?%\s*free|act now|click here|winner|urgent!", re.IGNORECASE)


def check(draft: Draft, city: City) -> Iterator[Finding]:
    del city
    place, subject = draft.at("subject"), draft.subject.strip()
    words = _VALUE.sub("", subject)

    def finding(severity: Severity, problem: str, fix: str) -> Finding:
        return Finding(CHECK, severity, place, problem, fix)

    if _REPLY.match(subject):
        yield finding(Severity.BLOCK, "the subject pretends to be a reply or a forwarded mail", "take the Re: away")
    if len(words) > LONGEST:
        yield finding(Severity.BLOCK, f"the subject has {len(words)} characters", f"say it in {PHONE}")
    elif len(words) > PHONE:
        yield finding(
            Severity.WARN, f"the subject has {len(words)} characters, of which a phone shows about {PHONE}",
            "put what matters first, and shorten it",
        )  # fmt: skip
    letters = [letter for letter in words if letter.isalpha()]
    mostly = len(letters) > 5 and sum(letter.isupper() for letter in letters) > 0.7 * len(letters)
    if mostly or SHOUTED.search(words):
        yield finding(
            Severity.WARN, "the subject is in capital letters, which reads as shouting", "write it in small ones"
        )
    if _HYPE.search(words):
        yield finding(Severity.WARN, "the subject sounds like advertising", "say plainly what the message is about")
    if len(_EMOJI.findall(words)) > 1:
        yield finding(
            Severity.WARN, "the subject has several emoji; screen readers read each aloud", "keep at most one"
        )
    yield from _preheader(draft)


def _preheader(draft: Draft) -> Iterator[Finding]:
    place, preheader = draft.at("preheader"), draft.preheader.strip()
    if not preheader:
        yield Finding(
            CHECK, Severity.NOTE, draft.place, "there is no preheader, the line shown behind the subject",
            "add `preheader: …` above the text: it is the second thing people read",
        )  # fmt: skip
    elif preheader.lower() == draft.subject.strip().lower():
        yield Finding(CHECK, Severity.WARN, place, "the preheader repeats the subject", "say the next thing there")
    elif len(_VALUE.sub("", preheader)) > LONGEST:
        yield Finding(
            CHECK, Severity.WARN, place, "the preheader is too long to be shown", "keep it below 100 characters"
        )
