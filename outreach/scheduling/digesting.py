"""Digests: what a person asked to hear daily or weekly, as one message at their hour and in their language.

`digests.at` is the hour, by the clock of each person's own time zone, unless they chose an hour of their own; weekly
ones come on `digests.weekday`. Whoever is due for both gets one. A digest is a campaign like any other: one delivery
for each person, sent by the same pipeline. Its message is compiled once; each item stands between conditions, and a
person's flags choose theirs.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection

from outreach.campaigns.approval import quoted_drift
from outreach.campaigns.schedule import resolve
from outreach.campaigns.terms import plan_hash
from outreach.errors import ConfigurationError
from outreach.scheduling.batches import Messages, batches, compile_batch, compiled
from outreach.segmentation.catalogue import load_catalogue
from outreach.settings import CHOICES, Settings
from outreach.store import campaigns, checkpoints, deliveries, digests
from outreach.store.campaigns import Status
from outreach.store.consent import Frequency
from outreach.store.database import Store
from outreach.store.dialects import to_ms
from outreach.store.digests import Due, Item, Readers

_NAME = "digest"
_FILE = "/digest"
"""Not the stem of any campaign file, so that no plan of a person's `digest.md` is taken for one of these."""
_DONE = "digest:"
_LEFT_OUT = "left out:"
_HOUR = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def hour(settings: Settings) -> tuple[int, int] | None:
    """The hour and minute of digests; None: there are none. ConfigurationError for what is no time of day."""
    text = settings.text("digests.at").strip()
    if not text:
        return None
    match = _HOUR.fullmatch(text)
    if match is None:
        raise ConfigurationError(f'digests.at is {text!r}; write it like "08:00", or "" for no digests')
    return int(match[1]), int(match[2])


