"""Taking an import back: everybody and everything it changed is as it was before, or nothing is done.

What an import changes of people we knew is noted beside it, in its own transaction (`note_*`, called
before the merge writes). New people need no note: their numbers follow each other. Whoever has done
something since, or had something done to them, is *touched*: an undo names those people and refuses, or
leaves them as they are if it is told to. The consent log only ever grows: it gains the undoing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    union,
    update,
)

from outreach.errors import OutreachError, UsageError
from outreach.store import subscribers, tables
from outreach.store.dialects import Instant
from outreach.store.staging import Fate, Stage

KEPT: Final = dt.timedelta(days=90)
"""How long an import can be undone; its notes are then forgotten, for they hold old values of people."""
NAMED: Final = 20
UNDONE: Final = "import {} undone"
NOTES: Final = (tables.import_person, tables.import_subscription, tables.import_suppression)


@dataclass(frozen=True, slots=True)
class Run:
    """An import that took place."""

    id: int
    file: str
    source: str
    at: dt.datetime
    result: dict[str, Any]
    undone_at: dt.datetime | None


class Touched(OutreachError):
    """People of the import have changed since."""

    def __init__(self, import_id: int, addresses: Sequence[str]) -> None:
        self.addresses = tuple(addresses)
        named = ", ".join(self.addresses[:NAMED])
        more = f" and {len(self.addresses) - NAMED:,} more" if len(self.addresses) > NAMED else ""
        super().__init__(
            f"import {import_id} was not undone: of its people, {len(self.addresses):,} have changed since"
            f" ({named}{more}); --leave-touched undoes it for all others"
        )


def runs(connection: Connection) -> list[Run]:
    """All imports, the latest first."""
    run = tables.import_run
    return [
        Run(row.id, row.file, row.source, row.at, row.result, row.undone_at)
        for row in connection.execute(select(run).order_by(run.c.id.desc()))
    ]


# --- before the merge -------------------------------------------------------------------------------------------


def note_people(stage: Stage, import_id: int, now: dt.datetime) -> None:
    """Remember what the merge is about to change."""
    _forget(stage.connection, now)
    person, known, profile = stage.person, tables.subscriber, tables.profile
    provenance, noted, folded = tables.provenance, tables.import_person, stage.folded
    values = {"import_id": literal(import_id), "subscriber_id": person.c.id}
    dated = {name: provenance.c[name] for name in ("as_of", "source", "dates")}
    before = {**dated, "before_id": provenance.c.import_id}
    whole = {"attributes": known.c.attributes, "locale": profile.c.locale, "joined_at": profile.c.joined_at}
    for columns, people, chosen in (
        (
            {**values, **whole, **before},
            person.join(folded, folded.c.id == person.c.id)
            .join(known, known.c.id == person.c.id)
            .join(profile, profile.c.subscriber_id == person.c.id)
            .outerjoin(provenance, provenance.c.subscriber_id == person.c.id),
            person.c.fate == Fate.FOLDED,
        ),
        (
            {**values, **before},
            person.join(provenance, provenance.c.subscriber_id == person.c.id),
            person.c.fate == Fate.DATED,
        ),
    ):
        found = select(*columns.values()).select_from(people).where(chosen)
        stage.connection.execute(insert(noted).from_select(list(columns), found, include_defaults=False))
    _note_subscriptions(stage, import_id)


def _note_subscriptions(stage: Stage, import_id: int) -> None:
    person, staged, now = stage.person, stage.subscription, tables.subscription
    columns = {
        "import_id": literal(import_id),
        "topic_id": staged.c.topic_id,
        "subscriber_id": staged.c.subscriber_id,
        **{name: now.c[name] for name in ("status", "frequency", "frequency_at", "changed_at")},
    }
    mine = and_(now.c.topic_id == staged.c.topic_id, now.c.subscriber_id == staged.c.subscriber_id)
    new = select(person.c.id).where(person.c.fate == Fate.NEW)
    found = select(*columns.values()).select_from(staged.outerjoin(now, mine)).where(staged.c.subscriber_id.not_in(new))
    stage.connection.execute(
        insert(tables.import_subscription).from_select(list(columns), found, include_defaults=False)
    )


def note_suppressions(stage: Stage, import_id: int, about_to_change: ColumnElement[bool]) -> None:
    """The same for suppressions; the condition is on the staged person and an outer-joined suppression."""
    person, now = stage.person, tables.suppression
    columns = {
        "import_id": literal(import_id),
        "address": person.c.address,
        **{name: now.c[name] for name in ("subscriber_id", "reason", "source", "at", "detail")},
    }
    found = (
        select(*columns.values())
        .select_from(person.outerjoin(now, now.c.address == person.c.address))
        .where(person.c.suppress.is_not(None), or_(now.c.address.is_(None), about_to_change))
    )
    stage.connection.execute(
        insert(tables.import_suppression).from_select(list(columns), found, include_defaults=False)
    )


def _forget(connection: Connection, now: dt.datetime) -> None:
    old = select(tables.import_run.c.id).where(tables.import_run.c.at < now - KEPT)
    for table in NOTES:
        connection.execute(delete(table).where(table.c.import_id.in_(old)))


# --- taking it back ---------------------------------------------------------------------------------------------


def undo(connection: Connection, import_id: int, *, now: dt.datetime, leave_touched: bool = False) -> tuple[int, int]:
    """Take an import back: how many people are as they were, and how many touched ones were left alone.

    Raises Touched if there are such and they are not to be left, UsageError if there is nothing to undo.
    """
    run = connection.execute(select(tables.import_run).where(tables.import_run.c.id == import_id)).one_or_none()
    if run is None:
        raise UsageError(f"there is no import {import_id}; `outreach subscribers imports list` shows them")
    if run.undone_at is not None:
        raise UsageError(f"import {import_id} was undone on {run.undone_at:%Y-%m-%d %H:%M}")
    if run.first_id is None or run.at < now - KEPT:
        raise UsageError(
            f"import {import_id} is older than {KEPT.days} days; what was there before is not kept so long"
        )
    touched = _touched(connection, run)
    if touched and not leave_touched:
        addresses = connection.scalars(
            select(tables.subscriber.c.address).where(tables.subscriber.c.id.in_(touched)).order_by("address")
        )
        raise Touched(import_id, list(addresses))
    _restore_people(connection, import_id, touched)
    _restore_subscriptions(connection, import_id, touched)
    _restore_suppressions(connection, import_id, touched)
    gone = _new(run).with_only_columns(tables.subscriber.c.id).where(tables.subscriber.c.id.not_in(touched))
    _log(connection, run, touched, now)
    suppression = tables.suppression
    connection.execute(update(suppression).where(suppression.c.subscriber_id.in_(gone)).values(subscriber_id=None))
    restored = connection.scalar(select(func.count()).select_from(_affected(run).subquery())) or 0
    connection.execute(delete(tables.subscriber).where(tables.subscriber.c.id.in_(gone)))
    for table in NOTES:
        connection.execute(delete(table).where(table.c.import_id == import_id))
    connection.execute(update(tables.import_run).where(tables.import_run.c.id == import_id).values(undone_at=now))
    return restored - len(touched), len(touched)


def _new(run: Any) -> Select[Any]:
    person = tables.subscriber
    # Somebody who signed up meanwhile may have a number in between, but not the moment of the import.
    return select(person).where(person.c.id.between(run.first_id, run.last_id), person.c.created_at == run.at)


def _affected(run: Any) -> Any:
    by_person, by_topic, by_address = NOTES
    person = tables.subscriber
    return union(
        _new(run).with_only_columns(person.c.id),
        select(by_person.c.subscriber_id).where(by_person.c.import_id == run.id),
        select(by_topic.c.subscriber_id).where(by_topic.c.import_id == run.id),
        select(person.c.id)
        .join(by_address, by_address.c.address == person.c.address)
        .where(by_address.c.import_id == run.id),
    )


def _touched(connection: Connection, run: Any) -> list[int]:
    """Ids of people of this import whose state is no longer as it left it."""
    by_person, _, by_address = NOTES
    person, provenance, consent = tables.subscriber, tables.provenance, tables.consent
    affected = _affected(run).subquery()
    mine = affected.c[0]
    written = union(
        _new(run).with_only_columns(person.c.id),
        select(by_person.c.subscriber_id).where(by_person.c.import_id == run.id),
    ).subquery()
    overwritten = (
        select(written.c[0])
        .outerjoin(provenance, provenance.c.subscriber_id == written.c[0])
        .where(provenance.c.import_id.is_distinct_from(run.id))
    )
    undone = tables.import_run.alias()
    # What a later import said and its undoing took back is nobody's word.
    taken_back = exists(
        select(1).where(
            undone.c.undone_at.is_not(None),
            consent.c.id > undone.c.consent_from,
            consent.c.id <= undone.c.consent_until,
        )
    )
    spoke = select(consent.c.subscriber_id).where(
        consent.c.id > run.consent_until,
        consent.c.subscriber_id.in_(select(mine)),
        consent.c.source.not_like(UNDONE.format("%")),
        ~taken_back,
    )
    suppression = tables.suppression
    noted = exists(select(1).where(by_address.c.import_id == run.id, by_address.c.address == person.c.address))
    # A suppression that the import made or changed says so; any other of a new person came later.
    released = (
        select(person.c.id)
        .join(by_address, and_(by_address.c.address == person.c.address, by_address.c.import_id == run.id))
        .where(
            ~exists(select(1).where(suppression.c.address == person.c.address, suppression.c.source == _source(run)))
        )
    )
    refused = (
        _new(run)
        .with_only_columns(person.c.id)
        .join(suppression, suppression.c.address == person.c.address)
        .where(~noted, suppression.c.at > run.at)
    )
    campaigns = select(tables.campaign.c.id).where(tables.campaign.c.planned_at >= run.at)
    delivery = tables.delivery
    mailed = select(delivery.c.subscriber_id).where(
        delivery.c.campaign_id.in_(campaigns), delivery.c.subscriber_id.between(run.first_id, run.last_id)
    )
    found: set[int] = set()
    for query in (overwritten, spoke, released, refused, mailed):
        found |= set(connection.scalars(query))
    return sorted(found)


def _source(run: Any) -> str:
    return str(run.result["label"])


def _restore_people(connection: Connection, import_id: int, touched: Sequence[int]) -> None:
    noted, provenance = tables.import_person, tables.provenance
    query = select(noted).where(noted.c.import_id == import_id, noted.c.subscriber_id.not_in(touched))
    for row in connection.execute(query).all():
        mine = row.subscriber_id
        if row.attributes is not None:
            subscribers.restore(connection, mine, attributes=row.attributes, locale=row.locale, joined_at=row.joined_at)
        if row.as_of is None:
            connection.execute(delete(provenance).where(provenance.c.subscriber_id == mine))
            continue
        before = {"as_of": row.as_of, "source": row.source, "dates": row.dates, "import_id": row.before_id}
        if row.dates is None:
            before["dates"] = null()
        connection.execute(update(provenance).where(provenance.c.subscriber_id == mine).values(**before))


def _restore_subscriptions(connection: Connection, import_id: int, touched: Sequence[int]) -> None:
    noted, now = tables.import_subscription, tables.subscription
    query = select(noted).where(noted.c.import_id == import_id, noted.c.subscriber_id.not_in(touched))
    for row in connection.execute(query).all():
        mine = and_(now.c.topic_id == row.topic_id, now.c.subscriber_id == row.subscriber_id)
        if row.status is None:
            connection.execute(delete(now).where(mine))
            continue
        before = {name: getattr(row, name) for name in ("status", "frequency", "frequency_at", "changed_at")}
        connection.execute(update(now).where(mine).values(**before))


def _restore_suppressions(connection: Connection, import_id: int, touched: Sequence[int]) -> None:
    noted, now, person = tables.import_suppression, tables.suppression, tables.subscriber
    spared = select(person.c.address).where(person.c.id.in_(touched))
    query = select(noted).where(noted.c.import_id == import_id, noted.c.address.not_in(spared))
    for row in connection.execute(query).all():
        if row.reason is None:
            connection.execute(delete(now).where(now.c.address == row.address))
            continue
        before = {name: getattr(row, name) for name in ("subscriber_id", "reason", "source", "at", "detail")}
        connection.execute(update(now).where(now.c.address == row.address).values(**before))


def _log(connection: Connection, run: Any, touched: Sequence[int], now: dt.datetime) -> None:
    """The log gains a line for each line of the import that says the opposite."""
    consent = tables.consent
    columns = ["subscriber_id", "topic_id", "purpose", "given", "source", "at"]
    opposite = select(
        consent.c.subscriber_id,
        consent.c.topic_id,
        consent.c.purpose,
        ~consent.c.given,
        literal(UNDONE.format(run.id)),
        literal(now, Instant),
    ).where(
        consent.c.id > run.consent_from,
        consent.c.id <= run.consent_until,
        consent.c.source == _source(run),
        consent.c.subscriber_id.not_in(touched),
    )
    connection.execute(insert(consent).from_select(columns, opposite, include_defaults=False))


def last_consent(connection: Connection) -> int:
    return connection.scalar(select(func.max(tables.consent.c.id))) or 0


def numbers_given(connection: Connection, person: Table) -> tuple[int, int]:
    """The first and the last number the staged import gives to new people; (0, -1) if there are none."""
    first, last = connection.execute(
        select(func.min(person.c.id), func.max(person.c.id)).where(person.c.fate == Fate.NEW)
    ).one()
    return (first, last) if first is not None else (0, -1)
