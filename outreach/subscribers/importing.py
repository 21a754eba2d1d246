"""Importing a file of people: read -> map -> check -> stage -> compare -> merge.

Nothing in the store changes before the last step, which is one transaction: killed anywhere, the
import has happened or it has not. A dry run is the same without the merge.

How rows are counted, so that rows = new + changed + unchanged + duplicates + rejected + suppressed:
a row that cannot be used is *rejected*; the first usable row of a person carries what happens to
that person (*suppressed* if the address must not be written to, by this file or from before; else
*new*, *changed* or *unchanged*); each further row of the same person is a *duplicate*. Duplicates
are folded in all the same, so a file with a row for each topic subscribes people to all of them.
Blank lines are no rows; a report's closing lines are, and are rejected by name.

What an import never does: empty a value, lift a suppression, resubscribe who left a topic, let an
older value replace a newer one (`folding`), or depend on the order in which files come in. Suppressed
people are kept up to date like all others, because only then is that so.
"""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as Map
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from outreach.addresses import fold as folded_name
from outreach.errors import UsageError
from outreach.store import subscribers as store_subscribers
from outreach.store import suspects
from outreach.store import topics as store_topics
from outreach.store.database import Store
from outreach.store.erasing import hasher
from outreach.store.imports import Folded, FoldPerson, Held, Staged, compare
from outreach.store.merging import apply, close, record
from outreach.store.staging import Row, Stage, WishRow, dump, frequency_code, importing, suppression_code
from outreach.store.subscribers import Field, SlotReader, Value
from outreach.subscribers.columns import Columns, type_of
from outreach.subscribers.folding import Account, Fold, least
from outreach.subscribers.mapping import Mapping, Person, Rejected, file_date
from outreach.subscribers.mapping import propose as propose_mapping
from outreach.subscribers.reading import Table, open_table
from outreach.subscribers.records import Batch, Cells, Unreadable
from outreach.subscribers.rejects import Rejects
from outreach.subscribers.sheets import is_workbook, open_sheet
from outreach.subscribers.systems import TRUSTED, Role

MAX_TOPICS: Final = 2_000
"""A file that names more has something else in that column."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is to be imported."""

    columns: Map[str, str] = field(default_factory=dict)
    """File column to field (or role of `systems.Role`), where the header does not say it."""
    topic: str | None = None
    """A topic that everybody in the file asked for."""
    source: str | None = None
    """Where that consent comes from; recorded with each. By default, the system and the file's name."""
    dry_run: bool = False
    complete: bool = False
    """The file names everybody its system has: who came from there and is not in it any more is reported."""
    erasure_key: bytes | None = None
    """Keeps those who were erased from coming back."""
    trusted: Sequence[str] = TRUSTED
    """Systems, the most trusted first: decides between values of the same date."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an import did, or in a dry run would do."""

    rows: int
    new: int
    changed: int
    unchanged: int
    duplicates: int
    rejected: int
    suppressed: int
    rejects_file: str | None
    system: str
    cp1252_lines: int
    """Lines that were not UTF-8 and were read as cp1252."""
    fields: Map[str, int] = field(default_factory=dict)
    """How many people we knew each field changes of."""
    reasons: Map[str, int] = field(default_factory=dict)
    """Rejected rows by reason."""
    roles: int = 0
    """Addresses of offices rather than people, such as info@; imported all the same."""
    disposable: int = 0
    """Addresses at domains that give them away for an hour; imported all the same."""
    gone: Sequence[str] = ()
    """Of a complete export: addresses that came from there and are not in it any more. Nothing is done about them."""
    import_id: int | None = None
    """Its number, for an undo; None of a dry run."""

    def counts(self) -> dict[str, int | str | None]:
        """The promised keys, and only those."""
        named = ("rows", "new", "changed", "unchanged", "duplicates", "rejected", "suppressed", "rejects_file")
        return {name: value for name, value in asdict(self).items() if name in named}