def slots(zone: ZoneInfo, at: tuple[int, int], weekday: int, *, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """The latest daily and the latest weekly moment in a zone, neither later than now."""
    today = now.astimezone(zone).date()
    clock = dt.time(*at)
    daily = weekly = None
    for back in range(9):
        day = today - dt.timedelta(days=back)
        moment = resolve(dt.datetime.combine(day, clock), zone)
        if moment > now:
            continue
        daily = daily or moment
        if day.weekday() == weekday and weekly is None:
            weekly = moment
    assert daily is not None
    assert weekly is not None
    return daily, weekly


def gather(store: Store, settings: Settings, *, now: dt.datetime, troubles: list[str] | None = None) -> list[str]:
    """Make the digests that are due; returns their campaigns' names, approved and ready to be sent.

    An item that cannot be shown is left out and goes on waiting; `troubles` gets one sentence for each that is new.
    """
    at = hour(settings)
    if at is None:
        return []
    with store.read() as connection:
        due = _due(connection, settings, at, now=now)
        if not due:
            return []
        waiting = digests.due_items(connection, due)
        wanted, _ = _allowed(connection, waiting)
        known = digests.items(connection, {each for items in wanted.values() for each in items})
        locales = digests.locales(connection, wanted)
        fields = frozenset(load_catalogue(connection, segments={}).fields)
        faults = _altered(connection, known)
    shown = {who: left for who, mine in wanted.items() if (left := [each for each in mine if each not in faults])}
    make = partial(compile_batch, settings=settings, locales=locales, fields=fields)
    made = [each for batch in batches(shown, known) for each in compiled(batch, make, faults)]
    with store.write() as connection:
        checkpoints.lock(connection, f"{_DONE}lock")
        still = digests.due_items(connection, due)
        allowed, dropped = _allowed(connection, still)
        digests.drop(connection, dropped)
        names = []
        for batch, messages in made:
            people = {
                person: [each for each in allowed[person] if each in batch.items]
                for person in batch.people
                if any(each in batch.items for each in allowed.get(person, ()))
            }
            if people:
                names.append(_freeze(connection, settings, people, messages, locales, now=now))
        for each in due:
            if each.frequency is not Frequency.AT_ONCE:
                checkpoints.move(connection, _done(each), to_ms(each.until))
        told = _told(connection, faults, known, wanted, now=now)
    if troubles is not None:
        troubles.extend(told)
    return names


def _altered(connection: Connection, known: Mapping[int, Item]) -> dict[int, str]:
    """The items of campaigns that are not what was approved."""
    found = {}
    for item in known.values():
        if item.campaign_id is not None:
            drift = list(quoted_drift(connection, campaigns.get(connection, item.campaign_id), item.content))
            if drift:
                found[item.id] = f"not what was approved: {', '.join(drift)}"
    return found


def _told(
    connection: Connection,
    faults: Mapping[int, str],
    known: Mapping[int, Item],
    wanted: Mapping[int, list[int]],
    *,
    now: dt.datetime,
) -> list[str]:
    """What is said of items that cannot be shown: once of each."""
    before = checkpoints.positions(connection, _LEFT_OUT)
    found = []
    for each in sorted(set(faults) - {int(item_id) for item_id in before}):
        checkpoints.move(connection, f"{_LEFT_OUT}{each}", to_ms(now))
        campaign_id, what, give_up = known[each].campaign_id, f"an entry of a feed about {known[each].topic}", ""
        if campaign_id is not None:
            campaign = campaigns.get(connection, campaign_id)
            what, again = campaign.name, campaign.plan.get("schedule", {}).get("rule")
            ends = f" (which ends {campaign.file} if it is the last one, until it is planned and approved again)"
            give_up = f", or take it out with: outreach campaigns stop {what}{ends if again else ''}"
        people = sum(each in mine for mine in wanted.values())
        found.append(
            f"digests: {what} is left out, and all else goes out: {faults[each]}. {people:,} people wait for it; they "
            f"get it once that is mended. Mend it{give_up}"
        )
    return found


def coming(store: Store, settings: Settings, *, now: dt.datetime) -> list[tuple[dt.datetime, str]]:
    """When what waits now is gathered, and for how many people."""
    at = hour(settings)
    if at is None:
        return []
    with store.read() as connection:
        waiting = digests.waiting(connection)
    found: dict[tuple[dt.datetime, str], int] = {}
    for (frequency, readers), people in waiting.items():
        zone, clock = _zone(readers.zone, settings), dt.time(*_hour(readers, at))
        today = now.astimezone(zone).date()
        days = (today + dt.timedelta(days=later) for later in range(9))
        moments = (
            resolve(dt.datetime.combine(day, clock), zone)
            for day in days
            if frequency is Frequency.DAILY or day.weekday() == _weekday(settings)
        )
        key = (next(each for each in moments if each > now), f"{frequency.name.lower()} digests in {zone.key}")
        found[key] = found.get(key, 0) + people
    return sorted((moment, f"{what}: {people:,} people wait") for (moment, what), people in found.items())


def _due(connection: Connection, settings: Settings, at: tuple[int, int], *, now: dt.datetime) -> list[Due]:
    """What has not been gathered yet up to its latest moment."""
    done = checkpoints.positions(connection, _DONE)
    weekday = _weekday(settings)
    found: list[Due] = []
    everybody = digests.readers(connection)
    for readers in everybody:
        daily, weekly = slots(_zone(readers.zone, settings), _hour(readers, at), weekday, now=now)
        found.append(Due(Frequency.DAILY, readers, daily))
        found.append(Due(Frequency.WEEKLY, readers, weekly))
    found = [each for each in found if done.get(_done(each).removeprefix(_DONE), -1) < to_ms(each.until)]
    if digests.wanted_at_once(connection):
        found.extend(Due(Frequency.AT_ONCE, readers, now) for readers in everybody)
    return found


def _weekday(settings: Settings) -> int:
    return CHOICES["digests.weekday"].index(settings.text("digests.weekday"))


def _done(due: Due) -> str:
    own = f" {due.readers.hour}" if due.readers.hour >= 0 else ""
    return f"{_DONE}{due.frequency.value} {due.readers.zone or '-'}{own}"


def _hour(readers: Readers, at: tuple[int, int]) -> tuple[int, int]:
    return (readers.hour, 0) if readers.hour >= 0 else at


def _zone(name: str, settings: Settings) -> ZoneInfo:
    try:
        return ZoneInfo(name) if name else settings.zone
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return settings.zone  # an old system's word for a zone; better the organisation's hour than no digest


def _allowed(
    connection: Connection, waiting: Mapping[int, list[int]]
) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Each person's items they may still get, and those they have left since."""
    about = digests.topic_ids(connection, {each for items in waiting.values() for each in items})
    entitled = digests.entitled(connection, waiting)
    allowed: dict[int, list[int]] = {}
    dropped: dict[int, list[int]] = {}
    for person, items in waiting.items():
        for each in sorted(items):
            target = allowed if about[each] in entitled.get(person, ()) else dropped
            target.setdefault(person, []).append(each)
    return allowed, dropped


def _freeze(
    connection: Connection,
    settings: Settings,
    people: Mapping[int, list[int]],
    messages: Messages,
    locales: Mapping[int, str | None],
    *,
    now: dt.datetime,
) -> str:
    """One digest campaign: its people, messages and hash."""
    name = campaigns.next_name(connection, f"{_NAME}-{now:%Y-%m-%d}")
    document = _document(settings, name, messages, now=now)
    campaign_id = campaigns.add(
        connection,
        name=name,
        file=_FILE,
        message_class=digests.MESSAGE_CLASS,
        rule="",
        plan={},
        plan_hash="",
        frozen=0,
        planned_at=now,
        not_after=now + dt.timedelta(hours=settings.number("policy.not_after_hours")),
    )
    for language, message in messages.items():
        campaigns.add_message(connection, campaign_id, language, compiled=message.to_document(), hash=message.hash)
    default = next(iter(messages))
    spoken = {person: (locales.get(person) or default).partition("-")[0].lower() for person in people}
    languages = {person: language if language in messages else default for person, language in spoken.items()}
    digests.carry(connection, campaign_id, people, languages=languages, now=now)
    document |= {
        "audience": len(people),
        "audience_hash": deliveries.audience_hash(connection, campaign_id),
        "excluded": {},
    }
    campaigns.seal(connection, campaign_id, plan=document, plan_hash=plan_hash(document), frozen=len(people))
    campaigns.set_status(
        connection,
        campaign_id,
        Status.APPROVED,
        only_from=(Status.PLANNED,),
        approved_at=now,
        approved_by="digests: each of its campaigns was approved",
    )
    return name


def _document(settings: Settings, name: str, messages: Messages, *, now: dt.datetime) -> dict[str, Any]:
    default = next(iter(messages.values()))
    domain = (settings.text("mail.domain") or default.sender.address.rpartition("@")[2]).lower()
    return {
        "version": 1,
        "campaign": name,
        "file": "",
        "subject": default.subject,
        "from": f"{default.sender.name} <{default.sender.address}>",
        "topic": str(default.constants.get("topic", "")),
        "message_class": digests.MESSAGE_CLASS,
        "rule": "",
        "messages": {language: message.hash for language, message in messages.items()},
        "links": list([*messages.values()][-1].links),
        "domain": domain,
        "tracking_url": settings.tracking_url,
        "list_id": f"digest <digest.{domain}>",
        "feedback_id": f"{name}:digest:digest:{domain.replace('.', '-')[:15]}",
        "in_doubt": settings.text("policy.in_doubt"),
        "planned_at": now.isoformat(),
    }
