"""`outreach worker`: another host, or another pair of hands on this one, for what is being sent right now."""

from __future__ import annotations

import time

import click

from outreach.cli.campaigns import send_campaign
from outreach.cli.workspace import Workspace, open_workspace
from outreach.errors import OutreachError
from outreach.store import campaigns, claims, installation
from outreach.store.campaigns import Campaign, Status

LOOK_EVERY = 2.0
"""Seconds between two looks for something to do."""


@click.command()
@click.option("--stay", is_flag=True, help="Wait for more when nothing is due, until this is ended.")
@click.option("--workers", type=click.IntRange(1, 64), help="Sending processes; by default as many as pay.")
def worker(stay: bool, workers: int | None) -> None:
    """Help to send what is under way; starts no campaign, and takes nobody another worker has.

    On another host, in a copy of the workspace's files without data/ and with the same PostgreSQL database: the host
    joins the others, and `outreach cron` may run there from then on, too. SQLite is for one host.

    \b
    outreach worker
    outreach worker --stay
    """
    workspace = open_workspace()
    data = workspace.settings.data
    if installation.join(workspace.store, data):
        click.echo("this host sends beside the others from now on", err=True)
    while True:
        installation.refuse_restored(workspace.store, data, now=workspace.now(), sending=False)
        for campaign in _due(workspace):
            try:
                send_campaign(workspace, campaign, workers=workers, patience=0, quiet=True)
            except OutreachError as error:
                if not stay:
                    raise
                click.echo(f"{campaign.name}: {error}", err=True)
        if not stay:
            return
        time.sleep(LOOK_EVERY)


def _due(workspace: Workspace) -> list[Campaign]:
    """What is being sent and has somebody who may get it now; what somebody waits for in danger first."""
    now = workspace.now()
    with workspace.store.read() as connection:
        found = []
        for campaign in campaigns.every(connection, Status.SENDING):
            left = claims.remaining(connection, campaign.id)
            if left.unclaimed or (left.next_due is not None and left.next_due <= now):
                found.append(campaign)
    return sorted(found, key=lambda each: each.message_class != "emergency")
