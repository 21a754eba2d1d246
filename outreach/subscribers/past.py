"""What people did with another system's mail: its activity files, folded into the same figures as our own.

    one row an event    address, event, time, campaign (and link): Mailchimp's activity, GovDelivery's, any CSV
    one row a person    address, campaign, and a column for each moment: sent, opened, clicked, bounced
    JSON lines          Mailchimp's `email-activity`: an address and its list of actions

Columns are known by their names (`_NAMES`). Reading the same file again, or a later one that holds the same rows,
changes nothing. Rows that name nobody we know, no time or no event come back in a file with their reasons.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from outreach.addresses import BadAddress, normalise
from outreach.errors import UsageError
from outreach.store import past_events
from outreach.store.database import Store
from outreach.store.past_events import Happened, Past
from outreach.subscribers import values
from outreach.subscribers.reading import Table, open_table
from outreach.subscribers.records import Cells, Unreadable
from outreach.subscribers.rejects import Rejects

BATCH: Final = 2_000
_FUTURE_MS: Final = 86_400_000
"""Clocks differ, and exports name no zone; what lies further ahead is a mistake."""
_NAMES: Final = {
    "address": "email emailaddress recipient recipientemail recipientaddress subscriber subscriberemail address",
    "event": "event action activity eventtype activitytype status type",
    "at": "time timestamp eventtime eventdate activitydate date datetime occurredat createdat",
    "campaign": "campaign campaigntitle campaignname bulletin bulletinsubject bulletinname title subject campaignid "
    "bulletinid messageid",
    "link": "url link clickedurl clickurl linkurl",
    "sent": "sentat senttime sentdate deliveredat delivereddate deliverytime deliveredtime",
    "open": "openedat openat opentime opendate openeddate firstopen firstopened firstopenedat firstopentime",
    "click": "clickedat clickat clicktime clickdate clickeddate firstclick firstclicked firstclickedat firstclicktime",
    "bounce": "bouncedat bounceat bouncetime bouncedate bounceddate failedat faileddate failuredate",
}
_WIDE: Final = ("sent", "open", "click", "bounce")
_WORDS: Final = {
    **dict.fromkeys(("sent", "send", "delivered", "delivery", "received"), Past.SENT),
    **dict.fromkeys(("open", "opens", "opened", "firstopen"), Past.OPEN),
    **dict.fromkeys(("click", "clicks", "clicked"), Past.CLICK),
    **dict.fromkeys(
        ("bounce", "bounces", "bounced", "hardbounce", "softbounce", "failed", "undeliverable"), Past.BOUNCE
    ),
}
_OTHERS: Final = (
    "unsubscribe unsub unsubscribed optout complaint abuse abusereport spam spamreport forward forwarded conversion "
    "subscribe signup ecommerce note deferred dropped processed"
)
"""Events of other systems that are no engagement; their lists come in with `subscribers import`."""


@dataclass(slots=True)
class Result:
    """What an import made of a file; `known` events were there already, `passed_over` ones are none of ours."""

    rows: int = 0
    events: Counter[str] = field(default_factory=Counter)
    known: int = 0
    passed_over: int = 0
    rejected: int = 0
    campaigns: list[str] = field(default_factory=list)
    rejects_file: str | None = None
    reasons: dict[str, int] = field(default_factory=dict)
    refold: bool = False
    """A campaign that was counted already has new receipts: the figures must be computed again."""

    def as_json(self) -> dict[str, Any]:
        words = {kind.word: self.events[kind.word] for kind in Past}
        return {
            "rows": self.rows,
            "new": sum(self.events.values()),
            **words,
            "known": self.known,
            "passed_over": self.passed_over,
            "rejected": self.rejected,
            "campaigns": self.campaigns,
            "rejects_file": self.rejects_file,
        }


@dataclass(frozen=True, slots=True)
class Options:
    """What the file itself does not say."""

    campaign: str = ""
    event: str = ""
    topic_id: int | None = None
    zone: dt.tzinfo = dt.UTC
    columns: tuple[tuple[str, str], ...] = ()
    """(role, column) pairs that override the names."""
    source: str = "imported"


@dataclass(frozen=True, slots=True)
class _Bad:
    column: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Found:
    row: int
    address: str
    happened: Happened


def import_file(store: Store, path: Path, *, options: Options, rejects_folder: Path, now: dt.datetime) -> Result:
    """Add a file's events to what is known. UsageError when it is no table, or its columns cannot be understood."""
    table = open_table(path)
    roles = _roles(table, options)
    reader = _Reader(table, roles, options, now=now)
    rejects = Rejects(rejects_folder / f"{path.stem}-{now:%Y%m%d-%H%M%S}.csv")
    result = Result()
    keep = False
    try:
        rows = table.rows()
        while batch := list(islice(rows, BATCH)):
            found: list[_Found] = []
            for number, cells in batch:
                result.rows += 1
                for each in reader.read(number, cells):
                    if isinstance(each, _Bad):
                        rejects.add(number, column=each.column, value=each.value, reason=each.reason)
                    else:
                        found.append(each)
            _add(store, found, options, result, rejects, now=now)
        keep = True
    finally:
        kept = rejects.close(keep=keep)
    result.passed_over, result.rejected = reader.passed_over, rejects.count
    result.rejects_file, result.reasons = (str(kept) if kept else None), dict(rejects.reasons.most_common())
    return result


