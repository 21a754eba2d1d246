"""Another system's mail as campaigns of ours that ended long ago: who got them, and who opened and clicked.

Opens and clicks go to the same table as our own, under one spool name, judged as people's (the other system had its
own ways with machines); receipts and bounces become deliveries. So the roll-up, rules and reports need no second way.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from sqlalchemy import Connection, and_, func, select, update

from outreach.addresses import slug
from outreach.events import Event, Kind
from outreach.store import campaigns, events
from outreach.store.bulk import given
from outreach.store.campaigns import Status
from outreach.store.checkpoints import insert, lock, positions
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.dialects import from_ms, to_ms
from outreach.store.events import Verdict
from outreach.store.receipts import RECEIVED
from outreach.store.tables import campaign, delivery, event, subscriber, topic

SPOOL: Final = "imported"
_BLOCK: Final = 500
_LINKS: Final = 32_000


class Past(IntEnum):
    """What happened in the other system."""

    SENT = 1
    OPEN = 2
    CLICK = 3
    BOUNCE = 4

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of one person. `campaign` is the other system's name for it."""

    kind: Past
    campaign: str
    at_ms: int
    link: str = ""


@dataclass(slots=True)
class Written:
    """What of a batch was new."""

    new: Counter[str] = field(default_factory=Counter)
    known: int = 0
    campaigns: set[str] = field(default_factory=set)
    refold: bool = False


@dataclass(frozen=True, slots=True)
class _Campaign:
    id: int
    name: str
    links: Mapping[str, int]


def people(connection: Connection, addresses: Collection[str]) -> dict[str, int]:
    """The subscribers of these addresses."""
    ordered, found = sorted(addresses), {}
    for start in range(0, len(ordered), _BLOCK):
        block = ordered[start : start + _BLOCK]
        rows = connection.execute(select(subscriber.c.address, subscriber.c.id).where(subscriber.c.address.in_(block)))
        found.update({address: number for address, number in rows})  # noqa: C416 - a result has keys()
    return found


def write(
    store: Store, happened: Sequence[tuple[int, Happened]], *, topic_id: int | None, source: str, now: dt.datetime
) -> Written:
    """Add these people's events. Safe to repeat and to kill: what is there already is known, and changes nothing."""
    written = Written()
    if not happened:
        return written
    with store.write() as connection:
        lock(connection, SPOOL)
        known = {
            name: _campaign(connection, name, group, topic_id=topic_id, source=source, now=now)
            for name, group in _by_campaign(happened).items()
        }
        _deliver(connection, happened, known, written)
        for each in known.values():
            _seal(connection, each.id)
    _append(store, happened, known, written)
    written.campaigns = {each.name for each in known.values()}
    return written


def _by_campaign(happened: Iterable[tuple[int, Happened]]) -> dict[str, list[Happened]]:
    found: dict[str, list[Happened]] = {}
    for _, each in happened:
        found.setdefault(each.campaign, []).append(each)
    return found


def _campaign(
    connection: Connection,
    name: str,
    group: Sequence[Happened],
    *,
    topic_id: int | None,
    source: str,
    now: dt.datetime,
) -> _Campaign:
    """The finished campaign that stands for the other system's, made when it is first heard of."""
    file = campaigns.IMPORTED + hashlib.sha256(name.encode()).hexdigest()[:20]
    found = next(campaigns.of_file(connection, file), None)
    first, last = from_ms(min(each.at_ms for each in group)), from_ms(max(each.at_ms for each in group))
    links = list(found.plan["links"]) if found else []
    links += sorted({each.link for each in group if each.link} - set(links))
    del links[_LINKS:]
    places = {link: number for number, link in enumerate(links)}
    if found is not None:
        started, ended = min(found.started_at or first, first), max(found.finished_at or last, last)
        plan = {**found.plan, "links": links}
        values = {"plan": plan, "started_at": started, "finished_at": ended}
        connection.execute(update(campaign).where(campaign.c.id == found.id).values(**values))
        return _Campaign(found.id, found.name, places)
    about = connection.execute(select(topic).where(topic.c.id == topic_id)).one_or_none() if topic_id else None
    ours = campaigns.next_name(connection, f"imported-{slug(name, otherwise='campaign')}"[:100])
    plan = {"campaign": ours, "subject": name[:500], "links": links, "messages": {}, "imported": source}
    plan["topic"] = about.name if about else ""
    number = campaigns.add(
        connection,
        name=ours,
        file=file,
        topic_id=topic_id,
        department_id=about.department_id if about else None,
        message_class=about.message_class if about else "regular",
        rule="",
        plan=plan,
        plan_hash="",
        frozen=0,
        planned_at=now,
        started_at=first,
        finished_at=last,
    )
    campaigns.set_status(connection, number, Status.FINISHED, only_from=(Status.PLANNED,))
    return _Campaign(number, ours, places)


