"""From a row of cells to a person: which column is which field, and what its cells say.

`propose` reads the header (and, if no header helps, the cells) and answers a `Mapping`; calling that
with a row's cells gives what the row says about one person, or why it cannot be used. An empty cell
says nothing. Doubt about whether we may write is decided for the person: an opt-out column with a
word we cannot read counts as an opt-out, and a row that was cut off before it is refused.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from outreach.addresses import BadAddress, normalise
from outreach.errors import UsageError
from outreach.store.suppressions import Reason
from outreach.subscribers import values
from outreach.subscribers.defusing import undefused
from outreach.subscribers.reading import Table, as_text, loads
from outreach.subscribers.records import Cells
from outreach.subscribers.systems import FORBIDDING, FREQUENCIES, Role, System, folded, known_as, recognise

Value = str | int | float | bool
Convert = Callable[[str], Value | None]

MAX_FIELD_NAME: Final = 60
_FIELD = re.compile(r"[^\W\d_]\w*")
_STANDARD: Final[dict[str, Convert]] = {
    "district": values.district,
    "zip": values.zip_code,
    "renter": values.yes_no,
    "member_rating": values.number,
}
_BY_TYPE: Final[dict[str, Convert]] = {"yesno": values.yes_no, "number": values.number}
_DATES: Final = (Role.AS_OF, Role.TOPIC_DATE, Role.OPT_OUT_DATE)


class Wish(NamedTuple):
    """A topic somebody asked for, as a row tells it. Times are milliseconds since 1970, UTC."""

    topic: str
    at: int
    frequency: int | None
    confirmed: bool = True


class Person(NamedTuple):
    """What one row says about one person."""

    address: str
    attributes: dict[str, Value]
    locale: str | None
    joined: int | None
    at: int
    """The row's own date, milliseconds since 1970; 0 if it has none though others in the file do."""
    wishes: tuple[Wish, ...]
    suppress: Reason | None
    suppressed_at: int
    evidence: dict[str, str]


class Rejected(NamedTuple):
    """Why a row cannot be used, and the cell that says so."""

    column: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Column:
    header: str
    target: str
    """A field, or a Role."""


