"""A mailbox on a real IMAP server: whatever happens, each mail counts once."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from outreach.errors import ConfigurationError, TryAgain
from outreach.store import tables
from outreach.store.database import Store
from tests.bounces.dovecot import Dovecot
from tests.bounces.returned_mail import KEYS, NearReader, dsn, envelope, seed
from tests.conftest import missing
from tracking.bounces import imap
from tracking.bounces.taking import Desk

MakeDesk = Callable[[Store], Desk]


@pytest.fixture
def server() -> Iterator[Dovecot]:
    if not Dovecot.available():
        missing("dovecot", "dovecot is not installed")
    # Not in tmp_path: pytest closes its folders to others, and the server reads mail as somebody without rights.
    folder = Path(tempfile.mkdtemp(prefix="outreach-imap-"))
    folder.chmod(0o755)
    try:
        with Dovecot(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def people(count: int) -> tuple[str, ...]:
    return tuple(f"resident{number}@example.com" for number in range(1, count + 1))


def returned(count: int) -> list[bytes]:
    return [
        dsn(f"resident{n}@example.com", to=envelope(n), message_id=f"<{n}@mx.example.com>") for n in range(1, count + 1)
    ]


def counted(store: Store) -> tuple[int, int]:
    with store.read() as connection:
        return (
            connection.execute(select(func.count()).select_from(tables.feedback)).scalar_one(),
            connection.execute(select(func.count()).select_from(tables.suppression)).scalar_one(),
        )


def test_a_mailbox_is_taken_and_emptied(sqlite_store: Store, make_desk: MakeDesk, server: Dovecot) -> None:
    seed(sqlite_store, people(120))
    server.deliver([*returned(120), *returned(30)])  # some come twice
    desk = make_desk(sqlite_store)
    assert imap.collect(imap.mailbox(server.url), desk) == 150
    assert (counted(sqlite_store), server.left()) == ((120, 120), 0)
    assert imap.collect(imap.mailbox(server.url), desk) == 0


def test_another_validity_reads_everything_again_to_no_effect(
    sqlite_store: Store, make_desk: MakeDesk, server: Dovecot
) -> None:
    seed(sqlite_store, people(30))
    server.deliver(returned(30))
    desk = make_desk(sqlite_store)
    box = imap.mailbox(server.url)
    assert imap.collect(box, desk, delete=False) == 30
    assert imap.collect(box, desk, delete=False) == 0
    server.change_validity()
    assert imap.collect(box, desk, delete=False) == 30
    assert counted(sqlite_store) == (30, 30)


def test_killed_again_and_again_each_counts_once(
    sqlite_store: Store, make_desk: MakeDesk, server: Dovecot, tmp_path: Path
) -> None:
    seed(sqlite_store, people(400))
    server.deliver(returned(400))
    url = sqlite_store.main.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("fork")
    for kill in range(6):
        process = context.Process(target=_collect, args=(url, server.url, tmp_path))
        process.start()
        before = counted(sqlite_store)[0]
        deadline = time.monotonic() + 20
        while counted(sqlite_store)[0] < before + 20 + 7 * kill and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    between = counted(sqlite_store)
    assert 0 < between[0] < 400
    imap.collect(imap.mailbox(server.url), make_desk(sqlite_store))
    assert (counted(sqlite_store), server.left()) == ((400, 400), 0)


def _collect(database: str, url: str, folder: Path) -> None:
    store = Store.open(database)
    from outreach.bounces.policy import Limits

    desk = Desk(
        store=store,
        keys=KEYS,
        limits=Limits(),
        domain="city.example",
        folder=folder / "kept",
        clock=lambda: dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC),
        reader=NearReader(),
    )
    imap.collect(imap.mailbox(url), desk)


@pytest.mark.parametrize("count", [int(os.environ.get("OUTREACH_MAILBOX", "1500"))])
def test_a_full_mailbox(sqlite_store: Store, make_desk: MakeDesk, server: Dovecot, count: int) -> None:
    """`make trust` reads 50,000."""
    seed(sqlite_store, people(count))
    server.deliver(returned(count))
    try:
        assert imap.collect(imap.mailbox(server.url), make_desk(sqlite_store)) == count
    except TryAgain:
        print(*(server.folder / "log").read_text().splitlines()[-8:], sep="\n")
        raise
    assert (counted(sqlite_store), server.left()) == ((count, count), 0)


def test_a_mailbox_that_does_not_know_us_says_so_without_the_password(server: Dovecot) -> None:
    with pytest.raises(ConfigurationError) as error:
        imap.connect(imap.mailbox(server.url.replace("secret", "wrong")))
    assert "refuses our login" in str(error.value)
    assert "wrong" not in str(error.value)


def test_a_mailbox_that_is_away_is_tried_again_later() -> None:
    with pytest.raises(TryAgain, match="cannot be reached"):
        imap.connect(imap.mailbox("imap://a:b@127.0.0.1:1/INBOX"))
    with pytest.raises(ConfigurationError, match="imaps://"):
        imap.mailbox("pop3://a@b")