def import_file(
    store: Store,
    path: Path,
    *,
    now: dt.datetime,
    rejects_folder: Path,
    options: Options | None = None,
    progress: Callable[[int], None] | None = None,
    propose: Callable[[Table, Mapping], None] = lambda _table, _mapping: None,
    announce: Callable[[Result], None] = lambda _difference: None,
) -> Result:
    """Import a file. Raises UsageError if it is no table or names a wrong column; nothing is changed then.

    `propose` is told how the columns are understood, before they are read; `progress`, now and then, how many rows
    have been; `announce` the difference, before any of it is made.
    """
    options = options or Options()
    table = open_sheet(path) if is_workbook(path) else open_table(path)
    with store.read() as connection:
        fields = store_subscribers.fields(connection)
    types = {known.name: known.type for known in fields}
    mapping = propose_mapping(table, options.columns, types=types, default_at=file_date(path))
    propose(table, mapping)
    slots, read_slots = store_subscribers.slot_reader(fields)
    rejects = Rejects(rejects_folder / f"{path.stem}-{now:%Y%m%d-%H%M%S}.csv")
    kept: Path | None = None
    try:
        with _no_garbage(), importing(store, slots=slots) as stage:
            staging = _Staging(stage, table, mapping, rejects, read_slots, fields, options)
            staging.read(progress or (lambda _rows: None))
            result = _merge(stage, staging, fields, read_slots, now=now, options=options, announce=announce)
        kept = rejects.close(keep=True)
    finally:
        rejects.close(keep=False)
    return replace(result, rejects_file=str(kept) if kept else None)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Batches of rows refer to each other in no circles; looking for some would take a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _merge(
    stage: Stage,
    staging: _Staging,
    fields: Sequence[Field],
    read_slots: SlotReader,
    *,
    now: dt.datetime,
    options: Options,
    announce: Callable[[Result], None],
) -> Result:
    system = staging.mapping.system.name
    source = options.source or f"{system} export {staging.table.path.name}"
    with stage.merging():
        topic_ids = store_topics.ensure(stage.connection, staging.topics)
        fold = fold_person(system, Fold(options.trusted), read_slots)
        found = compare(
            stage,
            topic_ids,
            system=system,
            fold=fold,
            hashed=hasher(options.erasure_key) if options.erasure_key else None,
        )
        result = Result(
            rows=staging.rows,
            rejected=staging.rejects.count,
            rejects_file=None,
            system=system,
            cp1252_lines=staging.table.cp1252_lines,
            fields=found.fields,
            reasons=dict(staging.rejects.reasons.most_common()),
            gone=suspects.gone(stage, system) if options.complete else (),
            **found.counts(),
        )
        announce(result)
        if not options.dry_run:
            store_subscribers.declare(stage.connection, staging.types)
            path = staging.table.path
            counts = {**result.counts(), "label": source[:200]}
            import_id = record(
                stage.connection, file=str(path), source=system, file_hash=staging.table.hash, at=now, result=counts
            )
            evidence = {"file": path.name}
            apply(stage, import_id=import_id, system=system, source=source[:200], evidence=evidence, now=now)
            close(stage, import_id)
            result = replace(result, import_id=import_id)
    return result


