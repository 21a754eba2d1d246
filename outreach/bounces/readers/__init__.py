"""Bounces without a delivery status: a table of readers, the most certain first.

A reader is given the report's own text (never the mail that is returned) and says which recipients it finds there;
the first that finds any is believed. Each is named for the family of servers that made the format.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from outreach.bounces.found import Found, addresses, one_line
from outreach.bounces.readers import bare_names, colons, exchange, lines, lists, notes, phrases, sendmail, sentences
from outreach.bounces.report import Report

Reader = Callable[[Report], list[Found]]

TABLE: Final[tuple[Reader, ...]] = (
    lists.read,
    sendmail.read,
    exchange.read,
    notes.read,
    bare_names.read,
    phrases.read,
    lines.read,
    colons.read,
    sentences.read,
)


def read(report: Report) -> list[Found]:
    """What the first reader that understands this report finds.

    X-Failed-Recipients (Exim, Google) is surer than any text that names none of them, like "Hello ada@example.com, …".
    """
    found = next(filter(None, (reader(report) for reader in TABLE)), [])
    failed = [each.lower() for each in addresses(report.top.header("x-failed-recipients"))]
    if not failed or any(each.address.lower() in failed for each in found):
        return found
    return [Found(address=each, text=one_line(report.text)) for each in failed]