class Mapping:
    """Reads rows. `default_at` dates the rows of a file whose rows carry no date (milliseconds)."""

    def __init__(
        self, system: System, columns: Sequence[Column], *, types: Map[str, str], default_at: int, day_first: bool
    ) -> None:
        self.system = system
        self.columns = tuple(columns)
        self.default_at = default_at
        self.moment = values.moment(day_first=day_first)
        width = len(columns)
        at = {column.target: index for index, column in enumerate(columns)}
        # A role no column has is read from the empty cell behind the row's last: one look-up, no question.
        self._email, self._kind, self._status = (at.get(role, width) for role in (Role.EMAIL, Role.KIND, Role.STATUS))
        self._name, self._packed, self._language = (
            at.get(role, width) for role in (Role.NAME, Role.ATTRIBUTES, Role.LANGUAGE)
        )
        self._topics, self._topic, self._frequency = (
            at.get(role, width) for role in (Role.TOPICS, Role.TOPIC, Role.FREQUENCY)
        )
        self._joined, self._topic_date = at.get(Role.JOINED, width), at.get(Role.TOPIC_DATE, width)
        self._opt_out, self._opt_out_date = at.get(Role.OPT_OUT, width), at.get(Role.OPT_OUT_DATE, width)
        # Mailchimp counts who never clicked the confirmation among its subscribers; we do not.
        self._proof = at.get(Role.CONFIRMED) if system.dates_confirmations else None
        self._evident = [(role.value, at[role]) for role in (Role.ORIGIN, Role.CONFIRMED) if role in at]
        self.is_dated = any(role in at for role in _DATES)
        self.date_cells = [at[role] for role in (*_DATES, Role.CONFIRMED, Role.JOINED) if role in at]
        # Cells that may forbid us to write: a row that ends before them cannot be trusted.
        self._needed = max((at[r] for r in (Role.EMAIL, Role.STATUS, Role.OPT_OUT, Role.KIND) if r in at), default=0)
        self.fields = [
            (index, column.target, converter(column.target, types.get(column.target)))
            for index, column in enumerate(columns)
            if column.target not in set(Role)
        ]
        self._types = tuple(types.items())

    def __call__(self, cells: Cells) -> Person | Rejected:
        if len(cells) != len(self.columns) and (rejected := self._misshapen(cells)):
            return rejected
        written = cells[self._email] if self._email < len(cells) else ""
        filled = [cell.strip() for cell in cells]
        filled.extend([""] * (len(self.columns) + 1 - len(cells)))
        if (kind := filled[self._kind]) and folded(kind) not in ("email", "e_mail"):
            return Rejected(self.columns[self._email].header, written, f"a subscription by {kind}, not by e-mail")
        try:
            address = normalise(written)
        except BadAddress as error:
            return Rejected(self.columns[self._email].header, written, _without_address(cells, str(error)))
        return self._person(address, filled)

    def _person(self, address: str, cells: Cells) -> Person | Rejected:
        suppress = self._forbidden(cells)
        attributes: dict[str, Value] = {}
        for index, name, convert in self.fields:
            if (cell := cells[index]) and (value := convert(cell)) is not None:
                attributes[name] = value
        locale = values.language(cells[self._language])
        if name := cells[self._name]:
            first, last = values.full_name(name)
            attributes |= {k: v for k, v in (("first_name", first), ("last_name", last)) if v and k not in attributes}
        if packed := cells[self._packed]:
            more = _unpack(packed, self._types)
            if more is None and suppress is None:
                return Rejected(self.columns[self._packed].header, packed, "the attributes are not a JSON object")
            for name, value in more or ():
                if name == Role.LANGUAGE:
                    locale = locale or values.language(str(value))
                elif name not in attributes:
                    attributes[name] = value
        at = self._dated_at(cells)
        joined = self.moment(cells[self._joined]) or self.moment(cells[self._topic_date])
        return Person(
            address,
            attributes,
            locale,
            joined,
            at,
            () if suppress and self.system.suppresses else self._wishes(cells, joined or at or self.default_at),
            suppress,
            (suppress and self.moment(cells[self._opt_out_date])) or at or self.default_at,
            {role: cell for role, index in self._evident if (cell := cells[index])},
        )

    def _misshapen(self, cells: Cells) -> Rejected | None:
        """A row with more or fewer cells than the header, unless nothing that matters can be wrong in it."""
        wrong = f"the row has {len(cells)} cells, the header has {len(self.columns)}"
        if len(cells) < len(self.columns):
            if len(cells) > self._needed or not any(cells):
                return None
            return Rejected("", ", ".join(cells), f"{wrong}: it was cut off")
        if not any(cells[len(self.columns) :]):
            del cells[len(self.columns) :]
            return None
        if self.system.suppresses:  # the address is all we need, and leaving it out would be writing to it
            cells[:] = [cell if i == self._email else "" for i, cell in enumerate(cells[: len(self.columns)])]
            return None
        return Rejected("", ", ".join(cells), f"{wrong}: a value holds a delimiter that is not in quotation marks")

    def _dated_at(self, cells: Cells) -> int:
        if not self.is_dated:
            return self.default_at
        for index in self.date_cells:
            if (cell := cells[index]) and (at := self.moment(cell)) is not None:
                return max(at, 0)
        return 0

    def _forbidden(self, cells: Cells) -> Reason | None:
        if self.system.suppresses:
            return self.system.suppresses
        if opt_out := cells[self._opt_out]:
            if values.yes_no(opt_out) is not False:
                return Reason.UNSUBSCRIBE
        elif cells[self._opt_out_date]:
            return Reason.UNSUBSCRIBE
        return FORBIDDING.get(folded(status)) if (status := cells[self._status]) else None

    def _wishes(self, cells: Cells, at: int) -> tuple[Wish, ...]:
        names = values.items(listed) if (listed := cells[self._topics]) else ()
        if one := " ".join(cells[self._topic].split()):
            names = (*names, one)
        if not names:
            return ()
        frequency = FREQUENCIES.get(folded(word)) if (word := cells[self._frequency]) else None
        at = max(self.moment(cells[self._topic_date]) or at, 0)
        confirmed = self._proof is None or bool(cells[self._proof])
        return tuple([Wish(name, at, frequency, confirmed) for name in names])


def converter(field: str, kind: str | None) -> Convert:
    """How the cells of a field are read: its own way if it is a standard one, else by its declared type."""
    return _STANDARD.get(field) or _BY_TYPE.get(kind or "text", _text)


def _text(cell: str) -> str:
    return undefused(cell) if cell[:1] == "'" else cell


