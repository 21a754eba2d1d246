"""Hands over an approved campaign without a relay: claim, gate, compose, write down. For tests under a set clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from outreach.campaigns import later
from outreach.campaigns.orders import orders_for
from outreach.rendering.compose import Composer
from outreach.rendering.message import CompiledMessage, Message, Recipient
from outreach.sending import workers
from outreach.sending.gate import gate
from outreach.settings import Settings
from outreach.store import campaigns, claims
from outreach.store.campaigns import Campaign, Status
from outreach.store.claims import Claimed, Written
from outreach.store.database import Store
from outreach.store.deliveries import State

BATCH = 500


def deliver(
    store: Store,
    settings: Settings,
    name: str,
    *,
    now: dt.datetime,
    handed: Callable[[list[Message]], None] | None = None,
) -> list[Message]:
    """Send a campaign to its end; returns the messages, each accepted. `handed` hears of each batch once it is."""
    with store.write() as connection:
        campaign = campaigns.find(connection, name)
        if campaigns.set_status(connection, campaign.id, Status.SENDING, only_from=(Status.APPROVED,), started_at=now):
            later.begin(connection, campaign, now=now)
        composers = _composers(campaign, settings, campaigns.messages(connection, campaign.id))
        worker = claims.register(connection, host="practice", boot="practice", pid=0, started="", journal="", now=now)
    sent: list[Message] = []
    while True:
        with store.write() as connection:
            lease = dt.timedelta(minutes=15)
            batch = claims.take(connection, campaign.id, worker.id, limit=BATCH, now=now, lease=lease)
            messages: list[Message] = []
            results = [_one(each, campaign, composers, messages, now=now) for each in batch]
            claims.write_down(connection, campaign.id, results, now=now)
            if not batch:
                claims.forget(connection, worker.id)
                campaigns.set_status(
                    connection, campaign.id, Status.FINISHED, only_from=(Status.SENDING,), finished_at=now
                )
                break
        sent.extend(messages)
        if handed is not None:
            handed(messages)
    return sent


def _one(
    claimed: Claimed, campaign: Campaign, composers: dict[str, Composer], sent: list[Message], *, now: dt.datetime
) -> Written:
    left_out = gate(claimed, message_class=campaign.message_class)
    if left_out is not None:
        return Written(claimed.claim_id, claimed.subscriber_id, left_out.state, left_out.reason, at=now)
    attributes = {**claimed.attributes, "email": claimed.address, "language": claimed.locale}
    recipient = Recipient(claimed.subscriber_id, str(claimed.address), attributes)
    sent.append(composers[claimed.language].compose(recipient, now=now))
    return Written(claimed.claim_id, claimed.subscriber_id, State.ACCEPTED, "250 2.0.0 practice", at=now)


def _composers(campaign: Campaign, settings: Settings, documents: dict[str, object]) -> dict[str, Composer]:
    keys: Path = settings.root / "keys" / "tokens"
    orders = orders_for(campaign, settings, token_keys=keys, patience=dt.timedelta(0))
    return {
        language: workers.composer(CompiledMessage.from_document(document), campaign, orders)  # type: ignore[arg-type]  # JSON
        for language, document in documents.items()
    }
