"""Trial mode: a new workspace writes to nobody but its own staff, and to them not often, until somebody says go-live.

So that whoever tries the product on the real list of people cannot send to it by a slip.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from sqlalchemy import Connection, func, select

from outreach.errors import Blocked
from outreach.settings import Settings
from outreach.store.campaigns import OURS, Campaign
from outreach.store.tables import campaign as campaigns
from outreach.store.tables import delivery, staff, subscriber

A_DAY: Final = 50
"""Messages in trial mode, ours."""


def is_trial(settings: Settings) -> bool:
    return settings.text("mode") == "trial"


def notice(connection: Connection, settings: Settings) -> str:
    """What somebody who checks a campaign in trial mode should know; empty in a workspace that is live."""
    if not is_trial(settings):
        return ""
    verified = select(func.count()).where(staff.c.left_at.is_(None), staff.c.verified_at.is_not(None))
    people = connection.execute(verified.select_from(staff)).scalar_one()
    return (
        f"trial mode: only staff with a verified address ({people:,} now) get mail, {A_DAY} messages a day, until "
        "`outreach go-live`"
    )


def refuse_trial(connection: Connection, settings: Settings, campaign: Campaign, *, now: dt.datetime) -> None:
    """Blocked when a workspace in trial mode would write to anybody but its staff, or too often."""
    if not is_trial(settings):
        return
    known = select(staff.c.address).where(staff.c.left_at.is_(None), staff.c.verified_at.is_not(None))
    strangers = connection.execute(
        select(func.count())
        .select_from(delivery.join(subscriber, subscriber.c.id == delivery.c.subscriber_id))
        .where(delivery.c.campaign_id == campaign.id, subscriber.c.address.not_in(known))
    ).scalar_one()
    if strangers:
        raise Blocked(
            f"this workspace is in trial mode: only staff whose address is verified get mail, and {strangers:,} of "
            f"{campaign.frozen:,} people are not. Nothing was sent. Add staff with `outreach users add` and have them "
            "run `outreach users verify`, or leave the trial: outreach go-live"
        )
    today = connection.execute(
        select(func.coalesce(func.sum(campaigns.c.frozen), 0)).where(
            OURS, campaigns.c.started_at >= now - dt.timedelta(days=1), campaigns.c.id != campaign.id
        )
    ).scalar_one()
    if today + campaign.frozen > A_DAY:
        raise Blocked(
            f"in trial mode at most {A_DAY} messages a day are sent; {today} were, and this would be {campaign.frozen}"
            " more. Nothing was sent. Leave trial mode with: outreach go-live"
        )
