"""Merging a compared import into the store: set-based statements of one transaction, the same on both databases.

An import never lifts a suppression, never resubscribes who left a topic, and never empties a value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    and_,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)

from outreach.store import tables, undoing
from outreach.store.consent import CONFIRMED, PURPOSE, SubscriptionStatus
from outreach.store.dialects import Document, Instant, to_ms
from outreach.store.staging import CODE, FREQUENCIES, Fate, Stage
from outreach.store.subscribers import ACTIVE
from outreach.store.suppressions import GRAVITY

UNCONFIRMED = SubscriptionStatus.UNCONFIRMED.value


def apply(
    stage: Stage, *, import_id: int, system: str, source: str, evidence: Mapping[str, str], now: dt.datetime
) -> None:
    """Merge what `compare` found.

    `system` goes with the date of each value, `source` is named in consent and suppressions, and `evidence`
    is kept with each opt-out (each subscription has its own).
    """
    undoing.note_people(stage, import_id, now)
    _insert_people(stage, import_id, system, now)
    _update_people(stage, import_id)
    _date_people(stage, import_id, system)
    _suppress(stage, import_id, source, now)
    _subscribe(stage)
    _note_consent(stage, source, evidence, now)
    stage.applied = True


def record(
    connection: Connection, *, file: str, source: str, file_hash: str, at: dt.datetime, result: Mapping[str, Any]
) -> int:
    """Note that an import takes place; its number."""
    row = {"file": file[-400:], "source": source, "hash": file_hash, "at": at, "result": dict(result)}
    first = {"consent_from": undoing.last_consent(connection)}
    made = connection.execute(insert(tables.import_run).values(**row, **first)).inserted_primary_key
    assert made is not None
    number: int = made[0]
    return number


def close(stage: Stage, import_id: int) -> None:
    """Note, last of all, what an undo must know."""
    first, last = undoing.numbers_given(stage.connection, stage.person)
    until = undoing.last_consent(stage.connection)
    run = tables.import_run
    stage.connection.execute(
        update(run).where(run.c.id == import_id).values(first_id=first, last_id=last, consent_until=until)
    )


def _insert_people(stage: Stage, import_id: int, system: str, now: dt.datetime) -> None:
    """New people: those with one row as that row says, the others as folded."""
    person, row, folded = stage.person, stage.row, stage.folded
    for table, on, several in (
        (row, row.c.place == person.c.place, person.c.rows == 1),
        (folded, folded.c.id == person.c.id, person.c.rows > 1),
    ):
        chosen = and_(person.c.fate == Fate.NEW, several)
        both = person.join(table, on)
        source = table.c.get("source", literal(system))
        dates = stage.document(table.c.dates) if "dates" in table.c else stage.document(null())
        moment = stage.moment
        for target, columns in (
            (
                tables.subscriber,
                {
                    "id": person.c.id,
                    "address": person.c.address,
                    "attributes": stage.document(table.c.attributes),
                    "created_at": literal(now, Instant),
                },
            ),
            (
                tables.profile,
                {
                    "subscriber_id": person.c.id,
                    "status": literal(ACTIVE),
                    "locale": table.c.locale,
                    "joined_at": moment(table.c.joined),
                    **stage.slot_values(table),
                },
            ),
            (
                tables.provenance,
                {
                    "subscriber_id": person.c.id,
                    "as_of": moment(table.c.at),
                    "source": source,
                    "dates": dates,
                    "import_id": literal(import_id),
                },
            ),
        ):
            found = select(*columns.values()).select_from(both).where(chosen).order_by(person.c.place)
            stage.connection.execute(insert(target).from_select(list(columns), found, include_defaults=False))


def _update_people(stage: Stage, import_id: int) -> None:
    """People we knew: what changed, and how old each value is now."""
    folded, provenance = stage.folded, tables.provenance
    stage.connection.execute(
        update(tables.subscriber)
        .where(tables.subscriber.c.id == folded.c.id, folded.c.known == 1, folded.c.changed == 1)
        .values(attributes=stage.document(folded.c.attributes))
    )
    stage.connection.execute(
        update(tables.profile)
        .where(tables.profile.c.subscriber_id == folded.c.id, folded.c.known == 1, folded.c.changed == 1)
        .values(locale=folded.c.locale, joined_at=stage.moment(folded.c.joined), **stage.slot_values(folded))
    )
    columns = {
        "subscriber_id": folded.c.id,
        "as_of": stage.moment(folded.c.at),
        "source": folded.c.source,
        "dates": stage.document(folded.c.dates),
        "import_id": literal(import_id),
    }
    statement = stage.insert(provenance).from_select(
        list(columns), select(*columns.values()).where(folded.c.known == 1), include_defaults=False
    )
    new = statement.excluded
    stage.connection.execute(
        statement.on_conflict_do_update(
            index_elements=["subscriber_id"],
            set_={"as_of": new.as_of, "source": new.source, "dates": new.dates, "import_id": import_id},
        )
    )


def _date_people(stage: Stage, import_id: int, system: str) -> None:
    """People of whom the file says what we hold, only later."""
    person, row, provenance = stage.person, stage.row, tables.provenance
    stage.connection.execute(
        update(provenance)
        .where(
            provenance.c.subscriber_id == person.c.id,
            person.c.fate == Fate.DATED,
            row.c.place == person.c.place,
        )
        .values(as_of=stage.moment(row.c.at), source=system, import_id=import_id)
    )


def _suppress(stage: Stage, import_id: int, source: str, now: dt.datetime) -> None:
    """Suppress whom the file says; the graver reason stays, then the earlier date. Nothing is ever lifted."""
    person, suppression = stage.person, tables.suppression
    place = person.c.suppress // CODE
    reason = case(*((place == number, reason.value) for number, reason in enumerate(GRAVITY)))
    at = stage.lesser
    columns = {
        "address": person.c.address,
        "subscriber_id": person.c.id,
        "reason": reason,
        "source": literal(source),
        "at": stage.moment(at(person.c.suppress % CODE, literal(to_ms(now), BigInteger))),
    }
    chosen = select(*columns.values()).where(person.c.suppress.is_not(None))
    statement = stage.insert(suppression).from_select(list(columns), chosen, include_defaults=False)
    new = statement.excluded
    before, after = _gravity(suppression.c.reason), _gravity(new.reason)
    staged_at = stage.moment(at(person.c.suppress % CODE, literal(to_ms(now), BigInteger)))
    undoing.note_suppressions(
        stage, import_id, or_(place < before, and_(place == before, staged_at < suppression.c.at))
    )
    stage.connection.execute(
        statement.on_conflict_do_update(
            index_elements=["address"],
            set_={"reason": new.reason, "source": new.source, "at": new.at, "subscriber_id": new.subscriber_id},
            where=or_(after < before, and_(after == before, new.at < suppression.c.at)),
        )
    )
    # An address may have been suppressed long before we knew whose it is.
    stage.connection.execute(
        update(suppression)
        .where(
            suppression.c.address == person.c.address,
            func.coalesce(suppression.c.subscriber_id, 0) != person.c.id,
        )
        .values(subscriber_id=person.c.id)
    )


def _subscribe(stage: Stage) -> None:
    """Subscribe people to topics. Who left a topic stays away from it, whatever a file says."""
    staged, now = stage.subscription.c, tables.subscription
    columns = {
        "topic_id": staged.topic_id,
        "subscriber_id": staged.subscriber_id,
        "status": staged.confirmed,  # 1 and 0 are what they are in SubscriptionStatus
        "frequency": func.coalesce(staged.frequency % FREQUENCIES, 0),
        "changed_at": stage.moment(staged.at),
        "frequency_at": stage.moment(staged.frequency // FREQUENCIES),
    }
    chosen = select(*columns.values()).where(staged.topic_id > 0)
    statement = stage.insert(now).from_select(list(columns), chosen, include_defaults=False)
    new = statement.excluded
    newer = and_(
        new.frequency_at.is_not(None),
        or_(
            now.c.frequency_at.is_(None),
            new.frequency_at > now.c.frequency_at,
            and_(new.frequency_at == now.c.frequency_at, new.frequency > now.c.frequency),
        ),
    )
    confirms = and_(now.c.status == UNCONFIRMED, new.status == CONFIRMED)
    # The earliest date of those who say the same; who says more has the say.
    earlier = and_(now.c.status == new.status, new.changed_at < now.c.changed_at)
    since = or_(confirms, earlier)
    stage.connection.execute(
        statement.on_conflict_do_update(
            index_elements=["topic_id", "subscriber_id"],
            set_={
                "status": case((confirms, new.status), else_=now.c.status),
                "frequency": case((newer, new.frequency), else_=now.c.frequency),
                "frequency_at": case((newer, new.frequency_at), else_=now.c.frequency_at),
                "changed_at": case((since, new.changed_at), else_=now.c.changed_at),
            },
            where=or_(newer, since),
        )
    )


def _note_consent(stage: Stage, source: str, evidence: Mapping[str, str], now: dt.datetime) -> None:
    """Append where each subscription comes from, and each opt-out, once for each source."""
    consent, staged, wish, person = tables.consent, stage.subscription, stage.wish, stage.person
    subscription = tables.subscription
    said = exists(
        select(1).where(
            consent.c.subscriber_id == staged.c.subscriber_id,
            consent.c.topic_id == staged.c.topic_id,
            consent.c.source == source,
        )
    )
    confirmed = exists(
        select(1).where(
            subscription.c.topic_id == staged.c.topic_id,
            subscription.c.subscriber_id == staged.c.subscriber_id,
            subscription.c.status == CONFIRMED,
        )
    )
    given = (
        select(
            staged.c.subscriber_id,
            staged.c.topic_id,
            literal(PURPOSE),
            literal(True),
            literal(source),
            stage.moment(wish.c.at),
            stage.document(wish.c.evidence),
        )
        .select_from(staged.join(wish, wish.c.number == staged.c.wish))
        .where(confirmed, staged.c.confirmed == 1, ~said)
    )
    columns = ["subscriber_id", "topic_id", "purpose", "given", "source", "at", "evidence"]
    stage.connection.execute(insert(consent).from_select(columns, given, include_defaults=False))
    least = stage.lesser
    withdrawn = select(
        person.c.id,
        cast(null(), Integer),
        literal(PURPOSE),
        literal(False),
        literal(source),
        stage.moment(least(person.c.suppress % CODE, literal(to_ms(now), BigInteger))),
        literal(dict(evidence), Document),
    ).where(
        person.c.suppress.is_not(None),
        ~exists(
            select(1).where(
                consent.c.subscriber_id == person.c.id,
                consent.c.topic_id.is_(None),
                consent.c.source == source,
            )
        ),
    )
    stage.connection.execute(insert(consent).from_select(columns, withdrawn, include_defaults=False))


def _gravity(reason: ColumnElement[str]) -> ColumnElement[int]:
    return case(*((reason == each.value, place) for place, each in enumerate(GRAVITY)), else_=len(GRAVITY))
