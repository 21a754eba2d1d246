"""A backup is one file: the databases as of one moment, and the workspace around them. A restore sends nothing.

On SQLite the databases are copied through SQLite itself, on PostgreSQL in one repeatable-read transaction, so neither
waits for a running send and both see it between two commits. The main database is copied before the events, so that
no figure in it counts an event that the copy lacks; the spool before both, so that no acknowledged event is in neither.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Table, inspect

from outreach.errors import OutreachError, UsageError
from outreach.store import installation, migrations, tables
from outreach.store.database import EVENTS_FILE, Store

VERSION = 1
CONTENT = (
    *("outreach.toml", "shaping.toml", "seeds.toml", "warmup.toml"),
    *("senders", "topics", "segments", "templates", "campaigns", "images", "feeds", "imports", "keys"),
)
STATE = ("links", "plans", "images", "archive")
MAIN_FILE = "outreach.db"


class BackupError(OutreachError):
    """The file is no backup of ours, or does not fit here."""


def write(store: Store, root: Path, target: Path, *, now: dt.datetime) -> int:
    """Back a workspace up into `target`; returns its size in bytes. The file appears whole or not at all."""
    if target.exists():
        raise UsageError(f"{target} exists; a backup never overwrites another")
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)  # it holds the keys
    try:
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
                _add(archive, "manifest.json", json.dumps(_manifest(store, now)).encode())
                for name in (*CONTENT, *(f"data/{each}" for each in STATE)):
                    if (root / name).exists():
                        archive.add(root / name, arcname=f"workspace/{name}")
                with tempfile.TemporaryDirectory(dir=target.parent) as folder:
                    for path, name in _databases(store, root, Path(folder)):
                        archive.add(path, arcname=name)
                        path.unlink()
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)
    return target.stat().st_size


def manifest(source: Path) -> dict[str, Any]:
    """What a backup says of itself. BackupError if it is none."""
    try:
        with tarfile.open(source) as archive:
            member = archive.extractfile("manifest.json")
            found: dict[str, Any] = json.load(member) if member else {}
    except (OSError, tarfile.TarError, KeyError, ValueError, EOFError) as error:
        raise BackupError(f"{source} is no backup of ours, or damaged: {error}") from None
    if found.get("version") != VERSION:
        raise BackupError(f"{source} is a backup of version {found.get('version')}; this is version {VERSION}")
    if not migrations.knows(str(found.get("revision"))):
        raise BackupError(f"{source} was taken by a newer version of Outreach; install that version, then restore")
    return found


def unpack(source: Path, root: Path) -> None:
    """The workspace's files into a new folder; on SQLite the databases too."""
    manifest(source)
    with tarfile.open(source) as archive:
        for member in archive:
            name = member.name.removeprefix("workspace/")
            if name == member.name and member.name.startswith("sqlite/"):
                name = "data/" + member.name.removeprefix("sqlite/")
            elif name == member.name:
                continue
            member.name = name
            archive.extract(member, root, filter="data")
    (root / "data").mkdir(parents=True, exist_ok=True)
    (root / "keys").chmod(0o700)


def restore(store: Store, source: Path, *, now: dt.datetime) -> None:
    """Fill the database (PostgreSQL), hold everything that would send, and bring the schema up.

    In this order, for what the revisions since the backup do, they do to its rows.
    """
    about = manifest(source)
    dialect = "sqlite" if store.is_sqlite else "postgresql"
    if about["database"] != dialect:
        raise BackupError(f"{source} is a backup of {about['database']}, and this workspace uses {dialect}")
    if not store.is_sqlite and migrations.revision(store) not in (None, about["revision"]):
        raise BackupError(
            f"the database is at revision {migrations.revision(store)} already and {source} at {about['revision']}; "
            "make an empty database and name it in OUTREACH_DATABASE_URL"
        )
    migrations.upgrade(store, about["revision"])
    with store.write() as connection:
        if not store.is_sqlite:
            _fill(connection, source, about)
        taken = dt.datetime.fromisoformat(about["at"])
        installation.hold(connection, f"this was restored from the backup of {taken:%Y-%m-%d %H:%M} UTC", now=now)
    migrations.upgrade(store)


def taken_at(source: Path) -> dt.datetime:
    return dt.datetime.fromisoformat(manifest(source)["at"])


def _manifest(store: Store, now: dt.datetime) -> dict[str, Any]:
    return {
        "version": VERSION,
        "at": now.isoformat(),
        "database": "sqlite" if store.is_sqlite else "postgresql",
        "revision": migrations.revision(store),
        "columns": _columns(),
    }


def _columns() -> dict[str, list[str]]:
    return {table.name: table.c.keys() for table in _tables()}


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    archive.addfile(member, io.BytesIO(content))


def _databases(store: Store, root: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    for spool in sorted((root / "data" / "spool").glob("*.spool")):
        yield _copied(spool, folder / spool.name), f"sqlite/spool/{spool.name}"
    if store.is_sqlite:
        main = Path(str(store.main.url.database))
        yield _copied(main, folder / MAIN_FILE), f"sqlite/{MAIN_FILE}"
        yield _copied(main.with_name(EVENTS_FILE), folder / EVENTS_FILE), f"sqlite/{EVENTS_FILE}"
        return
    with store.read() as connection:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        raw = _raw(connection)
        for table in _tables():
            path = folder / f"{table.name}.copy"
            with path.open("wb") as file, raw.cursor() as cursor:
                columns = sql.SQL(", ").join(map(sql.Identifier, table.c.keys()))
                statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(columns, sql.Identifier(table.name))
                with cursor.copy(statement) as copy:
                    for block in copy:
                        file.write(block)
            yield path, f"tables/{table.name}.copy"


def _copied(source: Path, target: Path) -> Path:
    """A consistent copy, write-ahead log and all, in one read transaction."""
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, timeout=30)) as ours,
        closing(sqlite3.connect(target)) as theirs,
    ):
        ours.backup(theirs)
    return target


def _fill(connection: Connection, source: Path, about: dict[str, Any]) -> None:
    """Every table of a PostgreSQL database from its copy, in one transaction."""
    raw, inspector = _raw(connection), inspect(connection)
    there = {name: {column["name"] for column in inspector.get_columns(name)} for name in inspector.get_table_names()}
    # The first backups did not say which columns they have: those of now that were there then, in the order of now.
    listed = (about.get("columns") or _columns()).items()
    copied = {
        name: [column for column in columns if column in there[name]] for name, columns in listed if name in there
    }
    with raw.cursor() as cursor, tarfile.open(source) as archive:
        cursor.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(map(sql.Identifier, copied))))
        for name, columns in copied.items():
            _copy(cursor, archive, name, columns)


def _copy(cursor: psycopg.Cursor[Any], archive: tarfile.TarFile, name: str, columns: list[str]) -> None:
    member = archive.extractfile(f"tables/{name}.copy")
    assert member is not None
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with cursor.copy(into) as copy:
        while block := member.read(1 << 20):
            copy.write(block)
    for column in columns:
        # What is counted by the database goes on after the highest number that came in.
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", (f'"{name}"', column))
        row = cursor.fetchone()
        if row and row[0]:
            highest = sql.SQL("SELECT setval(%s, coalesce((SELECT max({}) FROM {}), 0) + 1, false)")
            cursor.execute(highest.format(sql.Identifier(column), sql.Identifier(name)), (row[0],))


def _tables() -> list[Table]:
    """Parents before their children."""
    return [*tables.main.sorted_tables, *tables.events.sorted_tables]


def _raw(connection: Connection) -> psycopg.Connection[Any]:
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    return raw
