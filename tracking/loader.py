"""From the spools into the store: what binds us first, and each event exactly once.

A pass goes over the spool files twice. First the binding kinds: event, effect and position in one
transaction of the main database. Then opens and clicks: events and position in one transaction of
the events database. Positions are read again under a lock, so two loaders take turns, and an event
is known by (spool, sequence), so a batch that a failed file kept after all is not counted twice.

A file that SQLite calls damaged is read as far as it goes, set aside as `.damaged` and reported.
A file that is loaded and KEEP_HOURS old is deleted; a service never writes to one older than a day.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from outreach.errors import OutreachError
from outreach.events import Event, Kind
from outreach.store import events as store_events
from outreach.store.database import Store
from outreach.store.events import Verdict
from outreach.store.held import too_many
from tracking import choices, rules
from tracking.copying import Copier
from tracking.neighbours import NEAR_MS, Neighbours
from tracking.spool import SUFFIX

BATCH = 5000
KEEP_HOURS = 72
INTERVAL_SECONDS = 0.2
CHOICES_SECONDS = 1.0
MAX_PAUSE_SECONDS = 5.0
QUIET_SECONDS = 60.0
"""A file unchanged for this long is looked at this seldom; a sync that takes longer is no sync."""
DAMAGED = ".damaged"
_ENDINGS = ("", "-wal", "-shm")
_BINDING = "kind > 2 AND kind <> 10 AND sequence > ?"
"""Within the spool's partial index; `Kind.binding` says the same."""
_PLENTIFUL = "(kind <= 2 OR kind = 10) AND sequence > ?"
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Loaded:
    """What one pass did."""

    binding: int = 0
    events: int = 0
    deleted: int = 0
    damaged: list[Path] = field(default_factory=list)
    """Where damaged files are now; what could be read of them has been loaded."""


class Damaged(Exception):
    """A spool file holds what no service wrote. `readable` came before that."""

    def __init__(self, readable: list[Event]) -> None:
        self.readable = readable
        super().__init__("damaged")


Take = Callable[[str, list[Event]], int]
"""Stores a file's events and moves its position, all or nothing; says how many were new."""


