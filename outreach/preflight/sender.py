"""Who it comes from: a name that says so and nothing else, an address that can be answered and authenticated.

Google's sender guidelines (81126): the display name identifies the sender only. DMARC (RFC 9989) needs the sender's
domain to be ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from publicsuffixlist import PublicSuffixList

from outreach.preflight.draft import City, Draft
from outreach.preflight.findings import Finding, Severity

CHECK: Final = "sender"
FREEMAIL: Final = frozenset(
    [
        "aol.com",
        "gmail.com",
        "gmx.com",
        "gmx.de",
        "googlemail.com",
        "hotmail.com",
        "icloud.com",
        "live.com",
        "mail.com",
        "me.com",
        "msn.com",
        "outlook.com",
        "proton.me",
        "protonmail.com",
        "web.de",
        "yahoo.com",
        "ymail.com",
    ]
)

_NO_REPLY = re.compile(r"^(?:no|do-?not|never)[-_.]?reply", re.IGNORECASE)
_DECORATED = re.compile("[\U0001f000-\U0001faff\u2190-\u2bff\u2713-\u2718\u00a9\u00ae\u2122]|\\(\\d+\\)|\\{[{%]")
_ADDRESS = re.compile(r"@|https?:|www\.|\w\.(?:com|org|net|gov)\b", re.IGNORECASE)


def check(draft: Draft, city: City) -> Iterator[Finding]:
    place, name, address = draft.at("from"), draft.sender.name, draft.sender.address
    domain = address.rpartition("@")[2].lower()
    if domain == "invalid.example":
        return  # it could not be read, which is said already

    def finding(severity: Severity, problem: str, fix: str) -> Finding:
        return Finding(CHECK, severity, place, problem, fix)

    if not name:
        yield finding(Severity.WARN, f"{address} has no name", f"write it as Public Works <{address}>")
    if _DECORATED.search(name):
        yield finding(
            Severity.BLOCK, f'the name "{name}" holds more than a name (an emoji, a number in brackets, a field)',
            "name the department and nothing else",
        )  # fmt: skip
    elif _ADDRESS.search(name):
        yield finding(Severity.BLOCK, f'the name "{name}" contains an address', "name the department and nothing else")
    elif len(name) > 40 or (len(name) > 8 and name.lower() in draft.subject.lower()):
        yield finding(
            Severity.WARN,
            f'the name "{name}" says what belongs into the subject',
            "name the department and nothing else",
        )
    if _NO_REPLY.match(address) and draft.reply_to is None:
        yield finding(
            Severity.WARN, f"nobody reads answers to {address}; Microsoft asks that answers arrive",
            "write from an address that somebody reads, or add `reply_to:`",
        )  # fmt: skip
    if domain in FREEMAIL:
        yield finding(
            Severity.BLOCK, f"mail from {domain} that {domain} did not send is refused everywhere",
            f"write from an address at {city.domain or 'your own domain'}",
        )  # fmt: skip
    elif city.domain and organisational(domain) != organisational(city.domain):
        yield finding(
            Severity.BLOCK, f"the sender's domain {domain} is not {city.domain}, which signs the mail: DMARC fails",
            f"write from an address at {city.domain}, or set mail.domain to {domain} and publish its records",
        )  # fmt: skip


def organisational(domain: str) -> str:
    """The registered domain: mail.city.example belongs to city.example."""
    return str(_suffixes().privatesuffix(domain.lower()) or domain.lower())


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
