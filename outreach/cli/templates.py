"""`outreach templates`: see what a person would get."""

from __future__ import annotations

from pathlib import Path

import click

from outreach.campaigns.previewing import write
from outreach.campaigns.samples import SAMPLES
from outreach.cli.live_preview import made_previews, serve_previews
from outreach.cli.new_campaign import KINDS
from outreach.cli.screenshots import screenshots
from outreach.cli.workspace import open_workspace
from outreach.rendering.layouts import layout_names


@click.group()
def templates() -> None:
    """How messages look."""


@templates.command()
@click.argument("campaign", type=click.Path(path_type=Path))
@click.option("--as", "address", help="A subscriber's address; without it, sample people.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("preview"), show_default=True)
@click.option("--screenshot", is_flag=True, help="Also as pictures: phone and desktop, light, dark and without images.")
@click.option("--serve", is_flag=True, help="Show it in a browser, anew whenever a file changes. Ctrl-C ends it.")
@click.option("--port", type=click.IntRange(0, 65535), default=8410, show_default=True, help="For --serve.")
def preview(campaign: Path, address: str | None, out: Path, screenshot: bool, serve: bool, port: int) -> None:
    """Write CAMPAIGN as HTML, text and .eml into a folder, for sample people or one subscriber.

    The sample people are of the shapes that break mails: a long name, no name, right to left, emoji and apostrophes.
    Of each yes/no field that the message uses (renter), some have yes and some no; it says who.
    Nothing is sent, and links lead where they really go.

    \b
    outreach templates preview campaigns/welcome.md --serve
    outreach templates preview campaigns/welcome.md --as ada@example.com --screenshot
    """
    workspace = open_workspace()
    if serve:
        serve_previews(workspace, campaign, address=address, port=port)
        return
    made = made_previews(workspace, campaign, address=address)
    written = write(made, out)
    if screenshot:
        written += screenshots([path for path in written if path.suffix == ".html"])
    for path in written:
        click.echo(path)
    if address is None:
        for who, note in {each.name.rpartition(".")[2]: each.note for each in made if each.note}.items():
            click.echo(f"{who}: {note}", err=True)
        click.echo(f"{len(SAMPLES)} sample people; add --as ADDRESS for a real one", err=True)


@templates.command("list")
def list_templates() -> None:
    """What `template:` in a campaign file can say: the six that come with Outreach, and your own."""
    for name in layout_names(folders=[open_workspace().root / "templates"]):
        click.echo(f"{name:14} {KINDS.get(name, 'of your own')}")
