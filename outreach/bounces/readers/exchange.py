"""Exchange and its relatives, which tell the trouble in prose and the address in another line.

Your message … did not reach the following recipient(s):

ada@example.com on Thu, 29 Apr 2007 16:51:51 -0500
    The recipient name is not recognized
"""

from __future__ import annotations

import re

from outreach.bounces.found import ADDRESS, Found, one_line
from outreach.bounces.report import Report

_REACH = re.compile(
    r"did not reach (?:some or all of )?the (?:following|intended) recipients?|"
    r"delivery has failed to these recipients|could(?: not|n't) be delivered to:",
    re.IGNORECASE,
)
_ADMINISTRATORS = re.compile(r"diagnostic information for administrators", re.IGNORECASE)
_ADDRESS = re.compile(ADDRESS.pattern)
_MAILTO = re.compile(r"[<(]mailto:[^>)\n]{1,300}[>)]", re.IGNORECASE)
_HEADER = re.compile(
    r"^[\s*•-]*(?:to|subject|sent|received on|from|cc|message-id|generating server)\s*:", re.IGNORECASE
)


def read(report: Report) -> list[Found]:
    """Each address after the sentence, with what follows it; the administrators' part speaks last."""
    begin = _REACH.search(report.text)
    if begin is None:
        return []
    text = _MAILTO.sub(" ", report.text[begin.end() :])
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.split("\n")[:1000]:
        match = _ADDRESS.search(line[:600])
        if match and not _HEADER.match(line) and line.strip().find(match[0]) < 60:
            name = re.sub(r"^smtp[=:]", "", match[0].lower())  # the X.400 form of an address
            current = found.setdefault(name, [])
            current.append(line)
        elif current is not None and not _HEADER.match(line):
            current.append(line)
    return [Found(address=address, text=one_line(" ".join(said))) for address, said in found.items()]
