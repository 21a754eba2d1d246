"""`outreach subscribers`: bring people in, look one up, hand them on, and leave one alone for good."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from outreach.cli.growth import growth
from outreach.cli.importing import ERASURE_KEY, import_command, imports
from outreach.cli.visible import visible
from outreach.errors import OutreachError


@click.group()
def subscribers() -> None:
    """The people we write to.

    \b
    outreach subscribers import mailchimp-audience-export.csv
    outreach subscribers show ada@city.example
    outreach subscribers export --segment engaged > engaged.csv
    """


for command in (import_command, imports, growth):
    subscribers.add_command(command)


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
