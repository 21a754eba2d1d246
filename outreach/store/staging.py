"""Temporary tables that hold a file's rows until they are merged, and the connection that owns them.

    with importing(store, slots=...) as stage:
        stage.add(rows, wishes)            # any number of times; takes no lock
        with stage.merging():              # one transaction, with the writer's lock
            compare(stage, ...)
            apply(stage, ...)              # left out in a dry run: everything is undone

The tables vanish with the connection, so a crash at any point leaves nothing behind. Times in them
are milliseconds since 1970, UTC.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from functools import lru_cache
from itertools import count
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    cast,
    func,
    insert,
    literal,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

from outreach.store.database import Store, plain
from outreach.store.dialects import WRITING, Document, Instant
from outreach.store.suppressions import GRAVITY, Reason

CODE: Final = 10**14
"""A suppression is staged as gravity * CODE + milliseconds: min() picks the gravest, then the earliest."""
FREQUENCIES: Final = 4
"""A wished frequency is staged as milliseconds * 4 + frequency: max() picks the newest, then the rarest."""

_ESCAPED: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})

SlotValue = str | float | int | None


class Fate(IntEnum):
    """What is to be done about a person of the file."""

    NEW = 0
    LEFT = 1  # the file says what we hold, of the same date or an older one
    DATED = 2  # the file says what we hold, and says so later
    FOLDED = 3  # the file says something else


class Row(NamedTuple):
    """One accepted row."""

    number: int
    address: str
    attributes: str  # JSON
    locale: str | None
    joined: int | None
    at: int
    suppress: int | None  # a suppression_code
    slots: tuple[SlotValue, ...]


class WishRow(NamedTuple):
    """A topic that a row names."""

    address: str
    topic: int  # from 0, in the order in which the file names them
    at: int
    frequency: int | None  # a frequency_code
    confirmed: int  # 1, or 0 for a topic that was asked for and never confirmed
    evidence: str  # JSON


def suppression_code(reason: Reason, at: int) -> int:
    return GRAVITY.index(reason) * CODE + max(at, 0)


def frequency_code(at: int, frequency: int) -> int:
    return max(at, 0) * FREQUENCIES + frequency


dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""JSON as the staging tables hold it. One encoder for all: json.dumps would make one for each row."""


@contextmanager
def importing(store: Store, *, slots: Sequence[str]) -> Iterator[Stage]:
    """Empty staging tables on a connection of their own, with a column for each slot in use."""
    try:
        with store.main.connect() as connection:
            connection.detach()
            if store.is_sqlite:
                # A million staged rows belong on disk; the store's connections keep such tables in memory. All is read
                # and written from left to right, so that little of it has to be kept.
                driver: Any = connection.connection.dbapi_connection
                for pragma in (
                    "cache_size=-24576",
                    "temp_store=FILE",
                    "temp.cache_size=-16384",
                    "temp.journal_mode=OFF",
                ):
                    driver.execute(f"PRAGMA {pragma}")
            else:
                # Few and large statements: room to sort in, and no compiling of each to machine code first.
                for setting in (
                    "work_mem = '64MB'",
                    "temp_buffers = '32MB'",
                    "jit = off",
                    "default_statistics_target = 10",
                ):
                    connection.execute(text(f"SET {setting}"))
                connection.commit()
            yield Stage(connection, slots)
    except OperationalError as error:
        raise plain(error, store.main) from error


