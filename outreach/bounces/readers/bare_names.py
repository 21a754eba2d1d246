"""Screen names without a domain, as AOL wrote them: the domain is the server's own.

Your mail to the following recipients could not be delivered …:
    ada
"""

from __future__ import annotations

import re

from outreach.bounces.found import Found, addresses, one_line
from outreach.bounces.report import Report

_LIST = re.compile(
    r"following recipients?[^:]{0,160}:?[^\n]{0,120}:\s*\n((?:[ \t]+[\w.+-]{2,64}[ \t]*(?:\n|$))+)", re.IGNORECASE
)


def read(report: Report) -> list[Found]:
    match = _LIST.search(report.text + "\n")
    sender = next(iter(addresses(report.sender)), "")
    if match is None or "@" not in sender:
        return []
    domain = sender.partition("@")[2].lower()
    return [Found(address=f"{name.lower()}@{domain}", text=one_line(report.text)) for name in match[1].split()]
