"""The engagement roll-up: what each person did, kept so that a rule never has to read raw events.

People's events only. Everything here is a count of different things, or a latest moment, so it does not matter in
which order events arrive or how often a fold is cut short:

* `opens` is the number of campaigns a person opened, `clicks` the number of links they followed. Opening one campaign
  five times is one open. Answering a message's question is following one link of it, however often.
* `engagement_day` counts the same for one day: a campaign opened on Monday and read again on Thursday is on both days.
* `received` counts finished campaigns whose message was accepted; `unopened` those accepted after the last open.

Exactly once: how far a fold has read (`checkpoint` rows `engagement:<spool>` and `received:<campaign>`) moves in the
same transaction as the figures. `fold` is for cron, often; `rebuild` starts over and must find the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    func,
    or_,
    select,
    type_coerce,
    update,
)

from outreach.events import Flag, Kind
from outreach.store.bulk import given
from outreach.store.checkpoints import forget, generation, locked_generation, move, next_generation, positions
from outreach.store.database import Store
from outreach.store.dialects import to_ms
from outreach.store.events import Verdict
from outreach.store.receipts import RECEIVED, finished, fold_campaigns, fold_slice, scopes_of
from outreach.store.rolling import Days, Touch, Touched, add
from outreach.store.tables import engagement, engagement_day, event, event_position, profile
from outreach.store.verdicts import first_unjudged

_EVENTS_A_BATCH = 5_000
_SPOOL = "engagement:"
_KINDS = [Kind.OPEN.value, Kind.CLICK.value, Kind.ANSWER.value]
_QUESTION = -1
"""The link that an answer counts as."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What one run added: people's events read, and campaigns whose receipt was counted."""

    events: int
    campaigns: int


@dataclass(frozen=True, slots=True)
class _Batch:
    generation: int
    touches: list[Touched]
    earlier: list[Touched]
    """What the same people did with the same campaigns, and was folded before."""
    reached: dict[str, int]


def by_a_person() -> ColumnElement[bool]:
    """Whether a row of `event` counts as a person's: it was judged so, or not judged yet and no HEAD request."""
    unjudged = and_(event.c.verdict == Verdict.UNJUDGED.value, event.c.flags.bitwise_and(int(Flag.HEAD)) == 0)
    return or_(event.c.verdict == Verdict.PERSON.value, unjudged)


def fold(store: Store, *, zone: ZoneInfo, batch: int = _EVENTS_A_BATCH, judged_only: bool = False) -> Folded:
    """Add every event and every finished campaign that is new since the last fold.

    Days are those of `zone`, the organisation's. Safe to kill, to repeat, and to run twice at once.
    `judged_only` waits for verdicts: it stops before the first hit of each spool that has none yet.
    """
    events, days = 0, Days(zone)
    while True:
        with store.read() as main, store.read_events() as raw:
            found = _read(main, raw, batch, judged_only=judged_only)
        if found is None:
            break
        with store.write() as connection:
            if locked_generation(connection) == found.generation:  # else another folder was here: read again
                _write(connection, found, days)
                events += len(found.touches)
    return Folded(events, fold_campaigns(store))


def rebuild(store: Store, *, zone: ZoneInfo) -> Folded:
    """Count everything again from the raw events, in one transaction: rules see the old figures until it is done."""
    events, campaigns, days = 0, 0, Days(zone)
    with store.write() as connection, store.read_events() as raw:
        next_generation(connection, locked_generation(connection))
        _forget(connection)
        while found := _read(connection, raw, _EVENTS_A_BATCH):
            _write(connection, found, days)
            events += len(found.touches)
        for campaign_id in finished(connection):
            campaigns += 1
            while fold_slice(connection, campaign_id):
                pass
    return Folded(events, campaigns)


def _read(main: Connection, raw: Connection, limit: int, *, judged_only: bool = False) -> _Batch | None:
    """The next events not folded yet, or None when there are none."""
    number = generation(main)  # first: what another folder writes after this makes our batch void, never wrong
    folded = positions(main, _SPOOL)
    touches: list[Touched] = []
    reached: dict[str, int] = {}
    unjudged = first_unjudged(raw) if judged_only else {}
    for spool, loaded in sorted(_loaded(raw).items()):
        if spool in unjudged:
            loaded = min(loaded, unjudged[spool] - 1)
        room = limit - len(touches)
        done = folded.get(spool, 0)
        if loaded <= done or room <= 0:
            continue
        rows = raw.execute(
            _people(raw)
            .where(event.c.spool == spool, event.c.sequence > done, event.c.sequence <= loaded)
            .order_by(event.c.sequence)
            .limit(room)
        ).all()
        touches += _touched(row[2:] for row in rows)
        reached[spool] = rows[-1].sequence if len(rows) == room else loaded
    if not reached:
        return None
    return _Batch(number, touches, _earlier(raw, touches, folded), reached)


