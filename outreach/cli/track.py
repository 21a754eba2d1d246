"""`outreach track`: the service that residents' mail programs talk to."""

from __future__ import annotations

import click

from outreach.settings import load_settings
from outreach.tokens import load_keys
from tracking.app import Tracking, TrackingConfig
from tracking.loading import loading
from tracking.server import listen, serve
from tracking.webhooks.feedback import load_secret


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; put a TLS proxy in front.")
@click.option("--port", default=8400, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option(
    "--proxies",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="How many proxies in front add to X-Forwarded-For.",
)
def track(host: str, port: int, proxies: int) -> None:
    """Record opens, clicks and unsubscribes, until stopped.

    Runs the service and, beside it, the loader that brings its events into the store. Redirects and
    unsubscribes go on working while the database is down; the events arrive when it is back.
    """
    settings = load_settings()
    spool_dir = settings.data / "spool"
    config = TrackingConfig(
        spool_dir=spool_dir,
        links_dir=settings.data / "links",
        keys=load_keys(settings.root / "keys" / "tokens"),
        key_dir=settings.root / "keys" / "days",
        trusted_proxies=proxies,
        webhook_secret=load_secret(settings.root / "keys" / "webhook"),
        language=settings.text("organisation.language"),
    )
    listener = listen(host, port)
    bound_host, bound_port = listener.getsockname()[:2]
    click.echo(f"tracking at http://{bound_host}:{bound_port}, answering for {settings.tracking_url}", err=True)
    with loading(settings.database_url, spool_dir):
        serve(Tracking(config), listener)
