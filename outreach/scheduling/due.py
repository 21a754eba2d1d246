"""Which campaigns are due, and what became of those that were missed.

A campaign that is due once starts when its moment has come, within its window. A recurring one is planned afresh at
each occurrence, from the file that was approved: a changed character, sender, rule or schedule makes it refuse, and
the people are those whom the rule chooses then. After a night without cron the latest occurrence still runs if its
window is open; earlier ones are written down as missed, and reported once. Nobody gets two occurrences at once: a later
one that has come takes the place of an earlier one that could not start, and while one is paused none is planned.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from outreach.campaigns import later
from outreach.campaigns.approval import refuse_edited
from outreach.campaigns.plan import EmptyAudience
from outreach.campaigns.plan import plan as make_plan
from outreach.campaigns.schedule import not_after, parse, shown
from outreach.campaigns.series import approved_as, is_digest
from outreach.errors import Blocked, OutreachError
from outreach.settings import Settings
from outreach.store import campaigns, deliveries, digests, schedule
from outreach.store.campaigns import Campaign, Status
from outreach.store.database import Store
from outreach.store.schedule import State

NOT_IN_TIME: Final = "its time went by"
"""Why a campaign is stopped that nobody stopped: this does not end a recurring one."""


@dataclass(slots=True)
class Due:
    """What `find_due` found."""

    campaigns: list[Campaign] = field(default_factory=list)
    """Approved, and to be sent now."""
    unapproved: list[Campaign] = field(default_factory=list)
    """Planned just now, and waiting for a second person: so many people, and one alone had approved the series."""
    troubles: list[str] = field(default_factory=list)
    """One sentence each, told once."""


class _Taken(OutreachError):
    """Another run of cron has this occurrence."""


def find_due(store: Store, settings: Settings, *, segments: Mapping[str, str], now: dt.datetime) -> Due:
    """Everything scheduled that is due at `now`; plans recurring campaigns, and writes down what was missed."""
    found = Due()
    with store.read() as connection:
        series = _series(connection)
    for campaign in series:
        try:
            _occur(store, settings, campaign, found, segments=segments, now=now)
        except OutreachError as error:
            found.troubles.append(f"{campaign.name}: {error}")
    with store.read() as connection:
        approved = campaigns.every(connection, Status.APPROVED)
        asked = [campaigns.get(connection, each) for each in schedule.unapproved(connection)]
        moments = {each.id: at for each in (*approved, *asked) if (at := later.due_at(each)) is not None and at <= now}
        newest = _newest(connection, [each for each in (*approved, *asked) if each.id in moments])
        twins = {each.id for each in approved if each.id in moments and _is_anothers(connection, each)}
    for campaign in asked:
        at = moments.get(campaign.id)
        if campaign.not_after is not None and now > campaign.not_after:
            _give_up(store, campaign, found, f"nobody approved it until {_minute(campaign.not_after)}", now=now)
        elif at is not None and at < newest.get(campaign.file, at):
            _give_up(store, campaign, found, "nobody approved it before a later one came", now=now)
    for campaign in approved:
        at = moments.get(campaign.id)
        if campaign.id in twins:
            _give_up(store, campaign, found, "another plan of its file went out for that moment", now=now)
        elif at is not None and at < newest.get(campaign.file, at):
            _give_up(store, campaign, found, "a later one has come since", now=now)
        elif at is not None or is_digest(campaign):
            _take(store, campaign, found, now=now)
    return found


def coming(store: Store, *, now: dt.datetime, until: dt.datetime) -> list[tuple[dt.datetime, str]]:
    """What is scheduled up to `until`: the moment and the campaign's name."""
    with store.read() as connection:
        approved = campaigns.every(connection, Status.APPROVED)
        series = _series(connection)
    found = [(at, each.name) for each in approved if (at := later.due_at(each)) is not None and at <= until]
    for each in series:
        planned = each.plan["schedule"]
        after = max(now, dt.datetime.fromisoformat(planned["at"]))
        moments = parse(planned["text"], default_zone=planned["zone"]).due(after=after, until=until)
        found.extend((at, each.file) for at in moments)
    return sorted(found)


def _newest(connection: Connection, due: list[Campaign]) -> dict[str, dt.datetime]:
    """The latest moment that has come of each recurring file among these campaigns, whatever became of it."""
    found: dict[str, dt.datetime] = {}
    for campaign in due:
        at = later.due_at(campaign)
        if at is not None and campaign.plan["schedule"]["rule"]:
            found[campaign.file] = max(at, found.get(campaign.file, at))
    return {file: max(at, schedule.latest(connection, file) or at) for file, at in found.items()}


def _is_anothers(connection: Connection, campaign: Campaign) -> bool:
    """True if a campaign's moment was taken by another plan of its file, or missed: it can never start."""
    at = later.due_at(campaign)
    known = schedule.find(connection, campaign.file, at) if at is not None else None
    return known is not None and known.campaign_id != campaign.id


def _take(store: Store, campaign: Campaign, found: Due, *, now: dt.datetime) -> None:
    """A campaign whose moment has come: due, or missed."""
    if campaign.not_after is None or now <= campaign.not_after:
        found.campaigns.append(campaign)
        return
    until = f"could be sent until {_minute(campaign.not_after)}"
    _give_up(store, campaign, found, f"{until}; cron did not run in between, or it was refused", now=now)


