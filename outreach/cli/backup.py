"""`outreach backup`, `restore` and `resume`: one file, and nothing sent twice afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import click

from outreach.campaigns import restored
from outreach.cli.workspace import Workspace, open_workspace, print_json
from outreach.errors import UsageError
from outreach.settings import FILE, load_settings
from outreach.store import audit
from outreach.store import backup as store_backup
from outreach.store.database import Store
from outreach.tokens import load_keys


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup(file: Path) -> None:
    """Write this workspace into FILE: databases, campaigns, settings and keys, as of one moment.

    It may run during a send. Whoever has the file can send in the organisation's name: keep it as safe as the keys.
    """
    workspace = open_workspace()
    size = store_backup.write(workspace.store, workspace.root, file, now=workspace.now())
    click.echo(f"{file}: {size:,} bytes. Try it before it is needed: outreach restore {file} ANOTHER-FOLDER")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def restore(file: Path, folder: Path) -> None:
    """Make a workspace in FOLDER from the backup FILE. It sends nothing until `outreach resume --after-restore`."""
    if (folder / FILE).exists():
        raise UsageError(f"{folder} is a workspace already; a restore never overwrites one: move it away first")
    store_backup.unpack(file, folder)
    settings = load_settings(folder)
    store = Store.open(settings.database_url)
    workspace = Workspace(settings, store)
    store_backup.restore(store, file, now=workspace.now())
    with store.write() as connection:
        audit.note(connection, verb="restore", object=file.name, detail={}, now=workspace.now())
    store.close()
    click.echo(f"{folder} is restored from the backup of {store_backup.taken_at(file):%Y-%m-%d %H:%M} UTC.")
    click.echo(f"It sends nothing until you say so. Look with `outreach doctor`, then: cd {folder} and")
    click.echo(
        "  outreach resume --after-restore --relay-log FILE   the relay's log since the backup names who got what"
    )
    click.echo("  outreach resume --after-restore --nothing-sent-since   if nothing was sent after the backup")


@click.command()
@click.option("--after-restore", is_flag=True, required=True, help="Say that this installation is the one that sends.")
@click.option(
    "--relay-log",
    "logs",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A log since the backup with Message-IDs: whoever is in it has it. May be given several times.",
)
@click.option("--nothing-sent-since", is_flag=True, help="You vouch that nothing was sent after the backup.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def resume(after_restore: bool, logs: tuple[Path, ...], nothing_sent_since: bool, as_json: bool) -> None:
    """Let a restored or copied installation send again; the old one must not.

    Without a log, and without your word that nothing was sent since, the campaigns that were under way stay paused:
    nobody gets anything twice.
    """
    if logs and nothing_sent_since:
        raise UsageError("choose one of --relay-log and --nothing-sent-since")
    workspace = open_workspace()
    known = restored.read_logs(logs, load_keys(workspace.token_keys)) if logs else None
    found = restored.resume(
        workspace.store, workspace.settings.data, logs=known, nothing_sent=nothing_sent_since, now=workspace.now()
    )
    with workspace.store.write() as connection:
        detail = {"logs": [os.fspath(each.name) for each in logs], "nothing_sent_since": nothing_sent_since}
        audit.note(connection, verb="resume", object="installation", detail=detail, now=workspace.now())
    if as_json:
        print_json(
            {
                "accepted": found.accepted,
                "in_doubt": found.in_doubt,
                "paused": list(found.paused),
                "digest_items_dropped": found.digests,
            }
        )
        return
    click.echo("this installation sends again; see that the old one does not")
    if found.accepted:
        click.echo(f"  {found.accepted:,} people had it already, by the relay's log")
    if found.in_doubt:
        click.echo(f"  {found.in_doubt:,} are in doubt; see `outreach campaigns doubts`")
    for name in found.paused:
        click.echo(f"  {name} stays where it is until a person has looked at it")
    if found.digests:
        click.echo(f"  {found.digests:,} items that waited for a digest are dropped: it may have left since")
