"""Items, who waits for which, and which digest carries what.

An item is one thing that happened in a topic: a campaign, or an entry of a feed. Who wants it later is
decided when it is planned, one `pending` row for each person; gathering turns a person's rows into one digest
in a single transaction. A row is there or in a digest, never both and never neither: nothing twice, nothing lost.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy import insert as plain_insert

from outreach.store.checkpoints import insert
from outreach.store.consent import CONFIRMED, Frequency
from outreach.store.deliveries import State
from outreach.store.subscribers import ACTIVE
from outreach.store.tables import (
    delivery,
    digest,
    item,
    pending,
    profile,
    subscriber,
    subscription,
    suppression,
    topic,
)

MESSAGE_CLASS = "digest"
_BLOCK = 5_000


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happened in a topic. `content` is by language: {"en": {"title": …, "body": Markdown}}; the images
    of its body, if it has any, are in "images": {"images/map.png": "https://…"}.
    """

    id: int
    topic: str
    content: Mapping[str, Mapping[str, Any]]
    campaign_id: int | None
    """None: it is an entry of a feed."""


@dataclass(frozen=True, slots=True, order=True)
class Readers:
    """People whose digests come at the same moment."""

    zone: str
    """Empty: the organisation's."""
    hour: int
    """Of their own choice; -1: the organisation's digests.at."""


@dataclass(frozen=True, slots=True)
class Due:
    """Whose items are gathered: those of a frequency and of these readers that were published up to `until`."""

    frequency: Frequency
    readers: Readers
    until: dt.datetime


def reads_digests(topic_id: int) -> ColumnElement[bool]:
    """For profile rows: this person asked to hear about the topic daily or weekly."""
    return exists(
        select(1).where(
            subscription.c.topic_id == topic_id,
            subscription.c.subscriber_id == profile.c.subscriber_id,
            subscription.c.status == CONFIRMED,
            subscription.c.frequency != Frequency.AT_ONCE.value,
        )
    )


def add_item(
    connection: Connection,
    *,
    topic_id: int,
    content: Mapping[str, Mapping[str, Any]],
    campaign_id: int | None = None,
    source: str | None = None,
    published_at: dt.datetime | None = None,
) -> int | None:
    """A new item; None if one of that `source` is known already."""
    values = {
        "topic_id": topic_id,
        "content": dict(content),
        "campaign_id": campaign_id,
        "source": source,
        "published_at": published_at,
    }
    statement = insert(connection, item).values(values).on_conflict_do_nothing().returning(item.c.id)
    return connection.execute(statement).scalar()


def wait(connection: Connection, item_id: int, people: Select[tuple[int]], *, topic_id: int) -> int:
    """One row for each of these people, with the frequency they asked for; returns how many."""
    chosen = people.order_by(None).subquery()
    rows = (
        select(literal(item_id), subscription.c.subscriber_id, subscription.c.frequency)
        .join(chosen, chosen.c[0] == subscription.c.subscriber_id)
        .where(subscription.c.topic_id == topic_id, subscription.c.status == CONFIRMED)
        .order_by(subscription.c.subscriber_id)
    )
    columns = ["item_id", "subscriber_id", "frequency"]
    connection.execute(plain_insert(pending).from_select(columns, rows))
    # PostgreSQL's driver does not say how many rows such a statement wrote.
    mine = select(func.count()).select_from(pending).where(pending.c.item_id == item_id)
    return connection.execute(mine).scalar_one()


def subscribers_of(topic_id: int) -> Select[tuple[int]]:
    """Everybody who wants to hear about a topic, however often."""
    return (
        select(profile.c.subscriber_id)
        .join(subscription, subscription.c.subscriber_id == profile.c.subscriber_id)
        .where(subscription.c.topic_id == topic_id, subscription.c.status == CONFIRMED, profile.c.status == ACTIVE)
    )


def publish(connection: Connection, campaign_id: int, *, now: dt.datetime) -> None:
    """A campaign has started: from now on its item belongs into digests."""
    mine = and_(item.c.campaign_id == campaign_id, item.c.published_at.is_(None))
    connection.execute(update(item).where(mine).values(published_at=now))


