"""`outreach campaigns test`: get a campaign yourself, before anybody else does."""

from __future__ import annotations

from pathlib import Path

import click

from outreach.campaigns.testing import send_test
from outreach.cli.workspace import open_workspace


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", required=True, help="An address of the staff (outreach users list).")
@click.option("--as", "person", help="Fill it with this subscriber's data; without it, a made-up person's.")
def test(file: Path, to: str, person: str | None) -> None:
    """Send FILE to one of the staff, marked TEST. Nobody else can get it, and nothing is counted.

    The address has to be on the staff, and verified by a code that is mailed there:

    \b
    outreach users add "Dana Lee" --address dana@city.example
    outreach users verify "Dana Lee"
    outreach users verify "Dana Lee" CODE
    outreach campaigns test campaigns/parking.md --to dana@city.example
    """
    workspace = open_workspace()
    subjects = send_test(
        workspace.store,
        workspace.settings,
        file,
        to=to,
        person=person,
        token_keys=workspace.token_keys,
        now=workspace.now(),
    )
    for subject in subjects:
        click.echo(f"sent to {to}: {subject}")
    if person is None:
        click.echo("its values are a made-up person's; --as ADDRESS takes a subscriber's", err=True)
