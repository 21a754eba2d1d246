"""`outreach segments words`: the names a rule may use in this city, each as it is written in a rule."""

from __future__ import annotations

from collections.abc import Mapping

import click

from outreach.cli.asking import ask
from outreach.cli.workspace import print_json
from outreach.segmentation.fields import Catalogue, Type
from outreach.segmentation.samples import common

_SHOWN = 12
"""Campaigns shown, the latest first: a city has hundreds of them."""


@click.command()
@click.option("--all", "every", is_flag=True, help=f"Every campaign, not only the latest {_SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def words(every: bool, as_json: bool) -> None:
    """The names that rules can use here: fields with common values, topics, departments, campaigns, segments."""
    asking = ask()
    catalogue = asking.catalogue
    with asking.workspace.store.read() as connection:
        values = common(connection, catalogue)
    campaigns = sorted(catalogue.campaigns, key=catalogue.campaigns.__getitem__, reverse=True)
    named = {
        "topics": [topic.name for topic in catalogue.topics],
        "departments": sorted(catalogue.departments),
        "segments": sorted(catalogue.segments),
        "campaigns": campaigns,
    }
    if as_json:
        fields = {one.name: one.type.value for one in catalogue.fields.values()}
        print_json({"fields": fields, "values": values} | named)
        return
    for name, said in _fields(catalogue, values):
        click.echo(f"{name:24} {said}")
    used = {
        "topics": "topic is …, opened about topic …",
        "departments": "department is …, opened from department …",
        "segments": "in segment …",
        "campaigns": "received campaign …, opened campaign …",
    }
    for kind, names in named.items():
        shown = names if every or kind != "campaigns" else names[:_SHOWN]
        click.echo(f"\n{kind}: {used[kind]}" if names else f"\n{kind}: none yet")
        for name in shown:
            click.echo(f'  "{name}"')
        if len(shown) < len(names):
            click.echo(f"  and {len(names) - len(shown):,} older ones: --all")


def _fields(catalogue: Catalogue, values: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """Each field with what can be asked of it, and below it the values that many people have."""
    asked = {
        Type.TEXT: 'is, in (…, …), contains, starts with "…", ends with "…"',
        Type.CHOICE: "is, in (…, …)",
        Type.NUMBER: "is, at least, less than, between … and …",
        Type.DATE: "before 2026-03-31, since …, within 30 days, between … and …",
        Type.YESNO: "is yes, is no",
    }
    lines = []
    for one in catalogue.fields.values():
        choices = f": {', '.join(one.choices)}" if one.choices else ""
        lines.append((one.name, f"{one.type.value:7} {asked[one.type]}{choices}"))
        if values.get(one.name):
            lines.append(("", f"        often {', '.join(values[one.name])}"))
    return lines
