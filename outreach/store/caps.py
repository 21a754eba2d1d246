"""Caps on how often one person is written to, looked at again when a message is claimed.

Planning counts what was sent, and what was approved, until then. Two plans that were made side by side do not know of
each other, so whoever has reached the cap since is found here, for a batch of people at once.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select

from outreach.store.campaigns import Campaign
from outreach.store.checkpoints import lock
from outreach.store.deliveries import State
from outreach.store.facts import Claimed
from outreach.store.tables import campaign, delivery
from outreach.store.topics import REGULAR

_CAP = re.compile(r"(\d{1,4})\s+in\s+(\d{1,3})\s+days?", re.IGNORECASE)
_LOOK_EVERY = dt.timedelta(seconds=5)
"""How long it may take until a campaign that was just started counts."""
_TURN = "caps"
_LEFT = (State.SENDING.value, State.ACCEPTED.value, State.IN_DOUBT.value)


@dataclass(frozen=True, slots=True)
class Cap:
    """So many messages of one class in so many days, counted back from now."""

    messages: int
    days: int

    def __str__(self) -> str:
        return f"{self.messages} in {self.days} {'day' if self.days == 1 else 'days'}"

    @property
    def reason(self) -> str:
        """Why somebody is left out, in a plan and in a ledger."""
        return f"over the cap of {self}"

    @staticmethod
    def read(text: str) -> Cap | None:
        """`4 in 7 days`; None if it says anything else."""
        found = _CAP.fullmatch(text.strip())
        if found is None or not int(found[1]) or not int(found[2]):
            return None
        return Cap(int(found[1]), int(found[2]))


class Reached:
    """Marks those of a claim whom other campaigns have brought to the cap since this one was planned.

    Where none was sent meanwhile, which is nearly always, nobody's deliveries are looked at.
    """

    def __init__(self, cap: Cap, sending: Campaign) -> None:
        self._cap = cap
        self._campaign = sending
        self._looked_at: dt.datetime | None = None
        self._others: list[int] = []

    @staticmethod
    def of(sending: Campaign) -> Reached | None:
        """What a campaign was approved with; None where no cap holds."""
        cap = Cap.read(str(sending.plan.get("cap") or ""))
        return Reached(cap, sending) if cap is not None and sending.message_class == REGULAR else None

    def mark(self, connection: Connection, claimed: list[Claimed], *, now: dt.datetime) -> list[Claimed]:
        """The same people, those who have reached the cap with its name.

        In the transaction that claimed them. Two campaigns that claim one person in the same instant take turns here
        until they commit, so that the second sees what the first took.
        """
        if self._looked_at is None or now - self._looked_at >= _LOOK_EVERY:
            self._looked_at, self._others = now, self._active(connection, now)
        if not self._others or not claimed:
            return claimed
        lock(connection, _TURN)
        reached = self._reached(connection, [each.subscriber_id for each in claimed], now)
        return [each._replace(capped=self._cap.reason) if each.subscriber_id in reached else each for each in claimed]

    def _active(self, connection: Connection, now: dt.datetime) -> list[int]:
        """Campaigns of this class that count, if any of them was at work after this one was planned."""
        finished = campaign.c.finished_at
        rows = connection.execute(
            select(campaign.c.id, finished).where(
                campaign.c.message_class == REGULAR,
                campaign.c.id != self._campaign.id,
                campaign.c.started_at.is_not(None),
                or_(finished.is_(None), finished >= now - dt.timedelta(days=self._cap.days)),
            )
        ).all()
        meanwhile = any(ended is None or ended >= self._campaign.planned_at for _, ended in rows)
        return [number for number, _ in rows] if meanwhile else []

    def _reached(self, connection: Connection, people: Sequence[int], now: dt.datetime) -> set[int]:
        person = delivery.c.subscriber_id
        found = connection.execute(
            select(person)
            .where(
                delivery.c.campaign_id.in_(self._others),
                person.in_(people),
                delivery.c.state.in_(_LEFT),
                delivery.c.at >= now - dt.timedelta(days=self._cap.days),
            )
            .group_by(person)
            .having(func.count() >= self._cap.messages)
        )
        return set(found.scalars())