class Loader:
    """Loads the spools of one folder. `now` gives seconds since 1970."""

    def __init__(self, store: Store, spool_dir: Path, *, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._folder = spool_dir
        self._now = now
        self._binding_read: dict[str, int] = {}
        self._plentiful_read: dict[str, int] = {}
        self._looked: dict[Path, float] = {}
        self._neighbours = Neighbours(spool_dir)
        self._last = False

    def run_once(self, *, last: bool = False) -> Loaded:
        """One pass over every file. Raises TryAgain while the store cannot be reached; nothing is lost by that.

        `last`: nobody comes after us, so unsubscribes do not wait a second for their neighbours.
        """
        self._last = last
        loaded = Loaded()
        files = [path for path in sorted(self._folder.glob(f"*{SUFFIX}"), key=_order) if self._is_due(path)]
        self._remember_positions(files)
        waiting: set[Path] = set()
        damaged: set[Path] = set()
        for path in files:
            loaded.binding += self._load(path, _BINDING, self._binding_read, self._bind, waiting, damaged)
        for path in files:
            loaded.events += self._load(path, _PLENTIFUL, self._plentiful_read, self._append, waiting, damaged)
        loaded.damaged = [self._set_aside(path) for path in sorted(damaged)]
        for path in set(files) - waiting - damaged:
            self._looked[path] = self._now()
            if self._is_old(path):
                self._forget(path)
                loaded.deleted += 1
        return loaded

    def _load(
        self, path: Path, which: str, read: dict[str, int], take: Take, waiting: set[Path], damaged: set[Path]
    ) -> int:
        """Everything of one sort from one file, in batches; `waiting` gets the file if it could not be finished."""
        count = 0
        if any(_spool_id(other) == _spool_id(path) for other in waiting):
            waiting.add(path)  # a spool's events are loaded in the order of their sequence
            return 0
        try:
            with _opened(path) as spool:
                while events := self._ripe(self._read(spool, path, which, read.get(path.stem, 0))):
                    count += take(path.stem, events)
                    read[path.stem] = events[-1].sequence
        except Damaged as damage:
            if damage.readable:
                count += take(path.stem, damage.readable)
            damaged.add(path)
        except sqlite3.DatabaseError as error:
            # Busy, or being made at this moment: the next pass will read it.
            _log.debug("%s cannot be read now: %s", path.name, error)
            waiting.add(path)
        return count

    def _ripe(self, events: list[Event]) -> list[Event]:
        """The events before one whose neighbours may still be on their way; it takes a second."""
        latest = int(self._now() * 1000) - NEAR_MS
        if self._last:
            return events
        for number, event in enumerate(events):
            if event.kind is Kind.UNSUBSCRIBE and event.at_ms > latest and self._neighbours.clicks(event):
                return events[:number]
        return events

    def _read(self, spool: sqlite3.Connection, path: Path, which: str, after: int) -> list[Event]:
        """The next events of a file, in order. Raises Damaged."""
        events: list[Event] = []
        latest = int(self._now() * 1000)
        query = f"SELECT * FROM hit WHERE {which} ORDER BY sequence LIMIT {BATCH}"  # noqa: S608 - our own constants
        try:
            for row in spool.execute(query, (after,)):
                events.append(_event(path, row, latest=latest))  # noqa: PERF401 - what precedes the damage stays
        except ValueError:
            raise Damaged(events) from None
        except sqlite3.DatabaseError as error:
            # The module's own complaints, such as text that is no UTF-8, have no code of SQLite's.
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _DAMAGE:
                raise Damaged(events) from None
            raise
        return events

    def _bind(self, file: str, events: list[Event]) -> int:
        held = {event.sequence for event in events if event.kind is Kind.UNSUBSCRIBE and self._neighbours.burst(event)}
        with self._store.write() as connection:
            position = store_events.feedback_position(connection, file=file)
            new = [event for event in events if event.sequence > position]
            now = dt.datetime.fromtimestamp(self._now(), dt.UTC)
            count = 0
            for event in new:
                hold = event.sequence in held or too_many(connection, event, now=now)
                count += store_events.bind(connection, event, hold=hold)
            if new:
                store_events.move_feedback_position(connection, file=file, sequence=new[-1].sequence)
        return count

    def _append(self, file: str, events: list[Event]) -> int:
        with self._store.write_events() as connection:
            position = store_events.event_position(connection, file=file)
            new = [event for event in events if event.sequence > position]
            store_events.append(connection, [_row(event) for event in new])
            if new:
                store_events.move_event_position(connection, file=file, sequence=new[-1].sequence)
        return len(new)

    def _remember_positions(self, files: list[Path]) -> None:
        """Where to begin in files not seen before, so that a restart does not read everything again."""
        if all(path.stem in self._binding_read for path in files):
            return
        with self._store.read() as connection:
            binding = store_events.feedback_positions(connection)
        with self._store.read_events() as connection:
            plentiful = store_events.event_positions(connection)
        for path in files:
            self._binding_read.setdefault(path.stem, binding.get(path.stem, 0))
            self._plentiful_read.setdefault(path.stem, plentiful.get(path.stem, 0))

    def _is_due(self, path: Path) -> bool:
        now = self._now()
        return now - _changed(path) < QUIET_SECONDS or now - self._looked.get(path, 0.0) >= QUIET_SECONDS

    def _is_old(self, path: Path) -> bool:
        return self._now() - _changed(path) > KEEP_HOURS * 3600

    def _set_aside(self, path: Path) -> Path:
        target = path.with_name(path.name + DAMAGED)
        for ending in _ENDINGS:
            with contextlib.suppress(FileNotFoundError):
                Path(f"{path}{ending}").rename(f"{target}{ending}")
        _log.error("the spool %s is damaged; what could be read is loaded, the file is kept as %s", path, target.name)
        return target

    def _forget(self, path: Path) -> None:
        for ending in _ENDINGS:
            Path(f"{path}{ending}").unlink(missing_ok=True)
        self._looked.pop(path, None)
        self._binding_read.pop(path.stem, None)
        self._plentiful_read.pop(path.stem, None)


def _row(event: Event) -> tuple[Event, Verdict, int, int]:
    """An open or click with what it shows by itself; the rest is judged when its neighbours are known."""
    opinion = rules.at_once(
        rules.Fact(
            event.kind,
            event.at_ms,
            event.subscriber_id,
            event.link,
            event.agent_class,
            event.network_class,
            event.prefix_hash,
            event.flags,
        )
    )
    return (event, *opinion, rules.VERSION) if opinion else (event, Verdict.UNJUDGED, 0, 0)


def run(
    store: Store,
    spool_dir: Path,
    *,
    stopped: Callable[[], bool],
    links_dir: Path | None = None,
    archive: bool = False,
) -> None:
    """Load every INTERVAL_SECONDS until stopped, and once more then. A store that is away is waited for.

    With `links_dir`, what the service is to know is published there: people's tracking choices, and copies of
    messages for browsers, which with `archive` are public.
    """
    loader = Loader(store, spool_dir)
    pause = INTERVAL_SECONDS
    last = False
    published = float("-inf")
    copier = Copier(store, links_dir, archive=archive) if links_dir is not None else None
    while not last:
        last = stopped()
        try:
            loader.run_once(last=last)
            if links_dir is not None and copier is not None and time.monotonic() - published > CHOICES_SECONDS:
                with store.read() as connection:
                    choices.publish(links_dir, store_events.tracking_choices(connection))
                copier.run_once()
                published = time.monotonic()
            pause = INTERVAL_SECONDS
        except (OutreachError, SQLAlchemyError, OSError) as error:
            pause = min(MAX_PAUSE_SECONDS, pause * 2)
            _log.warning("events wait in the spool: %s", str(error).partition("\n")[0])
        if not last:
            time.sleep(pause)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    # rw, not ro: a reader of a WAL database that nobody else has open must be able to recover it.
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=2.0, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def _event(path: Path, row: tuple[object, ...], *, latest: int) -> Event:
    """One row of a spool. Raises ValueError for what no service wrote. No event is later than its loading."""
    *numbers, prefix_hash, flags, detail = row
    whole = [number for number in (*numbers, flags) if isinstance(number, int)]
    if len(whole) != 9 or not isinstance(prefix_hash, bytes) or not isinstance(detail, str):
        raise ValueError("a column has another type")
    sequence, kind, at_ms, campaign_id, subscriber_id, link, agent, network, flag_bits = whole
    return Event(
        spool=_spool_id(path),
        sequence=sequence,
        kind=Kind(kind),
        at_ms=min(at_ms, latest),
        campaign_id=campaign_id,
        subscriber_id=subscriber_id,
        link=link,
        agent_class=agent,
        network_class=network,
        prefix_hash=prefix_hash,
        flags=flag_bits,
        detail=detail,
    )


def _spool_id(path: Path) -> str:
    """A process's spool may be several files: `ID.spool`, then `ID.1.spool` and so on."""
    return path.stem.partition(".")[0]


def _order(path: Path) -> tuple[str, int]:
    number = path.stem.partition(".")[2]
    return _spool_id(path), int(number) if number.isdigit() else 0


def _changed(path: Path) -> float:
    """When the file was last written to, in seconds since 1970; 0 if another loader took it away."""
    moments = []
    for ending in _ENDINGS[:2]:
        with contextlib.suppress(FileNotFoundError):
            moments.append(Path(f"{path}{ending}").stat().st_mtime)
    return max(moments, default=0.0)
