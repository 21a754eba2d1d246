"""The quick way through a file: a batch of rows turned into columns, each cell's meaning looked up once.

In most files nearly all cells of a column are spellings of a few values, so a column is a dictionary from
what is written to a piece of JSON, and a person's attributes are those pieces put together. A row with
anything out of the ordinary (another number of cells, an address that needs thought, a cell that may forbid
us to write, topics, packed attributes) is handed back, for `Mapping` to read. What comes out is, letter
for letter, what `Mapping` would have said: a property test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import compress, repeat
from operator import not_, or_
from typing import Final, Generic, TypeVar

from outreach.addresses import BadAddress, normalise, plain_forms
from outreach.store.staging import SlotValue, dump
from outreach.store.subscribers import Field, as_slot
from outreach.subscribers import values
from outreach.subscribers.mapping import Convert, Mapping
from outreach.subscribers.records import Batch, Cells, Unreadable
from outreach.subscribers.systems import FORBIDDING, Role, folded

Meaning = TypeVar("Meaning")
StagedRow = tuple[int, str, str, str | None, int | None, int, None, SlotValue]
"""Number, address, attributes as JSON, locale, joined, at, no suppression, and the slots."""

_REMEMBERED: Final = 32_768
"""Spellings of one column; more than that are not a column that repeats itself, and memory stays flat."""
_EASY: Final = frozenset({Role.EMAIL, Role.LANGUAGE, Role.JOINED, Role.AS_OF, Role.IGNORE, Role.STATUS})


class _Dictionary(dict[str, Meaning], Generic[Meaning]):
    """From a cell as it is written to what it means; looks like a dictionary to `map`, and forgets nothing early."""

    def __init__(self, meaning: Callable[[str], Meaning]) -> None:
        self._meaning = meaning

    def __missing__(self, cell: str) -> Meaning:
        found = self._meaning(cell.strip())
        if len(self) < _REMEMBERED:
            self[cell] = found
        return found


class Columns:
    """Reads batches of rows. `types` gathers the attributes that occurred, and their types."""

    def __init__(self, mapping: Mapping, fields: Iterable[Field]) -> None:
        self.types: dict[str, str] = {}
        at = {column.target: index for index, column in enumerate(mapping.columns)}
        self._email = at.get(Role.EMAIL)
        self._pieces = [
            (index, _Dictionary(self._piece(name, convert)).__getitem__) for index, name, convert in mapping.fields
        ]
        convert = {name: (index, how) for index, name, how in mapping.fields}
        self._slots = [
            (convert[field.name][0], _Dictionary(_slot(field.slot, convert[field.name][1])).__getitem__)
            if field.name in convert
            else None
            for field in fields
            if field.slot
        ]
        self._language = (at[Role.LANGUAGE], _Dictionary(values.language).__getitem__) if Role.LANGUAGE in at else None
        self._joined = (at[Role.JOINED], _Dictionary(mapping.moment).__getitem__) if Role.JOINED in at else None
        self._dates = [(index, _Dictionary(mapping.moment).__getitem__) for index in mapping.date_cells]
        self._default_at = None if mapping.is_dated else mapping.default_at
        forbids: _Dictionary[bool] = _Dictionary(lambda cell: folded(cell) in FORBIDDING)
        # A cell that must be thought about if anything stands in it: True means so.
        self._hard = [
            (index, forbids.__getitem__ if column.target == Role.STATUS else _is_filled)
            for index, column in enumerate(mapping.columns)
            if column.target == Role.STATUS or (column.target in set(Role) and column.target not in _EASY)
        ]
        self.is_useful = self._email is not None and mapping.system.suppresses is None

    def __call__(self, batch: Batch) -> tuple[list[StagedRow], Iterable[tuple[int, Cells | Unreadable]]]:
        """The rows that were easy, as they are staged, and the others."""
        if self._email is None or not batch.numbers:
            return [], batch.in_order()
        columns = batch.columns
        addresses = _addresses(columns[self._email])
        hard = [address is None for address in addresses] if None in addresses else []
        for index, is_hard in self._hard:
            if any(columns[index]):
                hard = list(map(or_, hard or repeat(False), map(is_hard, columns[index])))
        left = batch._replace(numbers=(), columns=())
        if any(hard):
            easy = list(map(not_, hard))
            left, batch = batch.only(hard), batch.only(easy)
            addresses = list(compress(addresses, easy))
        return list(self._staged(batch.numbers, addresses, batch.columns)), left.in_order()

    def _staged(
        self, numbers: Sequence[int], addresses: Sequence[str | None], columns: Sequence[Sequence[str]]
    ) -> Iterable[StagedRow]:
        count = len(numbers)
        if self._pieces:
            pieces = zip(*(map(meaning, columns[index]) for index, meaning in self._pieces), strict=True)
            attributes: Iterable[str] = [f"{{{''.join(said)[1:]}}}" for said in pieces]
        else:
            attributes = repeat("{}", count)
        return zip(
            numbers,
            addresses,
            attributes,
            map(self._language[1], columns[self._language[0]]) if self._language else repeat(None, count),
            map(self._joined[1], columns[self._joined[0]]) if self._joined else repeat(None, count),
            self._at(columns, count),
            repeat(None, count),
            *(map(slot[1], columns[slot[0]]) if slot else repeat(None, count) for slot in self._slots),
            strict=True,
        )

    def _at(self, columns: Sequence[Sequence[str]], count: int) -> Iterable[int]:
        """The first date that a row has."""
        if self._default_at is not None:
            return repeat(self._default_at, count)
        found: list[int | None] = [None] * count
        for index, moment in reversed(self._dates):
            said = map(moment, columns[index])
            found = [late if at is None else at for at, late in zip(said, found, strict=True)]
        return [max(at or 0, 0) for at in found]

    def _piece(self, name: str, convert: Convert) -> Callable[[str], str]:
        head = f",{dump(name)}:"

        def piece(cell: str) -> str:
            if not cell or (value := convert(cell)) is None:
                return ""
            self.types.setdefault(name, type_of(value))
            return head + dump(value)

        return piece


def type_of(value: object) -> str:
    """The type under which an attribute becomes known."""
    return "yesno" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def _slot(slot: str | None, convert: Convert) -> Callable[[str], SlotValue]:
    assert slot is not None
    return lambda cell: as_slot(slot, convert(cell)) if cell else None


def _is_filled(cell: str) -> bool:
    return bool(cell.strip())


def _addresses(written: Sequence[str]) -> list[str | None]:
    found = plain_forms(written)
    return found if None not in found else [one or _address(cell) for one, cell in zip(found, written, strict=True)]


def _address(written: str) -> str | None:
    try:
        return normalise(written)
    except BadAddress:
        return None
