"""What a restored installation still owes, and to whom it may not write again.

A backup knows nothing of what was handed over after it was taken. For the campaigns that were under way then there
are three answers: the relay's logs name everybody who got it since; somebody vouches that nothing was sent since; or
nobody knows, and then these campaigns stay paused rather than reach anybody twice.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, select, update

from outreach.errors import UsageError
from outreach.store import installation
from outreach.store.campaigns import Status
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.tables import campaign, claim, delivery, pending, retry, worker
from outreach.tokens import BadToken, KeyRing, Purpose

_TOKEN = re.compile(r"<([A-Za-z0-9_-]{28})@[A-Za-z0-9.-]+>")
_REASON = "restored from a backup, and who got it since is unknown"
_BLOCK = 500


@dataclass(frozen=True, slots=True)
class Resumed:
    """What `resume` found out."""

    accepted: int
    """People who have it, by the relay's logs."""
    in_doubt: int
    """Their message was being handed over when the backup was taken, and nobody knows how that ended."""
    paused: tuple[str, ...]
    """Campaigns that wait for a person."""
    digests: int
    """Items that were waiting for a digest, and are dropped because their digest may have left since."""


def read_logs(paths: Iterable[Path], keys: KeyRing) -> dict[int, set[int]]:
    """Everybody whose message is named in these logs, by campaign. Any text with our Message-IDs will do."""
    found: dict[int, set[int]] = defaultdict(set)
    for path in paths:
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    for token in _TOKEN.findall(line):
                        try:
                            subject = keys.verify(Purpose.MESSAGE_ID, token)
                        except BadToken:
                            continue
                        found[subject[0]].add(subject[1])
        except OSError as error:
            raise UsageError(f"the log {path} cannot be read: {error.strerror}") from None
    return found


def resume(
    store: Store, data: Path, *, logs: dict[int, set[int]] | None, nothing_sent: bool, now: dt.datetime
) -> Resumed:
    """Let this installation send again, as a new one. One transaction.

    `logs`: everybody who got something, None without logs; `nothing_sent`: somebody vouches that nothing left since.
    """
    with store.write() as connection:
        under_way = connection.execute(
            select(campaign.c.id, campaign.c.name).where(
                campaign.c.status.in_([Status.SENDING.value, Status.PAUSED.value, Status.APPROVED.value])
            )
        ).all()
        accepted = in_doubt = 0
        paused: list[str] = []
        for row in under_way:
            accepted += _accept(connection, row.id, (logs or {}).get(row.id, set()), now=now)
            in_doubt += _settle_claims(connection, row.id, known=logs is not None, now=now)
            if logs is None and not nothing_sent and _pause(connection, row.id):
                paused.append(row.name)
        connection.execute(delete(claim))
        connection.execute(delete(worker))
        dropped = 0 if nothing_sent else _drop_digests(connection, logs)
        installation.release(connection, data)
    return Resumed(accepted, in_doubt, tuple(paused), dropped)


def _accept(connection: Connection, campaign_id: int, people: set[int], *, now: dt.datetime) -> int:
    count = 0
    ordered = sorted(people)
    for start in range(0, len(ordered), _BLOCK):
        block = ordered[start : start + _BLOCK]
        mine = (delivery.c.campaign_id == campaign_id) & delivery.c.subscriber_id.in_(block)
        open_ = delivery.c.state.in_([State.WAITING.value, State.SENDING.value, State.IN_DOUBT.value])
        values = {"state": State.ACCEPTED.value, "reason": "by the relay's log", "at": now, "claim_id": None}
        count += connection.execute(update(delivery).where(mine, open_).values(values)).rowcount
        connection.execute(delete(retry).where(retry.c.campaign_id == campaign_id, retry.c.subscriber_id.in_(block)))
    return count


def _settle_claims(connection: Connection, campaign_id: int, *, known: bool, now: dt.datetime) -> int:
    """What was claimed when the backup was taken: with logs it is still owed, without it is in doubt."""
    mine = (delivery.c.campaign_id == campaign_id) & (delivery.c.state == State.SENDING.value)
    people = list(connection.execute(select(delivery.c.subscriber_id).where(mine)).scalars())
    state = State.WAITING if known else State.IN_DOUBT
    values = {"state": state.value, "reason": "under way when the backup was taken", "at": now, "claim_id": None}
    connection.execute(update(delivery).where(mine).values(values))
    if known and people:
        connection.execute(
            retry.insert(), [{"campaign_id": campaign_id, "due_at": now, "subscriber_id": who} for who in people]
        )
    return 0 if known else len(people)


def _pause(connection: Connection, campaign_id: int) -> bool:
    """Nobody gets it before a person has looked: what was under way is paused, what had not begun is approved anew."""
    mine = campaign.c.id == campaign_id
    begun = {"status": Status.PAUSED.value, "pause_reason": _REASON}
    fresh = {"status": Status.PLANNED.value, "approved_at": None, "approved_by": None}
    connection.execute(update(campaign).where(mine, campaign.c.started_at.is_not(None)).values(begun))
    connection.execute(update(campaign).where(mine, campaign.c.started_at.is_(None)).values(fresh))
    return True


def _drop_digests(connection: Connection, logs: dict[int, set[int]] | None) -> int:
    """With logs: for those who got a digest that this database does not know. Without: for everybody."""
    if logs is None:
        return connection.execute(delete(pending)).rowcount
    known = set(connection.execute(select(campaign.c.id)).scalars())
    people = sorted({who for campaign_id, found in logs.items() if campaign_id not in known for who in found})
    count = 0
    for start in range(0, len(people), _BLOCK):
        block = people[start : start + _BLOCK]
        count += connection.execute(delete(pending).where(pending.c.subscriber_id.in_(block))).rowcount
    return count
