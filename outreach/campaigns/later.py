"""What a plan says about later: when the campaign is due, until when, and who reads it in a digest instead.

Digests are on when `digests.at` names an hour. Then whoever asked to hear about a topic daily or weekly is not in
a regular campaign's audience: the campaign waits for them as an item of their next digest. Statutory and emergency
messages are never delayed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, not_

from outreach.campaigns.definition import CampaignError, Definition
from outreach.campaigns.items import Words
from outreach.campaigns.schedule import Schedule, ScheduleError, how, not_after, parse, shown
from outreach.errors import Blocked
from outreach.settings import Settings
from outreach.store import digests
from outreach.store import schedule as occurrences
from outreach.store.campaigns import Campaign
from outreach.store.topics import REGULAR, Topic


@dataclass(frozen=True, slots=True)
class Timing:
    """When a campaign is due and until when it may leave."""

    schedule: Schedule | None = None
    at: dt.datetime | None = None
    not_after: dt.datetime | None = None
    window: str = ""
    """`not_after:` as it was written; empty: as long as the settings say."""

    @property
    def shown(self) -> str:
        """For people: the local time, the zone, UTC, and what a change of the clock did to it."""
        if self.schedule is None or self.at is None:
            return ""
        odd = self.odd
        again = f"; again by {self.schedule.rule}" if self.schedule.recurring else ""
        return shown(self.at, self.schedule.zone) + again + (f" ({odd})" if odd else "")

    @property
    def odd(self) -> str:
        if self.schedule is None or self.schedule.recurring:
            return ""
        return how(self.schedule.first, ZoneInfo(self.schedule.zone))

    def document(self) -> dict[str, Any]:
        """What of it is approved with the plan."""
        found: dict[str, Any] = {"window": self.window}
        if self.schedule is not None and self.at is not None:
            found["schedule"] = {
                "text": self.schedule.text,
                "zone": self.schedule.zone,
                "rule": self.schedule.rule,
                "at": self.at.isoformat(),
                "shown": self.shown,
            }
        if self.not_after is not None:
            found["not_after"] = self.not_after.isoformat()
        return found


def timing(main: Definition, settings: Settings, *, now: dt.datetime, occurrence: dt.datetime | None) -> Timing:
    """When a campaign file is due. CampaignError names its line."""
    zone = settings.text("organisation.timezone")
    try:
        schedule = parse(main.schedule, default_zone=zone) if main.schedule else None
    except ScheduleError as error:
        raise CampaignError(f"`schedule:` {error}", place=main.path, line=main.lines.get("schedule")) from None
    at = occurrence or (next(schedule.occurrences(after=now), None) if schedule else None)
    if schedule is not None and at is None:
        raise CampaignError(f"`schedule: {main.schedule}` has passed", place=main.path, line=main.lines.get("schedule"))
    try:
        again = schedule is not None and schedule.recurring
        end = not_after(main.not_after, at=at or now, default_zone=zone, recurring=again) if main.not_after else None
    except ScheduleError as error:
        raise CampaignError(f"`not_after:` {error}", place=main.path, line=main.lines.get("not_after")) from None
    if end is None and at is not None:
        end = at + dt.timedelta(hours=settings.number("policy.not_after_hours"))
    return Timing(schedule, at, end, " ".join(main.not_after.split()))


def delays(settings: Settings, topic: Topic) -> bool:
    """Whether people can ask to hear about a topic later than at once."""
    return bool(settings.text("digests.at")) and topic.message_class == REGULAR


def split(
    people: Select[tuple[int]], topic: Topic, item: Mapping[str, Words]
) -> tuple[Select[tuple[int]], Select[tuple[int]] | None]:
    """Who gets a campaign at once, and who its item in a digest (None: nobody, for there is none)."""
    if not item:
        return people, None
    later = digests.reads_digests(topic.id)
    return people.where(not_(later)), people.where(later)


def wait(
    connection: Connection,
    campaign_id: int,
    readers: Select[tuple[int]] | None,
    *,
    topic: Topic,
    item: Mapping[str, Words],
) -> int:
    """Freeze who gets the campaign in a digest; the item is published when the campaign starts."""
    if readers is None:
        return 0
    item_id = digests.add_item(connection, topic_id=topic.id, content=item, campaign_id=campaign_id)
    assert item_id is not None
    return digests.wait(connection, item_id, readers, topic_id=topic.id)


def due_at(campaign: Campaign) -> dt.datetime | None:
    """When a planned campaign is due; None: whenever somebody sends it."""
    planned = campaign.plan.get("schedule")
    return dt.datetime.fromisoformat(planned["at"]) if planned else None


def refuse_untimely(campaign: Campaign, *, now: dt.datetime) -> None:
    """Blocked before a scheduled campaign's moment, and after its window."""
    at = due_at(campaign)
    if at is not None and now < at:
        raise Blocked(
            f"{campaign.name} is scheduled for {campaign.plan['schedule']['shown']}; `outreach cron` sends it then. "
            "To send it earlier, change its `schedule:` and plan again"
        )
    if campaign.not_after is not None and now > campaign.not_after:
        raise Blocked(
            f"{campaign.name} could be sent until {campaign.not_after:%Y-%m-%d %H:%M} UTC; nobody gets it late. "
            "Plan it again"
        )


def begin(connection: Connection, campaign: Campaign, *, now: dt.datetime) -> None:
    """What belongs to a campaign's start: its occurrence is taken, and its item goes into digests from now on.

    Blocked if another plan of the same file already has that occurrence.
    """
    at = due_at(campaign)
    if at is not None:
        if not occurrences.claim(connection, campaign.file, at, campaign_id=campaign.id, now=now):
            raise Blocked(f"{campaign.file} was already sent for {campaign.plan['schedule']['shown']}, or missed")
        occurrences.started(connection, campaign.id, now=now)
    digests.publish(connection, campaign.id, now=now)
