"""Spreadsheets (XLSX), read through pandas: first sheet with rows. Held in memory; a million rows at most."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import compress, count
from pathlib import Path
from typing import Final

from outreach.errors import UsageError
from outreach.subscribers.reading import MAX_COLUMNS, SAMPLE_ROWS, Table, header_at, header_cell
from outreach.subscribers.records import BATCH, Batch, Cells, as_batch

MAX_UNPACKED: Final = 512 << 20
"""Bytes; a small archive may unpack to a disk's size."""


@dataclass(slots=True)
class Sheet(Table):
    """One sheet of a workbook."""

    lines: list[Cells] = field(default_factory=list)

    def batches(self) -> Iterator[Batch]:
        first = self.skipped + 1
        for start in range(first, len(self.lines), BATCH):
            lines = self.lines[start : start + BATCH]
            filled = [any(cells) for cells in lines]
            numbers = list(compress(count(start + 1), filled))
            yield as_batch(numbers, list(compress(lines, filled)), len(self.header))


def is_workbook(path: Path) -> bool:
    """True for a zip archive that holds a workbook."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False


def open_sheet(path: Path) -> Sheet:
    """The first sheet with anything in it. Raises UsageError if there is none, or the file is damaged."""
    import pandas

    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
        sheets = {}
        if size <= MAX_UNPACKED:
            sheets = pandas.read_excel(path, sheet_name=None, header=None, dtype=object, engine="openpyxl")
    except Exception as error:  # the reader raises whatever a damaged part made it stumble over
        raise UsageError(f"{path} cannot be read as a spreadsheet ({type(error).__name__}); save it as CSV") from None
    if size > MAX_UNPACKED:
        raise UsageError(f"{path} is too large to be read as a spreadsheet; save the sheet as CSV (UTF-8)")
    for frame in sheets.values():
        lines = [[_written(value) for value in row] for row in frame.itertuples(index=False)]
        if any(any(cells) for cells in lines):
            return _sheet(path, lines)
    raise UsageError(f"{path} is empty")


def _sheet(path: Path, lines: list[Cells]) -> Sheet:
    if len(lines[0]) > MAX_COLUMNS:
        raise UsageError(f"{path} has {len(lines[0])} columns; we read up to {MAX_COLUMNS}")
    sample = lines[:SAMPLE_ROWS]
    at = header_at(sample, usual=max(sum(map(bool, cells)) for cells in sample))
    width = max(index for index, cell in enumerate(lines[at], 1) if cell)
    lines = [cells[:width] if not any(cells[width:]) else cells for cells in lines]
    header = tuple(header_cell(cell) for cell in lines[at])
    digest = sha256(path.read_bytes()).hexdigest()
    return Sheet(path, header, ",", lines[at + 1 : SAMPLE_ROWS], skipped=at, hash=digest, lines=lines)


def _written(value: object) -> str:
    """A cell as a person sees it: no `.0` behind a whole number, no midnight behind a date."""
    if value is None or value != value:  # not a number: an empty cell
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ")
    return str(value)
