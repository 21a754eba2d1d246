"""Seed mailboxes: where a message really lies. Mailboxes of our own at the big providers, looked into over IMAP.

A seed is an ordinary subscriber, so it gets its mail through the same relay as everybody, and at a place of the send
that is drawn anew each time (`place`): the first minutes are not like the last ones. What is looked for is the
Message-ID that only its own mail has. 5, 30 and 120 minutes after acceptance we look: inbox, tab (a folder the
provider sorts into), junk, or missing. Nothing is opened, moved or marked.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError
from sqlalchemy import Connection, select

from outreach.bounces.providers import provider
from outreach.errors import ConfigurationError, OutreachError
from outreach.store import placement, seeding
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.tables import campaign, delivery, subscriber
from outreach.tokens import KeyRing, Purpose
from tracking.bounces.imap import Mailbox, connect, mailbox

LOOKS = (5, 30, 120)
"""Minutes after acceptance."""
PATIENCE = dt.timedelta(hours=12)
"""A look that could not be made in time is made late up to this; then never."""
FILE = "seeds.toml"

_JUNK = re.compile(r"junk|spam|bulk|pourriel|indésirable|unerwünscht|no deseado", re.IGNORECASE)
_TABS = re.compile(r"promotion|social|update|forum|newsletter|clutter|other|offers|category", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Seed:
    """One mailbox of our own."""

    address: str
    box: Mailbox


def load(path: Path) -> list[Seed]:
    """Read seeds.toml: [[seed]] address, imap. An absent file means none."""
    if not path.exists():
        return []
    try:
        entries = tomllib.loads(path.read_text("utf-8")).get("seed", [])
        return [Seed(str(each["address"]).lower(), mailbox(str(each["imap"]))) for each in entries]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}; each [[seed]] has an address and an imap") from None


def look(
    store: Store,
    seeds: Sequence[Seed],
    *,
    keys: KeyRing,
    domain: str,
    now: dt.datetime,
    place_of: Callable[[Seed, str], str] | None = None,
) -> list[str]:
    """Make every look that is due. What went wrong, in words; one mailbox that fails does not stop the others."""
    troubles: list[str] = []
    for seed, campaign_id, person, minutes in _due(store, seeds, now):
        message_id = f"<{keys.sign(Purpose.MESSAGE_ID, campaign_id, person)}@{domain}>"
        try:
            found = (place_of or find)(seed, message_id)
        except OutreachError as error:
            troubles.append(f"seed {seed.address}: {error}")
            continue
        with store.write() as connection:
            placement.place(
                connection,
                campaign_id=campaign_id,
                address=seed.address,
                minutes=minutes,
                provider=provider(seed.address, remote=seed.box.host),
                placement=found,
                at=now,
            )
    return troubles


def find(seed: Seed, message_id: str) -> str:
    """inbox, tab, junk or missing."""
    client = connect(seed.box)
    try:
        for place, folder in _folders(client):
            client.select_folder(folder, readonly=True)
            if client.search(["HEADER", "Message-ID", message_id]):
                return place
    except (IMAPClientError, OSError) as error:
        raise OutreachError(f"its mailbox cannot be read: {error}") from None
    finally:
        client.shutdown()
    return "missing"


def place(connection: Connection, campaign_id: int, seeds: Sequence[Seed], *, count: int, dice: random.Random) -> None:
    """Give each seed that is in a campaign of `count` people a place by chance, before anybody is claimed."""
    mine = seeding.waiting(connection, campaign_id, [each.address for each in seeds])
    dice.shuffle(mine)
    places = positions(count - len(mine), len(mine), dice=dice)
    turns = {
        person: seeding.person_at(connection, campaign_id, number) for person, number in zip(mine, places, strict=True)
    }
    seeding.hold(connection, campaign_id, turns)


def positions(count: int, seeds: int, *, dice: random.Random) -> list[int]:
    """Random places in a send of `count` others for `seeds` messages."""
    return sorted(dice.sample(range(count + seeds), seeds))


def _due(store: Store, seeds: Iterable[Seed], now: dt.datetime) -> list[tuple[Seed, int, int, int]]:
    """Seed, campaign, subscriber and minutes of each look that is due and not made."""
    by_address = {each.address: each for each in seeds}
    if not by_address:
        return []
    due: list[tuple[Seed, int, int, int]] = []
    with store.read() as connection:
        rows = connection.execute(
            select(subscriber.c.address, delivery.c.campaign_id, delivery.c.subscriber_id, delivery.c.at)
            .select_from(
                delivery.join(subscriber, subscriber.c.id == delivery.c.subscriber_id).join(
                    campaign, campaign.c.id == delivery.c.campaign_id
                )
            )
            .where(
                subscriber.c.address.in_(list(by_address)),
                delivery.c.state == State.ACCEPTED.value,
                campaign.c.started_at >= now - dt.timedelta(days=3),
                delivery.c.at >= now - PATIENCE - dt.timedelta(minutes=max(LOOKS)),
            )
        ).all()
        done = {number: placement.looked_at(connection, number) for number in {row.campaign_id for row in rows}}
    for row in rows:
        for minutes in LOOKS:
            when = row.at + dt.timedelta(minutes=minutes)
            if when <= now <= when + PATIENCE and (row.address, minutes) not in done[row.campaign_id]:
                due.append((by_address[row.address], row.campaign_id, row.subscriber_id, minutes))
    return due


def _folders(client: IMAPClient) -> list[tuple[str, str]]:
    """Where to look, the likeliest first: by special use (RFC 6154), else by name."""
    found: list[tuple[int, str, str]] = []
    for flags, _, name in client.list_folders():
        text = name if isinstance(name, str) else name.decode("utf-8", "replace")
        if b"\\Noselect" in flags or b"\\All" in flags or b"\\Sent" in flags or b"\\Trash" in flags:
            continue
        if text.upper() == "INBOX":
            found.append((0, "inbox", text))
        elif b"\\Junk" in flags or _JUNK.search(text):
            found.append((1, "junk", text))
        elif _TABS.search(text):
            found.append((2, "tab", text))
    return [(place, name) for _, place, name in sorted(found)]
