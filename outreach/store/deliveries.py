"""The ledger: one row for each person of a frozen audience, in exactly one state.

    frozen = waiting + sending + accepted + bounced + quarantined + suppressed + excluded
           + expired + cancelled + in_doubt

holds at every commit. Planning freezes the rows; `claims` hands them to workers and takes back outcomes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import IntEnum

from sqlalchemy import ColumnElement, Connection, Select, case, func, insert, literal, select, update

from outreach.store.campaigns import permit
from outreach.store.permissions import Verb
from outreach.store.tables import delivery, retry


class State(IntEnum):
    """Where one person's message is. The numbers are stored: never reuse one."""

    WAITING = 1
    SENDING = 2
    ACCEPTED = 3
    BOUNCED = 4
    QUARANTINED = 5
    SUPPRESSED = 6
    EXCLUDED = 7
    EXPIRED = 8
    CANCELLED = 9
    IN_DOUBT = 10

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def open(self) -> bool:
        """True while something is still to happen."""
        return self in (State.WAITING, State.SENDING)


def freeze(
    connection: Connection,
    campaign_id: int,
    audience: Select[tuple[int]],
    *,
    languages: Mapping[str, ColumnElement[bool]],
    default_language: str,
    now: dt.datetime,
) -> int:
    """Write one waiting row for each subscriber id of `audience`, a query over the profile, and return how many.

    `languages` maps each language that has a message of its own to the condition that chooses it.
    One INSERT … SELECT in key order, so that the clustered table is only appended to.
    """
    language: ColumnElement[str] = literal(default_language)
    if languages:
        language = case(*((condition, name) for name, condition in languages.items()), else_=default_language)
    [person] = audience.selected_columns
    rows = (
        audience.with_only_columns(
            literal(campaign_id),
            person,
            literal(State.WAITING.value),
            language,
            literal(0),
            literal(now, delivery.c.at.type),
            maintain_column_froms=True,
        )
        .order_by(None)
        .order_by(person)
    )
    columns = ["campaign_id", "subscriber_id", "state", "language", "attempts", "at"]
    freezing = insert(delivery).from_select(columns, rows).execution_options(preserve_rowcount=True)
    return connection.execute(freezing).rowcount


def counts(connection: Connection, campaign_id: int) -> Counter[State]:
    """How many deliveries of a campaign are in each state."""
    rows = connection.execute(
        select(delivery.c.state, func.count()).where(delivery.c.campaign_id == campaign_id).group_by(delivery.c.state)
    )
    return Counter({State(state): count for state, count in rows})


def reasons(connection: Connection, campaign_id: int, state: State) -> dict[str, int]:
    """The written reasons of one state, most frequent first."""
    rows = connection.execute(
        select(func.coalesce(delivery.c.reason, ""), func.count())
        .where(delivery.c.campaign_id == campaign_id, delivery.c.state == state)
        .group_by(delivery.c.reason)
        .order_by(func.count().desc(), delivery.c.reason)
    )
    return {reason: count for reason, count in rows}  # noqa: C416 - a result has keys(), which dict() would take


def audience_hash(connection: Connection, campaign_id: int) -> str:
    """SHA-256 over the frozen people and their languages, in order; a row changed by hand changes it."""
    digest = hashlib.sha256()
    # The statement's option, never the connection's: there it stays, and PostgreSQL has no cursor for an UPDATE.
    rows = connection.execute(
        select(delivery.c.subscriber_id, delivery.c.language)
        .where(delivery.c.campaign_id == campaign_id)
        .order_by(delivery.c.subscriber_id)
        .execution_options(yield_per=10_000)
    )
    for block in rows.partitions():
        digest.update("".join(f"{subscriber_id} {language}\n" for subscriber_id, language in block).encode())
    return digest.hexdigest()


def cancel_waiting(connection: Connection, campaign_id: int, *, reason: str, now: dt.datetime) -> int:
    """Cancel everything not yet claimed; what is being handed over right now ends as it ends."""
    cancelled = connection.execute(
        update(delivery)
        .where(delivery.c.campaign_id == campaign_id, delivery.c.state == State.WAITING)
        .values(state=State.CANCELLED.value, reason=reason, at=now)
    ).rowcount
    connection.execute(retry.delete().where(retry.c.campaign_id == campaign_id))
    return cancelled


def expire_waiting(connection: Connection, campaign_id: int, *, now: dt.datetime) -> int:
    """Late is a decision: nothing leaves after a campaign's `not_after`."""
    expired = connection.execute(
        update(delivery)
        .where(delivery.c.campaign_id == campaign_id, delivery.c.state == State.WAITING)
        .values(
            state=State.EXPIRED.value,
            reason=func.coalesce(literal("too late; last reply: ") + delivery.c.reason, "too late"),
            at=now,
        )
    ).rowcount
    connection.execute(retry.delete().where(retry.c.campaign_id == campaign_id))
    return expired


def people(connection: Connection, campaign_id: int) -> Iterator[tuple[int, str, str, str, str]]:
    """Everybody of a campaign: number, language, state, when, and the server's words."""
    columns = (delivery.c.subscriber_id, delivery.c.language, delivery.c.state, delivery.c.at, delivery.c.reason)
    rows = connection.execute(
        select(*columns).where(delivery.c.campaign_id == campaign_id).order_by(delivery.c.subscriber_id)
    )
    for number, language, state, at, reason in rows:
        yield number, language or "", State(state).word, at.isoformat() if at else "", reason or ""


def in_state(connection: Connection, campaign_id: int, state: State) -> list[int]:
    """The subscriber ids of one campaign in one state, ascending."""
    rows = connection.execute(
        select(delivery.c.subscriber_id)
        .where(delivery.c.campaign_id == campaign_id, delivery.c.state == state)
        .order_by(delivery.c.subscriber_id)
    )
    return list(rows.scalars())


def resolve_doubt(
    connection: Connection, campaign_id: int, subscriber_id: int, *, state: State, reason: str, now: dt.datetime
) -> bool:
    """Settle one delivery in doubt as `state` (ACCEPTED, BOUNCED or WAITING, which sends it again).

    ApprovalMissing for who may not send that campaign.
    """
    permit(connection, campaign_id, Verb.SEND, what="settling what is in doubt of {}")
    settled = connection.execute(
        update(delivery)
        .where(
            delivery.c.campaign_id == campaign_id,
            delivery.c.subscriber_id == subscriber_id,
            delivery.c.state == State.IN_DOUBT,
        )
        .values(state=state.value, reason=reason, at=now, claim_id=None)
    ).rowcount
    if settled and state is State.WAITING:
        connection.execute(insert(retry).values(campaign_id=campaign_id, due_at=now, subscriber_id=subscriber_id))
    return bool(settled)
