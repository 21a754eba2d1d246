"""`outreach retention`: take away what is kept longer than the workspace's policy says."""

from __future__ import annotations

import click

from outreach.cli.workspace import Workspace, open_workspace, print_json
from outreach.store import retention as store_retention
from outreach.store.retention import KINDS, Removed

_WORDS = {
    "traces": "opens, clicks and answers lose what they looked like (program, network)",
    "returned": "mails that came back and nobody could read",
    "rejects": "files of rejected rows",
    "messages": "campaigns' texts and copies to read in a browser",
}


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def retention(dry_run: bool, as_json: bool) -> None:
    """Remove what is older than the settings retention.*_days say (0: kept for ever). `cron` does it every night.

    Each removal is a row of the audit log: what, how many, older than when. The log itself, the ledger of who got
    what, and that somebody opened or clicked are never removed by it; forgetting one person is `subscribers erase`.
    """
    workspace = open_workspace()
    found = keep_to(workspace, dry_run=dry_run)
    if as_json:
        print_json([{"kind": each.kind, "before": each.before.isoformat(), "count": each.count} for each in found])
        return
    for each in found:
        click.echo(f"{each.count:>9,}  {_WORDS[each.kind]}, older than {each.before:%Y-%m-%d}")
    for kind in KINDS:
        if not workspace.settings.number(f"retention.{kind}_days"):
            click.echo(f"  kept:  {_WORDS[kind]} (retention.{kind}_days is 0)")
    if dry_run:
        click.echo("nothing was removed")


def keep_to(workspace: Workspace, *, dry_run: bool = False) -> list[Removed]:
    """Apply the workspace's policy."""
    days = {kind: workspace.settings.number(f"retention.{kind}_days") for kind in KINDS}
    return store_retention.apply(workspace.store, workspace.settings.data, days, now=workspace.now(), dry_run=dry_run)
