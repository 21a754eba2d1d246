"""`outreach campaigns archive`: a campaign as a record, and one person's mail made again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from outreach.campaigns.archive import mail_of, write
from outreach.cli.workspace import open_workspace
from outreach.store import campaigns as store_campaigns


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="The folder; by default archive/CAMPAIGN."
)
@click.option("--mail", "address", metavar="ADDRESS", help="Print the very mail this person was sent, instead.")
def archive(name: str, out: Path | None, address: str | None) -> None:
    """Write CAMPAIGN as a record: its plan, its approval, the exact words in each language, and who got it.

    With --mail, the mail that one person was sent is made again, byte for byte, and printed. The record holds numbers
    of people, and no addresses; what is printed with --mail holds all that the person was written.

    \b
    outreach campaigns archive parking-1
    outreach campaigns archive parking-1 --mail ada@example.com > ada.eml
    """
    workspace = open_workspace()
    with workspace.store.read() as connection:
        campaign = store_campaigns.find(connection, name)
    if address is not None:
        message = mail_of(workspace.store, workspace.settings, campaign, address, token_keys=workspace.token_keys)
        sys.stdout.buffer.write(message.data)
        return
    for path in write(workspace.store, workspace.settings, campaign, out or Path("archive") / campaign.name):
        click.echo(path)
