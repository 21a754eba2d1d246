"""`outreach fields`: the words that rules may use about people."""

from __future__ import annotations

import click

from outreach.cli.workspace import open_workspace, print_json
from outreach.errors import OutreachError
from outreach.segmentation.catalogue import load_catalogue
from outreach.store import slots


@click.group()
def fields() -> None:
    """What we know about people, as words for rules.

    \b
    outreach fields list
    outreach fields use ward --choices North,South,East
    """


@fields.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_fields(as_json: bool) -> None:
    """Every field, its type, and whether rules find it quickly."""
    with open_workspace().store.read() as connection:
        found = sorted(load_catalogue(connection, segments={}).fields.values(), key=lambda one: one.name)
    if as_json:
        print_json(
            [
                {"name": one.name, "type": one.type.value, "in_use": bool(one.column), "choices": list(one.choices)}
                for one in found
            ]
        )
        return
    for one in found:
        use = "in use" if one.column else "address" if one.is_address else "slower; outreach fields use " + one.name
        choices = f"  ({', '.join(one.choices)})" if one.choices else ""
        click.echo(f"{one.name:24} {one.type.value:7} {use}{choices}")


@fields.command()
@click.argument("name")
@click.option("--type", "kind", type=click.Choice(list(slots.SLOTS)), help="What it holds (default: as it is known).")
@click.option("--choices", default="", metavar="A,B,C", help="The only values that rules may ask for.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def use(name: str, kind: str | None, choices: str, as_json: bool) -> None:
    """Put a field to use in rules: it is found as quickly as a column. Again: its values are read anew."""
    wanted = [one.strip() for one in choices.split(",") if one.strip()]
    with open_workspace().store.write() as connection:
        done = slots.use(connection, name, kind=kind, choices=wanted)
    if as_json:
        print_json({"field": name, "slot": done.slot, "people": done.filled, "unreadable": done.unreadable})
        return
    click.echo(f"{name} is in use ({done.filled:,} people have a value)")
    if done.unreadable:
        click.echo(f"{done.unreadable:,} values are of another type and count as unknown", err=True)


@fields.command()
@click.argument("name")
def free(name: str) -> None:
    """Take a field out of use, to make room for another. No value is lost; rules with it are slower."""
    with open_workspace().store.write() as connection:
        if not slots.free(connection, name):
            raise OutreachError(f"{name} is not in use; look with: outreach fields list")
    click.echo(f"{name} is no longer in use")
