"""`outreach subscribers`: bring people in, look one up, hand them on, and leave one alone for good."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from typing import Any

import click

from outreach.errors import OutreachError, UsageError

ERASURE_KEY = Path("keys") / "erasure"


@click.group()
def subscribers() -> None:
    """The people we write to.

    \b
    outreach subscribers import mailchimp-audience-export.csv
    outreach subscribers show ada@city.example
    outreach subscribers export --segment engaged > engaged.csv
    """


@subscribers.command("import")
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

    Exports of Mailchimp, GovDelivery, Salesforce, listmonk and 311 are known by their headers. Nobody is
    ever resubscribed, and no value is emptied, by an import.

    \b
    outreach subscribers import contacts.csv --map 'Work Email=email' --map Ward=district
    outreach subscribers import fair.csv --topic 'Parks' --source 'spring fair 2026' --dry-run
    """
    from outreach.cli.progress import bar
    from outreach.cli.workspace import open_workspace, print_json
    from outreach.subscribers import saved
    from outreach.subscribers.importing import Options, Result, import_file

    workspace = open_workspace()
    kept = saved.load(workspace.root / "imports", using) if using else saved.Saved("")
    topic, source = topic or kept.topic, source or kept.source
    if topic and not source:
        raise UsageError("--topic needs --source: consent is only worth what we know about where it came from")
    options = Options(
        columns={**kept.columns, **_columns(columns)},
        topic=topic,
        source=source,
        dry_run=dry_run,
        complete=kept.complete,
        erasure_key=_erasure_key(workspace),
    )

    def announce(found: Result) -> None:
        """The difference, before any of it is made."""
        if not as_json:
            _print_difference(file, found, dry_run=dry_run)

    def run(progress: Any = None) -> Any:
        folder = workspace.root / "data" / "rejects"
        now = workspace.now()
        return import_file(
            workspace.store,
            file,
            now=now,
            rejects_folder=folder,
            options=options,
            progress=progress,
            announce=announce,
        )

    if sys.stderr.isatty() and not as_json:
        with bar(f"reading {file.name}", total=None) as advance:
            result = run(advance)
    else:
        result = run()
    if as_json:
        print_json(result.counts())
        return
    if result.rejects_file:
        click.echo(f"  rejected rows, each with its reason: {result.rejects_file}")
    if result.import_id is not None:
        click.echo(f"  to take it back: outreach subscribers imports undo {result.import_id}")


@subscribers.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def pairs(as_json: bool) -> None:
    """People who may be one person: the same name and postcode at two addresses. Nobody is ever merged."""
    from outreach.cli.workspace import open_workspace, print_json
    from outreach.store import suspects

    with open_workspace().store.read() as connection:
        found = suspects.pairs(connection)
    if as_json:
        print_json([{"who": who, "addresses": [one, other]} for who, one, other in found])
    else:
        for who, one, other in found:
            click.echo(f"{visible(who)}: {one} and {other}")


