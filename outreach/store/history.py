"""What happened with one person, in the order of time: joining, consent, mail, opens, clicks, leaving."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from outreach.events import Kind
from outreach.store import consent as store_consent
from outreach.store import suppressions, tables
from outreach.store.deliveries import State
from outreach.store.events import Verdict
from outreach.store.subscribers import Subscriber


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a person's story."""

    at: dt.datetime | None
    """None: we do not know when."""
    what: str
    detail: str = ""


def of_person(main: Connection, events: Connection, person: Subscriber) -> list[Happening]:
    """Everything we know happened, oldest first. `events` is a connection to the events database."""
    found = [
        Happening(person.joined_at, "joined"),
        Happening(person.created_at, "came to us"),
        *_consents(main, person.id),
        *_deliveries(main, person.id),
        *_answers(main, person.id),
        *_hits(main, events, person.id),
    ]
    if suppression := suppressions.find(main, person.address):
        detail = f"{suppression.reason.value}, by {suppression.source}"
        found.append(Happening(suppression.at, "suppressed", detail))
    beginning = dt.datetime.min.replace(tzinfo=dt.UTC)
    return sorted((line for line in found if line.at or line.detail), key=lambda line: line.at or beginning)


def _consents(connection: Connection, subscriber_id: int) -> Iterator[Happening]:
    for line in store_consent.history_of(connection, subscriber_id):
        evidence = ", ".join(f"{name} {value}" for name, value in line.evidence.items())
        detail = f"{line.topic or 'everything'}, by {line.source}" + (f" ({evidence})" if evidence else "")
        yield Happening(line.at, "consent given" if line.given else "consent withdrawn", detail)


def _deliveries(connection: Connection, subscriber_id: int) -> Iterator[Happening]:
    delivery, campaign = tables.delivery, tables.campaign
    # A delivery is clustered by campaign: asking each campaign for this person is a key look-up.
    rows = connection.execute(
        select(campaign.c.name, campaign.c.planned_at, delivery.c.state, delivery.c.at, delivery.c.reason)
        .join(delivery, (delivery.c.campaign_id == campaign.c.id) & (delivery.c.subscriber_id == subscriber_id))
        .order_by(campaign.c.id)
    )
    for row in rows:
        detail = f"{row.name}: {row.reason}" if row.reason else row.name
        yield Happening(row.at or row.planned_at, f"mail {State(row.state).word.replace('_', ' ')}", detail)


def _answers(connection: Connection, subscriber_id: int) -> Iterator[Happening]:
    feedback = tables.feedback
    mine = select(feedback.c.kind, feedback.c.at, feedback.c.campaign_id).where(
        feedback.c.subscriber_id == subscriber_id
    )
    names = _campaigns(connection)
    for kind, at, campaign_id in connection.execute(mine):
        yield Happening(at, Kind(kind).name.lower(), names.get(campaign_id, ""))


def _hits(main: Connection, events: Connection, subscriber_id: int) -> Iterator[Happening]:
    event = tables.event
    names = _campaigns(main)
    reached = select(tables.delivery.c.campaign_id).where(
        tables.delivery.c.subscriber_id == subscriber_id, tables.delivery.c.campaign_id.in_(names)
    )
    campaigns = list(main.scalars(reached))
    mine = select(event.c.kind, event.c.at, event.c.campaign_id, event.c.link, event.c.verdict).where(
        event.c.campaign_id.in_(campaigns), event.c.subscriber_id == subscriber_id
    )
    for kind, at, campaign_id, link, verdict in events.execute(mine):
        what = f"{Kind(kind).name.lower()} {link + 1}" if kind in (Kind.CLICK, Kind.ANSWER) else Kind(kind).name.lower()
        yield Happening(at, what + (" (machine)" if verdict == Verdict.MACHINE else ""), names.get(campaign_id, ""))


def _campaigns(connection: Connection) -> dict[int, str]:
    campaign = tables.campaign
    return {row.id: row.name for row in connection.execute(select(campaign.c.id, campaign.c.name))}
