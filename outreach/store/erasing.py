"""Forgetting a person: everything that names them goes, a number and a keyed hash stay.

The number stays where it is needed to count (the ledger, the consent log): it leads nowhere any more. The
hash keeps the next import from bringing the person back; without its key nobody can tell from it who that
was. Whoever signs up again by themselves is welcome.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import secrets
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, Text, cast, delete, exists, func, insert, select, text, update

from outreach.errors import ConfigurationError
from outreach.store import tables
from outreach.store.campaigns import Status
from outreach.store.deliveries import cancel_waiting
from outreach.store.engagement import days_of
from outreach.store.suppressions import Reason

PREFIX: Final = "erased:"
KEY_BYTES: Final = 32
Hash = Callable[[str], str]


def load_key(path: Path) -> bytes:
    """The erasure key; made, readable by its owner only, when the first person is erased."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            raise ConfigurationError(f"{path} is damaged; restore it, or erased people may come back") from None
        return key
    key = secrets.token_bytes(KEY_BYTES)
    with os.fdopen(handle, "wb") as file:
        file.write(key)
    return key


def hasher(key: bytes) -> Hash:
    """What stands for an address that was erased."""

    def hashed(address: str) -> str:
        return PREFIX + blake2b(address.encode(), key=key, digest_size=16).hexdigest()

    return hashed


def erase(connection: Connection, address: str, *, hashed: Hash, at: dt.datetime) -> int | None:
    """Remove a person and whatever names them from the main database; their number, None if we knew nobody.

    The hash is kept either way: who asks to be forgotten before we know them is not to be found later.
    """
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA secure_delete=ON"))  # what is deleted is overwritten, not only let go
    person = connection.scalar(select(tables.subscriber.c.id).where(tables.subscriber.c.address == address))
    suppression, asked = tables.suppression, tables.confirmation
    connection.execute(delete(asked).where(asked.c.address == address))
    noted = tables.import_suppression
    connection.execute(delete(noted).where(noted.c.address == address))
    connection.execute(delete(suppression).where(suppression.c.address.in_([address, hashed(address)])))
    if person is not None:
        _forget(connection, person, address, at=at)
    connection.execute(
        insert(suppression).values(
            address=hashed(address), reason=Reason.ERASED.value, source="erased", at=at, subscriber_id=person
        )
    )
    return person


def _forget(connection: Connection, person: int, address: str, *, at: dt.datetime) -> None:
    for table in (tables.confirmation, tables.import_person, tables.import_subscription, tables.engagement):
        connection.execute(delete(table).where(table.c.subscriber_id == person))
    connection.execute(delete(tables.engagement_day).where(days_of(connection, person)))
    feedback, consent = tables.feedback, tables.consent
    connection.execute(update(feedback).where(feedback.c.subscriber_id == person).values(detail=None, prefix_hash=None))
    _forget_mails(connection, person, at)
    mine, names = consent.c.subscriber_id == person, naming(address)
    for row in connection.execute(select(consent.c.id, consent.c.evidence).where(mine)).all():
        if names.search(str(row.evidence)):
            connection.execute(update(consent).where(consent.c.id == row.id).values(evidence={"erased": True}))
    connection.execute(delete(tables.subscriber).where(tables.subscriber.c.id == person))


def _forget_mails(connection: Connection, person: int, at: dt.datetime) -> None:
    """What the ledger says of them, and the words of what was written to them alone."""
    campaign, delivery = tables.campaign, tables.delivery
    theirs = exists(select(1).where(delivery.c.campaign_id == campaign.c.id, delivery.c.subscriber_id == person))
    found = connection.execute(select(campaign.c.id, campaign.c.frozen).where(theirs)).all()  # by key, each campaign
    for row in found:
        connection.execute(  # a server's reply often quotes the address
            update(delivery)
            .where(
                delivery.c.campaign_id == row.id, delivery.c.subscriber_id == person, delivery.c.reason.contains("@")
            )
            .values(reason="a reply that named the address")
        )
        if row.frozen == 1:
            alone = connection.execute(select(campaign).where(campaign.c.id == row.id)).one()
            if alone.plan.get("values"):
                _forget_notification(connection, alone, at)


def _forget_notification(connection: Connection, notification: Row[Any], at: dt.datetime) -> None:
    """It ends here, since its words are gone; one that had ended stays as it ended."""
    campaign = tables.campaign
    forgotten: dict[str, Any] = {"plan": {**notification.plan, "values": {}}, "rule": ""}
    if notification.finished_at is None:
        forgotten |= {"status": Status.STOPPED.value, "finished_at": at, "pause_reason": "erased"}
        cancel_waiting(connection, notification.id, reason="erased", now=at)
    connection.execute(update(campaign).where(campaign.c.id == notification.id).values(forgotten))


def hashes(connection: Connection) -> set[str]:
    """Those of all who were erased."""
    suppression = tables.suppression
    return set(connection.scalars(select(suppression.c.address).where(suppression.c.reason == Reason.ERASED.value)))


def naming(address: str) -> re.Pattern[str]:
    """Finds an address in any case of letters, and not within a longer one: ann@city.example is not joann@city.example.

    What may stand in an address beside letters is in RFC 5322, 3.2.3.
    """
    before, after = r"(?<![\w.!#$%&'*+/=?^`{|}~-])", r"(?![\w-]|\.\w)"
    return re.compile(before + re.escape(address) + after, re.IGNORECASE | re.ASCII)


def mentions(connection: Connection, address: str) -> list[str]:
    """Every column of the main database in which the address still stands."""
    found, names = [], naming(address)
    for table in tables.main.sorted_tables:
        for column in table.columns:
            words = str(column.type).upper()
            if not any(kind in words for kind in ("CHAR", "TEXT", "JSON")):
                continue
            value = func.lower(cast(column, Text))
            said = connection.scalars(select(value).where(value.contains(address, autoescape=True)))
            if any(map(names.search, said)):
                found.append(f"{table.name}.{column.name}")
    return found
