"""`outreach store`: what is computed from the records, computed again."""

from __future__ import annotations

import click

from outreach.cli.workspace import open_workspace, print_json
from outreach.errors import OutreachError
from outreach.store import engagement_check
from outreach.store.engagement import rebuild

SAMPLE = 1_000


@click.group()
def store() -> None:
    """Look after what is computed from the records.

    \b
    outreach store check-engagement
    outreach store rebuild-engagement
    """


@store.command("rebuild-engagement")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def rebuild_engagement(as_json: bool) -> None:
    """Count everybody's opens, clicks and received campaigns again from the raw events and the ledger.

    One transaction: rules see the old figures until it is done. Nothing else can be written meanwhile.
    """
    workspace = open_workspace()
    folded = rebuild(workspace.store, zone=workspace.settings.zone)
    if as_json:
        print_json({"events": folded.events, "campaigns": folded.campaigns})
    else:
        click.echo(f"counted {folded.events:,} events and {folded.campaigns:,} campaigns")


@store.command("check-engagement")
@click.option("--people", default=SAMPLE, show_default=True, type=click.IntRange(1), help="How many, drawn by chance.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check_engagement(people: int, as_json: bool) -> None:
    """Compare the figures of some people with their raw events; exit 1 if any differ. `cron` does it every night."""
    workspace = open_workspace()
    found = engagement_check.compare(workspace.store, zone=workspace.settings.zone, people=people)
    if as_json:
        print_json({"people": found.people, "different": list(found.different)})
    elif not found.different:
        click.echo(f"the figures of {found.people:,} people agree with their events")
    if found.different:
        raise OutreachError(found.sentence())
