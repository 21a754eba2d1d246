"""`outreach segments preview, overlap, diff, history`: look at the people, and at segments beside one another."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click

from outreach.campaigns import audience
from outreach.cli.asking import Asking, ask, timed_count
from outreach.cli.workspace import print_json
from outreach.errors import UsageError
from outreach.segmentation.counting import PREVIEW_SECONDS
from outreach.segmentation.mentions import segments_of
from outreach.segmentation.samples import Example, made_up, real
from outreach.segmentation.sets import matrix, only_in, patterns
from outreach.store import campaigns, segment_counts
from outreach.store.dialects import EPOCH

MOST = 12
"""Segments in one overlap: beyond that the table is wider than a screen."""

_seconds = click.option(
    "--seconds",
    default=PREVIEW_SECONDS * 5,
    show_default=True,
    type=click.FloatRange(0),
    help="Give up after; 0: never.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.command()
@click.argument("rule", metavar="NAME-or-RULE")
@click.option("--people", "limit", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@click.option("--made-up", "invented", is_flag=True, help="People who do not exist and look like them, to show around.")
@click.option("--seed", default=1, show_default=True, help="Another number draws other people.")
@_json
def preview(rule: str, limit: int, invented: bool, seed: int, as_json: bool) -> None:
    """Some of the people, drawn by chance: their fields, topics, last open and last click."""
    asking = ask()
    condition = asking.expression(rule)
    draw = made_up if invented else real
    with asking.workspace.store.read() as connection:
        zone = asking.workspace.settings.zone
        drawn = draw(connection, condition, asking.catalogue, zone=zone, limit=limit, seed=seed)
    if as_json:
        print_json([_example(one) for one in drawn])
        return
    if not drawn:
        click.echo("nobody")
        return
    names = [name for name in asking.catalogue.fields if any(name in one.values for one in drawn)]
    rows = [
        [one.address, *(_shown(one.values.get(name)) for name in names), *map(_shown, (one.opened, one.clicked))]
        for one in drawn
    ]
    _columns([["address", *names, "last open", "last click"], *rows])
    if invented:
        click.echo("None of these people exist; their values are those of others in the segment.")


@click.command()
@click.argument("rules", metavar="NAME-or-RULE...", nargs=-1, required=True)
@_seconds
@_json
def overlap(rules: tuple[str, ...], seconds: float, as_json: bool) -> None:
    """How many people each two of several segments share.

    \b
    outreach segments overlap engaged lapsed 'district is 3'
    """
    if not 2 <= len(rules) <= MOST:
        raise UsageError(f"overlap compares 2 to {MOST} segments")
    asking = ask()
    conditions = [asking.expression(one) for one in rules]
    with asking.workspace.store.read() as connection:
        found = patterns(connection, conditions, seconds=seconds or None)
    table = matrix(found, len(rules))
    nowhere = found[(False,) * len(rules)]
    if as_json:
        print_json({"segments": list(rules), "both": table, "in_none": nowhere})
        return
    letters = [chr(ord("A") + number) for number in range(len(rules))]
    _columns(
        [["", *letters], *([letter, *(f"{one:,}" for one in row)] for letter, row in zip(letters, table, strict=True))]
    )
    for letter, rule in zip(letters, rules, strict=True):
        click.echo(f"{letter}  {rule}")
    click.echo(f"in none of them: {nowhere:,}")


@click.command()
@click.argument("first", metavar="NAME-or-RULE")
@click.argument("second", metavar="NAME-or-RULE")
@click.option(
    "--people", "limit", default=3, show_default=True, type=click.IntRange(0, 1000), help="Addresses to show."
)
@_seconds
@_json
def diff(first: str, second: str, limit: int, seconds: float, as_json: bool) -> None:
    """Who is in one segment and not in the other: how many, and some of them."""
    asking = ask()
    one, other = asking.expression(first), asking.expression(second)
    with asking.workspace.store.read() as connection:
        found = patterns(connection, [one, other], seconds=seconds or None)
        some = only_in(connection, one, other, limit=limit), only_in(connection, other, one, limit=limit)
    both, left, right = found[True, True], found[True, False], found[False, True]
    if as_json:
        document = {"both": both, "only_first": left, "only_second": right}
        print_json(document | {"people_only_first": some[0], "people_only_second": some[1]})
        return
    click.echo(f"{both:>9,} in both")
    for count, words, people in ((left, first, some[0]), (right, second, some[1])):
        click.echo(f"{count:>9,} only in {words}" + (f": {', '.join(people)}" if people else ""))


@click.command()
@click.argument("name")
@click.option("--nights", default=30, show_default=True, type=click.IntRange(1, 3660), help="How far back.")
@_seconds
@_json
def history(name: str, nights: int, seconds: float, as_json: bool) -> None:
    """A segment's count night by night, and who came and left since the last campaign that was sent to it.

    Counts are kept by `outreach cron`, once a night.
    """
    asking = ask()
    segment = asking.find(name)
    if not segment.name:
        raise UsageError(f"{name} is no segment; only named segments have a history")
    with asking.workspace.store.read() as connection:
        found = segment_counts.nights(connection, segment.name, limit=nights)
        people, _ = timed_count(connection, asking.compiled(segment.rule), seconds=seconds)
    since = _since_last_sent(asking, segment.name)
    kept = [
        {"day": (EPOCH.date() + dt.timedelta(one.day)).isoformat(), "people": one.people, "rule": one.rule_hash[:8]}
        for one in found
    ]
    if as_json:
        print_json({"segment": segment.name, "nights": kept, "now": people, "since_last_sent": since})
        return
    before: dict[str, Any] | None = None
    for night in kept:
        changed = "  the rule was changed" if before and before["rule"] != night["rule"] else ""
        click.echo(f"{night['day']}  {night['people']:>9,}  {_step(night, before)}{changed}".rstrip())
        before = night
    click.echo(f"{'now':10}  {people:>9,}  {_step({'people': people}, before)}".rstrip())
    if since:
        click.echo(
            f"since {since['campaign']} ({since['sent_to']:,} people): {since['came']:,} came, {since['left']:,} left"
        )


def _since_last_sent(asking: Asking, name: str) -> dict[str, Any] | None:
    """Who would get the last campaign that named this segment and did not, and the other way round."""
    store = asking.workspace.store
    with store.read() as connection:
        for campaign in reversed(campaigns.every(connection, *audience.SENT)):
            if name in segments_of(campaign.rule, asking.catalogue):
                came, left = audience.came_and_left(
                    connection, asking.compiled(campaign.rule), campaign, now=asking.workspace.now()
                )
                return {"campaign": campaign.name, "sent_to": campaign.frozen, "came": came, "left": left}
    return None


def _step(night: dict[str, Any], before: dict[str, Any] | None) -> str:
    return f"{night['people'] - before['people']:+,}" if before else ""


def _example(one: Example) -> dict[str, Any]:
    return {"address": one.address} | dict(one.values) | {
        "topics": list(one.topics), "last_open": one.opened, "last_click": one.clicked
    }  # fmt: skip


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _columns(rows: list[list[str]]) -> None:
    widths = [min(36, max(len(row[number]) for row in rows)) for number in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
