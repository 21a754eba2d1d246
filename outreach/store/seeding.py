"""Mailboxes of our own in a send: each waits until the claims have come to a place that was drawn for it.

Claims go through a campaign in the order of its people's numbers, where mailboxes that joined last would always be
last. A mailbox that is held waits behind another person instead; nothing else about its delivery is special.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select

from outreach.store import checkpoints
from outreach.store.deliveries import State
from outreach.store.tables import delivery, subscriber

TURNED = -1


def waiting(connection: Connection, campaign_id: int, addresses: Collection[str]) -> list[int]:
    """The people of these addresses whose message of this campaign waits."""
    rows = connection.execute(
        select(delivery.c.subscriber_id)
        .join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .where(
            delivery.c.campaign_id == campaign_id,
            delivery.c.state == State.WAITING.value,
            subscriber.c.address.in_(list(addresses)),
        )
        .order_by(delivery.c.subscriber_id)
    )
    return list(rows.scalars())


def person_at(connection: Connection, campaign_id: int, place: int) -> int:
    """Who stands at this place of a campaign, from 0; the last one beyond its end."""
    mine = select(delivery.c.subscriber_id).where(delivery.c.campaign_id == campaign_id)
    found = connection.scalar(mine.order_by(delivery.c.subscriber_id).offset(place).limit(1))
    if found is None:
        found = connection.scalar(mine.order_by(delivery.c.subscriber_id.desc()).limit(1))
    return int(found or 0)


def hold(connection: Connection, campaign_id: int, turns: Mapping[int, int]) -> None:
    """Let each of these people wait until the claims have passed another: {who waits: after whom}."""
    for person, after in turns.items():
        checkpoints.move(connection, f"{_prefix(campaign_id)}{person}", after)


def held(connection: Connection, campaign_id: int) -> dict[int, int]:
    """Who has a place of their own, and behind whom; `TURNED` once their turn has come. Nearly always nobody.

    They are never claimed by their numbers, neither before their turn nor when they are tried again after it.
    """
    return {int(person): after for person, after in checkpoints.positions(connection, _prefix(campaign_id)).items()}


def any_waits(places: Mapping[int, int]) -> bool:
    return any(after != TURNED for after in places.values())


def release(connection: Connection, campaign_id: int, places: Mapping[int, int], *, passed: int | None) -> list[int]:
    """Let those wait no longer behind whom the claims have `passed`; None: everybody. Who of them is to be sent to."""
    turn = [person for person, after in places.items() if after != TURNED and (passed is None or after <= passed)]
    if not turn:
        return []
    hold(connection, campaign_id, dict.fromkeys(turn, TURNED))
    mine = (delivery.c.campaign_id == campaign_id) & (delivery.c.state == State.WAITING.value)
    rows = connection.execute(select(delivery.c.subscriber_id).where(mine, delivery.c.subscriber_id.in_(turn)))
    return list(rows.scalars())


def forget(connection: Connection, campaign_id: int) -> None:
    """The campaign is over."""
    checkpoints.forget(connection, _prefix(campaign_id))


def _prefix(campaign_id: int) -> str:
    return f"seed:{campaign_id}:"
