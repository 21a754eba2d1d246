"""A mailbox over IMAP: read on from where we were, commit, and only then delete.

A mailbox is known by its UIDVALIDITY (RFC 9051, 2.3.1.1). Should that change, its numbers mean nothing any more
and everything in it is read again, which counts nothing twice. Killed between commit and deletion, the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from outreach.errors import ConfigurationError, TryAgain
from outreach.store.database import Store
from outreach.store.tables import mailbox_position
from tracking.bounces.taking import Desk

BATCH = 50
"""Mails fetched and committed together."""
DELETE = 1000
"""Committed mails deleted together: a server rewrites its whole list each time."""
MAX_FETCHED = 2 * 1024 * 1024
"""Bytes of one mail: a report stands at its beginning, however much it returns."""
TIMEOUT = 60


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where to find a mailbox. `shown` is its name without the password."""

    host: str
    port: int
    tls: bool
    user: str
    password: str
    folder: str

    @property
    def shown(self) -> str:
        return f"imap{'s' if self.tls else ''}://{self.user}@{self.host}:{self.port}/{self.folder}"


def mailbox(url: str) -> Mailbox:
    """Read imaps://user:password@host[:port][/FOLDER]."""
    parts = urlsplit(url)
    if parts.scheme not in ("imap", "imaps") or not parts.hostname or not parts.username:
        raise ConfigurationError("a mailbox is written imaps://user:password@host/INBOX")
    tls = parts.scheme == "imaps"
    return Mailbox(
        parts.hostname,
        parts.port or (993 if tls else 143),
        tls,
        unquote(parts.username),
        unquote(parts.password or ""),
        unquote(parts.path.lstrip("/")) or "INBOX",
    )


def collect(box: Mailbox, desk: Desk, *, delete: bool = True, limit: int | None = None) -> int:
    """Take what is new in a mailbox, and delete it there once it is committed here. How many."""
    client = connect(box)
    try:
        return _collect(client, box, desk, delete=delete, limit=limit)
    except (IMAPClientError, OSError) as error:
        raise TryAgain(f"the mailbox {box.shown} broke off: {error}; the next run goes on from there") from None
    finally:
        try:
            client.logout()
        except (IMAPClientError, OSError):
            client.shutdown()


def connect(box: Mailbox) -> IMAPClient:
    """A logged-in connection. TryAgain if the server cannot be reached, ConfigurationError if it does not know us."""
    try:
        client = IMAPClient(box.host, port=box.port, ssl=box.tls, timeout=TIMEOUT)
    except OSError as error:
        raise TryAgain(f"the mailbox {box.shown} cannot be reached: {error}") from None
    try:
        client.login(box.user, box.password)
    except (IMAPClientError, OSError) as error:
        client.shutdown()
        raise ConfigurationError(f"the mailbox {box.shown} refuses our login: {error}") from None
    return client


def _collect(client: IMAPClient, box: Mailbox, desk: Desk, *, delete: bool, limit: int | None) -> int:
    validity = int(client.select_folder(box.folder)[b"UIDVALIDITY"])
    after = _position(desk.store, box.shown, validity)
    present = client.search()
    waiting = sorted(uid for uid in present if uid > after)
    if delete and (left := [uid for uid in present if uid <= after]):
        _delete(client, left)  # committed by a run that was killed before it could delete
    done = 0
    taken: list[int] = []
    for begin in range(0, len(waiting[:limit]), BATCH):
        batch = waiting[:limit][begin : begin + BATCH]
        # A partial fetch: nobody makes us hold more than MAX_FETCHED of one mail.
        section = f"BODY.PEEK[]<0.{MAX_FETCHED}>"
        found = sorted(client.fetch(batch, [section]).items())
        raws = [value for _, item in found for key, value in item.items() if key.startswith(b"BODY[]") and value]
        desk.take_all([bytes(raw) for raw in raws])
        done += len(raws)
        after = max(after, *batch)
        _move(desk.store, box.shown, validity, after)
        taken += batch
        if delete and len(taken) >= DELETE:
            _delete(client, taken)
            taken = []
    if delete and taken:
        _delete(client, taken)
    return done


def _delete(client: IMAPClient, uids: list[int]) -> None:
    client.delete_messages(uids, silent=True)
    if client.has_capability("UIDPLUS"):
        client.uid_expunge(uids)
    else:
        client.expunge()


def _position(store: Store, name: str, validity: int) -> int:
    with store.read() as connection:
        row = connection.execute(select(mailbox_position).where(mailbox_position.c.mailbox == name)).one_or_none()
    return int(row.uid) if row is not None and row.validity == validity else 0


def _move(store: Store, name: str, validity: int, uid: int) -> None:
    values: dict[str, Any] = {"validity": validity, "uid": uid}
    dialect = sqlite if store.is_sqlite else postgresql
    query = dialect.insert(mailbox_position).values(mailbox=name, **values)
    with store.write() as connection:
        connection.execute(query.on_conflict_do_update(index_elements=["mailbox"], set_=values))