def _minute(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _give_up(store: Store, campaign: Campaign, found: Due, why: str, *, now: dt.datetime) -> None:
    """Stop a campaign whose time went by before it left, and say so once."""
    at = later.due_at(campaign)
    with store.write() as connection:
        if not campaigns.set_status(
            connection,
            campaign.id,
            Status.STOPPED,
            only_from=(campaign.status,),
            finished_at=now,
            pause_reason=NOT_IN_TIME,
        ):
            return
        deliveries.expire_waiting(connection, campaign.id, now=now)
        digests.withdraw(connection, campaign.id)
        if at is not None:
            schedule.claim(connection, campaign.file, at, campaign_id=campaign.id, now=now)
            schedule.missed(connection, campaign.id, now=now)
    due = f"was due {campaign.plan['schedule']['shown']} and " if at is not None else ""
    found.troubles.append(f"{campaign.name} {due}{why}, so nobody got it")


def _series(connection: Connection) -> list[Campaign]:
    """The campaign that stands for each recurring file. One that a person stopped ends it; one without a rule, too."""
    found = (_standing_for(connection, file) for file in campaigns.recurring_files(connection))
    return [each for each in found if each and each.plan.get("schedule", {}).get("rule")]


def _standing_for(connection: Connection, file: str) -> Campaign | None:
    """The latest plan of a file that was approved; None if a person stopped it. That it was late ends nothing."""
    approved = (each for each in campaigns.of_file(connection, file) if each.approved_at and not is_digest(each))
    campaign = next(approved, None)
    if campaign is None or campaign.status is not Status.STOPPED or campaign.pause_reason == NOT_IN_TIME:
        return campaign
    at = later.due_at(campaign)
    known = schedule.find(connection, file, at) if at is not None else None
    return campaign if known and known.state is State.MISSED else None


def _occur(
    store: Store, settings: Settings, series: Campaign, found: Due, *, segments: Mapping[str, str], now: dt.datetime
) -> None:
    """Plan the occurrence of a recurring campaign that is due, and approve it as its series was."""
    planned = series.plan["schedule"]
    first = dt.datetime.fromisoformat(planned["at"])
    with store.read() as connection:
        after = max(schedule.latest(connection, series.file) or first, first)
    due = parse(planned["text"], default_zone=planned["zone"]).due(after=after, until=now)
    if not due:
        return
    at = due.pop()
    if now > _end(series, settings, at):
        due.append(at)
    _miss(store, series, due, found, now=now)
    if due and due[-1] == at:
        return
    try:
        _refuse_beside_paused(store, series)
        refuse_edited(store, series, settings)
        made = _plan(store, settings, series, at, segments=segments, now=now)
        if made.status is Status.PLANNED:
            found.unapproved.append(made)
    except _Taken:
        return
    except EmptyAudience:
        _note(store, series, [at], State.STARTED, now=now)
    except OutreachError as error:
        if _note(store, series, [at], State.REFUSED, now=now):
            found.troubles.append(f"{series.file}, due {shown(at, planned['zone'])}: {error}")


def _refuse_beside_paused(store: Store, series: Campaign) -> None:
    """Blocked while another occurrence is paused: once resumed, whoever waits for it would get both."""
    with store.read() as connection:
        paused = [each for each in campaigns.every(connection, Status.PAUSED) if each.file == series.file]
    if paused:
        name = paused[-1].name
        raise Blocked(
            f"{name} is paused ({paused[-1].pause_reason or 'by hand'}), and nobody gets two at once, so nobody gets "
            f"this one. Look at it, then: outreach campaigns resume {name}; or outreach campaigns stop {name}, which "
            f"ends {series.file} until it is planned and approved again"
        )


def _plan(
    store: Store,
    settings: Settings,
    series: Campaign,
    at: dt.datetime,
    *,
    segments: Mapping[str, str],
    now: dt.datetime,
) -> Campaign:
    """The occurrence; approved, if the approval of its series is enough for it."""

    def sealed(connection: Connection, campaign_id: int) -> None:
        if not schedule.claim(connection, series.file, at, campaign_id=campaign_id, now=now):
            raise _Taken(f"{series.file} is planned for {at:%Y-%m-%d %H:%M} already")
        if "series" not in campaigns.get(connection, campaign_id).plan:
            return
        campaigns.set_status(
            connection,
            campaign_id,
            Status.APPROVED,
            only_from=(Status.PLANNED,),
            approved_at=now,
            approved_by=_approver(approved_as(connection, series) or series),
        )

    path = settings.root / str(series.plan["file"])
    made = make_plan(store, settings, path, segments=segments, now=now, occurrence=at, series=series, sealed=sealed)
    with store.read() as connection:
        return campaigns.find(connection, made.name)


def _approver(origin: Campaign) -> str:
    """Who approved an occurrence: whoever approved its series."""
    words = f", with {origin.name} for every occurrence"
    room = max(campaigns.APPROVER_LENGTH - len(words), 0)
    return f"{(origin.approved_by or '')[:room]}{words}"[: campaigns.APPROVER_LENGTH]


def _end(series: Campaign, settings: Settings, at: dt.datetime) -> dt.datetime:
    """The end of an occurrence's window: as long as the first one's."""
    first = dt.datetime.fromisoformat(series.plan["schedule"]["at"])
    if series.not_after is None:
        hours = settings.number("policy.not_after_hours")
        return not_after(f"{hours} hours", at=at, default_zone="UTC")
    return at + (series.not_after - first)


def _miss(store: Store, series: Campaign, moments: list[dt.datetime], found: Due, *, now: dt.datetime) -> None:
    new = _note(store, series, moments, State.MISSED, now=now) if moments else 0
    if new:
        zone = series.plan["schedule"]["zone"]
        times = "once" if new == 1 else f"{new} times"
        found.troubles.append(f"{series.file} was missed {times}, last {shown(moments[-1], zone)}: cron did not run")


def _note(store: Store, series: Campaign, moments: list[dt.datetime], state: State, *, now: dt.datetime) -> int:
    with store.write() as connection:
        return schedule.note(connection, series.file, moments, state=state, now=now)
