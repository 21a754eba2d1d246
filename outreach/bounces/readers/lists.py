"""What fml, a mailing list manager, answers to a mail that its list does not take.

It names no recipient: the list is whom the mail was for, and the answer comes from the list's administrator.
"""

from __future__ import annotations

import re

from outreach.bounces.found import Found, addresses, one_line
from outreach.bounces.report import Report

_ADMINISTRATOR = re.compile(r"-(?:admin|owner|request)$")


def read(report: Report) -> list[Found]:
    """The list, with the subject and the text for its words."""
    sender = next(iter(addresses(report.sender)), "")
    if "fml" not in report.top.header("x-mlserver").lower() or "@" not in sender:
        return []
    local, _, domain = sender.lower().partition("@")
    return [
        Found(address=f"{_ADMINISTRATOR.sub('', local)}@{domain}", text=one_line(f"{report.subject} {report.text}"))
    ]
