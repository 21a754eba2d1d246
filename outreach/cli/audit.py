"""`outreach audit`: who changed what, and whether anybody has tampered with that record."""

from __future__ import annotations

import click

from outreach.cli.workspace import open_workspace, print_json
from outreach.errors import OutreachError
from outreach.store import audit as store_audit


@click.group()
def audit() -> None:
    """Who changed what, when.

    \b
    outreach audit show
    outreach audit verify
    """


@audit.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many of the latest.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show(limit: int, as_json: bool) -> None:
    """The latest changes, oldest first."""
    workspace = open_workspace()
    with workspace.store.read() as connection:
        found = store_audit.entries(connection, limit=limit)
    if as_json:
        print_json(
            [
                {
                    "id": each.id,
                    "at": each.at.isoformat(),
                    "who": each.who,
                    "verb": each.verb,
                    "object": each.object,
                    "detail": dict(each.detail),
                }
                for each in found
            ]
        )
        return
    for each in found:
        more = "; ".join(f"{name}: {value}" for name, value in each.detail.items())
        click.echo(
            f"{each.at:%Y-%m-%d %H:%M:%S}  {each.who}  {each.verb} {each.object}{'  (' + more + ')' if more else ''}"
        )


@audit.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def verify(as_json: bool) -> None:
    """Follow the chain from its first row; exit 1 and name the rows if any was altered or removed."""
    workspace = open_workspace()
    with workspace.store.read() as connection:
        broken = list(store_audit.breaks(connection))
        latest = store_audit.entries(connection, limit=1)
    if as_json:
        print_json({"ok": not broken, "broken": broken, "latest": latest[0].hash if latest else None})
    elif not broken and latest:
        click.echo(f"{latest[0].id:,} changes, the chain is whole; its latest hash is {latest[0].hash}")
    if broken:
        raise OutreachError("the audit log was tampered with: " + "; ".join(broken))
