"""Whether we could write to one person about a topic: what lies behind a rule and is looked at for every campaign.

yes  is an active subscriber                 active since March 12, 2025
yes  is not on the suppression list          not suppressed
no   asked to hear about “Parking”           left on April 2, 2026 (unsubscribe link)
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from outreach.segmentation.clauses import Clause
from outreach.segmentation.fields import Catalogue, Topic
from outreach.segmentation.wording import Wording
from outreach.store import suppressions
from outreach.store.consent import CONFIRMED, PURPOSE
from outreach.store.subscribers import ACTIVE
from outreach.store.tables import consent, profile, subscriber, subscription, topic
from outreach.store.topics import MANDATORY


def standing(
    connection: Connection,
    subscriber_id: int,
    catalogue: Catalogue,
    language: str = "en",
    *,
    topics: tuple[Topic, ...],
    now: dt.datetime,
    zone: ZoneInfo,
) -> tuple[Clause, ...]:
    """Status and suppression of this person, then consent and purpose for each of the topics."""
    teller = _Teller(Wording(catalogue, language, now.astimezone(zone).date()), zone)
    row = connection.execute(
        select(subscriber.c.address, profile.c.status, profile.c.joined_at)
        .join(profile, profile.c.subscriber_id == subscriber.c.id)
        .where(subscriber.c.id == subscriber_id)
    ).one()
    found = suppressions.find(connection, row.address)
    lines = [
        teller.line("standing.active", row.status == ACTIVE, f"status.{row.status}", at=row.joined_at),
        teller.line(
            "standing.not_suppressed",
            found is None,
            "fact.suppressed_since" if found else "fact.not_suppressed",
            at=found.at if found else None,
            reason=found.reason.value if found else "",
            source=found.source if found else "",
        ),
    ]
    for one in topics:
        lines += _about(connection, subscriber_id, one, teller)
    return tuple(lines)


def _about(connection: Connection, subscriber_id: int, one: Topic, teller: _Teller) -> list[Clause]:
    name = teller.wording.quoted(one.name)
    kind = connection.execute(select(topic.c.message_class).where(topic.c.id == one.id)).scalar_one()
    asked = connection.execute(
        select(subscription.c.status, subscription.c.changed_at).where(
            subscription.c.topic_id == one.id, subscription.c.subscriber_id == subscriber_id
        )
    ).one_or_none()
    log = connection.execute(
        select(consent.c.purpose, consent.c.given, consent.c.source)
        .where(consent.c.subscriber_id == subscriber_id, (consent.c.topic_id == one.id) | consent.c.topic_id.is_(None))
        .order_by(consent.c.at.desc(), consent.c.id.desc())
    ).all()
    state = "none" if asked is None else str(asked.status)
    confirmed = asked is not None and asked.status == CONFIRMED
    lines = [
        teller.line(
            "standing.consent" if kind not in MANDATORY else "standing.consent_not_needed",
            confirmed or kind in MANDATORY,
            f"subscription.{state}",
            at=asked.changed_at if asked else None,
            source=log[0].source if log else teller.wording.say("no_record"),
            name=name,
            kind=kind,
        )
    ]
    given = {row.purpose for row in log if row.given}
    narrow = bool(given) and PURPOSE not in given and kind not in given
    if confirmed and kind not in MANDATORY:
        purposes = ", ".join(sorted(given)) or teller.wording.say("no_record")
        lines.append(teller.line("standing.purpose", not narrow, "fact.purpose", name=name, purposes=purposes))
    return lines


class _Teller:
    def __init__(self, wording: Wording, zone: ZoneInfo) -> None:
        self.wording, self.zone = wording, zone

    def line(self, text: str, holds: bool, fact: str, *, at: dt.datetime | None = None, **parts: object) -> Clause:
        day = self.wording.day(at.astimezone(self.zone).date()) if at else "?"
        say = self.wording.say
        return Clause(say(text, **parts), holds, say(fact, day=day, **parts), 0)
