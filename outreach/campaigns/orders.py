"""What a campaign's workers are told: the settings that matter to sending, as one value."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from outreach.rendering.dkim import Signer
from outreach.sending.archive import FOLDER
from outreach.sending.signing import signer
from outreach.sending.workers import Orders
from outreach.settings import Settings
from outreach.store.campaigns import Campaign


def orders_for(campaign: Campaign, settings: Settings, *, token_keys: Path, patience: dt.timedelta) -> Orders:
    """The orders of one campaign in one workspace."""
    return Orders(
        database_url=settings.database_url,
        campaign_id=campaign.id,
        journal_folder=settings.data / "journal",
        relay_url=settings.text("relay.url"),
        require_tls=settings.text("relay.tls") == "require",
        lanes=settings.number("relay.connections"),
        tracking_url=str(campaign.plan["tracking_url"]),
        domain=str(campaign.plan["domain"]),
        token_keys=token_keys,
        dkim_key=settings.key("mail.dkim_key"),
        dkim_selector=settings.text("mail.dkim_selector"),
        dkim_second_key=settings.key("mail.dkim_second_key"),
        dkim_second_selector=settings.text("mail.dkim_second_selector"),
        unsubscribe_mailbox=settings.text("mail.unsubscribe_mailbox"),
        retry_first=dt.timedelta(seconds=settings.number("policy.retry_seconds")),
        max_attempts=settings.number("policy.max_attempts"),
        patience=patience,
        throttle=settings.text("relay.throttle"),
        workspace=settings.root,
        quiet_hours=settings.text("policy.quiet_hours"),
        archive=settings.data / FOLDER / str(campaign.id),
        tracking_default=settings.text("tracking.default"),
        zone=settings.text("organisation.timezone"),
    )


def signer_of(settings: Settings, domain: str) -> Signer | None:
    """Who signs mail that is in no ledger, as the workers do."""
    return signer(
        settings.key("mail.dkim_key"),
        selector=settings.text("mail.dkim_selector"),
        domain=domain,
        second=settings.key("mail.dkim_second_key"),
        second_selector=settings.text("mail.dkim_second_selector"),
    )
