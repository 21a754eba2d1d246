"""Bounces without a delivery status: a table of readers, the most certain first.

A reader is given the report's own text (never the mail that is returned) and says which recipients it finds there;
the first that finds any is believed. Each is named for the family of servers that made the format.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from outreach.bounces.found import Found
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
    """What the first reader that understands this report finds."""
    return next(filter(None, (reader(report) for reader in TABLE)), [])
