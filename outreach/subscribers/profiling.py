"""What stands in a file's first rows, column by column: for a person to see that it is understood rightly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from outreach.subscribers import values
from outreach.subscribers.mapping import Mapping
from outreach.subscribers.reading import Table

if TYPE_CHECKING:
    import pandas

EXAMPLES: Final = 3
LONGEST: Final = 24
"""Letters of an example."""
SURE: Final = 0.9
"""Of the filled cells, for a column to look like something."""
FEW: Final = 20
"""Different values, for a column to look like a choice."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the file."""

    header: str
    target: str
    """The field, or the role, it is taken for."""
    kind: str
    """What its cells look like: address, number, date, yes or no, choice, text; or nothing."""
    empty: float
    """The share of rows in which it says nothing."""
    examples: tuple[str, ...]
    """The commonest values, shortened."""


@dataclass(frozen=True, slots=True)
class Profile:
    rows: int
    columns: tuple[Column, ...]


def profile(table: Table, mapping: Mapping) -> Profile:
    """The sampled rows, looked at through pandas."""
    import pandas

    width = len(table.header)
    rows = [(*row, *[""] * width)[:width] for row in table.sample]
    frame = pandas.DataFrame(rows, columns=range(width), dtype=str).apply(lambda cells: cells.str.strip())
    described = [
        _describe(column.header, column.target, frame[index], mapping) for index, column in enumerate(mapping.columns)
    ]
    return Profile(len(frame), tuple(described))


def _describe(header: str, target: str, cells: pandas.Series[str], mapping: Mapping) -> Column:
    filled = cells[cells != ""]
    counts = filled.value_counts()
    empty = 1 - len(filled) / len(cells) if len(cells) else 1.0
    examples = tuple(str(value)[:LONGEST] for value in counts.index[:EXAMPLES])
    return Column(header, target, _kind(filled, counts, mapping), empty, examples)


def _kind(filled: pandas.Series[str], counts: pandas.Series[int], mapping: Mapping) -> str:
    import pandas

    if filled.empty:
        return "nothing"

    def mostly(matches: pandas.Series[bool]) -> bool:
        return bool(matches.mean() >= SURE)

    if mostly(filled.str.contains("@")):
        return "address"
    if mostly(filled.map(lambda cell: values.yes_no(cell) is not None)):
        return "yes or no"
    if mostly(pandas.to_numeric(filled, errors="coerce").notna()):
        return "number"
    if mostly(filled.map(lambda cell: mapping.moment(cell) is not None)):
        return "date"
    return "choice" if len(counts) <= min(FEW, len(filled) / 2) else "text"
