"""The DNS of the sending domain, as far as it decides whether this campaign arrives; `outreach doctor` asks for more.

The same checks as doctor's, with a resolver that tests replace. What nobody answered is no finding: it is not known.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from outreach.preflight.dns import NoAnswer, Resolver
from outreach.preflight.domain import dkim, dmarc, receiving, spf
from outreach.preflight.domain.verdicts import Check, Verdict
from outreach.preflight.findings import Finding, Severity

CHECK: Final = "domain"
RESERVED: Final = (".example", ".test", ".invalid", ".localhost", "example.com", "example.net", "example.org")
"""Names nobody can own (RFC 2606): a practice city has no records."""

_WEIGHT: Final = {Verdict.FAIL: Severity.BLOCK, Verdict.WARNING: Severity.WARN}


def check(
    resolver: Resolver,
    *,
    sending: str,
    sender: str,
    selector: str,
    key: Path | str | None,
    relay: str,
    now: dt.datetime,
) -> Iterator[Finding]:
    """`sending` is the domain that signs and takes the bounces, `sender` that of the From address."""
    if sending.endswith(RESERVED):
        return
    questions: list[Callable[[], Check]] = [
        lambda: spf.check(resolver, sending, (), relay),
        lambda: dkim.check(resolver, sending, selector, key, now=now),
        lambda: dmarc.check(resolver, sender, f"dmarc@{sending}"),
        lambda: receiving.mx(resolver, sending, what="bounces"),
    ]
    for ask in questions:
        try:
            found = ask()
        except NoAnswer:
            return  # a name server that is silent once would only be waited for again
        if found.verdict in _WEIGHT:
            yield Finding(CHECK, _WEIGHT[found.verdict], found.name, found.says, found.fix or "see `outreach doctor`")
