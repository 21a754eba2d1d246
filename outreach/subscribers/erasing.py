"""Erasing a person everywhere we write: the store, the tracking service, our exports, rejects and archive of mail sent.

`verify` searches all of that again, and every byte of the workspace's data folder, and says where an
address still stands. Files that others made, such as the exports of old systems, are not ours to change.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import os
import re
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
_TORN: Final = "surrogateescape"
"""A line that a crash cut short may end within a letter; what is kept is kept byte for byte."""
_LONGEST: Final = 320
"""More than any address (RFC 5321, 4.5.3.1): what two chunks of a file have in common."""


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
    for path in (data / "archive").glob("*/*.jsonl"):
        _clean_archive(path, address, person)
    return person


def verify(store: Store, data: Path, address: str) -> list[str]:
    """Where the address still stands: columns of the database, and files."""
    with store.read() as connection:
        found = erasing.mentions(connection, address)
    files = {path for path in data.rglob("*") if path.is_file()}.union(_tables(data))
    return found + [str(path) for path in sorted(files) if _holds(path, address)]


def _tables(data: Path) -> Iterator[Path]:
    yield from (data / "rejects").glob("*.csv")
    with contextlib.suppress(FileNotFoundError):
        for line in dict.fromkeys((data / MADE).read_text("utf-8").splitlines()):
            if Path(line).is_file():
                yield Path(line)


def _clean_spool(path: Path, address: str) -> None:
    """What a sign-up said, which the loader has read long ago."""
    with contextlib.closing(sqlite3.connect(path, timeout=5)) as spool, spool:
        spool.execute("PRAGMA secure_delete=ON")
        names = erasing.naming(address).search
        said = spool.execute("SELECT rowid, detail FROM hit WHERE instr(lower(detail), ?)", (address,)).fetchall()
        about = [(row,) for row, detail in said if names(detail)]
        spool.executemany("UPDATE hit SET detail = '' WHERE rowid = ?", about)
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


def _clean_archive(path: Path, address: str, person: int | None) -> None:
    """What was said to whom, without this person's lines: by number, too, for they may have had another address."""
    names, mine = erasing.naming(address).search, f"[{person},"

    def theirs(line: str) -> bool:
        return line.startswith(mine) or names(line) is not None

    with path.open(encoding="utf-8", errors=_TORN, newline="") as lines:
        if not any(map(theirs, lines)):
            return
    draft = path.with_name(f".{path.name}.part")
    with (
        path.open(encoding="utf-8", errors=_TORN, newline="") as old,
        draft.open("w", encoding="utf-8", errors=_TORN, newline="") as new,
    ):
        new.writelines(line for line in old if not theirs(line))
        new.flush()
        os.fsync(new.fileno())
    draft.replace(path)


def _clean_text(path: Path, draft: Path, address: str) -> None:
    encoding, names = "utf-8-sig" if _starts(path, b"\xef\xbb\xbf") else "utf-8", erasing.naming(address).search
    with (
        path.open(encoding=encoding, errors=_TORN, newline="") as old,
        draft.open("w", encoding=encoding, errors=_TORN, newline="") as new,
    ):
        if path.suffix == ".jsonl":
            new.writelines(line for line in old if not names(line))
        else:
            csv.writer(new).writerows(row for row in csv.reader(old) if not names("\n".join(row)))
        new.flush()
        os.fsync(new.fileno())


def _starts(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(mark)) == mark


def _clean_workbook(path: Path, draft: Path, address: str) -> None:
    from openpyxl import Workbook, load_workbook

    book, names = Workbook(write_only=True), erasing.naming(address).search
    old = load_workbook(path, read_only=True)
    for sheet in old.worksheets:
        kept = book.create_sheet(sheet.title)
        for row in sheet.iter_rows(values_only=True):
            if not any(names(str(cell)) for cell in row):
                kept.append(row)
    old.close()
    book.save(draft)


def _holds(path: Path, address: str) -> bool:
    """Whether an address stands in a file, in any case of letters; in a spreadsheet, within its archive."""
    try:
        if path.suffix == ".xlsx":
            names = erasing.naming(escape(address))  # as XML has it
            with zipfile.ZipFile(path) as archive:
                return any(_says(archive.open(name), names) for name in archive.namelist())
        return _says(path.open("rb"), erasing.naming(address))
    except (OSError, zipfile.BadZipFile):
        return False


def _says(file: IO[bytes], names: re.Pattern[str]) -> bool:
    """A megabyte at a time; whatever is no ASCII is as good as a blank here, since no address has it."""
    with file:
        tail = ""
        while chunk := file.read(_CHUNK).decode("ascii", "replace"):
            if names.search(tail + chunk):
                return True
            tail = chunk[-_LONGEST:]
    return False
