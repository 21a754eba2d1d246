"""Opening the store, and its transactions.

    store = Store.open("sqlite:///data/outreach.db")
    with store.write() as connection: ...

A `write` takes the writer's lock at once and commits when the block ends; a `read` sees one moment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DataError, OperationalError

from outreach.errors import ConfigurationError, OutreachError, TryAgain, UsageError
from outreach.store.acting import guard
from outreach.store.dialects import WRITING, prepare

EVENTS_FILE = "events.db"
_DECODER = json.JSONDecoder()


class Store:
    """The main database and the events database (on PostgreSQL the same one)."""

    def __init__(self, main: Engine, events: Engine) -> None:
        self.main = main
        self.events = events

    @classmethod
    def open(cls, url: str, *, cache_mb: int = 64) -> Store:
        """Engines for a SQLAlchemy URL. Nothing is connected or created yet.

        `cache_mb` of SQLite's pages are kept in memory for each connection.
        """
        try:
            parsed = make_url(url)
            if parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+psycopg")
            sqlite = parsed.get_backend_name() == "sqlite"  # psycopg reads documents itself
            main = create_engine(parsed, **({"json_deserializer": _document} if sqlite else {}))
        except (ArgumentError, ImportError) as error:
            raise ConfigurationError(
                f"the database address is not one we can use ({type(error).__name__}); write it like"
                " sqlite:///data/outreach.db or postgresql://user:password@host/name"
            ) from None
        if main.dialect.name == "sqlite":
            if not parsed.database:
                raise ConfigurationError("the database address names no file; write it like sqlite:///data/outreach.db")
            events = create_engine(parsed.set(database=str(Path(parsed.database).with_name(EVENTS_FILE))))
            prepare(main, cache_mb=cache_mb)
            prepare(events, cache_mb=cache_mb)
        elif main.dialect.name == "postgresql":
            events = main
        else:
            raise ConfigurationError(f"{main.dialect.name} is not supported; use SQLite or PostgreSQL")
        for engine in {main, events}:
            guard(engine)
        return cls(main, events)

    @property
    def is_sqlite(self) -> bool:
        return self.main.dialect.name == "sqlite"

    def close(self) -> None:
        self.main.dispose()
        self.events.dispose()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction on the main database, holding the writer's lock from its start."""
        with _transaction(self.main, writing=True) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the main database."""
        with _transaction(self.main, writing=False) as connection:
            yield connection

    @contextmanager
    def write_events(self) -> Iterator[Connection]:
        """One transaction on the events database."""
        with _transaction(self.events, writing=True) as connection:
            yield connection

    @contextmanager
    def read_events(self) -> Iterator[Connection]:
        with _transaction(self.events, writing=False) as connection:
            yield connection


def _document(text: str) -> Any:
    """A document as our own serializer wrote it; `json.loads` looks for blanks around it at twice the price."""
    return _DECODER.raw_decode(text)[0]


@contextmanager
def _transaction(engine: Engine, *, writing: bool) -> Iterator[Connection]:
    try:
        with engine.connect().execution_options(**{WRITING: writing}) as connection, connection.begin():
            yield connection
    except OperationalError as error:
        raise plain(error, engine) from error
    except DataError as error:
        # PostgreSQL quotes the value behind its first line, and sometimes in it.
        said = re.sub(r'".*"', '"…"', str(error.orig).strip().splitlines()[0])
        raise UsageError(
            f"a value is longer or larger than the database can hold ({said}); nothing was changed"
        ) from None


def plain(error: OperationalError, engine: Engine) -> OutreachError:
    """The driver's complaint in words a person can act on; the address is shown without its password."""
    text = str(error.orig).lower()
    where = engine.url.render_as_string(hide_password=True)
    if "locked" in text or "busy" in text:
        return TryAgain(f"the database {where} is busy with another command; nothing was changed, try again")
    if "no such table" in text:
        return ConfigurationError(
            f"the database {where} has no tables yet; run `outreach init` or `outreach db upgrade`"
        )
    if "disk is full" in text:
        return TryAgain(f"the disk that holds {where} is full; make room and run the same command again")
    if "readonly" in text or "unable to open" in text:
        return ConfigurationError(f"the database {where} cannot be written; check that the folder exists and its owner")
    return TryAgain(f"the database {where} cannot be reached: {str(error.orig).strip().splitlines()[0]}")
