"""Leaving by a link in the mail, or by calling it spam; and taking the first of these back.

Who leaves a topic stays away from it, whatever a file says later; who leaves everything is suppressed. Each act is a
line in the log of consent that says what was there before, so that an undo can put it back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, select, update

from outreach.events import Event
from outreach.store import consent, digests, suppressions, tables
from outreach.store.consent import SubscriptionStatus
from outreach.store.dialects import from_ms
from outreach.store.suppressions import Reason

UNDO_DAYS: Final = 30
FROM_UNSUBSCRIBE: Final = "unsubscribe link"
FROM_COMPLAINT: Final = "complaint"
FROM_UNDO: Final = "undo"
UNSUBSCRIBED: Final = SubscriptionStatus.UNSUBSCRIBED.value


def unsubscribed(connection: Connection, event: Event, address: str, detail: Mapping[str, Any]) -> None:
    """Leaves the campaign's topic, or a digest's; everything, if that was asked for or the campaign is about none."""
    person, at, evidence = event.subscriber_id, from_ms(event.at_ms), _evidence(event)
    everything = bool(detail.get("all"))
    topics = [] if everything else digests.topics_in(connection, event.campaign_id, person)
    if not topics and not everything and (topic_id := _topic(connection, event, detail)) is not None:
        topics = [topic_id]
    for topic_id in topics:
        consent.unsubscribe(
            connection, subscriber_id=person, topic_id=topic_id, source=FROM_UNSUBSCRIBE, at=at, evidence=evidence
        )
    if not topics:
        everything_left(connection, person, address, source=FROM_UNSUBSCRIBE, at=at, evidence=evidence)


def everything_left(
    connection: Connection, person: int, address: str, *, source: str, at: dt.datetime, evidence: Mapping[str, Any]
) -> None:
    """Suppress somebody who wants no mail of any topic; nothing, if they have left already."""
    if (before := suppressions.find(connection, address)) is not None:
        evidence = {**evidence, "suppressed": [before.reason.value, before.source]}
    if suppressions.suppress(connection, address, reason=Reason.UNSUBSCRIBE, source=source, at=at):
        consent.log(
            connection, subscriber_id=person, topic_id=None, given=False, source=source, at=at, evidence=evidence
        )


def complained(connection: Connection, event: Event, address: str) -> None:
    """Called our mail spam: nothing more, about anything."""
    at = from_ms(event.at_ms)
    suppressions.suppress(connection, address, reason=Reason.COMPLAINT, source=FROM_COMPLAINT, at=at)
    consent.log(
        connection,
        subscriber_id=event.subscriber_id,
        topic_id=None,
        given=False,
        source=FROM_COMPLAINT,
        at=at,
        evidence=_evidence(event),
    )


def undone(connection: Connection, event: Event, address: str) -> bool:
    """Take back what this person's last unsubscribe from this campaign did; False if there is nothing to take back.

    Only within UNDO_DAYS, and only while it is the last thing said about that topic: a later choice stands.
    Who left the topics of a digest gets all of them back.
    """
    log, person, at = tables.consent, event.subscriber_id, from_ms(event.at_ms)
    said = connection.execute(select(log).where(log.c.subscriber_id == person).order_by(log.c.id.desc())).all()
    last = {row.topic_id: row.id for row in reversed(said)}
    mine = [row for row in said if row.source == FROM_UNSUBSCRIBE and _campaign(row) == event.campaign_id]
    taken_back = [
        row
        for row in mine
        if _act(row) == _act(mine[0]) and last[row.topic_id] == row.id and at - row.at <= dt.timedelta(days=UNDO_DAYS)
    ]
    for row in taken_back:
        if row.topic_id is None:
            _lift(connection, address, was=row.evidence.get("suppressed"), at=at)
        else:
            _restore(connection, person, row.topic_id, was=row.evidence.get("was"), at=at)
        evidence = {"campaign": event.campaign_id, "undone": row.id}
        consent.log(
            connection, subscriber_id=person, topic_id=row.topic_id, given=True, source=FROM_UNDO, at=at,
            evidence=evidence,
        )  # fmt: skip
    return bool(taken_back)


def _campaign(said: Row[Any]) -> int | None:
    return (said.evidence or {}).get("campaign")


def _act(said: Row[Any]) -> tuple[object, object]:
    """The one event that a line in the log came from; leaving a digest writes one for each of its topics."""
    return said.evidence.get("spool"), said.evidence.get("sequence")


def _lift(connection: Connection, address: str, *, was: Sequence[str] | None, at: dt.datetime) -> None:
    """The wish is taken back; an address that was dead before is still dead."""
    suppression = tables.suppression
    connection.execute(
        delete(suppression).where(
            suppression.c.address == address,
            suppression.c.reason == Reason.UNSUBSCRIBE.value,
            suppression.c.source == FROM_UNSUBSCRIBE,
        )
    )
    if was:
        suppressions.suppress(connection, address, reason=Reason(was[0]), source=was[1], at=at)


def _restore(connection: Connection, person: int, topic_id: int, *, was: int | None, at: dt.datetime) -> None:
    subscription = tables.subscription
    left = (
        (subscription.c.subscriber_id == person)
        & (subscription.c.topic_id == topic_id)
        & (subscription.c.status == UNSUBSCRIBED)
    )
    if was is None:
        connection.execute(delete(subscription).where(left))
    else:
        connection.execute(update(subscription).where(left).values(status=was, changed_at=at))


def _topic(connection: Connection, event: Event, detail: Mapping[str, Any]) -> int | None:
    """The topic the page named, or the campaign's own."""
    named = detail.get("topic")
    known = select(tables.topic.c.id).where(tables.topic.c.id == named)
    if isinstance(named, int) and connection.execute(known).first():
        return named
    own = select(tables.campaign.c.topic_id).where(tables.campaign.c.id == event.campaign_id)
    return connection.execute(own).scalar()


def _evidence(event: Event) -> dict[str, Any]:
    return {"campaign": event.campaign_id, "spool": event.spool, "sequence": event.sequence, "flags": event.flags}
