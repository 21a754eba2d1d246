"""Who of a campaign's people would be in their quiet hours when it is due, and until when it waits for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from outreach.sending.quiet import QuietHours
from outreach.settings import Settings
from outreach.store.campaigns import Campaign
from outreach.store.deliveries import State
from outreach.store.tables import delivery, profile
from outreach.store.topics import REGULAR


@dataclass(frozen=True, slots=True)
class Waits:
    """People of one time zone."""

    people: int
    zone: str
    until: dt.datetime
    """UTC."""

    def __str__(self) -> str:
        local = self.until.astimezone(ZoneInfo(self.zone))
        return f"{self.people:,} people are in their quiet hours then and get it {local:%a %Y-%m-%d %H:%M} {self.zone}"


def waits(connection: Connection, settings: Settings, campaign: Campaign, *, at: dt.datetime) -> Iterator[Waits]:
    """By time zone, the earliest morning first. Only regular campaigns wait; nobody's emergency does."""
    own = settings.text("organisation.timezone")
    quiet = QuietHours.parse(settings.text("policy.quiet_hours"), zone=own)
    if quiet is None or campaign.message_class != REGULAR:
        return
    rows = connection.execute(
        select(profile.c.timezone, func.count())
        .select_from(delivery.join(profile, profile.c.subscriber_id == delivery.c.subscriber_id))
        .where(delivery.c.campaign_id == campaign.id, delivery.c.state == State.WAITING.value)
        .group_by(profile.c.timezone)
    )
    people: dict[tuple[dt.datetime, str], int] = {}
    for zone, count in rows:
        if (until := quiet.until(at, zone=zone)) is not None:
            key = (until, quiet.known(zone))
            people[key] = people.get(key, 0) + count
    for (until, zone), count in sorted(people.items()):
        yield Waits(count, zone, until)
