"""Reports that are one sentence about one address.

The address to which your message was addressed, ada@example.com, did not exactly match …
"""

from __future__ import annotations

import re

from outreach.bounces.found import ADDRESS, Found, one_line
from outreach.bounces.report import Report

_SENTENCES = re.compile(
    rf"(?:address to which your (?:message|mail) was (?:addressed|sent)|"
    rf"your (?:message|mail|e-?mail) (?:was )?(?:addressed |sent )?to|"
    rf"(?:unable|failed|not able|impossible) to deliver (?:your |the |this )?(?:message|mail|e-?mail)? ?(?:to|for)|"
    rf"the following message to|addressed to (?:e-?mail )?address|"
    rf"error delivering (?:your |the )?(?:message|mail) to|an undisclosed address\s+\(generated from)"
    rf"[\s:,<\"'(-]{{1,8}}(?P<address>{ADDRESS.pattern})",
    re.IGNORECASE,
)
_LISTED = re.compile(rf"^\s*<{ADDRESS.pattern}>:?\s*$", re.MULTILINE)


_BECAME = re.compile(
    rf"reason:\s{{1,8}}[45]\d\d [^\n@]{{3,120}} for <?(?P<address>{ADDRESS.pattern})>?[ \t.]*$",
    re.IGNORECASE | re.MULTILINE,
)
"""The mailbox that an address led to, in the reply itself."""


def read(report: Report) -> list[Found]:
    """The address of the sentence and the mailbox it led to, with the whole report for their words."""
    if _LISTED.search(report.text):
        return []
    named = list(
        dict.fromkeys(match["address"].lower() for match in _SENTENCES.finditer(" ".join(report.text[:8000].split())))
    )
    if len(named) != 1:
        return []
    became = _BECAME.search(report.text)
    both = dict.fromkeys([*named, *([became["address"].lower()] if became else [])])
    return [Found(address=each, text=one_line(report.text)) for each in both]
