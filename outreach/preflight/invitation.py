"""An invitation to a date: not to one that is over, and not when it is too late to come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from outreach.preflight.findings import Finding, Severity
from outreach.rendering.invitation import Event

CHECK: Final = "event"
SHORT: Final = dt.timedelta(hours=2)
"""Ours: who reads their mail at noon cannot come at one."""


def check(event: Event | None, place: str, *, leaves: dt.datetime) -> Iterator[Finding]:
    """The event, if there is one, and when the mail `leaves` at the earliest."""
    if event is None:
        return
    if event.end <= leaves:
        yield Finding(
            CHECK, Severity.BLOCK, place, "the event is over before the mail leaves",
            "name the next date, or take the line away",
        )  # fmt: skip
    elif event.start <= leaves:
        yield Finding(
            CHECK, Severity.WARN, place, "the event has begun when the mail leaves",
            "send it earlier, or say in the first sentence until when people can come",
        )  # fmt: skip
    elif event.start - leaves < SHORT:
        yield Finding(
            CHECK, Severity.WARN, place, "the event begins within two hours of the mail",
            "send it earlier, or say in the first sentence that it is soon",
        )  # fmt: skip
