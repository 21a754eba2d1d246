"""What is wrong, a colon, and the address behind it, a line for each: IMail, older web hosts and many scripts.

User's mailbox is full: <ada@example.com>
Unknown user: grace@example.com
"""

from __future__ import annotations

import re

from outreach.bounces.found import ADDRESS, Found, one_line
from outreach.bounces.report import Report

_LINE = re.compile(
    rf"^\s*(?P<said>[^@<>:\n]{{4,100}}):\s*<?(?P<address>{ADDRESS.pattern})>?[\s.]*$",
)
_TROUBLE = re.compile(
    r"full|unknown|unable|fail|\bnot\b|invalid|reject|undeliver|error|quota|exceed|block|disabled|denied|no such|"
    r"problem|cannot|could",
    re.IGNORECASE,
)


def read(report: Report) -> list[Found]:
    """Each address, with what stands before the colon and the lines until the next."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in report.text.split("\n")[:1000]:
        match = _LINE.match(line[:600])
        if match and _TROUBLE.search(match["said"]):
            current = found.setdefault(match["address"].lower(), [])
        if current is not None:
            current.append(line)
    return [Found(address=name, text=one_line("\n".join(said))) for name, said in found.items()]
