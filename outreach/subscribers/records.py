"""A CSV file as rows, many at a time and column by column: what is the same in all rows is then done once.

Most blocks of most files have no quotation mark and as many cells in each line as the header: these are cut at
the delimiter, whole. All others are the csv module's. What comes out is the same: a property test holds the two
against each other.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, islice
from operator import itemgetter, not_
from typing import Final, NamedTuple

from outreach.errors import UsageError
from outreach.subscribers.lines import Lines, lines_of

BATCH: Final = 4_000
"""Rows to look at together, at most."""

Cells = list[str]
Numbered = tuple[int, Cells]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row of which only the raw text is known, and why."""

    text: str
    reason: str


class Batch(NamedTuple):
    """Some rows that follow each other. Numbers count as a spreadsheet does: the header is row 1, JSON starts at 1."""

    numbers: Sequence[int]
    columns: Sequence[Sequence[str]]
    """Of the rows that are as wide as the header."""
    odd: Sequence[Numbered] = ()
    """The rows that are not."""
    spoiled: Sequence[tuple[int, Unreadable]] = ()

    @property
    def size(self) -> int:
        return len(self.numbers) + len(self.odd) + len(self.spoiled)

    def only(self, chosen: Sequence[bool]) -> Batch:
        """Of the rows that are as wide as the header, those that are chosen."""
        columns = [list(compress(column, chosen)) for column in self.columns]
        return self._replace(numbers=list(compress(self.numbers, chosen)), columns=columns)

    def straight(self) -> Iterable[Numbered]:
        """The rows that are as wide as the header, as rows."""
        return zip(self.numbers, map(list, zip(*self.columns, strict=True)), strict=True)

    def in_order(self) -> Iterable[tuple[int, Cells | Unreadable]]:
        """All rows by their numbers."""
        return sorted((*self.straight(), *self.odd, *self.spoiled), key=itemgetter(0))


def as_batch(
    numbers: Sequence[int], rows: Sequence[Cells], width: int, spoiled: Sequence[tuple[int, Unreadable]] = ()
) -> Batch:
    """Rows as columns."""
    odd: Sequence[Numbered] = ()
    if set(map(len, rows)) - {width}:
        straight = [len(row) == width for row in rows]
        odd = list(compress(zip(numbers, rows, strict=True), map(not_, straight)))
        numbers, rows = list(compress(numbers, straight)), list(compress(rows, straight))
    return Batch(numbers, list(zip(*rows, strict=True)), odd, spoiled)


class Records:
    """The rows of a text with delimiters."""

    def __init__(self, lines: Lines, delimiter: str) -> None:
        self._path, self._delimiter = lines.path, delimiter
        self._texts = lines.texts()
        self._waiting: deque[str] = deque()
        self._fed = 0  # lines that the csv module was given or is about to be
        self._reader = csv.reader(self._lines(), delimiter=delimiter)

    def take(self, most: int) -> list[Cells]:
        """Up to so many more rows; none at the end. Raises UsageError for what is no CSV."""
        try:
            return list(islice(self._reader, most))
        except csv.Error as error:
            hint = ""
            if "field larger" in str(error):
                hint = "; perhaps a quotation mark is opened and never closed"
            line = self._reader.line_num
            raise UsageError(f"{self._path}, line {line}: {error}{hint}; nothing was imported") from None

    def batches(self, width: int, *, skip: int) -> Iterator[Batch]:
        """The rows after the first `skip`."""
        last = len(self.take(skip))
        while True:
            if self._fed == self._reader.line_num:  # between two rows, and between two blocks
                text = next(self._texts, None)
                if text is None:
                    return
                if columns := _cut(text, self._delimiter, width):
                    first, last = last + 1, last + len(columns[0])
                    yield Batch(range(first, last + 1), columns)
                    continue
                self._feed(text)
            rows = self.take(min(self._fed - self._reader.line_num, BATCH))
            numbers: Sequence[int] = range(last + 1, last + 1 + len(rows))
            last += len(rows)
            if not all(rows):  # a blank line is no row, though it has a number
                numbers, rows = list(compress(numbers, rows)), list(filter(None, rows))
            if rows:
                yield as_batch(numbers, rows, width)

    def _feed(self, text: str) -> None:
        lines = list(lines_of(text))
        self._waiting.extend(lines)
        self._fed += len(lines)

    def _lines(self) -> Iterator[str]:
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            text = next(self._texts, None)
            if text is None:
                return
            self._feed(text)


def _cut(text: str, delimiter: str, width: int) -> list[list[str]] | None:
    """The columns, if the csv module would say no more than where the delimiters are; None if it has to be asked."""
    if '"' in text or width < 2:
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if not text.endswith("\n"):
        text += "\n"
    window = csv.field_size_limit() // 2
    endless = any(text.find("\n", at, at + window) < 0 for at in range(0, len(text) - window + 1, window))
    if endless or "\r" in text:
        return None
    # An end of line is a cell of its own: if it is always the one behind the last, all lines are equally wide.
    cells = text.replace("\n", f"{delimiter}\n{delimiter}").split(delimiter)
    rows, step = text.count("\n"), width + 1
    if len(cells) != rows * step + 1 or cells[width::step].count("\n") != rows:
        return None
    return [cells[index:-1:step] for index in range(width)]
