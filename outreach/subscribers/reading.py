"""Reading the files other systems export: rows of text, whatever the encoding, delimiter or faults.

Flat memory: bytes are decoded by the megabyte. A line that is not UTF-8 is read as cp1252 (what
Windows programs write), line by line, because one file is often glued together from several; how
many lines that were is counted. Rows are the csv module's; a file that cannot be read to its end
raises UsageError, and the caller has written nothing by then.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final

from outreach.errors import UsageError

CHUNK: Final = 1 << 20
MAX_LINE: Final = 16 * CHUNK
MAX_COLUMNS: Final = 500
SAMPLE_ROWS: Final = 1_000
HEADER_FILLED: Final = 0.6
"""Of the usual number of cells; titles and dates above a header fill fewer."""
_DELIMITERS: Final = ",;\t|"
_UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_OTHER_KINDS: Final = {
    b"PK\x03\x04": "a spreadsheet or a zip archive; open it and save the sheet as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "an old Excel file; open it and save the sheet as CSV (UTF-8)",
    b"%PDF": "a PDF; export the list as CSV instead",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x1f\x8b": "compressed; unpack it first (gunzip)",
    b"SQLite format 3": "a database",
}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row of which only the raw text is known, and why."""

    text: str
    reason: str


Cells = list[str]


@dataclass(slots=True)
class Table:
    """A file as rows under a header. `rows` may be asked for once; the counts are complete when it ends."""

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
        """Each row with its number, counted as a spreadsheet does: the header is row 1, JSON lines start at 1."""
        text = _Lines(self.path)
        found = _json_rows(text, self.header) if not self.delimiter else self._csv_rows(text)
        yield from found
        self.cp1252_lines, self.hash = text.cp1252_lines, text.digest.hexdigest()

    def _csv_rows(self, text: _Lines) -> Iterator[tuple[int, Cells | Unreadable]]:
        for number, cells in enumerate(_records(text, self.delimiter, self.path), 1):
            # A blank line is no row, though it has a number.
            if cells and number > self.skipped + 1:
                yield number, cells


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
    for cells in islice(_records(_Lines(path), delimiter, path), SAMPLE_ROWS):
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
            head = file.read(CHUNK)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if not head.strip():
        raise UsageError(f"{path} is empty")
    for magic, kind in _OTHER_KINDS.items():
        if head.startswith(magic):
            raise UsageError(f"{path} is no CSV file: it is {kind}")
    if not head.startswith(_UTF16_BOMS):
        control = sum(head.count(byte) for byte in (*range(9), *range(14, 32)))
        if control * 50 > len(head):
            raise UsageError(f"{path} is no CSV file: it is not text at all")
    return head


def _decode_head(head: bytes) -> str:
    if head.startswith(_UTF16_BOMS):
        return head[: len(head) & ~1].decode("utf-16", "replace")
    return head.removeprefix(_UTF8_BOM).decode("utf-8", "replace")


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


def _records(lines: _Lines, delimiter: str, path: Path) -> Iterator[Cells]:
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        yield from reader
    except csv.Error as error:
        hint = ""
        if "field larger" in str(error):
            hint = "; perhaps a quotation mark is opened and never closed"
        raise UsageError(f"{path}, line {reader.line_num}: {error}{hint}; nothing was imported") from None


# --- JSON, one object a line ------------------------------------------------------------------------------------


def _json_table(path: Path) -> Table:
    header: dict[str, None] = {}
    objects = [found for line in islice(_Lines(path), SAMPLE_ROWS) if isinstance(found := _object(line), dict)]
    for found in objects:
        header.update(dict.fromkeys(found))
    if not header:
        raise UsageError(f"{path} is no CSV file, and not one of its first lines is a JSON object")
    names = tuple(header)
    return Table(path, names, "", [_cells(found, names) for found in objects], skipped=0)


def _json_rows(lines: _Lines, header: tuple[str, ...]) -> Iterator[tuple[int, Cells | Unreadable]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _object(line)
        yield number, _cells(found, header) if isinstance(found, dict) else found


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


# --- lines ------------------------------------------------------------------------------------------------------


class _Lines:
    """A file's lines with their ends, decoded; remembers how many were cp1252, and the file's SHA-256."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cp1252_lines = 0
        self.digest = sha256()

    def __iter__(self) -> Iterator[str]:
        for block in self._blocks():
            try:
                text = block.decode("utf-8")
            except UnicodeDecodeError:
                for line in block.replace(b"\0", b"").splitlines(keepends=True):
                    try:
                        yield line.decode()
                    except UnicodeDecodeError:
                        yield self._line(line)
            else:
                # newline="": a lone CR ends a line too, and ends are kept for the csv module. NULs mean nothing.
                yield from io.StringIO(text.replace("\0", ""), newline="")

    def _line(self, line: bytes) -> str:
        self.cp1252_lines += 1
        try:
            return line.decode("cp1252")
        except UnicodeDecodeError:
            return line.decode("latin-1")  # five bytes mean nothing in cp1252

    def _blocks(self) -> Iterator[bytes]:
        """About a megabyte at a time, cut where a line ends, as UTF-8 or whatever else it is."""
        with self.path.open("rb") as file:
            start = file.read(3)
            file.seek(0 if start != _UTF8_BOM else 3)
            self.digest.update(start if start == _UTF8_BOM else b"")
            if start[:2] in _UTF16_BOMS:
                yield from self._utf16_blocks()
                return
            rest = b""
            while chunk := file.read(CHUNK):
                self.digest.update(chunk)
                rest += chunk
                cut = rest.rfind(b"\n") + 1 or rest.rfind(b"\r", 0, -1) + 1
                if cut:
                    yield rest[:cut]
                    rest = rest[cut:]
                elif len(rest) > MAX_LINE:
                    raise UsageError(f"{self.path} is no CSV file: it has a line of more than {MAX_LINE >> 20} MB")
            if rest:
                yield rest

    def _utf16_blocks(self) -> Iterator[bytes]:
        try:
            with self.path.open(encoding="utf-16", newline="") as file:
                while lines := file.readlines(CHUNK):
                    block = "".join(lines).encode()
                    self.digest.update(block)
                    yield block
        except UnicodeError:
            raise UsageError(f"{self.path} begins like UTF-16 and is not; save it as CSV in UTF-8") from None