def waiting_for(connection: Connection, campaign_id: int) -> int:
    """How many people wait to read a campaign in a digest."""
    mine = select(item.c.id).where(item.c.campaign_id == campaign_id)
    found = select(func.count()).select_from(pending).where(pending.c.item_id.in_(mine))
    return connection.execute(found).scalar_one()


def withdraw(connection: Connection, campaign_id: int) -> int:
    """A campaign was stopped: whoever has not got it in a digest will not. Returns how many people that is."""
    mine = select(item.c.id).where(item.c.campaign_id == campaign_id)
    return connection.execute(delete(pending).where(pending.c.item_id.in_(mine))).rowcount


def readers(connection: Connection) -> list[Readers]:
    """Every time zone and hour that somebody has said are theirs, and whoever has said nothing."""
    said = or_(profile.c.timezone.is_not(None), profile.c.digest_hour.is_not(None))
    found = connection.execute(select(profile.c.timezone, profile.c.digest_hour).where(said).distinct())
    return sorted({Readers("", -1), *(Readers(zone or "", -1 if hour is None else hour) for zone, hour in found)})


def waiting(connection: Connection) -> dict[tuple[Frequency, Readers], int]:
    """How many people wait for a digest, by when theirs comes."""
    zone, hour = func.coalesce(profile.c.timezone, ""), func.coalesce(profile.c.digest_hour, -1)
    rows = connection.execute(
        select(pending.c.frequency, zone, hour, func.count(pending.c.subscriber_id.distinct()))
        .join(profile, profile.c.subscriber_id == pending.c.subscriber_id)
        .where(pending.c.frequency != Frequency.AT_ONCE.value)
        .group_by(pending.c.frequency, zone, hour)
    )
    return {(Frequency(often), Readers(name, own)): people for often, name, own, people in rows}


def wanted_at_once(connection: Connection) -> bool:
    """True if somebody waits for an entry of a feed and asked to get it at once."""
    first = select(1).where(pending.c.frequency == Frequency.AT_ONCE.value).limit(1)
    return connection.execute(first).first() is not None


def due_items(connection: Connection, due: Sequence[Due]) -> dict[int, list[int]]:
    """The items of each person that are due. Looks for "older than", never "between": a missed run loses nothing."""
    found: dict[int, list[int]] = {}
    for each in due:
        rows = connection.execute(
            select(pending.c.subscriber_id, pending.c.item_id)
            .join(item, item.c.id == pending.c.item_id)
            .join(profile, profile.c.subscriber_id == pending.c.subscriber_id)
            .where(
                pending.c.frequency == each.frequency.value,
                func.coalesce(profile.c.timezone, "") == each.readers.zone,
                func.coalesce(profile.c.digest_hour, -1) == each.readers.hour,
                item.c.published_at <= each.until,
            )
        )
        for person, item_id in rows:
            found.setdefault(person, []).append(item_id)
    return found


def items(connection: Connection, ids: Collection[int]) -> dict[int, Item]:
    rows = connection.execute(
        select(item.c.id, topic.c.name, item.c.content, item.c.campaign_id)
        .join(topic, topic.c.id == item.c.topic_id)
        .where(item.c.id.in_(ids))
    )
    return {row.id: Item(row.id, row.name, row.content, row.campaign_id) for row in rows}


def entitled(connection: Connection, people: Collection[int]) -> dict[int, set[int]]:
    """The topics each of these people may be written to about right now; nobody who left or is suppressed."""
    found: dict[int, set[int]] = {}
    for block in _blocks(people):
        rows = connection.execute(
            select(subscription.c.subscriber_id, subscription.c.topic_id)
            .join(profile, profile.c.subscriber_id == subscription.c.subscriber_id)
            .join(subscriber, subscriber.c.id == subscription.c.subscriber_id)
            .outerjoin(suppression, suppression.c.address == subscriber.c.address)
            .where(
                subscription.c.subscriber_id.in_(block),
                subscription.c.status == CONFIRMED,
                profile.c.status == ACTIVE,
                suppression.c.address.is_(None),
            )
        )
        for person, topic_id in rows:
            found.setdefault(person, set()).add(topic_id)
    return found


