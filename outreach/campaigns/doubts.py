"""Settling deliveries in doubt: by what came back later, by the relay's log, or by hand.

In doubt means that the message was complete and the answer never came. Evidence that it arrived settles it for good;
absence from a log is only evidence if the log covers the time of the send, which a person has to say.
"""

from __future__ import annotations

import datetime as dt
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from outreach.campaigns.lifecycle import message_ids
from outreach.errors import UsageError
from outreach.store import campaigns, deliveries, tables
from outreach.store.campaigns import Campaign, Status
from outreach.store.database import Store
from outreach.store.deliveries import State

_MESSAGE_ID = re.compile(r"message-id=(<[^>\s]+>)", re.IGNORECASE)
"""As Postfix's cleanup writes it when it takes a message into its queue; Exim (`id=`) and others write it too."""
_EXIM_ID = re.compile(r" id=(\S+@\S+)")


@dataclass(frozen=True, slots=True)
class Settled:
    """How many were settled each way, and the Message-IDs of those who still are in doubt."""

    accepted: int
    again: int
    left: list[str]


def by_evidence(store: Store, campaign: Campaign, *, now: dt.datetime) -> int:
    """Accept whoever opened, clicked, left, complained or bounced: the message has arrived somewhere."""
    people = _in_doubt(store, campaign)
    if not people:
        return 0
    seen: set[int] = set()
    with store.read_events() as connection:
        event = tables.event.c
        seen |= set(
            connection.execute(
                select(event.subscriber_id).where(event.campaign_id == campaign.id, event.subscriber_id.in_(people))
            ).scalars()
        )
    with store.write() as connection:
        feedback = tables.feedback.c
        seen |= set(
            connection.execute(
                select(feedback.subscriber_id).where(
                    feedback.campaign_id == campaign.id, feedback.subscriber_id.in_(people)
                )
            ).scalars()
        )
        for person in seen:
            deliveries.resolve_doubt(
                connection, campaign.id, person, state=State.ACCEPTED, reason="it was answered later", now=now
            )
    return len(seen)


def by_log(
    store: Store, campaign: Campaign, log: Path, *, complete: bool, token_keys: Path, now: dt.datetime
) -> Settled:
    """Accept whoever's Message-ID stands in the relay's log; with `complete`, send the others again.

    `log` may be a Postfix or Exim log, gzipped or not. Raises UsageError if it cannot be read.
    """
    people = _in_doubt(store, campaign)
    ids = dict(zip(message_ids(campaign, people, token_keys=token_keys), people, strict=True))
    found = {each for each in _ids_in(log) if each in ids}
    with store.write() as connection:
        for each, person in ids.items():
            taken = each in found
            if taken or complete:
                state, reason = (
                    (State.ACCEPTED, f"in the relay's log {log.name}") if taken else (State.WAITING, "not in the log")
                )
                deliveries.resolve_doubt(connection, campaign.id, person, state=state, reason=reason, now=now)
        again = len(ids) - len(found) if complete else 0
        if again:
            reopen(connection, campaign)
    return Settled(len(found), again, [] if complete else [each for each in ids if each not in found])


def reopen(connection: Connection, campaign: Campaign) -> None:
    """Let a finished campaign be sent again, for those who are waiting once more."""
    campaigns.set_status(connection, campaign.id, Status.SENDING, only_from=(Status.FINISHED,), finished_at=None)


def _in_doubt(store: Store, campaign: Campaign) -> list[int]:
    with store.read() as connection:
        return deliveries.in_state(connection, campaign.id, State.IN_DOUBT)


def _ids_in(log: Path) -> Iterator[str]:
    try:
        with gzip.open(log, "rt", errors="replace") if log.suffix == ".gz" else log.open(errors="replace") as lines:
            for line in lines:
                if match := _MESSAGE_ID.search(line):
                    yield match[1]
                elif match := _EXIM_ID.search(line):
                    yield f"<{match[1]}>"
    except OSError as error:
        raise UsageError(f"{log} cannot be read: {error.strerror}") from None
