"""Whose fault is a refusal? A first reading by verb, reply code and enhanced status code.

Only `ADDRESS` is about the person. A policy, content, authentication or system refusal is about us: it stops the
campaign and never touches a citizen. RFC 3463 gives class.subject.detail; RFC 5321 section 4.2.3 the codes.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Fault(StrEnum):
    """Who or what a refusal is about."""

    ADDRESS = "address"
    MAILBOX = "mailbox"
    POLICY = "policy"
    CONTENT = "content"
    RATE = "rate"
    AUTHENTICATION = "authentication"
    SYSTEM = "system"

    @property
    def ours(self) -> bool:
        """True if the sending domain, the relay or the message is at fault, not the recipient."""
        return self not in (Fault.ADDRESS, Fault.MAILBOX)


_ENHANCED = re.compile(r"^[245]\d\d[ -](?P<class>[245])\.(?P<subject>\d{1,3})\.(?P<detail>\d{1,3})\b")
_BY_DETAIL = {
    "1.7": Fault.POLICY,  # bad sender's mailbox address: our own
    "1.8": Fault.POLICY,
    "2.3": Fault.CONTENT,  # message length exceeds administrative limit
    "3.4": Fault.CONTENT,  # message too big for system
    "7.8": Fault.AUTHENTICATION,
    "7.9": Fault.AUTHENTICATION,
}
_BY_SUBJECT = {
    "1": Fault.ADDRESS,
    "2": Fault.MAILBOX,
    "3": Fault.SYSTEM,
    "4": Fault.SYSTEM,
    "5": Fault.SYSTEM,
    "6": Fault.CONTENT,
    "7": Fault.POLICY,
}
_BY_CODE = {
    "530": Fault.AUTHENTICATION,
    "534": Fault.AUTHENTICATION,
    "535": Fault.AUTHENTICATION,
    "421": Fault.RATE,
    "450": Fault.MAILBOX,
    "452": Fault.MAILBOX,
    "552": Fault.MAILBOX,
    "523": Fault.CONTENT,
    "554": Fault.POLICY,
}
_RCPT_BY_CODE = {
    "550": Fault.ADDRESS,
    "551": Fault.ADDRESS,
    "553": Fault.ADDRESS,
    "521": Fault.ADDRESS,
    "556": Fault.ADDRESS,
}


def fault(reply: str, *, verb: str) -> Fault:
    """What a 4yz or 5yz reply line at `verb` (mail, rcpt, data, dot …) is about."""
    if match := _ENHANCED.match(reply):
        key = f"{match['subject']}.{match['detail']}"
        found = _BY_DETAIL.get(key) or _BY_SUBJECT.get(match["subject"])
        if found is not None:
            return found
    code = reply[:3]
    if verb == "rcpt" and code in _RCPT_BY_CODE:
        return _RCPT_BY_CODE[code]
    if code in _BY_CODE:
        return _BY_CODE[code]
    # Without a better hint, a refused recipient is about the recipient and a refused message about the message.
    if verb == "rcpt":
        return Fault.ADDRESS
    return Fault.CONTENT if verb == "dot" else Fault.SYSTEM
