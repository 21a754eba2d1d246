"""What a SpamAssassin on this machine thinks of the message, where there is one (spamd's protocol, version 1.2)."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Final

from outreach.preflight.draft import Draft
from outreach.preflight.findings import Finding, Severity

CHECK: Final = "spam"
SECONDS: Final = 10.0
_VERDICT = re.compile(rb"Spam:\s*(?:True|False)\s*;\s*(-?[\d.]+)\s*/\s*(-?[\d.]+)", re.IGNORECASE)


def check(draft: Draft, mail: bytes, spamd: str) -> Iterator[Finding]:
    """Nothing to say when nobody listens at `spamd` (host:port)."""
    if (answer := asked(mail, spamd)) is None:
        return
    score, limit, rules = answer
    if score >= limit / 2:
        yield Finding(
            CHECK, Severity.BLOCK if score >= limit else Severity.WARN, draft.place,
            f"SpamAssassin gives it {score:g} points of {limit:g}: {', '.join(rules) or 'no rule named'}",
            "reword what these rules name, and check again",
        )  # fmt: skip


def asked(mail: bytes, spamd: str) -> tuple[float, float, list[str]] | None:
    """(points, limit, rules that fired), or None when there is no answer to be had."""
    host, _, port = spamd.rpartition(":")
    if not port.isdigit():
        return None
    try:
        with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
            connection.sendall(b"SYMBOLS SPAMC/1.2\r\nContent-length: %d\r\n\r\n" % len(mail) + mail)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError:
        return None
    head, _, body = answer[:100_000].partition(b"\r\n\r\n")
    verdict = _VERDICT.search(head)
    if verdict is None:
        return None
    rules = [rule for rule in body.decode("ascii", "replace").strip().split(",") if re.fullmatch(r"\w+", rule.strip())]
    return float(verdict[1]), float(verdict[2]), rules[:20]
