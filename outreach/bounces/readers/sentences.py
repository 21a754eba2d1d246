"""Last resort: an address somewhere in a sentence, in X-Failed-Recipients, or the one the returned mail was for."""

from __future__ import annotations

import re

from outreach.bounces.found import ADDRESS, Found, addresses, one_line
from outreach.bounces.report import Report

_SENTENCE = re.compile(
    r"(?:deliver\w*|mail|message|sent|recipients?|address(?:es|ed)?|to|for|user|account|mailbox|unable|failed|RCPT|"
    r"an|nachricht|empf\w+|à|destinat\w+|adresse|para|al?|ao|aan|naar|til|till|do|адрес\w*)"
    r"\b[^@\n]{0,80}?(?=[\s<\"'(\[:])[\s<\"'(\[:]{1,4}([^\s<>()\[\]\"',;:@]{1,128}@[\w.-]{1,200}\w"
    r"(?:[\s<>\"',;&]{1,8}(?:and )?[^\s<>()\[\]\"',;:@]{1,128}@[\w.-]{1,200}\w){0,50})",
    re.IGNORECASE,
)

_INTENDED = re.compile(rf"intended recipients?:\s{{0,4}}<?({ADDRESS.pattern})", re.IGNORECASE)
_LISTS = ("list-post", "list-help", "x-beenthere")


def read(report: Report) -> list[Found]:
    text = one_line(report.text)
    named = addresses(report.top.header("x-failed-recipients"))
    if not named:
        spoken = [addresses(each.lower()) for each in _SENTENCE.findall(report.text[:8000])]
        strangers = [[each for each in listed if each not in report.to.lower()] for listed in spoken]
        intended = [each.lower() for each in report.written_to]
        named = [each for listed in strangers for each in listed if each in intended]
        named = named or next(filter(None, strangers), []) or intended[:1]
        named = named or [each.lower() for each in _INTENDED.findall(report.whole[:20000])]
        named = list(dict.fromkeys(named))
        # A mailing list's own address is where the mail went through, not who it was for.
        lists = [part.header(name).lower() for part in (report.top, report.original) if part for name in _LISTS]
        named = [each for each in named if not any(each in value for value in lists)]
    return [Found(address=each, text=text) for each in named]
