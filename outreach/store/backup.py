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
from sqlalchemy import Connection, Table

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
    return found


def unpack(source: Path, root: Path) -> None:
    """The workspace's files into a new folder; on SQLite the databases too."""
    about = manifest(source)
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
    del about


def restore(store: Store, source: Path, *, now: dt.datetime) -> None:
    """Bring the schema up, fill it (PostgreSQL), and hold everything that would send."""
    about = manifest(source)
    dialect = "sqlite" if store.is_sqlite else "postgresql"
    if about["database"] != dialect:
        raise BackupError(f"{source} is a backup of {about['database']}, and this workspace uses {dialect}")
    migrations.upgrade(store)
    with store.write() as connection:
        if not store.is_sqlite:
            _fill(connection, source)
        taken = dt.datetime.fromisoformat(about["at"])
        installation.hold(connection, f"this was restored from the backup of {taken:%Y-%m-%d %H:%M} UTC", now=now)


def taken_at(source: Path) -> dt.datetime:
    return dt.datetime.fromisoformat(manifest(source)["at"])


def _manifest(store: Store, now: dt.datetime) -> dict[str, Any]:
    return {
        "version": VERSION,
        "at": now.isoformat(),
        "database": "sqlite" if store.is_sqlite else "postgresql",
        "revision": migrations.revision(store),
    }


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


def _fill(connection: Connection, source: Path) -> None:
    """Every table of a PostgreSQL database from its copy, in one transaction."""
    raw = _raw(connection)
    names = sql.SQL(", ").join(sql.Identifier(table.name) for table in _tables())
    with raw.cursor() as cursor, tarfile.open(source) as archive:
        cursor.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
        for table in _tables():
            member = archive.extractfile(f"tables/{table.name}.copy")
            assert member is not None
            columns = sql.SQL(", ").join(map(sql.Identifier, table.c.keys()))
            with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), columns)) as copy:
                while block := member.read(1 << 20):
                    copy.write(block)
            for column in table.primary_key:
                # What is counted by the database goes on after the highest number that came in.
                cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", (f'"{table.name}"', column.name))
                row = cursor.fetchone()
                if row and row[0]:
                    highest = sql.SQL("SELECT setval(%s, coalesce((SELECT max({}) FROM {}), 0) + 1, false)")
                    cursor.execute(highest.format(sql.Identifier(column.name), sql.Identifier(table.name)), (row[0],))


def _tables() -> list[Table]:
    """Parents before their children."""
    return [*tables.main.sorted_tables, *tables.events.sorted_tables]


def _raw(connection: Connection) -> psycopg.Connection[Any]:
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    return raw
