"""How many people a rule chooses, and who: always of the people we may think of writing to, the active ones.

A count that a person waits for may be given a time limit; one that runs into it says so instead of hanging.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import ColumnElement, Connection, Select, func, select
from sqlalchemy.exc import OperationalError

from outreach.errors import TryAgain
from outreach.store.dialects import mapped
from outreach.store.membership import wanted
from outreach.store.subscribers import ACTIVE
from outreach.store.tables import profile

PREVIEW_SECONDS = 2.0
_STEPS = 20_000
"""SQLite's virtual machine looks at the clock after so many instructions."""


class TooSlow(TryAgain):
    """A count did not end within its time limit; nothing was changed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"counting takes more than {seconds:g} seconds; nothing was changed. To wait for it, say --seconds 0"
        )


def select_ids(expression: ColumnElement[bool]) -> Select[tuple[int]]:
    """The active people a compiled rule chooses, in the order in which deliveries are kept."""
    person = profile.c.subscriber_id
    return select(person).where(expression, profile.c.status == ACTIVE).order_by(person)


def count(connection: Connection, expression: ColumnElement[bool], *, seconds: float | None = None) -> int:
    """How many active people a compiled rule chooses. TooSlow if that takes longer than `seconds`."""
    # Nearly everybody is active: asked after the rule's own columns, that costs a twentieth less on SQLite.
    with limited(connection, seconds):
        people, test = wanted(connection, expression)
        counting = select(func.count()).select_from(people).where(test, profile.c.status == ACTIVE)
        return connection.execute(counting).scalar_one()


@contextmanager
def limited(connection: Connection, seconds: float | None) -> Iterator[None]:
    """Statements inside may take so long, each of them; TooSlow ends one that does. None: as long as they like."""
    mapped(connection)
    if seconds is None:
        yield
        return
    started = time.monotonic()
    try:
        if connection.dialect.name == "sqlite":
            with _sqlite_limit(connection, seconds):
                yield
        else:
            with connection.begin_nested(), _postgresql_limit(connection, seconds):
                yield
    except OperationalError as error:
        if time.monotonic() - started < seconds:
            raise
        raise TooSlow(seconds) from error


@contextmanager
def _sqlite_limit(connection: Connection, seconds: float) -> Iterator[None]:
    driver = connection.connection.driver_connection
    assert driver is not None
    ends = time.monotonic() + seconds
    driver.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


@contextmanager
def _postgresql_limit(connection: Connection, seconds: float) -> Iterator[None]:
    setting = "statement_timeout"
    before = connection.execute(select(func.current_setting(setting))).scalar_one()
    connection.execute(select(func.set_config(setting, str(int(seconds * 1000)), True)))
    yield
    connection.execute(select(func.set_config(setting, before, True)))
