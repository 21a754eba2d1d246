"""Names without a domain, as AOL and directory servers wrote them: the domain is the server's own.

Your mail to the following recipients could not be delivered …:
    ada

--------Message not delivered to the following:

    ada    No matches to nameserver query
"""

from __future__ import annotations

import re

from outreach.bounces.found import Found, addresses, one_line
from outreach.bounces.report import Report

_LIST = re.compile(
    r"following recipients?[^:]{0,160}:?[^\n]{0,120}:\s*\n((?:[ \t]+[\w.+-]{2,64}[ \t]*(?:\n|$))+)", re.IGNORECASE
)
_WITH_REASONS = re.compile(
    r"not delivered to the following:[ \t]*\n\s*\n((?:[ \t]+[\w.+-]{2,64}[ \t]{2,}\S[^\n]{0,200}\n)+)", re.IGNORECASE
)


def read(report: Report) -> list[Found]:
    """Each name, with the words beside it or else the whole report's."""
    text = report.text + "\n"
    sender = next(iter(addresses(report.sender)), "")
    domain = sender.partition("@")[2].lower()
    if not domain:
        return []
    if match := _WITH_REASONS.search(text):
        named = [line.split(maxsplit=1) for line in match[1].splitlines()]
        return [Found(address=f"{name.lower()}@{domain}", text=one_line(said)) for name, said in named]
    match = _LIST.search(text)
    names = match[1].split() if match else []
    return [Found(address=f"{name.lower()}@{domain}", text=one_line(report.text)) for name in names]
