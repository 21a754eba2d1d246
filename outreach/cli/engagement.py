"""`outreach engagement`: what people did before they came to us."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from outreach.cli.workspace import Workspace, open_workspace, print_json
from outreach.errors import UsageError
from outreach.store import topics
from outreach.store.engagement import fold, rebuild
from outreach.subscribers import past

ROLES = ("address", "event", "at", "campaign", "link", "sent", "open", "click", "bounce")


@click.group()
def engagement() -> None:
    """What people did with the mail of another system.

    \b
    outreach engagement import activity.csv
    outreach engagement import opens.csv --event open --campaign "March news"
    """


@engagement.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--campaign", default="", help="The campaign it is about, if the file does not say.")
@click.option("--event", default="", help="What happened, if the file does not say: sent, open, click or bounce.")
@click.option("--topic", help="Count it for this topic (and its department), too.")
@click.option("--zone", help="The time zone of times without one; by default the organisation's.")
@click.option("--map", "columns", multiple=True, metavar="ROLE=COLUMN", help=f"A column's role: {', '.join(ROLES)}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def import_(
    file: Path,
    campaign: str,
    event: str,
    topic: str | None,
    zone: str | None,
    columns: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add FILE to everybody's engagement: Mailchimp's activity (CSV or JSON lines), GovDelivery's, or any CSV with
    address, event, time and campaign.

    Import the people first. The same file again changes nothing; rows that cannot be used come back in a file with
    their reasons. Rules then know what people opened and clicked before: opened within 90 days.
    """
    workspace = open_workspace()
    options = past.Options(
        campaign=campaign,
        event=event,
        topic_id=_topic(workspace, topic),
        zone=_zone(zone) or workspace.settings.zone,
        columns=tuple(_column(each) for each in columns),
        source=file.name,
    )
    folder = workspace.settings.data / "rejects"
    result = past.import_file(workspace.store, file, options=options, rejects_folder=folder, now=workspace.now())
    count = rebuild if result.refold else fold
    count(workspace.store, zone=workspace.settings.zone)
    if as_json:
        print_json(result.as_json())
        return
    click.echo(
        f"{file}: {result.rows:,} rows, {sum(result.events.values()):,} new events, {result.known:,} known before"
    )
    for word, number in sorted(result.events.items()):
        click.echo(f"  {number:,} {word}")
    if result.passed_over:
        click.echo(
            f"  {result.passed_over:,} passed over: unsubscribes and the like; those come with `subscribers import`"
        )
    for reason, number in result.reasons.items():
        click.echo(f"  {number:,} rejected: {reason}")
    if result.rejects_file:
        click.echo(f"  rejected rows: {result.rejects_file}")
    for name in result.campaigns[:20]:
        click.echo(f"  counted as campaign {name}")


def _topic(workspace: Workspace, name: str | None) -> int | None:
    if not name:
        return None
    with workspace.store.read() as connection:
        found = topics.find(connection, name)
    if found is None:
        raise UsageError(f"no topic is called {name!r}; import the people with it first")
    return found.id


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"{name!r} is no time zone; write it like America/Los_Angeles") from None


def _column(text: str) -> tuple[str, str]:
    role, _, column = text.partition("=")
    if role not in ROLES or not column:
        raise UsageError(f"--map {text!r}: write ROLE=COLUMN, the role being one of {', '.join(ROLES)}")
    return role, column
