"""Occurrences: each moment at which a campaign file was due, once.

The key (file, moment) is why twenty runs of cron at the same second start a campaign once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, select, update

from outreach.store.campaigns import Status
from outreach.store.checkpoints import insert
from outreach.store.tables import campaign, occurrence


class State(StrEnum):
    """What became of an occurrence."""

    CLAIMED = "claimed"
    """It belongs to a campaign, which has not started yet."""
    STARTED = "started"
    MISSED = "missed"
    """Its window had passed, or a later one took its place, before anything ran."""
    REFUSED = "refused"
    """It was due and could not be planned as approved; a person has to look."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    file: str
    at: dt.datetime
    campaign_id: int | None
    state: State
    noted_at: dt.datetime


def claim(connection: Connection, file: str, at: dt.datetime, *, campaign_id: int, now: dt.datetime) -> bool:
    """Take an occurrence for a campaign. False if it is another campaign's, or was missed."""
    _add(connection, file, at, state=State.CLAIMED, campaign_id=campaign_id, now=now)
    found = find(connection, file, at)
    return found is not None and found.campaign_id == campaign_id and found.state is State.CLAIMED


def note(connection: Connection, file: str, moments: Iterable[dt.datetime], *, state: State, now: dt.datetime) -> int:
    """Write down occurrences that nothing came of; those that are known already stay. Returns how many are new."""
    return sum(_add(connection, file, at, state=state, campaign_id=None, now=now) for at in moments)


def started(connection: Connection, campaign_id: int, *, now: dt.datetime) -> None:
    mine = occurrence.c.campaign_id == campaign_id
    connection.execute(update(occurrence).where(mine).values(state=State.STARTED.value, noted_at=now))


def missed(connection: Connection, campaign_id: int, *, now: dt.datetime) -> None:
    mine = occurrence.c.campaign_id == campaign_id
    connection.execute(update(occurrence).where(mine).values(state=State.MISSED.value, noted_at=now))


def unapproved(connection: Connection) -> list[int]:
    """The campaigns that were planned for an occurrence and have not been approved."""
    both = occurrence.join(campaign, campaign.c.id == occurrence.c.campaign_id)
    waiting = occurrence.c.state == State.CLAIMED.value, campaign.c.status == Status.PLANNED.value
    return list(connection.execute(select(campaign.c.id).select_from(both).where(*waiting)).scalars())


def find(connection: Connection, file: str, at: dt.datetime) -> Occurrence | None:
    row = connection.execute(select(occurrence).where(occurrence.c.file == file, occurrence.c.at == at)).one_or_none()
    return Occurrence(row.file, row.at, row.campaign_id, State(row.state), row.noted_at) if row else None


def latest(connection: Connection, file: str) -> dt.datetime | None:
    """The latest moment of a file that is settled or under way."""
    return connection.execute(
        select(occurrence.c.at).where(occurrence.c.file == file).order_by(occurrence.c.at.desc()).limit(1)
    ).scalar()


def _add(
    connection: Connection, file: str, at: dt.datetime, *, state: State, campaign_id: int | None, now: dt.datetime
) -> int:
    values = {"file": file, "at": at, "campaign_id": campaign_id, "state": state.value, "noted_at": now}
    statement = insert(connection, occurrence).values(values).on_conflict_do_nothing().returning(occurrence.c.file)
    return len(connection.execute(statement).all())