class _Staging:
    """Reads a file into the staging tables, a batch at a time, and its bad rows into the rejects."""

    def __init__(
        self,
        stage: Stage,
        table: Table,
        mapping: Mapping,
        rejects: Rejects,
        read_slots: SlotReader,
        fields: Sequence[Field],
        options: Options,
    ) -> None:
        self.stage = stage
        self.table = table
        self.mapping = mapping
        self.rejects = rejects
        self.rows = 0
        self.types: dict[str, str] = {}
        """Attributes that occurred, and their types."""
        self._read_slots = read_slots
        self._columns = Columns(mapping, fields)
        self._evidence = dump({"file": table.path.name})[:-1] + ',"row":'
        self._topics: dict[str, int] = {}
        self._names: list[str] = []
        self._topic = options.topic
        self._row_batch: list[Row] = []
        self._wish_batch: list[WishRow] = []

    @property
    def topics(self) -> list[str]:
        """The topics the file names, in that order."""
        return self._names

    def read(self, progress: Callable[[int], None]) -> None:
        for batch in self.table.batches():
            self.rows += batch.size
            for number, cells in self._quickly(batch):
                self._take(number, cells)
            self._flush()
            progress(self.rows)

    def _quickly(self, batch: Batch) -> Iterable[tuple[int, Cells | Unreadable]]:
        """Stages the rows that need no thought; the others come back."""
        if not self._columns.is_useful:
            return batch.in_order()
        staged, others = self._columns(batch)
        self.stage.pour_rows(staged)
        self.types = self._columns.types | self.types
        if self._topic:
            topic, default = self._topic_number(self._topic), self.mapping.default_at
            self._wish_batch.extend(
                WishRow(row[1], topic, row[4] or row[5] or default, None, 1, f"{self._evidence}{row[0]}}}")
                for row in staged
            )
        return others

    def _take(self, number: int, cells: Cells | Unreadable) -> None:
        if isinstance(cells, Unreadable):
            self.rejects.add(number, column="", value=cells.text, reason=cells.reason)
            return
        found = self.mapping(cells)
        if isinstance(found, Rejected):
            self.rejects.add(number, column=found.column, value=found.value, reason=found.reason)
            return
        self._row_batch.append(
            Row(
                number,
                found.address,
                dump(found.attributes),
                found.locale,
                found.joined,
                found.at,
                suppression_code(found.suppress, found.suppressed_at) if found.suppress else None,
                self._read_slots(found.attributes),
            )
        )
        if not self.types.keys() >= found.attributes.keys():
            self.types = {name: type_of(value) for name, value in found.attributes.items()} | self.types
        self._take_wishes(number, found)

    def _take_wishes(self, number: int, found: Person) -> None:
        if not found.wishes and not self._topic:
            return
        evidence = f"{self._evidence}{number}"
        evidence += f",{dump(found.evidence)[1:]}" if found.evidence else "}"
        for topic, at, frequency, confirmed in found.wishes:
            code = None if frequency is None else frequency_code(at, frequency)
            self._wish_batch.append(
                WishRow(found.address, self._topic_number(topic), at, code, int(confirmed), evidence)
            )
        if self._topic:
            at = found.joined or found.at or found.suppressed_at
            self._wish_batch.append(WishRow(found.address, self._topic_number(self._topic), at, None, 1, evidence))

    def _topic_number(self, name: str) -> int:
        number = self._topics.get(name)
        if number is None:
            key = folded_name(name[: store_topics.MAX_NAME])
            number = self._topics.setdefault(key, len(self._names))
            self._topics[name] = number
            if number == len(self._names):
                self._names.append(name[: store_topics.MAX_NAME])
            if len(self._names) > MAX_TOPICS:
                header = next(
                    (c.header for c in self.mapping.columns if c.target in (Role.TOPIC, Role.TOPICS)), "the topics"
                )
                raise UsageError(
                    f"{self.table.path} names more than {MAX_TOPICS} topics in {header!r}; if that column holds"
                    f" something else, say so with --map '{header}=ignore'. Nothing was imported"
                )
        return number

    def _flush(self) -> None:
        self.stage.add(self._row_batch, self._wish_batch)
        self._row_batch.clear()
        self._wish_batch.clear()


def fold_person(system: str, fold: Fold, read_slots: SlotReader) -> FoldPerson:
    """Folds the rows of one person into what the store holds of them."""

    def folded(held: Held | None, rows: Sequence[Staged]) -> Folded:
        if held and len(rows) == 1 and fold.replaces(held, rows[0]):
            row = rows[0]
            after = Held(row.attributes, row.locale, least(held.joined, row.joined), row.at, system, {})
            return Folded(after, row.slots, row.written)
        accounts = [_account(row, system) for row in rows]
        account = _held_account(held) if held else accounts.pop(0)
        for later in accounts:
            account = fold(account, later)
        attributes = dict(account.values)
        locale = attributes.pop(Role.LANGUAGE, None)
        as_of, source = account.stamp
        after = Held(
            attributes,
            str(locale) if locale is not None else None,
            account.joined,
            as_of,
            source,
            dict(account.exceptions),
        )
        return Folded(after, read_slots(attributes), dump(attributes))

    return folded


def _account(row: Staged, system: str) -> Account:
    return Account(_with_language(row.attributes, row.locale), (row.at, system), {}, row.joined)


def _held_account(held: Held) -> Account:
    return Account(_with_language(held.attributes, held.locale), (held.as_of, held.source), held.dates, held.joined)


def _with_language(attributes: Map[str, Value], locale: str | None) -> Map[str, Value]:
    return {**attributes, Role.LANGUAGE.value: locale} if locale else attributes