def topic_ids(connection: Connection, item_ids: Collection[int]) -> dict[int, int]:
    """The topic of each item."""
    rows = connection.execute(select(item.c.id, item.c.topic_id).where(item.c.id.in_(item_ids)))
    return {row.id: row.topic_id for row in rows}


def carry(
    connection: Connection,
    campaign_id: int,
    people: Mapping[int, Sequence[int]],
    *,
    languages: Mapping[int, str],
    now: dt.datetime,
) -> None:
    """Give these people's items to a digest: one delivery each, and nothing of it is pending any more."""
    ordered = sorted(people)
    for block in _blocks(ordered):
        connection.execute(
            plain_insert(digest),
            [{"campaign_id": campaign_id, "subscriber_id": who, "carries": sorted(people[who])} for who in block],
        )
        connection.execute(
            plain_insert(delivery),
            [
                {
                    "campaign_id": campaign_id,
                    "subscriber_id": person,
                    "state": State.WAITING.value,
                    "language": languages[person],
                    "attempts": 0,
                    "at": now,
                }
                for person in block
            ],
        )
    drop(connection, people)


def drop(connection: Connection, people: Mapping[int, Iterable[int]]) -> None:
    """Forget that these people wait for these items."""
    pairs = [(item_id, person) for person, item_ids in people.items() for item_id in item_ids]
    for block in _blocks(pairs, size=400):
        connection.execute(delete(pending).where(tuple_(pending.c.item_id, pending.c.subscriber_id).in_(block)))


def locales(connection: Connection, people: Collection[int]) -> dict[int, str | None]:
    found: dict[int, str | None] = {}
    for block in _blocks(people):
        rows = connection.execute(
            select(profile.c.subscriber_id, profile.c.locale).where(profile.c.subscriber_id.in_(block))
        )
        found.update({row.subscriber_id: row.locale for row in rows})
    return found


def flag(item_id: int) -> str:
    """The field of a digest's message that says whether this person gets that item."""
    return f"item_{item_id}"


def carried(connection: Connection, campaign_id: int, people: Collection[int]) -> dict[int, dict[str, bool]]:
    """The flags of what each person's digest still carries: not what they have unsubscribed from since."""
    rows = connection.execute(
        select(digest.c.subscriber_id, digest.c.carries).where(
            digest.c.campaign_id == campaign_id, digest.c.subscriber_id.in_(people)
        )
    ).all()
    about = topic_ids(connection, {each for row in rows for each in row.carries})
    allowed = entitled(connection, people)
    return {
        row.subscriber_id: {
            flag(each): True for each in row.carries if about.get(each) in allowed.get(row.subscriber_id, set())
        }
        for row in rows
    }


def campaigns_in(connection: Connection, campaign_id: int) -> list[int]:
    """The campaigns that a digest carries to anybody. Entries of feeds belong to none."""
    carried = connection.execute(select(digest.c.carries).where(digest.c.campaign_id == campaign_id)).scalars()
    found = {each for items in carried for each in items}
    about = select(item.c.campaign_id).where(item.c.id.in_(found), item.c.campaign_id.is_not(None))
    return sorted(connection.execute(about.distinct()).scalars())


def content_of(connection: Connection, campaign_id: int) -> Mapping[str, Any]:
    """What digests have of a campaign, by language."""
    mine = select(item.c.content).where(item.c.campaign_id == campaign_id)
    found: Mapping[str, Any] = connection.execute(mine).scalar_one()
    return found


def topics_in(connection: Connection, campaign_id: int, subscriber_id: int) -> list[int]:
    """The topics of one person's digest: what its unsubscribe link leaves."""
    found: list[Any] = (
        connection.execute(
            select(digest.c.carries).where(digest.c.campaign_id == campaign_id, digest.c.subscriber_id == subscriber_id)
        ).scalar()
        or []
    )
    return sorted(set(topic_ids(connection, found).values()))


def _blocks(values: Collection[Any], *, size: int = _BLOCK) -> Iterable[list[Any]]:
    ordered = list(values)
    return (ordered[start : start + size] for start in range(0, len(ordered), size))