@subscribers.command()
@click.option("--check", is_flag=True, help="Only read the files and say what is wrong in them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def topics(check: bool, as_json: bool) -> None:
    """Publish topics/*.toml: from then on people are offered these topics, in their languages."""
    from outreach.cli.workspace import open_workspace, print_json
    from outreach.store import topics as store_topics
    from outreach.subscribers import topic_files

    workspace = open_workspace()
    files = topic_files.load(workspace.root / "topics")
    changed = 0
    if not check:
        with workspace.store.write() as connection:
            changed = topic_files.publish(connection, files)
    with workspace.store.read() as connection:
        known = store_topics.everyone(connection)
    if as_json:
        listed = [{"name": topic.name, "class": topic.message_class} for topic in known]
        print_json({"files": len(files), "changed": changed, "topics": listed})
        return
    click.echo(f"{len(files)} files, {changed} topics changed")
    for topic in known:
        click.echo(f"  {visible(topic.name)} ({topic.message_class})")


@subscribers.group()
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


@subscribers.command()
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show(address: str, as_json: bool) -> None:
    """Everything about one person, in the order of time."""
    from rich.console import Console

    from outreach.addresses import normalise
    from outreach.cli.workspace import open_workspace, print_json
    from outreach.subscribers.showing import story

    workspace = open_workspace()
    found = story(workspace.store, normalise(address))
    if found is None:
        raise OutreachError(f"nobody is known by {visible(address)}, and the address is not suppressed")
    if as_json:
        print_json(found)
    else:
        _print_story(found, Console())


@subscribers.command()
@click.option("--segment", metavar="NAME-or-RULE", help="Only these people.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A .csv, .jsonl or .xlsx; else stdout.")
def export(segment: str | None, out: Path | None) -> None:
    """People as CSV, JSON lines or XLSX, safe in a spreadsheet, with everything an import can take back."""
    from outreach.cli.workspace import open_workspace
    from outreach.segmentation.catalogue import load_catalogue
    from outreach.segmentation.sql import compile_rule
    from outreach.subscribers.erasing import note_export
    from outreach.subscribers.exporting import write_csv, write_file

    workspace = open_workspace()
    with workspace.store.read() as connection:
        among = None
        if segment:
            known = workspace.segments()
            catalogue = load_catalogue(connection, segments=known)
            rule = known.get(segment, segment)
            among = compile_rule(rule, catalogue, now=workspace.now(), zone=workspace.settings.zone)
        if out is None:
            write_csv(connection, sys.stdout, among=among)
            return
        try:
            count = write_file(connection, out, among=among)
        except OSError as error:
            raise click.FileError(str(out), error.strerror or "it cannot be written") from None
        note_export(workspace.settings.data, out)
        click.echo(f"{count:,} people are in {out}", err=True)


@subscribers.command()
@click.argument("address")
@click.option("--reason", required=True, type=click.Choice(["manual", "unsubscribe", "complaint", "bounce"]))
@click.option("--note", help="Why, in words.")
def suppress(address: str, reason: str, note: str | None) -> None:
    """Never write to ADDRESS again, whether we know the person or not."""
    from outreach.addresses import normalise
    from outreach.cli.workspace import open_workspace
    from outreach.store import suppressions

    workspace = open_workspace()
    normal = normalise(address)
    with workspace.store.write() as connection:
        new = suppressions.suppress(
            connection,
            normal,
            reason=suppressions.Reason(reason),
            source="outreach subscribers suppress",
            at=workspace.now(),
            detail=note,
        )
    click.echo(f"{normal} is suppressed" if new else f"{normal} was suppressed already")


@subscribers.command()
@click.argument("address")
@click.option("--verify", is_flag=True, help="Only search: where does the address still stand?")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def erase(address: str, verify: bool, as_json: bool) -> None:
    """Forget ADDRESS: the person goes from the store, the spool, our exports and reject files.

    A keyed hash (keys/erasure) keeps the next import from bringing them back. Afterwards everything is
    searched, and exit code 5 says that the address still stands somewhere, and where.
    """
    from outreach.addresses import normalise
    from outreach.cli.workspace import open_workspace, print_json
    from outreach.store.erasing import load_key
    from outreach.subscribers import erasing

    workspace = open_workspace()
    normal, data = normalise(address), workspace.settings.data
    person: int | None = None
    if not verify:
        key = load_key(workspace.root / ERASURE_KEY)
        person = erasing.erase(workspace.store, data, normal, key=key, now=workspace.now())
    found = erasing.verify(workspace.store, data, normal)
    if as_json:
        print_json({"address": normal, "erased": not verify, "known": person is not None, "remains": found})
    elif not verify:
        click.echo(f"{normal} is erased" if person is not None else f"{normal} was not known, and stays unknown")
    if not found and verify and not as_json:
        click.echo(f"{normal} stands nowhere")
    if found:
        for place in found[:50]:
            click.echo(f"still in {place}", err=True)
        raise click.exceptions.Exit(5)


@subscribers.command()
@click.argument("address")
def release(address: str) -> None:
    """Lift the suppression of ADDRESS; do so only when the person asked for it."""
    from outreach.addresses import normalise
    from outreach.cli.workspace import open_workspace
    from outreach.store import suppressions

    normal = normalise(address)
    with open_workspace().store.write() as connection:
        released = suppressions.release(connection, normal)
    click.echo(f"{normal} may be written to again" if released else f"{normal} was not suppressed")


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


def visible(text: str) -> str:
    """Without what could steer a terminal: control characters, escapes, marks that turn the direction of text."""
    return "".join(letter for letter in text if unicodedata.category(letter) not in ("Cc", "Cf") or letter in "\n\t")


def _columns(pairs: tuple[str, ...]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        # The file's column may itself hold an equals sign; a field cannot.
        column, equals, field = pair.rpartition("=")
        if not equals or not column or not field:
            raise UsageError(f"--map {pair!r} should look like --map 'File column=field'")
        columns[column] = field
    return columns


def _print_story(found: dict[str, Any], console: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    facts = Table(box=None, show_header=False)
    for name, value in found.items():
        if name in ("history", "topics", "attributes"):
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{key} {each}" for key, each in value.items() if each)
        facts.add_row(
            Text(name.replace("_", " "), style="bold"), Text(visible(str(value if value is not None else "-")))
        )
    for name, value in found["attributes"].items():
        facts.add_row(Text(name), Text(visible(str(value))))
    for topic in found["topics"]:
        words = f"{topic['status']}, {topic['frequency']}, since {topic['since'][:10]}"
        facts.add_row(Text(f"topic {visible(topic['name'])}"), Text(words))
    console.print(facts)
    table = Table("when", "what", "", box=None)
    for line in found["history"]:
        when = (line["at"] or "unknown")[:16].replace("T", " ")
        table.add_row(when, Text(visible(line["what"])), Text(visible(line["detail"])))
    console.print(table)
