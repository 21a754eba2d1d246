"""A city to send to, as a folder: a store with people and one campaign that may be sent, and the orders to do so."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import insert, select

from outreach.rendering import dkim
from outreach.rendering.layouts import read_layout
from outreach.rendering.message import CompiledMessage, Mailbox, Source, compile_message
from outreach.sending.workers import Orders
from outreach.store import campaigns, deliveries, migrations, tables
from outreach.store.campaigns import Campaign, Status
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.tokens import Purpose, load_keys

DOMAIN = "city.example"
NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
CHUNK = 20_000
NAMES = tuple(
    f"{first}{second}"
    for first in (
        "Ana",
        "Bo",
        "Chloé",
        "Dũng",
        "Eva",
        "Farid",
        "Grace",
        "Hoà",
        "Ivo",
        "Jörg",
        "Kim",
        "Lê",
        "Mia",
        "Noor",
    )
    for second in (
        "",
        " María",
        " Lee",
        "-Zoë",
        " Ann",
        " Đức",
        " Jo",
        " Thị",
        " Ray",
        " Sue",
        " Van",
        " Paz",
        " Li",
        " Quang",
    )
)
"""196 first names: a city's repeat themselves."""
PARAGRAPH = (
    "Hello {{{{ first_name }}}}, this is item {n} for district {{{{ district }}}}. Crews will sweep the streets on the "
    "second and fourth Monday of the month between eight and noon. Please move your car; [your street]"
    "(https://city.example/sweeping/{n}) has the map, the dates and whom to call. "
)
FILLER = "Nobody is fined in the first week, and whoever cannot move a car may ask for help at any library desk. "


@dataclass(frozen=True, slots=True)
class City:
    """A folder with everything `workers.run` needs."""

    folder: Path
    orders: Orders

    def open(self) -> Store:
        return Store.open(self.orders.database_url)

    def campaign(self) -> Campaign:
        store = self.open()
        try:
            with store.read() as connection:
                return campaigns.get(connection, self.orders.campaign_id)
        finally:
            store.close()

    def counts(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        store = self.open()
        try:
            with store.read() as connection:
                found = deliveries.counts(connection, self.orders.campaign_id)
        finally:
            store.close()
        return {state.word: count for state, count in found.items()}

    def ledger(self) -> dict[str, str]:
        """Message-ID to state, as the oracle wants it."""
        keys = load_keys(self.orders.token_keys)
        campaign, table = self.orders.campaign_id, tables.delivery
        store = self.open()
        try:
            with store.read() as connection:
                rows = connection.execute(
                    select(table.c.subscriber_id, table.c.state).where(table.c.campaign_id == campaign)
                ).all()
        finally:
            store.close()
        return {
            f"<{keys.sign(Purpose.MESSAGE_ID, campaign, person)}@{DOMAIN}>": State(state).word for person, state in rows
        }


@cache
def big_message() -> CompiledMessage:
    """About 31 KB on the wire, ten links, in the notice layout."""
    body = "\n\n".join(PARAGRAPH.format(n=n) + FILLER * 5 for n in range(10))
    return _compiled(body)


@cache
def small_message() -> CompiledMessage:
    return _compiled("Hello {{ first_name }},\n\n[your street](https://city.example/sweeping)")


@cache
def key() -> bytes:
    return dkim.new_key()


def build(
    folder: Path,
    people: int,
    *,
    port: int,
    compiled: CompiledMessage | None = None,
    domains: tuple[str, ...] = ("mail.example",),
    lanes: int = 4,
    in_doubt: str = "hold",
    message_class: str = "regular",
) -> City:
    """A new city of `people` in `folder`; a campaign to all of them is in the state `sending`."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(_template(), folder, dirs_exist_ok=True)
    (folder / "dkim.pem").write_bytes(key())
    (folder / "tokens").write_text(f"1 {'6b' * 32}\n")
    (folder / "tokens").chmod(0o600)
    url = f"sqlite:///{folder}/outreach.db"
    store = Store.open(url)
    _people(store, people, domains)
    campaign_id = add_campaign(
        store, compiled or small_message(), people, in_doubt=in_doubt, message_class=message_class
    )
    store.close()
    orders = Orders(
        database_url=url,
        campaign_id=campaign_id,
        journal_folder=folder / "journal",
        relay_url=f"smtp://127.0.0.1:{port}",
        require_tls=False,
        lanes=lanes,
        tracking_url="https://track.city.example",
        domain=DOMAIN,
        token_keys=folder / "tokens",
        dkim_key=folder / "dkim.pem",
        dkim_selector="s1",
        unsubscribe_mailbox="",
        retry_first=dt.timedelta(milliseconds=50),
        max_attempts=50,
        patience=dt.timedelta(seconds=20),
    )
    return City(folder, orders)


def add_campaign(
    store: Store,
    compiled: CompiledMessage,
    people: int,
    *,
    in_doubt: str = "hold",
    message_class: str = "regular",
    feedback: str = "1:2:3:city",
) -> int:
    """One more campaign, to the first `people`, ready to be sent; returns its id."""
    with store.write() as connection:
        number = campaigns.count(connection) + 1
        campaign_id = campaigns.add(
            connection,
            name=f"sweeping-{number}",
            file="sweeping",
            topic_id=1,
            message_class=message_class,
            rule="everyone",
            plan={"in_doubt": in_doubt, "list_id": "Sweeping <sweeping.city.example>", "feedback_id": feedback},
            plan_hash="",
            frozen=people,
            planned_at=NOON,
        )
        campaigns.add_message(connection, campaign_id, "en", compiled=compiled.to_document(), hash=compiled.hash)
        audience = select(tables.profile.c.subscriber_id).where(tables.profile.c.subscriber_id <= people)
        deliveries.freeze(connection, campaign_id, audience, languages={}, default_language="en", now=NOON)
        campaigns.set_status(
            connection, campaign_id, Status.SENDING, only_from=(Status.PLANNED,), started_at=dt.datetime.now(dt.UTC)
        )
    return campaign_id


def _people(store: Store, people: int, domains: tuple[str, ...]) -> None:
    with store.write() as connection:
        connection.execute(insert(tables.topic).values(id=1, name="Street sweeping", key="street sweeping"))
        for start in range(1, people + 1, CHUNK):
            ids = range(start, min(start + CHUNK, people + 1))
            connection.execute(
                insert(tables.subscriber),
                [
                    {
                        "id": each,
                        "address": f"resident{each}@{domains[each % len(domains)]}",
                        "attributes": {"first_name": NAMES[each % len(NAMES)], "district": str(each % 7)},
                        "created_at": NOON,
                    }
                    for each in ids
                ],
            )
            connection.execute(insert(tables.profile), [{"subscriber_id": each, "status": 1} for each in ids])
            connection.execute(
                insert(tables.subscription),
                [{"topic_id": 1, "subscriber_id": each, "status": 1, "changed_at": NOON} for each in ids],
            )


@cache
def _template() -> Path:
    """An empty, migrated store, made once for each process."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="outreach-city-"))
    store = Store.open(f"sqlite:///{folder}/outreach.db")
    migrations.upgrade(store)
    store.close()
    return folder


def _compiled(body: str) -> CompiledMessage:
    return compile_message(
        Source(
            subject="Street sweeping, {{ first_name }}",
            body=body,
            sender=Mailbox("Public Works", f"works@{DOMAIN}"),
            layout=read_layout("notice"),
            organisation="City of Testing",
            postal_address="1 Main Street",
            topic="Street sweeping",
            place="sweeping.md",
        ),
        known_fields=["first_name", "district"],
    )
