"""Reading the files other systems export: rows of text, whatever the encoding, delimiter or faults.

`lines` makes text of bytes, `records` rows of text, both a piece at a time, so that memory stays flat. A file
that cannot be read to its end raises UsageError, and the caller has written nothing by then.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from outreach.errors import UsageError
from outreach.subscribers.lines import UTF8_BOM, UTF16_BOMS, Lines
from outreach.subscribers.records import BATCH, Batch, Cells, Records, Unreadable, as_batch

HEAD: Final = 1 << 20
"""Bytes to guess the delimiter by."""
MAX_COLUMNS: Final = 500
SAMPLE_ROWS: Final = 1_000
HEADER_FILLED: Final = 0.6
"""Of the usual number of cells; titles and dates above a header fill fewer."""
_DELIMITERS: Final = ",;\t|"
_OTHER_KINDS: Final = {
    b"PK\x03\x04": "a spreadsheet or a zip archive; open it and save the sheet as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "an old Excel file; open it and save the sheet as CSV (UTF-8)",
    b"%PDF": "a PDF; export the list as CSV instead",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x1f\x8b": "compressed; unpack it first (gunzip)",
    b"SQLite format 3": "a database",
}


@dataclass(slots=True)
class Table:
    """A file as rows under a header. They may be asked for once; the counts are complete when they end."""

    path: Path
    header: tuple[str, ...]
    delimiter: str
    """One character, or "" for JSON lines."""
    sample: list[Cells]
    """The first rows, for proposing a mapping."""
    skipped: int
    """Lines before the header, such as a report's title."""
    cp1252_lines: int = 0
    hash: str = ""

    def rows(self) -> Iterator[tuple[int, Cells | Unreadable]]:
        """Each row with its number."""
        for batch in self.batches():
            yield from batch.in_order()

    def batches(self) -> Iterator[Batch]:
        """The rows, many at once."""
        lines = Lines(self.path)
        if self.delimiter:
            yield from Records(lines, self.delimiter).batches(len(self.header), skip=self.skipped + 1)
        else:
            yield from _json_batches(lines, self.header)
        self.cp1252_lines, self.hash = lines.cp1252_lines, lines.digest.hexdigest()


def open_table(path: Path) -> Table:
    """Look at the beginning of a file and say how it is to be read. Raises UsageError if it is no table."""
    head = _head(path)
    text = _decode_head(head)
    first = text.lstrip()[:1]
    if first == "{":
        return _json_table(path)
    if first == "[":
        raise UsageError(f"{path} is no CSV file: it is one JSON list; write one object to a line (jq -c '.[]')")
    if text.lstrip()[:9].lower().startswith(("<!doctype", "<html", "<?xml")):
        raise UsageError(f"{path} is no CSV file: it is a web page or XML")
    delimiter = _delimiter(text)
    sample = []
    for cells in Records(Lines(path), delimiter).take(SAMPLE_ROWS):
        if len(cells) > MAX_COLUMNS:
            raise UsageError(
                f"{path} has {len(cells)} columns; we read up to {MAX_COLUMNS}: leave out what you do not need"
            )
        sample.append(cells)
    widths = [len(cells) for cells in sample if cells]
    if not widths:
        raise UsageError(f"{path} is empty")
    at = header_at(sample, usual=max(set(widths), key=widths.count))
    header = tuple(header_cell(cell) for cell in sample[at])
    return Table(path, header, delimiter, [cells for cells in sample[at + 1 :] if cells], skipped=at)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if not head.strip():
        raise UsageError(f"{path} is empty")
    for magic, kind in _OTHER_KINDS.items():
        if head.startswith(magic):
            raise UsageError(f"{path} is no CSV file: it is {kind}")
    if not head.startswith(UTF16_BOMS):
        control = sum(head.count(byte) for byte in (*range(9), *range(14, 32)))
        if control * 50 > len(head):
            raise UsageError(f"{path} is no CSV file: it is not text at all")
    return head


def _decode_head(head: bytes) -> str:
    if head.startswith(UTF16_BOMS):
        return head[: len(head) & ~1].decode("utf-16", "replace")
    return head.removeprefix(UTF8_BOM).decode("utf-8", "replace")


def _delimiter(text: str) -> str:
    """The character that cuts the first rows into the most columns of the same number."""

    def score(delimiter: str) -> tuple[int, int]:
        try:
            rows = list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 50))
        except csv.Error:
            return (0, 0)
        widths = [len(row) for row in rows[:-1] or rows if row]
        usual = max(set(widths), key=widths.count, default=1)
        return (widths.count(usual) if usual > 1 else 0, usual)

    return max(_DELIMITERS, key=score)


def header_at(sample: list[Cells], *, usual: int) -> int:
    """Where the header is: the first row with most of its cells filled. Reports have a title or a date above it."""
    filled = [sum(bool(cell.strip()) for cell in cells) for cells in sample]
    enough = min(usual * HEADER_FILLED, max(filled))
    return next(index for index, number in enumerate(filled) if number >= enough)


def header_cell(cell: str) -> str:
    return " ".join(cell.replace("\ufeff", "").split())


# --- JSON, one object a line ------------------------------------------------------------------------------------


def _json_table(path: Path) -> Table:
    header: dict[str, None] = {}
    objects = [found for line in islice(Lines(path), SAMPLE_ROWS) if isinstance(found := _object(line), dict)]
    for found in objects:
        header.update(dict.fromkeys(found))
    if not header:
        raise UsageError(f"{path} is no CSV file, and not one of its first lines is a JSON object")
    names = tuple(header)
    return Table(path, names, "", [_cells(found, names) for found in objects], skipped=0)


def _json_batches(lines: Lines, header: tuple[str, ...]) -> Iterator[Batch]:
    numbered = enumerate(lines, 1)
    while some := list(islice(numbered, BATCH)):
        read = [(number, _object(line)) for number, line in some if line.strip()]
        objects = [(number, found) for number, found in read if isinstance(found, dict)]
        spoiled = [(number, found) for number, found in read if isinstance(found, Unreadable)]
        cells = [_cells(found, header) for _, found in objects]
        yield as_batch([number for number, _ in objects], cells, len(header), spoiled)


def _object(line: str) -> dict[str, object] | Unreadable:
    try:
        found = loads(line)
    except (ValueError, RecursionError):
        return Unreadable(line.strip(), "the line is not JSON")
    return found if isinstance(found, dict) else Unreadable(line.strip(), "the line is not a JSON object")


def _cells(found: dict[str, object], header: tuple[str, ...]) -> Cells:
    return [as_text(found.get(name)) for name in header]


def loads(text: str) -> object:
    """JSON as RFC 8259 has it: no NaN, no Infinity. Raises ValueError, or RecursionError for a bomb."""

    def refuse(word: str) -> object:
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def as_text(value: object) -> str:
    """A JSON value as a cell would show it; a list as its parts, with commas."""
    match value:
        case None:
            return ""
        case str():
            # Escapes may say NUL and half a letter (a lone surrogate), which no database takes.
            return value.replace("\0", "").encode("utf-8", "replace").decode()
        case list() if all(not isinstance(part, list | dict) for part in value):
            return ", ".join(as_text(part) for part in value)
        case _:
            return as_text(json.dumps(value, ensure_ascii=False))
