"""`outreach segments`: say whom in a sentence, and see how many that is."""

from __future__ import annotations

import time

import click

from outreach.cli.workspace import Workspace, open_workspace, print_json
from outreach.errors import OutreachError
from outreach.segmentation.catalogue import load_catalogue
from outreach.segmentation.counting import count as count_people
from outreach.segmentation.errors import RuleError
from outreach.segmentation.explain import explain as explain_rule
from outreach.segmentation.fields import Catalogue
from outreach.segmentation.parser import parse
from outreach.segmentation.sql import compile_rule


@click.group()
def segments() -> None:
    """Named rules that choose subscribers; always current.

    \b
    outreach segments count 'topic is "Parking" and district in (3, 4)'
    outreach segments explain engaged
    outreach segments check
    """


@segments.command("list")
def list_segments() -> None:
    """Every segment and its rule."""
    for name, rule in sorted(open_workspace().segments().items()):
        click.echo(f"{name:24} {' '.join(rule.split())}")


@segments.command()
@click.argument("name", required=False)
def check(name: str | None) -> None:
    """Check one segment, or all of them; exit 1 if any is wrong."""
    workspace = open_workspace()
    catalogue = _catalogue(workspace)
    known = workspace.segments()
    wrong = 0
    for each in [name] if name else sorted(known):
        try:
            compile_rule(known.get(each, each), catalogue, now=workspace.now(), zone=workspace.settings.zone)
        except RuleError as error:
            wrong += 1
            click.echo(f"{each}: {error}", err=True)
        else:
            click.echo(f"{each}: well")
    if wrong:
        raise OutreachError(f"{wrong} of the segments cannot be used as they are")


@segments.command()
@click.argument("rule", metavar="NAME-or-RULE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def count(rule: str, as_json: bool) -> None:
    """How many active subscribers a segment or a rule matches right now."""
    workspace = open_workspace()
    text = workspace.segments().get(rule, rule)
    condition = compile_rule(text, _catalogue(workspace), now=workspace.now(), zone=workspace.settings.zone)
    started = time.perf_counter()
    with workspace.store.read() as connection:
        people = count_people(connection, condition)
    milliseconds = round((time.perf_counter() - started) * 1000, 1)
    if as_json:
        print_json({"count": people, "ms": milliseconds})
    else:
        click.echo(f"{people:,} people ({milliseconds} ms)")


@segments.command()
@click.argument("rule", metavar="NAME-or-RULE")
@click.option("--language", default="en", type=click.Choice(["en", "es", "de"]), help="Of the sentence.")
def explain(rule: str, language: str) -> None:
    """A segment or rule as a sentence."""
    workspace = open_workspace()
    catalogue = _catalogue(workspace)
    text = workspace.segments().get(rule, rule)
    tree = parse(text, words=catalogue.words())
    click.echo(explain_rule(tree, catalogue, language=language, now=workspace.now(), zone=workspace.settings.zone))


def _catalogue(workspace: Workspace) -> Catalogue:
    with workspace.store.read() as connection:
        return load_catalogue(connection, segments=workspace.segments())