@lru_cache(maxsize=4096)
def _unpack(packed: str, types: tuple[tuple[str, str], ...]) -> tuple[tuple[str, Value], ...] | None:
    """A JSON object's members under our names; other objects and lists within become text."""
    try:
        found = loads(packed)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    declared = dict(types)
    members: dict[str, Value] = {}
    for key, value in found.items():
        name = field_name(known_as(key)[1])
        own = isinstance(value, bool | int | float) and name not in _STANDARD and name not in declared
        if isinstance(value, float) and not math.isfinite(value):  # 1e999
            continue
        read = value if own else converter(name, declared.get(name))(as_text(value).strip())
        if read is not None and read != "" and name != Role.EMAIL:
            members[name] = read
    return tuple(members.items())


def _without_address(cells: Cells, reason: str) -> str:
    filled = [cell for cell in cells if cell.strip()]
    if len(filled) <= 1 < len(cells):
        return f"{reason}; it looks like a report's closing line" if filled else "the row is empty"
    return reason


# --- proposing --------------------------------------------------------------------------------------------------


def propose(table: Table, by_hand: Map[str, str], *, types: Map[str, str], default_at: int) -> Mapping:
    """The mapping for a file: `by_hand` (column to field) first, then its system's words, then the common ones.

    Raises UsageError for a column the file lacks, a field that is none, and if no column holds addresses.
    """
    system = recognise(table.header)
    chosen = _by_hand(table, by_hand)
    taken = set(chosen.values())
    columns = []
    for index, header in enumerate(table.header):
        word, target = known_as(header, system)
        if index in chosen:
            target = chosen[index]
        elif target in taken and target != Role.IGNORE:
            # Two columns for one thing: the first keeps it; a second address could only mislead.
            target = field_name(word) if word not in taken and word not in set(Role) else Role.IGNORE
        columns.append(Column(header, target if target in set(Role) else field_name(target, index)))
        taken.add(columns[-1].target)
    if Role.EMAIL not in taken:
        columns = _with_addresses_found(table, columns)
    dates = [i for i, column in enumerate(columns) if column.target in (*_DATES, Role.JOINED)]
    sample = [row[i] for row in table.sample for i in dates if i < len(row)]
    return Mapping(system, columns, types=types, default_at=default_at, day_first=values.writes_day_first(sample))


def field_name(word: str, index: int = 0) -> str:
    """A name the rule language can say: begins with a letter, at most 60 characters."""
    name = word if _FIELD.fullmatch(word) else f"column_{word}" if word else f"column_{index + 1}"
    return name[:MAX_FIELD_NAME]


def _by_hand(table: Table, by_hand: Map[str, str]) -> dict[int, str]:
    places = {header: index for index, header in reversed(list(enumerate(table.header)))}
    loosely = {folded(header): index for header, index in places.items()}
    chosen: dict[int, str] = {}
    for column, field in by_hand.items():
        index = places.get(column, loosely.get(folded(column)))
        if index is None:
            raise UsageError(f"{table.path} has no column {column!r}; {_meant(column, table.header)}")
        target = folded(field)
        if not _FIELD.fullmatch(target) or len(target) > MAX_FIELD_NAME:
            raise UsageError(f"{field!r} cannot be a field: use letters, digits and _, beginning with a letter")
        if target in chosen.values() and target != Role.IGNORE:
            raise UsageError(f"two columns are mapped to {target!r}; map one of them to another field")
        chosen[index] = target
    return chosen


def _meant(column: str, header: tuple[str, ...]) -> str:
    lower = {name.casefold(): name for name in header}
    close = difflib.get_close_matches(column.casefold(), lower, n=1, cutoff=0.6)
    if close:
        return f"did you mean {lower[close[0]]!r}?"
    return f"it has {', '.join(header)}"


def _with_addresses_found(table: Table, columns: list[Column]) -> list[Column]:
    """Headers did not say which column holds addresses; perhaps the cells do."""
    likely = []
    for index in range(len(columns)):
        cells = [row[index] for row in table.sample if index < len(row) and row[index].strip()]
        if cells and sum("@" in cell for cell in cells) * 2 > len(cells):
            likely.append(index)
    if any("@" in header for header in table.header):
        raise UsageError(f"{table.path} has no header; its first line must name the columns, such as email,first_name")
    if len(likely) != 1:
        names = ", ".join(column.header for column in columns if column.header)
        raise UsageError(
            f"no column of {table.path} is known to hold e-mail addresses; it has {names}."
            " Say which one does with --map COLUMN=email"
        )
    return [Column(c.header, Role.EMAIL) if i == likely[0] else c for i, c in enumerate(columns)]


def file_date(path: Path) -> int:
    """When the file was last written, milliseconds since 1970: the date of rows that carry none."""
    return path.stat().st_mtime_ns // 1_000_000
