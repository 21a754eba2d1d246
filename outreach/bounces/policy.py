"""What a bounce does. The whole policy, on one page.

    1. Only a bounce that carries our token may touch anybody: everybody can write a false one.
    2. Hard once: the address is gone, so it is suppressed, until somebody releases it.
    3. Mailbox full, away or closed: counted. LIMIT within DAYS suspends the address for SUSPENDED days;
       what is older than DAYS no longer counts.
    4. Policy, reputation, content and authentication: our fault. The sending domain pauses at that
       provider for PAUSE hours; no person is touched.
    5. Network, system and rate: noted. The machines will mend it, or the expiry of the delivery tells.
    6. Not understood, delayed, or delivered after all: noted, and never counted.
    7. A complaint suppresses for everything but statutory and emergency mail, at once.

A refusal during the SMTP conversation goes through the same page: there the connection is the proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from outreach.bounces.reasons import Group, Reason

LIMIT: Final = 5
"""Soft bounces that suspend an address …"""
DAYS: Final = 14
"""… within so many days."""
SUSPENDED: Final = 30
"""Days until a suspended address gets another chance."""
PAUSE: Final = 4
"""Hours a sending domain rests at a provider that refuses it."""

_OURS = frozenset({Group.POLICY, Group.CONTENT, Group.AUTHENTICATION})


class Effect(StrEnum):
    """What follows from one bounce."""

    SUPPRESS = "suppress"
    COUNT = "count"
    PAUSE = "pause"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers of this page, as a workspace sets them."""

    soft: int = LIMIT
    days: int = DAYS
    suspended_days: int = SUSPENDED
    pause_hours: int = PAUSE


def decide(reason: Reason, *, hard: bool, action: str, proven: bool) -> Effect:
    """The effect of one recipient's bounce. `action` is RFC 3464's; an SMTP refusal is "failed"."""
    if not proven or action != "failed":
        return Effect.NOTE
    if hard:
        return Effect.SUPPRESS
    if reason.group is Group.MAILBOX:
        return Effect.COUNT
    if reason.group in _OURS:
        return Effect.PAUSE
    return Effect.NOTE