class Stage:
    """The staging tables of one import."""

    def __init__(self, connection: Connection, slots: Sequence[str]) -> None:
        self.connection = connection
        self.is_sqlite = connection.dialect.name == "sqlite"
        self.slots = tuple(slots)
        self.applied = False
        self._wishes = 0
        made = _tables(self.slots, keyed=self.is_sqlite)
        self.read, self.row = made["staged_read"], made["staged_row"]
        self.wish, self.topic = made["staged_wish"], made["staged_topic"]
        self.person, self.folded = made["staged_person"], made["staged_folded"]
        self.subscription = made["staged_subscription"]
        self.row.metadata.create_all(connection, checkfirst=False)
        connection.commit()

    def add(self, rows: Sequence[Row], wishes: Sequence[WishRow]) -> None:
        """Stage a batch."""
        self.pour_rows([(*row[:-1], *row[-1]) for row in rows])
        self.pour(self.wish, [(number, *wish) for number, wish in enumerate(wishes, self._wishes + 1)])
        self._wishes += len(wishes)

    def pour_rows(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Stage rows whose slots are columns of their own already."""
        self.pour(self.read, rows)

    def pour(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Rows into a staging table, the fastest way the driver has."""
        if not rows:
            return
        if not self.connection.in_transaction():  # the driver is used past SQLAlchemy, which must know what to commit
            self.connection.begin()
        driver: Any = self.connection.connection.dbapi_connection
        names = ", ".join(column.name for column in table.columns)
        if self.is_sqlite:
            places = ", ".join("?" * len(table.columns))
            driver.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({places})", rows)  # noqa: S608  # our own names
            return
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            copy.write(_as_copied(rows))

    @contextmanager
    def merging(self) -> Iterator[None]:
        """The transaction that compares and merges. It is undone unless the import was applied in it."""
        self.connection.commit()
        self.connection.execution_options(**{WRITING: True})
        with self.connection.begin() as transaction:
            if not self.is_sqlite:
                # As SQLite does by itself: nobody signs up between the comparison and the merge.
                self.connection.execute(text("LOCK TABLE subscriber IN SHARE ROW EXCLUSIVE MODE"))
            yield
            if not self.applied:
                transaction.rollback()

    def sort(self) -> None:
        """The rows by address, and from now on no more of them. Once, before they are compared."""
        names = [column.name for column in self.read.columns]
        order = (self.read.c.address, self.read.c.number)
        if self.is_sqlite:
            ordered = select(*self.read.columns).order_by(*order)
            self.connection.execute(insert(self.row).from_select(names, ordered))
            self.connection.execute(text("CREATE INDEX staged_row_address ON staged_row (address, place, suppress)"))
        else:
            numbered = select(func.row_number().over(order_by=order), *self.read.columns)
            self.connection.execute(insert(self.row).from_select(["place", *names], numbered))
        self.analyze(self.row)

    def find_people(self) -> None:
        """Make the people of the file quick to find by their addresses."""
        if self.is_sqlite:
            self.connection.execute(text("CREATE INDEX staged_person_address ON staged_person (address, id)"))

    def numbered(self, highest: int) -> None:
        """Make `next_id()` in SQLite count upwards from `highest`: several times cheaper than a window function."""
        driver: Any = self.connection.connection.dbapi_connection
        driver.create_function("next_id", 0, count(highest + 1).__next__)

    # --- SQL that differs -------------------------------------------------------------------------------------------

    def insert(self, table: Table) -> Any:
        """An INSERT that knows ON CONFLICT."""
        return (sqlite if self.is_sqlite else postgresql).insert(table)

    def slot_values(self, table: Table) -> dict[str, ColumnElement[Any]]:
        return {name: self.moment(table.c[name]) if name[0] == "d" else table.c[name] for name in self.slots}

    def moment(self, milliseconds: ColumnElement[Any]) -> ColumnElement[Any]:
        if self.is_sqlite:
            return type_coerce(milliseconds, Instant)
        return type_coerce(func.to_timestamp(milliseconds / literal(1000.0, Float)), Instant)

    def milliseconds(self, moment: ColumnElement[Any]) -> ColumnElement[Any]:
        """A stored moment as a number, without the cost of making a datetime of it."""
        if self.is_sqlite:
            return type_coerce(moment, BigInteger)
        return cast(func.extract("epoch", moment) * 1000, BigInteger)

    def document(self, json_text: ColumnElement[Any]) -> ColumnElement[Any]:
        # CAST AS JSON would turn the text into a number in SQLite.
        return type_coerce(json_text, Document) if self.is_sqlite else cast(json_text, postgresql.JSONB)

    def says_the_same(self, written: ColumnElement[Any], held: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether a staged document is the stored one; SQLite compares how they are written, as we write them."""
        return self.json_text(held) == written if self.is_sqlite else held == self.document(written)

    def json_text(self, document: ColumnElement[Any]) -> ColumnElement[str]:
        """A stored document as it is written, not read."""
        return type_coerce(document, Text) if self.is_sqlite else cast(document, Text)

    def lesser(self, one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
        return func.min(one, other) if self.is_sqlite else func.least(one, other)

    def analyze(self, table: Table) -> None:
        if not self.is_sqlite:  # PostgreSQL never looks at temporary tables by itself
            self.connection.execute(text(f"ANALYZE {table.name}"))


def _as_copied(rows: Sequence[tuple[Any, ...]]) -> str:
    """Rows as PostgreSQL's COPY reads text: tabs between values, lines between rows."""
    columns = map(_copied, zip(*rows, strict=True))
    return "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n"


def _copied(column: Sequence[Any]) -> Sequence[str]:
    """None as \\N, and a backslash before what would mislead the reader."""
    if isinstance(next((value for value in column if value is not None), None), str):
        written = "".join(filter(None, column))
        if any(sign in written for sign in "\\\t\n\r"):
            column = [value and value.translate(_ESCAPED) for value in column]
        return ["\\N" if value is None else value for value in column] if None in column else column
    return ["\\N" if value is None else repr(value) for value in column]


@lru_cache(maxsize=8)
def _tables(slots: tuple[str, ...], *, keyed: bool) -> Mapping[str, Table]:
    """The staging tables by name. Made once for the slots in use, so that SQLAlchemy knows their statements again.

    `keyed`: SQLite walks from table to table by their keys. PostgreSQL reads them whole and would only write its keys.
    """
    meta = MetaData()
    _rows(meta, slots, keyed=keyed)
    _wishes(meta, keyed=keyed)
    _people(meta, slots, keyed=keyed)
    return meta.tables


def _rows(meta: MetaData, slots: Sequence[str], *, keyed: bool) -> None:
    """Rows as they come, and then by address: the rest goes from left to right."""
    for name in ("staged_read", "staged_row"):
        _table(
            name,
            meta,
            *([_key("place", Integer, keyed=keyed, autoincrement=keyed)] if name == "staged_row" else []),
            Column("number", Integer, nullable=False),
            Column("address", Text, nullable=False),
            *_said(),
            Column("suppress", BigInteger),
            *_slotted(slots),
        )


def _wishes(meta: MetaData, *, keyed: bool) -> None:
    """Topics as the rows name them, those topics' ids, and both as subscriptions."""
    _table(
        "staged_wish",
        meta,
        _key("number", Integer, keyed=keyed),
        Column("address", Text, nullable=False),
        Column("topic", Integer, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("frequency", BigInteger),
        Column("confirmed", SmallInteger, nullable=False),
        Column("evidence", Text, nullable=False),
    )
    _table(
        "staged_topic",
        meta,
        _key("number", Integer, keyed=keyed),
        Column("topic_id", Integer, nullable=False),
    )
    _table(
        "staged_subscription",
        meta,
        _key("topic_id", Integer, keyed=keyed),
        _key("subscriber_id", BigInteger, keyed=keyed),
        Column("at", BigInteger, nullable=False),
        Column("frequency", BigInteger),
        Column("confirmed", SmallInteger, nullable=False),
        Column("wish", Integer, nullable=False),
        sqlite_with_rowid=False,
    )


def _people(meta: MetaData, slots: Sequence[str], *, keyed: bool) -> None:
    """One row for each person of the file, and what those hold who had to be folded."""
    _table(
        "staged_person",
        meta,
        _key("place", Integer, keyed=keyed),  # of the first row; the others follow it
        Column("address", Text, nullable=False),
        Column("id", BigInteger, nullable=False),
        Column("rows", Integer, nullable=False),
        Column("fate", SmallInteger, nullable=False),
        Column("suppress", BigInteger),
        Column("changed", SmallInteger, nullable=False),
    )
    _table(
        "staged_folded",
        meta,
        _key("id", BigInteger, keyed=keyed),
        *_said(),
        Column("source", Text, nullable=False),
        Column("dates", Text),
        Column("known", SmallInteger, nullable=False),
        Column("changed", SmallInteger, nullable=False),
        *_slotted(slots),
    )


def _table(name: str, meta: MetaData, *columns: Column[Any], **options: Any) -> Table:
    return Table(name, meta, *columns, prefixes=["TEMPORARY"], **options)


def _key(name: str, kind: Any, *, keyed: bool, autoincrement: bool = False) -> Column[Any]:
    return Column(name, kind, primary_key=keyed, autoincrement=autoincrement, nullable=False)


def _said() -> list[Column[Any]]:
    """What is said about a person, by a row or by several of them folded."""
    return [
        Column("attributes", Text, nullable=False),
        Column("locale", Text),
        Column("joined", BigInteger),
        Column("at", BigInteger, nullable=False),
    ]


def _slotted(slots: Sequence[str]) -> list[Column[Any]]:
    kinds: dict[str, Any] = {"t": Text, "n": Float, "d": BigInteger}
    return [Column(name, kinds[name[0]]) for name in slots]
