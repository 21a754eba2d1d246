"""What a workspace's settings mean for the tracking service."""

from __future__ import annotations

from outreach.events import Choice
from outreach.settings import Settings
from outreach.tokens import load_keys
from tracking.app import TrackingConfig
from tracking.counters import Counters
from tracking.machines import NETWORKS, load_networks
from tracking.webhooks.esp import load_accounts
from tracking.webhooks.feedback import load_secret


def configuration(settings: Settings, *, proxies: int = 0, counters: Counters | None = None) -> TrackingConfig:
    """Raises ConfigurationError if the keys are missing or damaged. `counters`: where this worker counts."""
    keys = settings.root / "keys"
    networks = settings.root / NETWORKS.name
    return TrackingConfig(
        spool_dir=settings.data / "spool",
        links_dir=settings.data / "links",
        keys=load_keys(keys / "tokens"),
        key_dir=keys / "days",
        trusted_proxies=proxies,
        counters=counters,
        language=settings.text("organisation.language"),
        webhook_secret=load_secret(keys / "webhook"),
        services=load_accounts(keys / "esp.toml"),
        database_url=settings.database_url,
        organisation=settings.text("organisation.name"),
        public_url=settings.tracking_url,
        networks=load_networks(networks) if networks.exists() else None,
        default_choice=Choice[settings.text("tracking.default").upper()],
    )
