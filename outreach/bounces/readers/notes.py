"""Lotus Notes and Domino's own reports, which say why before they say whom.

------- Failure Reasons  --------

User not listed in public Name & Address Book
ada@example.com
"""

from __future__ import annotations

import re

from outreach.bounces.found import ADDRESS, Found, one_line
from outreach.bounces.report import Report

_HEAD = re.compile(r"^-{3,} *Failure Reasons *-{3,} *$", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(rf"^\s*<?(?P<address>{ADDRESS.pattern})>?\s*$")


def read(report: Report) -> list[Found]:
    """Each address, with the lines since the one before."""
    begin = _HEAD.search(report.text)
    if begin is None:
        return []
    found: list[Found] = []
    said: list[str] = []
    for line in report.text[begin.end() :].split("\n")[:1000]:
        if line.startswith("---"):
            break
        if match := _ADDRESS.match(line[:600]):
            found.append(Found(address=match["address"].lower(), text=one_line(" ".join(said))))
            said = []
        else:
            said.append(line)
    return found
