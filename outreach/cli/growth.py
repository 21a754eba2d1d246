"""`outreach subscribers growth`: who came onto the list and who went, adding up to the person."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

if TYPE_CHECKING:
    from outreach.store.growth import Period

MOST = 400
"""Periods shown at once."""


@click.command()
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="The first day. By default a year ago.")
@click.option("--by", type=click.Choice(["month", "week", "day"]), default="month", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def growth(since: dt.datetime | None, by: str, as_json: bool) -> None:
    """How the list grew: who joined, returned, left, died, was erased or sunset, or was taken back with an import.

    On the list is whoever is confirmed for some topic and not suppressed. It is counted now, and by cron every
    night; what came and went adds up to it, to the person. Who came and went between two counts was never on it.

    \b
    outreach subscribers growth
    outreach subscribers growth --by week --since 2026-09-01
    """
    from outreach.cli.workspace import open_workspace, print_json
    from outreach.store import growth as store_growth

    workspace = open_workspace()
    zone, now = workspace.settings.zone, workspace.now()
    with workspace.store.write() as connection:
        size = store_growth.count(connection, now=now)
        first = store_growth.first(connection) or now
        begin = since.date() if since else max(first, now - dt.timedelta(days=366)).astimezone(zone).date()
        found = store_growth.periods(connection, bounds(begin, now, by=by, zone=zone))
    if as_json:
        print_json({"list": size, "periods": [_document(period, zone) for period in found]})
    else:
        _print(found, by=by, zone=zone)


def bounds(begin: dt.date, now: dt.datetime, *, by: str, zone: ZoneInfo) -> list[dt.datetime]:
    """Where periods begin, by the organisation's clock, and where the last of them ends: after `now`."""
    today = now.astimezone(zone).date()
    day = begin.replace(day=1) if by == "month" else begin - dt.timedelta(days=begin.weekday() if by == "week" else 0)
    days = [day]
    while days[-1] <= today:
        days.append(_next(days[-1], by))
    if len(days) > MOST + 1:
        raise click.BadParameter(f"that makes {len(days) - 1:,} periods; choose a longer --by or a later --since")
    return [dt.datetime.combine(each, dt.time(), zone) for each in days]


def _next(day: dt.date, by: str) -> dt.date:
    if by == "month":
        return (day.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
    return day + dt.timedelta(days=7 if by == "week" else 1)


def _document(period: Period, zone: ZoneInfo) -> dict[str, Any]:
    people = {kind.name.lower(): number for kind, number in period.people.items()}
    days = {"from": period.start.astimezone(zone).date(), "before": period.end.astimezone(zone).date()}
    return {**days, "list_before": period.before, **people, "list_after": period.after}


def _print(periods: list[Period], *, by: str, zone: ZoneInfo) -> None:
    from rich.console import Console
    from rich.table import Table

    from outreach.store.growth import Kind

    table = Table(box=None, header_style="bold")
    table.add_column("from")
    for heading in ("before", *(kind.word for kind in Kind), "after"):
        table.add_column(heading, justify="right")
    for period in periods:
        day = period.start.astimezone(zone)
        numbers = [period.before, *(period.people[kind] for kind in Kind), period.after]
        table.add_row(f"{day:%Y-%m}" if by == "month" else f"{day:%Y-%m-%d}", *(f"{number:,}" for number in numbers))
    Console(highlight=False).print(table)
