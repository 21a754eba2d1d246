"""`outreach subscribers import` and `imports`: bring people in from any file, and take that back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from outreach.cli.visible import visible
from outreach.errors import UsageError

ERASURE_KEY = Path("keys") / "erasure"


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--map", "columns", multiple=True, metavar="COLUMN=FIELD", help="A file's column is this field.")
@click.option("--using", metavar="NAME", help="A saved mapping: imports/NAME.toml.")
@click.option("--topic", help="A topic that everybody in the file asked for.")
@click.option("--source", help="Where their consent comes from, such as 'counter, spring fair 2026'.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def import_command(
    file: Path,
    columns: tuple[str, ...],
    using: str | None,
    topic: str | None,
    source: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring in the people of FILE: CSV in any encoding, JSON lines, or a spreadsheet (XLSX).

    Exports of Mailchimp, GovDelivery, Salesforce, listmonk and 311 are known by their headers. First the columns
    are shown and what they are taken for, then what would change; only then it changes, in one go. Nobody is
    ever resubscribed, and no value is emptied, by an import.

    \b
    outreach subscribers import contacts.csv --map 'Work Email=email' --map Ward=district
    outreach subscribers import fair.csv --topic 'Parks' --source 'spring fair 2026' --dry-run
    """
    from outreach.cli.workspace import open_workspace, print_json

    workspace = open_workspace()
    options = _options(workspace, using, _columns(columns), topic=topic, source=source, dry_run=dry_run)
    result = _run(workspace, file, options, shows_columns=not using, quiet=as_json)
    if as_json:
        print_json(result.counts())
        return
    if result.rejects_file:
        click.echo(f"  rejected rows, each with its reason: {result.rejects_file}")
    if result.import_id is not None:
        click.echo(f"  to take it back: outreach subscribers imports undo {result.import_id}")


@click.group()
def imports() -> None:
    """What was imported, and how to take it back.

    \b
    outreach subscribers imports list
    outreach subscribers imports undo 3
    """


@imports.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def imports_list(as_json: bool) -> None:
    """Every import, the latest first."""
    from outreach.cli.workspace import open_workspace, print_json
    from outreach.store import undoing

    with open_workspace().store.read() as connection:
        runs = undoing.runs(connection)
    if as_json:
        print_json(
            [
                {"id": run.id, "file": run.file, "system": run.source, "at": run.at, "undone": run.undone_at}
                | {name: value for name, value in run.result.items() if name != "label"}
                for run in runs
            ]
        )
        return
    for run in runs:
        counts = ", ".join(f"{run.result.get(name, 0):,} {name}" for name in ("new", "changed", "suppressed"))
        undone = f"; undone {run.undone_at:%Y-%m-%d %H:%M}" if run.undone_at else ""
        click.echo(
            f"{run.id:>5}  {run.at:%Y-%m-%d %H:%M}  {visible(Path(run.file).name)} ({run.source}): {counts}{undone}"
        )


