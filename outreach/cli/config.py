"""`outreach config` and `outreach db`: what is set and where it came from; the schema."""

from __future__ import annotations

import click

from outreach.cli.workspace import open_workspace, print_json
from outreach.settings import load_settings
from outreach.store import draining, migrations


@click.group()
def config() -> None:
    """Look at the settings of this workspace."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show(as_json: bool) -> None:
    """Every setting, its value and where it came from. Passwords are never shown."""
    shown = load_settings().shown()
    if as_json:
        print_json({name: {"value": item.value, "origin": item.origin} for name, item in shown.items()})
        return
    width = max(map(len, shown))
    for name, item in shown.items():
        click.echo(f"{name:{width}}  {item.value!s:40}  {item.origin}")


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@click.option("--drain", is_flag=True, help="Pause what is being sent and wait until its workers have finished.")
def upgrade(drain: bool) -> None:
    """Create or upgrade the tables. Running it again changes nothing.

    While a campaign is being sent an upgrade is refused: its workers know only the old tables.
    """
    workspace = open_workspace(check=False)
    if not migrations.is_current(workspace.store):
        draining.refuse_or_drain(workspace.store, drain=drain)
    migrations.upgrade(workspace.store)
    click.echo("the database is up to date")
