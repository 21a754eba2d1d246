"""Last resort: an address somewhere in a sentence, in X-Failed-Recipients, or the one the returned mail was for."""

from __future__ import annotations

import re

from outreach.bounces.found import Found, addresses, one_line
from outreach.bounces.report import Report

_SENTENCE = re.compile(
    r"(?:deliver\w*|mail|message|sent|recipients?|address(?:es|ed)?|to|for|user|account|mailbox|unable|failed|RCPT)"
    r"\b[^@\n]{0,80}?(?=[\s<\"'(\[:])[\s<\"'(\[:]{1,4}([^\s<>()\[\]\"',;:@]{1,128}@[\w.-]{1,200}\w)",
    re.IGNORECASE,
)

_LISTS = ("list-post", "list-help", "x-beenthere")


def read(report: Report) -> list[Found]:
    text = one_line(report.text)
    named = addresses(report.top.header("x-failed-recipients"))
    if not named:
        spoken = [each.lower() for each in _SENTENCE.findall(report.text[:8000])]
        strangers = [each for each in dict.fromkeys(spoken) if each not in report.to.lower()]
        intended = [each.lower() for each in report.written_to]
        named = [each for each in strangers if each in intended] or strangers[:1] or intended[:1]
        # A mailing list's own address is where the mail went through, not who it was for.
        lists = [part.header(name).lower() for part in (report.top, report.original) if part for name in _LISTS]
        named = [each for each in named if not any(each in value for value in lists)]
    return [Found(address=each, text=text) for each in named]
