"""Of several values for one field, which one stands: newest first, and letters before damage.

Folding is a maximum, field by field, over (not damaged, date, how far the source is trusted), so the
order in which files come in cannot matter. Only where all three are equal does the later row win:
somebody corrected a file and brought it again.

What the store keeps for that is small: one date and source for the person, and exceptions by field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from outreach.store.imports import Held, Staged
from outreach.subscribers import values
from outreach.subscribers.mapping import Value

Stamp = tuple[int, str]
"""When a source said so (milliseconds since 1970), and which source."""

_NAMES: Final = frozenset({"first_name", "last_name"})


class Account(NamedTuple):
    """What is known about a person, or what one row says: values, and how old each is."""

    values: Mapping[str, Value]
    stamp: Stamp
    """Of every value that `exceptions` does not name."""
    exceptions: Mapping[str, Stamp]
    joined: int | None
    """The earliest date anybody gives."""

    def stamp_of(self, field: str) -> Stamp:
        return self.exceptions.get(field, self.stamp)


class Fold:
    """Folds accounts of one person. `trusted` lists sources, the most trusted first."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._rank = {source: len(trusted) - place for place, source in enumerate(trusted)}

    def __call__(self, earlier: Account, later: Account) -> Account:
        if later.stamp == earlier.stamp and later.values == earlier.values and not earlier.exceptions:
            return earlier._replace(joined=least(earlier.joined, later.joined))
        if not earlier.exceptions and not later.exceptions:
            return self._whole(earlier, later)
        values: dict[str, Value] = {}
        stamps: dict[str, Stamp] = {}
        for field in (*earlier.values, *(name for name in later.values if name not in earlier.values)):
            account = self._winner(field, earlier, later)
            values[field], stamps[field] = account.values[field], account.stamp_of(field)
        newest = max((earlier.stamp, later.stamp), key=self._order)
        exceptions = {field: stamp for field, stamp in stamps.items() if stamp != newest}
        return Account(values, newest, exceptions, least(earlier.joined, later.joined))

    def replaces(self, held: Held, row: Staged) -> bool:
        """Whether a row takes the place of all we hold: newer, with a value wherever we have one, letters undamaged."""
        return (
            row.at > held.as_of
            and not held.dates
            and held.attributes.keys() <= row.attributes.keys()
            and (row.locale is not None or held.locale is None)
            and not _has_damaged_names(row.attributes)
        )

    def _whole(self, earlier: Account, later: Account) -> Account:
        """The same for two accounts that each have one date: field by field it is the same answer, but for names."""
        swapped = self._order(earlier.stamp) > self._order(later.stamp)
        older, newer = (later, earlier) if swapped else (earlier, later)
        values = {**older.values, **newer.values}
        lost = [name for name in _NAMES if _is_damaged(newer, name) and not _is_damaged(older, name)]
        values |= {name: older.values[name] for name in lost if name in older.values}
        kept = [name for name in older.values if name not in newer.values or name in lost]
        exceptions = dict.fromkeys(kept, older.stamp) if older.stamp != newer.stamp else {}
        return Account(values, newer.stamp, exceptions, least(earlier.joined, later.joined))

    def _winner(self, field: str, earlier: Account, later: Account) -> Account:
        if field not in later.values:
            return earlier
        if field not in earlier.values:
            return later
        return later if self._weight(field, later) >= self._weight(field, earlier) else earlier

    def _weight(self, field: str, account: Account) -> tuple[bool, int, int, str]:
        return (not _is_damaged(account, field), *self._order(account.stamp_of(field)))

    def _order(self, stamp: Stamp) -> tuple[int, int, str]:
        at, source = stamp
        return at, self._rank.get(source, 0), source


def _has_damaged_names(attributes: Mapping[str, Value]) -> bool:
    for name in _NAMES:
        value = attributes.get(name)
        if isinstance(value, str) and values.damaged(value):
            return True
    return False


def _is_damaged(account: Account, field: str) -> bool:
    value = account.values.get(field) if field in _NAMES else None
    return isinstance(value, str) and values.damaged(value)


def least(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)