def _add(
    store: Store, found: Sequence[_Found], options: Options, result: Result, rejects: Rejects, *, now: dt.datetime
) -> None:
    """One batch: whoever is unknown is rejected, the others' events are written."""
    with store.read() as connection:
        people = past_events.people(connection, {each.address for each in found})
    happened = []
    for each in found:
        person = people.get(each.address)
        if person is None:
            reason = "nobody of this address is known here; import the people first, then this file again"
            rejects.add(each.row, column="address", value=each.address, reason=reason)
        else:
            happened.append((person, each.happened))
    written = past_events.write(store, happened, topic_id=options.topic_id, source=options.source, now=now)
    result.events.update(written.new)
    result.known += written.known
    result.refold |= written.refold
    result.campaigns = sorted({*result.campaigns, *written.campaigns})


def _roles(table: Table, options: Options) -> dict[str, int]:
    """Which column holds what. UsageError names what is missing, and the columns there are."""
    by_name = {_folded(name): index for index, name in reversed(list(enumerate(table.header)))}
    roles = {
        role: by_name[name] for role, names in _NAMES.items() for name in reversed(names.split()) if name in by_name
    }
    for role, column in options.columns:
        if _folded(column) not in by_name:
            raise UsageError(f"{table.path} has no column {column!r}; there are {', '.join(table.header)}")
        roles[role] = by_name[_folded(column)]
    wide = [role for role in _WIDE if role in roles]
    has_list = "event" in roles and any(
        len(row) > roles["event"] and _is_list(row[roles["event"]]) for row in table.sample
    )
    missing = []
    if "address" not in roles:
        missing.append("address")
    if not has_list and not wide and "event" not in roles and not options.event:
        missing.append("event (or --event open)")
    if not has_list and not wide and "at" not in roles:
        missing.append("time")
    if "campaign" not in roles and not options.campaign:
        missing.append("campaign (or --campaign NAME)")
    if missing:
        raise UsageError(
            f"{table.path}: no column for {', '.join(missing)}; there are {', '.join(table.header)}. "
            "Name it with --map, like --map address=E-Mail"
        )
    return roles


class _Reader:
    """From rows to events."""

    def __init__(self, table: Table, roles: dict[str, int], options: Options, *, now: dt.datetime) -> None:
        self._roles, self._options = roles, options
        times = [roles[role] for role in ("at", *_WIDE) if role in roles]
        sample = (row[index] for row in table.sample for index in times if index < len(row))
        self._moment = values.moment(day_first=values.writes_day_first(sample), zone=options.zone)
        self._latest = int(now.timestamp() * 1000) + _FUTURE_MS
        self._event = _kind(options.event) if options.event else None
        self.passed_over = 0

    def read(self, number: int, cells: Cells | Unreadable) -> Iterator[_Found | _Bad]:
        if isinstance(cells, Unreadable):
            yield _Bad("", cells.text, cells.reason)
            return
        try:
            address = normalise(self._cell(cells, "address"))
        except BadAddress as error:
            yield _Bad("address", self._cell(cells, "address"), str(error))
            return
        campaign = self._cell(cells, "campaign") or self._options.campaign
        if not campaign:
            yield _Bad("campaign", "", "no campaign is named")
            return
        for word, at, link in self._events(cells):
            yield from self._one(number, address, campaign, word, at, link)

    def _events(self, cells: Cells) -> Iterable[tuple[str | Past, str, str]]:
        """What a row says happened: event, time and link, as they stand."""
        said, link = self._cell(cells, "event"), self._cell(cells, "link")
        if _is_list(said):
            return _actions(said)
        wide = [(Past[role.upper()], at) for role in _WIDE if (at := self._cell(cells, role))]
        if "event" not in self._roles and wide:
            return [(kind, at, link if kind is Past.CLICK else "") for kind, at in wide]
        if "at" not in self._roles:
            return []  # a person whom nothing happened to
        return [(said if self._event is None else self._event, self._cell(cells, "at"), link)]

    def _one(
        self, number: int, address: str, campaign: str, word: str | Past, at: str, link: str
    ) -> Iterator[_Found | _Bad]:
        kind = word if isinstance(word, Past) else _kind(word)
        if kind is None:
            if _folded(str(word)) in _OTHERS.split():
                self.passed_over += 1
            else:
                yield _Bad("event", str(word), "no event we know; there are sent, open, click and bounce")
            return
        at_ms = self._moment(at.strip())
        if at_ms is None:
            yield _Bad("time", at, "no time we can read; write 2026-03-01T09:30:00+01:00")
        elif at_ms > self._latest:
            yield _Bad("time", at, "this lies in the future")
        else:
            yield _Found(number, address, Happened(kind, campaign, at_ms, link.strip() if kind is Past.CLICK else ""))

    def _cell(self, cells: Cells, role: str) -> str:
        index = self._roles.get(role)
        return cells[index].strip() if index is not None and index < len(cells) else ""


def _kind(word: str) -> Past | None:
    return _WORDS.get(_folded(word))


def _is_list(cell: str) -> bool:
    return cell.startswith("[{")


def _actions(cell: str) -> list[tuple[str | Past, str, str]]:
    """Mailchimp's list of actions, each with its time and link."""
    try:
        found = json.loads(cell)
    except ValueError:
        return [("", cell[:80], "")]
    return [
        (str(each.get("action") or ""), str(each.get("timestamp") or ""), str(each.get("url") or ""))
        for each in found
        if isinstance(each, dict)
    ]


def _folded(text: str) -> str:
    return "".join(each for each in text.lower() if each.isalnum())
