"""`outreach templates`: see what a person would get."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from outreach.campaigns.previewing import preview_campaign
from outreach.campaigns.samples import SAMPLES
from outreach.cli.workspace import open_workspace


@click.group()
def templates() -> None:
    """How messages look."""


@templates.command()
@click.argument("campaign", type=click.Path(path_type=Path))
@click.option("--as", "address", help="A subscriber's address; without it, sample people.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("preview"), show_default=True)
def preview(campaign: Path, address: str | None, out: Path) -> None:
    """Write CAMPAIGN as HTML, text and .eml into a folder, for sample people or one subscriber."""
    workspace = open_workspace()
    written = preview_campaign(
        workspace.store,
        workspace.settings,
        campaign,
        address=address,
        out=out,
        token_keys=workspace.token_keys,
        now=dt.datetime.now(dt.UTC),
    )
    for path in written:
        click.echo(path)
    if address is None:
        click.echo(f"{len(SAMPLES)} sample people; add --as ADDRESS for a real one", err=True)