def _deliver(
    connection: Connection,
    happened: Sequence[tuple[int, Happened]],
    known: Mapping[str, _Campaign],
    written: Written,
) -> None:
    """Receipts and bounces as deliveries; whoever bounced did not get it, whatever else is said."""
    wanted: dict[tuple[int, int], Happened] = {}
    for person, each in happened:
        if each.kind in (Past.SENT, Past.BOUNCE):
            key = (known[each.campaign].id, person)
            if key not in wanted or each.kind is Past.BOUNCE:
                written.known += key in wanted
                wanted[key] = each
            else:
                written.known += 1
    if not wanted:
        return
    asked = given(connection, ("campaign", "person"), list(wanted))
    rows = connection.execute(
        select(delivery.c.campaign_id, delivery.c.subscriber_id, delivery.c.state).join(
            asked, and_(asked.c.campaign == delivery.c.campaign_id, asked.c.person == delivery.c.subscriber_id)
        )
    )
    states = {(number, person): State(state) for number, person, state in rows}
    new = []
    for key, each in wanted.items():
        state = State.BOUNCED if each.kind is Past.BOUNCE else State.ACCEPTED
        if states.get(key) in (state, State.BOUNCED):
            written.known += 1
            continue
        new.append(_delivery(key, state, each))
        written.new[each.kind.word] += 1
    if new:
        statement = insert(connection, delivery)
        excluded = statement.excluded
        changed = {"state": excluded["state"], "at": excluded["at"], "reason": excluded["reason"]}
        keys = ["campaign_id", "subscriber_id"]
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), new)
        counted = positions(connection, RECEIVED)
        written.refold |= any(str(each["campaign_id"]) in counted for each in new)


def _delivery(key: tuple[int, int], state: State, each: Happened) -> dict[str, Any]:
    return {
        "campaign_id": key[0],
        "subscriber_id": key[1],
        "state": state.value,
        "language": None,
        "attempts": 1,
        "at": from_ms(each.at_ms),
        "reason": "imported" if state is State.ACCEPTED else "imported: the other system says that it bounced",
    }


def _seal(connection: Connection, campaign_id: int) -> None:
    """As many are frozen as there are deliveries: an imported campaign balances like any other."""
    mine = select(func.count()).select_from(delivery).where(delivery.c.campaign_id == campaign_id).scalar_subquery()
    connection.execute(update(campaign).where(campaign.c.id == campaign_id).values(frozen=mine))


def _append(
    store: Store, happened: Sequence[tuple[int, Happened]], known: Mapping[str, _Campaign], written: Written
) -> None:
    """Opens and clicks, each once: numbered on from the last one, in one transaction with that number."""
    wanted = {}
    for person, each in happened:
        if each.kind in (Past.OPEN, Past.CLICK):
            place = known[each.campaign]
            kind = Kind.OPEN if each.kind is Past.OPEN else Kind.CLICK
            key = (int(kind), place.id, person, place.links.get(each.link, 0), each.at_ms)
            written.known += key in wanted
            wanted[key] = each
    if not wanted:
        return
    with store.write_events() as connection:
        number = events.event_position(connection, file=SPOOL)
        there = _there(connection, {(key[1], key[2]) for key in wanted})
        rows = []
        for key, each in wanted.items():
            if key in there:
                written.known += 1
                continue
            number += 1
            number_of, campaign_id, person, link, at_ms = key
            one = Event(SPOOL, number, Kind(number_of), at_ms, campaign_id, person, link)
            rows.append((one, Verdict.PERSON, 0, 0))
            written.new[each.kind.word] += 1
        if rows:
            events.append(connection, rows)
        events.move_event_position(connection, file=SPOOL, sequence=number)


def _there(connection: Connection, pairs: Collection[tuple[int, int]]) -> set[tuple[int, int, int, int, int]]:
    asked = given(connection, ("campaign", "person"), sorted(pairs))
    rows = connection.execute(
        select(event.c.kind, event.c.campaign_id, event.c.subscriber_id, event.c.link, event.c.at)
        .join(asked, and_(asked.c.campaign == event.c.campaign_id, asked.c.person == event.c.subscriber_id))
        .where(event.c.spool == SPOOL)
    )
    return {(kind, number, person, link, to_ms(at)) for kind, number, person, link, at in rows}