@imports.command("undo")
@click.argument("number", type=int)
@click.option("--leave-touched", is_flag=True, help="Leave people as they are who have changed since.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def imports_undo(number: int, leave_touched: bool, as_json: bool) -> None:
    """Take import NUMBER back: everybody in it is as before.

    Refuses, and names them, if some of its people have done something since: confirmed, left, been written to.
    """
    from outreach.cli.workspace import open_workspace, print_json
    from outreach.store import undoing

    workspace = open_workspace()
    with workspace.store.write() as connection:
        restored, left = undoing.undo(connection, number, now=workspace.now(), leave_touched=leave_touched)
    if as_json:
        print_json({"restored": restored, "left": left})
    else:
        more = f"; {left:,} who have changed since were left as they are" if left else ""
        click.echo(f"import {number} is undone: {restored:,} people are as they were{more}")


def _options(
    workspace: Any, using: str | None, columns: dict[str, str], *, topic: str | None, source: str | None, dry_run: bool
) -> Any:
    """What the command line says, over what a saved mapping says."""
    from outreach.subscribers import saved
    from outreach.subscribers.importing import Options
    from outreach.subscribers.systems import trusted

    kept = saved.load(workspace.root / "imports", using) if using else saved.Saved("")
    topic, source = topic or kept.topic, source or kept.source
    if topic and not source:
        raise UsageError("--topic needs --source: consent is only worth what we know about where it came from")
    return Options(
        columns={**kept.columns, **columns},
        topic=topic,
        source=source,
        dry_run=dry_run,
        complete=kept.complete,
        erasure_key=_erasure_key(workspace),
        trusted=trusted(workspace.settings.text("import.trusted")),
    )


def _run(workspace: Any, file: Path, options: Any, *, shows_columns: bool, quiet: bool) -> Any:
    """Import, showing the columns and the difference before anything is changed."""
    from outreach.cli.progress import bar
    from outreach.subscribers.importing import Result, import_file

    def propose(table: Any, mapping: Any) -> None:
        if shows_columns and not quiet:
            _print_columns(table, mapping)

    def announce(found: Result) -> None:
        if not quiet:
            _print_difference(file, found, dry_run=options.dry_run)

    def run(progress: Any = None) -> Result:
        return import_file(
            workspace.store,
            file,
            now=workspace.now(),
            rejects_folder=workspace.root / "data" / "rejects",
            options=options,
            progress=progress,
            propose=propose,
            announce=announce,
        )

    if quiet or not sys.stderr.isatty():
        return run()
    with bar(f"reading {file.name}", total=None) as advance:
        return run(advance)


def _print_columns(table: Any, mapping: Any) -> None:
    """What each column is taken for, and what stands in its first rows."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from outreach.subscribers.profiling import profile

    found = profile(table, mapping)
    shown = Table(
        box=None, header_style="bold", title_justify="left", title=f"{table.path.name}, the first {found.rows:,} rows"
    )
    for heading in ("column", "taken for", "looks like", "empty", "such as"):
        shown.add_column(heading, justify="right" if heading == "empty" else "left")
    for column in found.columns:
        examples = ", ".join(visible(each) for each in column.examples)
        shown.add_row(Text(visible(column.header)), column.target, column.kind, f"{column.empty:.0%}", Text(examples))
    Console(highlight=False).print(shown)


def _print_difference(file: Path, found: Any, *, dry_run: bool) -> None:
    click.echo(f"{file.name} ({found.system}){', dry run: nothing was changed' if dry_run else ''}")
    for name, value in found.counts().items():
        if isinstance(value, int):
            click.echo(f"  {name:<10} {value:>9,}")
            parts = found.fields if name == "changed" else found.reasons if name == "rejected" else {}
            for part, count in list(parts.items())[:8]:
                click.echo(f"             {count:>9,} {visible(part)}")
    if found.cp1252_lines:
        click.echo(f"  {found.cp1252_lines:,} lines were not UTF-8 and were read as Windows-1252")
    if found.roles:
        click.echo(f"  {found.roles:,} addresses are of an office rather than a person (info@ and the like)")
    if found.disposable:
        click.echo(f"  {found.disposable:,} addresses are at domains that give them away for an hour")
    if found.gone:
        named = ", ".join(found.gone[:10])
        click.echo(f"  {len(found.gone):,} people came from this system and are not in its export any more: {named} …")


def _erasure_key(workspace: Any) -> bytes | None:
    from outreach.store.erasing import load_key

    path = workspace.root / ERASURE_KEY
    return load_key(path) if path.exists() else None


def _columns(pairs: tuple[str, ...]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        # The file's column may itself hold an equals sign; a field cannot.
        column, equals, field = pair.rpartition("=")
        if not equals or not column or not field:
            raise UsageError(f"--map {pair!r} should look like --map 'File column=field'")
        columns[column] = field
    return columns
