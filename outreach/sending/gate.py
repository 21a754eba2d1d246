"""The last look before a message leaves: may this person still get it?

Lists go on moving after a plan was approved. Whoever left since is not written to, and is counted
as suppressed or excluded with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from outreach.store.claims import Claimed
from outreach.store.consent import CONFIRMED
from outreach.store.deliveries import State
from outreach.store.subscribers import ACTIVE
from outreach.store.topics import MANDATORY

UNASKED = frozenset({*MANDATORY, "transactional"})
"""Message classes that go to people without a subscription."""
CONFIRMATION = "confirmation"
"""Asks whether it was really they: goes to whoever is not confirmed yet, or had left."""
COMPLAINT = "complaint"
FINAL = frozenset({"manual", "erased"})
"""Reasons of suppression that a person's own new wish does not end."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why a person does not get the message after all."""

    state: State
    reason: str


def gate(claimed: Claimed, *, message_class: str) -> LeftOut | None:
    """None if the message may leave."""
    if claimed.address is None:
        return LeftOut(State.EXCLUDED, "erased")
    if message_class == CONFIRMATION:
        return LeftOut(State.SUPPRESSED, str(claimed.suppressed)) if claimed.suppressed in FINAL else None
    # Who called our mail spam is left alone, but still hears what the law or their safety asks for.
    if claimed.suppressed is not None and not (claimed.suppressed == COMPLAINT and message_class in MANDATORY):
        return LeftOut(State.SUPPRESSED, claimed.suppressed)
    if claimed.status != ACTIVE:
        return LeftOut(State.EXCLUDED, "no longer active")
    if message_class not in UNASKED and claimed.subscription != CONFIRMED:
        return LeftOut(State.EXCLUDED, "left the topic")
    if claimed.capped is not None:
        return LeftOut(State.EXCLUDED, claimed.capped)
    return None
