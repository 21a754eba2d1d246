"""`outreach segments`: say whom in a sentence, and see how many that is and why."""

from __future__ import annotations

from typing import Any

import click

from outreach.cli.asking import Asking, ask, timed_count
from outreach.cli.segment_sets import diff, history, overlap, preview
from outreach.cli.segment_words import words
from outreach.cli.workspace import print_json
from outreach.errors import OutreachError
from outreach.segmentation.clauses import Clause, clauses
from outreach.segmentation.contradictions import two_values
from outreach.segmentation.counting import PREVIEW_SECONDS, TooSlow
from outreach.segmentation.errors import RuleError
from outreach.segmentation.explain import explain as explain_rule
from outreach.segmentation.facts import find_person, load_person
from outreach.segmentation.fields import Topic
from outreach.segmentation.files import Segment
from outreach.segmentation.json_form import to_json
from outreach.segmentation.mentions import topics_of
from outreach.segmentation.parser import parse
from outreach.segmentation.printing import canonical
from outreach.segmentation.rules import Name, Rule
from outreach.segmentation.standing import standing
from outreach.segmentation.wording import Wording

MARKS = {True: "yes", False: "no"}

seconds_option = click.option(
    "--seconds", default=PREVIEW_SECONDS, show_default=True, type=click.FloatRange(0), help="Give up after; 0: never."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group()
def segments() -> None:
    """Named rules that choose subscribers; always current.

    A rule is a sentence; quote it for the shell. Everything that takes a NAME takes a rule too.
    `outreach segments words` shows the fields, topics, departments and campaigns there are.

    \b
      district is 3                         email, zip, language, renter, joined …
      district in (3, 4) and not renter     and, or, not, brackets; `not` is everybody else, unknown included
      zip starts with "972"                 contains, ends with; is known, is unknown
      joined within 30 days                 since 2026-09-01, before, between … and …, this month, last month
      topic is "Road works"                 a confirmed subscription; department is Parks: any topic of it
      opened within 90 days                 opened, clicked, received; never opened
      clicked at least 3 times from department Parks since 2026-09-01
      opened campaign street-sweeping-1     from department …, about topic …, campaign …
      ignored the last 5 campaigns about topic parking
      in segment engaged and not suppressed

    \b
    outreach segments count 'topic is "Parking" and district in (3, 4)'
    outreach segments explain engaged ada@city.example

    Save a rule as segments/NAME.segment. The whole language: docs/segments.md, segments/README.md.
    """


@segments.command("list")
@json_option
def list_segments(as_json: bool) -> None:
    """Every segment, what it is for, and its rule."""
    found = sorted(ask().segments.values(), key=lambda one: one.name)
    if as_json:
        print_json([{"name": one.name, "rule": one.rule.strip(), "description": one.description} for one in found])
        return
    for one in found:
        click.echo(f"{one.name:22} {_one_line(one)}")
        if one.description:
            click.echo(f"{'':22} # {one.description.partition('. ')[0].rstrip('.')}.")


@segments.command()
@click.argument("name", metavar="[NAME or RULE]", required=False)
@json_option
def check(name: str | None, as_json: bool) -> None:
    """Check one segment, or all of them, and count those with an `expect` line; exit 1 if any is wrong."""
    asking = ask()
    found = [asking.find(name)] if name else sorted(asking.segments.values(), key=lambda one: one.name)
    results = [_checked(asking, one) for one in found]
    if as_json:
        print_json(results)
    for result in [] if as_json else results:
        click.echo(f"{result['name'] or 'the rule'}: {result['said']}", err=not result["ok"])
    if wrong := sum(not result["ok"] for result in results):
        raise OutreachError(f"{wrong} of {len(results)} segments cannot be used as they are")


@segments.command()
@click.argument("rule", metavar="NAME-or-RULE")
@seconds_option
@json_option
def count(rule: str, seconds: float, as_json: bool) -> None:
    """How many active subscribers a segment or a rule chooses right now."""
    asking = ask()
    condition = asking.expression(rule)
    with asking.workspace.store.read() as connection:
        people, milliseconds = timed_count(connection, condition, seconds=seconds)
    written = asking.find(rule).rule
    notes = asking.notes(written, "en")
    if not people and (hint := two_values(written)):
        notes = [hint, *notes]
    if as_json:
        print_json({"count": people, "ms": milliseconds} | ({"notes": notes} if notes else {}))
    else:
        click.echo(f"{people:,} {'person' if people == 1 else 'people'} ({milliseconds} ms)")
        for note in notes:
            click.echo(f"  note: {note}", err=True)


@segments.command()
@click.argument("rule", metavar="NAME-or-RULE")
@click.argument("address", required=False)
@click.option("--topic", help="Look at the consent for this topic (default: those the rule names).")
@click.option("--language", default="en", type=click.Choice(["en", "es", "de"]), help="Of the sentences.")
@json_option
def explain(rule: str, address: str | None, topic: str | None, language: str, as_json: bool) -> None:
    """A rule as a sentence; with ADDRESS, why that person is in or out.

    Clause by clause with the fact it was decided by, then whether we could write to them at all: that is
    looked up for every campaign besides its rule.
    """
    asking = ask()
    tree = parse(asking.find(rule).rule, words=asking.catalogue.words())
    now, zone = asking.workspace.now(), asking.workspace.settings.zone
    sentence = explain_rule(tree, asking.catalogue, language, now=now, zone=zone)
    document: dict[str, Any] = {"rule": canonical(tree), "sentence": sentence, "tree": to_json(tree)}
    if notes := asking.notes(tree, language):
        document["notes"] = notes
        sentence += "".join(f"\n  ({note})" for note in notes)
    if address is None:
        print_json(document) if as_json else click.echo(sentence)
        return
    told, behind, known_as = _about(asking, tree, address, topic, language)
    if as_json:
        document |= {"address": known_as, "in": told[0].holds, "clauses": [_line(one) for one in told]}
        print_json(document | {"standing": [_line(one) for one in behind]})
        return
    wording = Wording(asking.catalogue, language, now.astimezone(zone).date())
    click.echo(f"{sentence}\n\n{wording.say('in' if told[0].holds else 'out', address=known_as)}")
    _table(told)
    click.echo(f"\n{wording.say('standing')}")
    _table(behind)


def _about(
    asking: Asking, tree: Rule, address: str, topic: str | None, language: str
) -> tuple[tuple[Clause, ...], tuple[Clause, ...], str]:
    from outreach.addresses import normalise

    known_as = normalise(address)
    now, zone, catalogue = asking.workspace.now(), asking.workspace.settings.zone, asking.catalogue
    about: tuple[Topic, ...] = topics_of(tree, catalogue)
    if topic:
        about = (catalogue.topic_named(Name(topic)),)
    with asking.workspace.store.read() as connection:
        number = find_person(connection, known_as)
        person = load_person(connection, number, catalogue) if number is not None else None
        if number is None or person is None:
            raise OutreachError(f"nobody is subscribed as {known_as}; look with: outreach subscribers show {known_as}")
        behind = standing(connection, number, catalogue, language, topics=about, now=now, zone=zone)
    return clauses(tree, person, catalogue, language, now=now, zone=zone), behind, known_as


def _checked(asking: Asking, segment: Segment) -> dict[str, Any]:
    result: dict[str, Any] = {"name": segment.name, "ok": True, "said": "well"}
    try:
        condition = asking.compiled(segment.rule)
        if segment.expected is None:
            return result
        with asking.workspace.store.read() as connection:
            people, _ = timed_count(connection, condition, seconds=PREVIEW_SECONDS * 5)
    except (RuleError, TooSlow) as error:
        return result | {"ok": False, "said": str(error)}
    low, high = segment.expected
    ok = segment.as_expected(people)
    said = f"{people:,} people, {'as' if ok else 'not the'} {low:,} to {high:,} {'' if ok else 'that were '}expected"
    return result | {"ok": ok, "count": people, "expected": [low, high], "said": said}


def _table(lines: tuple[Clause, ...]) -> None:
    shown = [f"{'  ' * one.depth}{one.text}" for one in lines]
    width = min(72, max(len(text) for text in shown))
    for one, text in zip(lines, shown, strict=True):
        click.echo(f"  {MARKS[one.holds]:4} {text:{width}}  {one.fact}".rstrip())


def _line(one: Clause) -> dict[str, Any]:
    return {"text": one.text, "holds": one.holds, "fact": one.fact, "depth": one.depth}


def _one_line(segment: Segment) -> str:
    """The rule without its comments and line breaks."""
    lines = (line for line in segment.rule.splitlines() if not line.lstrip().startswith("#"))
    return " ".join(" ".join(lines).split())


for command in (words, preview, overlap, diff, history):
    segments.add_command(command)
