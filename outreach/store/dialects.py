"""Where SQLite and PostgreSQL differ, and nowhere else.

SQLite is the embedded default: WAL, one writer, `synchronous=FULL` because a claim that a power cut
forgets would be sent twice. PostgreSQL is for where one machine is outgrown.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import JSON, BigInteger, Connection, Dialect, Engine, Integer, Update, event
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeDecorator

BUSY_TIMEOUT_MS = 30_000
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MAPPED_BYTES = 2**31 - 65_536
"""So much of a file SQLite maps at most; what lies behind is read as ever."""
WRITING = "outreach_writing"
"""The execution option that makes a transaction take SQLite's write lock when it begins."""

BigId = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit key; SQLite only clusters a table by a column declared INTEGER."""

Document = JSON().with_variant(JSONB(), "postgresql")


class Instant(TypeDecorator[dt.datetime]):
    """A moment, always with a zone: milliseconds in SQLite, timestamptz in PostgreSQL."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        postgres = dialect.name == "postgresql"
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if postgres else BigInteger())

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        return value if dialect.name == "postgresql" else to_ms(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        if value is None or dialect.name == "postgresql":
            return value  # type: ignore[no-any-return]
        return from_ms(value)


class Prepared:
    """A statement for many rows, where looking at each value's type would cost more than the database does.

    Compiled once for each dialect. `varying` are the names of the values that differ from row to row: plain integers,
    texts, moments and None.
    """

    def __init__(self, statement: Update, *varying: str) -> None:
        self._statement, self._varying = statement, varying
        self._compiled: dict[str, SQLCompiler] = {}

    def run(self, connection: Connection, rows: Iterable[Sequence[Any]], **shared: Any) -> int:
        """Run it for each of `rows`, whose values are in the order of `varying`; returns how many rows it changed."""
        compiled = self._for(connection.dialect)
        constants = {**compiled.params, **{name: self._bound(compiled, name, shared[name]) for name in shared}}
        order = compiled.positiontup
        kept = [(place, process) for place, name in enumerate(self._varying) if (process := _binds(compiled, name))]
        if kept:
            rows = (_processed(row, kept) for row in rows)
        values: list[Any]
        if order is None:
            values = [{**constants, **dict(zip(self._varying, row, strict=True))} for row in rows]
        else:
            places = [order.index(name) for name in self._varying]
            values = [_filled([constants[name] for name in order], places, row) for row in rows]
        return connection.exec_driver_sql(str(compiled), values).rowcount if values else 0

    def _for(self, dialect: Dialect) -> SQLCompiler:
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = self._statement.compile(dialect=dialect)
        return self._compiled[dialect.name]

    @staticmethod
    def _bound(compiled: SQLCompiler, name: str, value: Any) -> Any:
        process = _binds(compiled, name)
        return process(value) if process is not None else value


def _binds(compiled: SQLCompiler, name: str) -> Callable[[Any], Any] | None:
    """What makes a value of ours one that the driver takes; None where it takes ours."""
    return compiled.binds[name].type.dialect_impl(compiled.dialect).bind_processor(compiled.dialect)


def _processed(row: Sequence[Any], processes: Iterable[tuple[int, Callable[[Any], Any]]]) -> Sequence[Any]:
    values = list(row)
    for place, process in processes:
        values[place] = process(values[place])
    return values


def _filled(values: list[Any], places: list[int], row: Sequence[Any]) -> tuple[Any, ...]:
    for place, value in zip(places, row, strict=True):
        values[place] = value
    return tuple(values)


def mapped(connection: Connection) -> None:
    """For who reads most of the store at once: SQLite reads its file from now on where the system has it in memory.

    Copying each page first is a quarter of the time of a scan. What is written takes its usual way, so a crash leaves
    no more behind than otherwise. The price is that a disk error ends this process instead of a statement, and that
    the file is counted as its memory: not for a process that sends or answers.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA mmap_size={_MAPPED_BYTES}")


def to_ms(moment: dt.datetime) -> int:
    """Whole milliseconds since 1970, UTC."""
    return (moment - EPOCH) // dt.timedelta(milliseconds=1)


def from_ms(milliseconds: int) -> dt.datetime:
    return EPOCH + dt.timedelta(milliseconds=milliseconds)


def prepare(engine: Engine, *, cache_mb: int) -> None:
    """Teach a SQLite engine our pragmas and honest transactions; a PostgreSQL engine needs nothing."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: object) -> None:
        # The driver would begin transactions by its own rules, and never for a SELECT; we do it ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"cache_size=-{cache_mb * 1024}",
            "temp_store=MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # A reader that turns writer in the middle may fail at once with "locked": take the lock at the start.
        writing = connection.get_execution_options().get(WRITING)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
