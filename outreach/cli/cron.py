"""`outreach cron`: everything that is due, once. Silent when all is well."""

from __future__ import annotations

import click

from outreach.campaigns import lifecycle
from outreach.cli.campaigns import send_campaign
from outreach.cli.nightly import nightly
from outreach.cli.workspace import Workspace, open_workspace
from outreach.errors import OutreachError
from outreach.sending.recovery import recover
from outreach.store import campaigns, engagement
from outreach.store.campaigns import Status
from outreach.store.held import accept_overdue
from tracking.judging import judge_due
from tracking.loader import Loader


@click.command()
def cron() -> None:
    """Do everything that is due, once: sends and retries, events, engagement.

    Run it every minute. It is safe when runs overlap, prints nothing when all is well, and one line
    for each trouble (exit code 1) when not.
    """
    workspace = open_workspace()
    troubles = [
        trouble
        for trouble in (_events(workspace), *_sends(workspace), _returns(workspace), *nightly(workspace))
        if trouble
    ]
    if troubles:
        raise OutreachError("; ".join(troubles))


def _events(workspace: Workspace) -> str | None:
    """Bring recorded events into the store, judge who made them, fold people's into everybody's engagement."""
    try:
        spool = workspace.settings.data / "spool"
        if spool.is_dir():
            Loader(workspace.store, spool).run_once()
        judge_due(workspace.store, now=workspace.now())
        with workspace.store.write() as connection:
            accept_overdue(connection, now=workspace.now())
        engagement.fold(workspace.store, zone=workspace.settings.zone, judged_only=True)
    except OutreachError as error:
        return f"events: {error}"
    return None


def _returns(workspace: Workspace) -> str | None:
    """Take mail that came back, and run refusals through the bounce policy."""
    from outreach.cli.bounces import follow

    try:
        follow(workspace)
    except OutreachError as error:
        return f"bounces: {error}"
    return None


def _sends(workspace: Workspace) -> list[str]:
    """Go on with every campaign that is being sent; one that has trouble does not stop the others."""
    recover(workspace.store, now=workspace.now())
    with workspace.store.read() as connection:
        under_way = campaigns.every(connection, Status.SENDING)
    troubles: list[str] = []
    for campaign in under_way:
        try:
            sent = send_campaign(workspace, campaign, workers=1, patience=0, quiet=True)
            lifecycle.refuse_paused(sent.campaign)
        except OutreachError as error:
            troubles.append(f"{campaign.name}: {error}")
    return troubles
