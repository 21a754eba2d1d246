"""A small frozen campaign to send, and what is needed to send it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from outreach.rendering import dkim
from outreach.rendering.compose import Composer
from outreach.rendering.layouts import read_layout
from outreach.rendering.message import CompiledMessage, Mailbox, Source, compile_message
from outreach.sending.breaker import Breaker
from outreach.sending.ledger import Ledger
from outreach.sending.pipeline import Pipeline
from outreach.sending.retry import RetryPolicy
from outreach.sending.shaping import Shaping, load
from outreach.sending.throttle import Throttle
from outreach.sending.transports import Transport
from outreach.store import campaigns, deliveries, tables
from outreach.store.campaigns import Campaign, Status
from outreach.store.caps import Reached
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.tokens import KeyRing, Purpose

NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
KEYS = KeyRing({1: b"k" * 32})
DOMAIN = "city.example"
TOPIC = 1


@pytest.fixture(scope="session")
def compiled() -> CompiledMessage:
    return compile_message(
        Source(
            subject="Street sweeping, {{ first_name }}",
            body="Hello {{ first_name }},\n\n[your street](https://city.example/sweeping)",
            sender=Mailbox("Public Works", "works@city.example"),
            layout=read_layout("notice"),
            organisation="City of Testing",
            postal_address="1 Main Street",
            topic="Street sweeping",
            place="sweeping.md",
        ),
        known_fields=["first_name"],
    )


@pytest.fixture(scope="session")
def signer() -> dkim.Signer:
    return dkim.load(dkim.new_key(), domain=DOMAIN, selector="test")


@dataclass(frozen=True)
class World:
    """A store with one campaign in the state `sending`, and the ways to work on it."""

    store: Store
    campaign: Campaign
    composer: Composer
    folder: Path
    clock: Callable[[], dt.datetime]

    def send(
        self,
        transport: Transport,
        *,
        lanes: int = 3,
        retry: RetryPolicy | None = None,
        shaping: Shaping | None = None,
    ) -> Breaker:
        """One worker's run. The limits of `shaping` hold from the start."""
        breaker = Breaker()

        async def run() -> None:
            caps = Reached.of(self.campaign)
            with Ledger(self.store, self.campaign.id, folder=self.folder, clock=self.clock, caps=caps) as ledger:
                await Pipeline(
                    self.campaign,
                    ledger=ledger,
                    composers={"en": self.composer},
                    transport=transport,
                    retry=retry or RetryPolicy(dt.timedelta(minutes=5), 20),
                    breaker=breaker,
                    throttle=Throttle(self.store, shaping or load(), enforced=shaping is not None, clock=self.clock),
                    clock=self.clock,
                ).send(lanes=lanes)

        asyncio.run(run())
        return breaker

    def counts(self) -> dict[str, int]:
        with self.store.read() as connection:
            found = deliveries.counts(connection, self.campaign.id)
        assert sum(found.values()) == self.campaign.frozen
        return {state.word: count for state, count in found.items()}

    def ledger(self) -> dict[str, str]:
        """Message-ID to state, as the oracle wants it."""
        table = tables.delivery
        with self.store.read() as connection:
            rows = connection.execute(
                select(table.c.subscriber_id, table.c.state).where(table.c.campaign_id == self.campaign.id)
            ).all()
        return {self.message_id(person): State(state).word for person, state in rows}

    def message_id(self, person: int) -> str:
        return f"<{KEYS.sign(Purpose.MESSAGE_ID, self.campaign.id, person)}@{DOMAIN}>"

    def reasons(self, state: State) -> dict[str, int]:
        with self.store.read() as connection:
            return deliveries.reasons(connection, self.campaign.id, state)


@pytest.fixture
def world(store: Store, tmp_path: Path, compiled: CompiledMessage, signer: dkim.Signer) -> Callable[..., World]:
    """Makes a World of `people` (or of named addresses) on the test's database."""

    def make(
        people: int = 30, *, addresses: list[str] | None = None, in_doubt: str = "hold", invitation: str = ""
    ) -> World:
        names = addresses or [f"resident{number}@mail.example" for number in range(1, people + 1)]
        message = replace(compiled, calendar=invitation).hashed()
        campaign = freeze(store, names, message, in_doubt=in_doubt)
        composer = Composer(
            message,
            campaign_id=campaign.id,
            tokens=KEYS,
            tracking_url="https://track.city.example",
            domain=DOMAIN,
            list_id="Street sweeping <sweeping.city.example>",
            feedback_id="sweeping-1:sweeping:regular:city",
            unsubscribe_mailbox=None,
            signer=signer,
        )
        return World(store, campaign, composer, tmp_path / "journal", lambda: NOON)

    return make


def freeze(store: Store, addresses: list[str], compiled: CompiledMessage, *, in_doubt: str) -> Campaign:
    """People, their subscriptions, and a campaign to all of them that may be sent now."""
    people = list(enumerate(addresses, 1))
    with store.write() as connection:
        connection.execute(insert(tables.topic).values(id=TOPIC, name="Street sweeping", key="street sweeping"))
        connection.execute(
            insert(tables.subscriber),
            [
                {"id": each, "address": address, "attributes": {"first_name": f"Nguyễn {each}"}, "created_at": NOON}
                for each, address in people
            ],
        )
        connection.execute(insert(tables.profile), [{"subscriber_id": each, "status": 1} for each, _ in people])
        connection.execute(
            insert(tables.subscription),
            [{"topic_id": TOPIC, "subscriber_id": each, "status": 1, "changed_at": NOON} for each, _ in people],
        )
        campaign_id = campaigns.add(
            connection,
            name="sweeping-1",
            file="sweeping",
            topic_id=TOPIC,
            message_class="regular",
            rule="everyone",
            plan={"in_doubt": in_doubt},
            plan_hash="",
            frozen=len(people),
            planned_at=NOON,
        )
        campaigns.add_message(connection, campaign_id, "en", compiled=compiled.to_document(), hash=compiled.hash)
        audience = select(tables.profile.c.subscriber_id)
        deliveries.freeze(connection, campaign_id, audience, languages={}, default_language="en", now=NOON)
        campaigns.set_status(connection, campaign_id, Status.SENDING, only_from=(Status.PLANNED,))
        return campaigns.get(connection, campaign_id)
