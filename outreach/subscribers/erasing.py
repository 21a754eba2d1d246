"""Erasing a person everywhere we write: the store, the tracking service, our exports, rejects and archive of mail sent.

`verify` searches all of that again, and every byte of the workspace's data folder, and says where an
address still stands. Files that others made, such as the exports of old systems, are not ours to change.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import os
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final
from xml.sax.saxutils import escape

from outreach.store import erasing
from outreach.store.database import Store

MADE: Final = "exports.list"
"""In data/: the files we exported to, one a line."""
_CHUNK: Final = 1 << 20


def note_export(data: Path, path: Path) -> None:
    """Remember an export, so that an erasure finds it."""
    with (data / MADE).open("a", encoding="utf-8") as file:
        file.write(f"{path.resolve()}\n")


def erase(store: Store, data: Path, address: str, *, key: bytes, now: dt.datetime) -> int | None:
    """Erase a person; their number, None if we knew nobody by that address."""
    with store.write() as connection:
        person = erasing.erase(connection, address, hashed=erasing.hasher(key), at=now)
    if store.is_sqlite:
        with store.main.connect() as raw:
            raw.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    for path in (data / "spool").glob("*.spool"):
        _clean_spool(path, address)
    for path in _tables(data):
        _clean_table(path, address)
    return person


def verify(store: Store, data: Path, address: str) -> list[str]:
    """Where the address still stands: columns of the database, and files."""
    with store.read() as connection:
        found = erasing.mentions(connection, address)
    files = {path for path in data.rglob("*") if path.is_file()} | set(_tables(data))
    return found + [str(path) for path in sorted(files) if _holds(path, address)]


def _tables(data: Path) -> Iterator[Path]:
    yield from (data / "rejects").glob("*.csv")
    yield from (data / "archive").glob("*/*.jsonl")  # what was said to whom: one line is one person's
    yield from (data / "archive").glob("*/*.jsonl")
    with contextlib.suppress(FileNotFoundError):
        for line in dict.fromkeys((data / MADE).read_text("utf-8").splitlines()):
            if Path(line).is_file():
                yield Path(line)


def _clean_spool(path: Path, address: str) -> None:
    """What a sign-up said, which the loader has read long ago."""
    with contextlib.closing(sqlite3.connect(path, timeout=5)) as spool, spool:
        spool.execute("PRAGMA secure_delete=ON")
        spool.execute("UPDATE hit SET detail = '' WHERE lower(detail) LIKE ?", (f"%{address}%",))
        spool.commit()
        with contextlib.suppress(sqlite3.OperationalError):  # the service is writing; it checkpoints by itself
            spool.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _clean_table(path: Path, address: str) -> None:
    """A table without the rows that name the address; replaced in one go."""
    if not _holds(path, address):
        return
    draft = path.with_name(f".{path.name}.part")
    if path.suffix == ".xlsx":
        _clean_workbook(path, draft, address)
    else:
        _clean_text(path, draft, address)
    draft.replace(path)


def _clean_text(path: Path, draft: Path, address: str) -> None:
    encoding = "utf-8-sig" if path.read_bytes()[:3] == b"\xef\xbb\xbf" else "utf-8"
    with path.open(encoding=encoding, newline="") as old, draft.open("w", encoding=encoding, newline="") as new:
        if path.suffix == ".jsonl":
            new.writelines(line for line in old if address not in line.lower())
        else:
            csv.writer(new).writerows(row for row in csv.reader(old) if address not in " ".join(row).lower())
        new.flush()
        os.fsync(new.fileno())


def _clean_workbook(path: Path, draft: Path, address: str) -> None:
    from openpyxl import Workbook, load_workbook

    book = Workbook(write_only=True)
    old = load_workbook(path, read_only=True)
    for sheet in old.worksheets:
        kept = book.create_sheet(sheet.title)
        for row in sheet.iter_rows(values_only=True):
            if not any(address in str(cell).lower() for cell in row):
                kept.append(row)
    old.close()
    book.save(draft)


def _holds(path: Path, address: str) -> bool:
    """Whether an address stands in a file, in any case of letters; in a spreadsheet, within its archive."""
    try:
        if path.suffix == ".xlsx":
            needle = escape(address).encode()  # as XML has it
            with zipfile.ZipFile(path) as archive:
                return any(_streams(archive.open(name), needle) for name in archive.namelist())
        return _streams(path.open("rb"), address.encode())
    except (OSError, zipfile.BadZipFile):
        return False


def _streams(file: IO[bytes], needle: bytes) -> bool:
    """A megabyte at a time."""
    with file:
        tail = b""
        while chunk := file.read(_CHUNK):
            if needle in (tail + chunk).lower():
                return True
            tail = chunk[-len(needle) :]
    return False