def _loaded(raw: Connection) -> dict[str, int]:
    """How far each spool is in the events database.

    Positions are kept for each file of a spool: `ID`, then `ID.1` and so on, which the loader reads in that order.
    """
    loaded: dict[str, int] = {}
    for file, sequence in raw.execute(select(event_position.c.spool, event_position.c.sequence)):
        spool = file.partition(".")[0]
        loaded[spool] = max(sequence, loaded.get(spool, 0))
    return loaded


def _earlier(raw: Connection, touches: list[Touched], folded: Mapping[str, int]) -> list[Touched]:
    """What the same people did with the same campaigns, of what is folded already."""
    if not touches or not folded:
        return []
    pairs = sorted({(touch.campaign_id, touch.subscriber_id) for touch, _ in touches})
    asked = given(raw, ("campaign", "person"), pairs)
    rows = raw.execute(
        _people(raw).join(asked, and_(event.c.campaign_id == asked.c.campaign, event.c.subscriber_id == asked.c.person))
    )
    return _touched(row[2:] for row in rows if row[1] <= folded.get(row[0], 0))


def days_of(connection: Connection, person: int) -> ColumnElement[bool]:
    """The rows of `engagement_day` that are this person's, found by key: a look-up for each day there is.

    An index by person would be as large as the table. With 20,000,000 rows this takes 10 ms, reading them all 1.5 s.
    """
    kind, day = engagement_day.c.kind, engagement_day.c.day
    of_all = [value.value for value in (Kind.OPEN, Kind.CLICK)]
    ends = [connection.execute(select(func.min(day), func.max(day)).where(kind == one)).one() for one in of_all]
    known = [number for end in ends for number in end if number is not None]
    days = range(min(known), max(known) + 1) if known else range(0)
    return and_(kind.in_(of_all), day.in_(days), engagement_day.c.subscriber_id == person)


def folded_by(main: Connection, raw: Connection, people: Collection[int]) -> list[Touched]:
    """Everything these people did that is folded already. Reads every event once: for a nightly check."""
    folded = positions(main, _SPOOL)
    asked = given(raw, ("person",), [(one,) for one in people])
    rows = raw.execute(_people(raw).where(event.c.subscriber_id.in_(select(asked.c.person))))
    return _touched(row[2:] for row in rows if row[1] <= folded.get(row[0], 0))


def _people(raw: Connection) -> Select[Any]:
    at: ColumnElement[Any] = event.c.at
    if raw.dialect.name == "sqlite":
        at = type_coerce(at, BigInteger)  # milliseconds, as they are
    return select(
        event.c.spool, event.c.sequence, event.c.kind, event.c.campaign_id, event.c.subscriber_id, event.c.link, at
    ).where(event.c.kind.in_(_KINDS), by_a_person())


def _touched(rows: Iterable[Sequence[Any]]) -> list[Touched]:
    """From kind, campaign, subscriber, link and moment. Opens have no link."""
    return [
        (_touch(kind, campaign_id, person, link), at if type(at) is int else to_ms(at))
        for kind, campaign_id, person, link, at in rows
    ]


def _touch(kind: int, campaign_id: int, person: int, link: int) -> Touch:
    if kind == Kind.ANSWER:
        return Touch(Kind.CLICK.value, campaign_id, person, _QUESTION)
    return Touch(kind, campaign_id, person, link if kind == Kind.CLICK else 0)


def _write(connection: Connection, batch: _Batch, days: Days) -> None:
    scopes = scopes_of(connection, {touch.campaign_id for touch, _ in batch.touches})
    add(connection, batch.touches, earlier=batch.earlier, scopes=scopes, days=days)
    for spool, sequence in batch.reached.items():
        move(connection, _SPOOL + spool, sequence)
    next_generation(connection, batch.generation)


def _forget(connection: Connection) -> None:
    connection.execute(delete(engagement_day))
    connection.execute(delete(engagement))
    nothing = dict.fromkeys(("received", "opens", "clicks", "unopened"), 0)
    never = dict.fromkeys(("last_sent_at", "last_open_at", "last_click_at"))
    connection.execute(update(profile).values({**nothing, **never}))
    forget(connection, _SPOOL, RECEIVED)
