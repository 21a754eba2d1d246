"""`outreach report`: what happened to a campaign, if its books balance."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click


@click.command()
@click.argument("campaign")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write one self-contained HTML file.")
def report(campaign: str, as_json: bool, html: Path | None) -> None:
    """Show what happened to CAMPAIGN: a plan's name, its number, or a file (its latest plan).

    Everybody of the frozen audience is accounted for, or the command fails.

    \b
    outreach report parking-3
    outreach report parking --json
    outreach report campaigns/parking.md --html parking.html
    """
    from rich.console import Console

    from outreach.cli.workspace import open_workspace, print_json
    from outreach.reports.document import build
    from outreach.reports.page import page
    from outreach.reports.terminal import show
    from outreach.store import campaigns

    workspace = open_workspace()
    settings = workspace.settings
    with workspace.store.read() as connection:
        found = campaigns.find(connection, campaign)
    built = build(
        workspace.store,
        found,
        links=destinations(settings.data / "links" / f"{found.id}.json") or list(found.plan.get("links", [])),
        organisation=settings.text("organisation.name"),
        zone=settings.zone,
        now=workspace.now(),
    )
    if html:
        write(html, page(built))
    if as_json:
        print_json(built.to_json())
    elif html:
        click.echo(f"the report of {found.name} is in {html}")
    else:
        show(built, Console())


def destinations(table: Path) -> list[str]:
    """The links of a campaign's table as corrected since the plan, in order; none if there is no table here."""
    try:
        links = json.loads(table.read_text("utf-8"))["links"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []
    return [str(link) for link in links]


def write(path: Path, text: str) -> None:
    """The whole file or none of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, "utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise click.FileError(str(path), error.strerror or "it cannot be written") from None
