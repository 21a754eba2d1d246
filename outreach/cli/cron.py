"""`outreach cron`: everything that is due, once. Silent when all is well."""

from __future__ import annotations

import datetime as dt
import urllib.error
import urllib.request

import click

from outreach.campaigns import asking, lifecycle
from outreach.campaigns.quiet_times import waits
from outreach.cli.campaigns import send_campaign
from outreach.cli.confirming import send_confirmations
from outreach.cli.events import push
from outreach.cli.nightly import nightly
from outreach.cli.workspace import Workspace, open_workspace, print_json
from outreach.errors import OutreachError
from outreach.logs import redact
from outreach.scheduling import digesting, due, feeds
from outreach.scheduling.locks import alone
from outreach.sending.recovery import recover
from outreach.store import campaigns, confirmations, engagement, installation, preferences
from outreach.store.campaigns import Campaign, Status
from outreach.store.held import accept_overdue, held_suppressions
from tracking.judging import judge_due
from tracking.loader import Loader

PING_SECONDS = 5.0


@click.group(invoke_without_command=True)
@click.pass_context
def cron(context: click.Context) -> None:
    """Do everything that is due, once: scheduled sends and retries, digests, feeds, events, engagement.

    Run it every minute. It is safe when runs overlap, prints nothing when all is well, and one line
    for each trouble (exit code 1) when not. After a run without trouble it calls `cron.ping_url`, so that somebody
    else notices when there are no more runs.
    """
    if context.invoked_subcommand is None:
        _run(open_workspace())


@cron.command("next")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 366), help="How far to look.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def upcoming(days: int, as_json: bool) -> None:
    """What is coming: scheduled campaigns, and when digests are gathered."""
    workspace = open_workspace()
    now = workspace.now()
    found = due.coming(workspace.store, now=now, until=now + dt.timedelta(days=days))
    found = [(at, what + _quiet(workspace, what, at)) for at, what in found]
    found = sorted(found + digesting.coming(workspace.store, workspace.settings, now=now))
    if as_json:
        print_json([{"at": at.isoformat(), "what": what} for at, what in found])
        return
    zone = workspace.settings.zone
    for at, what in found:
        click.echo(f"{at.astimezone(zone):%a %Y-%m-%d %H:%M} {zone.key}  ({at:%Y-%m-%d %H:%M} UTC)  {what}")
    if not found:
        click.echo(f"nothing is scheduled within {days} days")


def _quiet(workspace: Workspace, name: str, at: dt.datetime) -> str:
    """Who of a planned campaign's people would be in their quiet hours."""
    with workspace.store.read() as connection:
        campaign = campaigns.find(connection, name)
        if campaign.name != name:  # an occurrence that is planned when it comes
            return ""
        return "".join(f"; {each}" for each in waits(connection, workspace.settings, campaign, at=at))


def _run(workspace: Workspace) -> None:
    troubles = [
        trouble
        for trouble in (
            _events(workspace),
            _people(workspace),
            *_sends(workspace),
            _returns(workspace),
            *nightly(workspace),
        )
        if trouble
    ]
    if troubles:
        raise OutreachError(redact("; ".join(troubles)))  # a server's reply often names the person
    _ping(workspace.settings.text("cron.ping_url"))


def _ping(url: str) -> None:
    """Tell a dead-man's switch that this run went well. That it cannot be reached is for it to notice."""
    if url.startswith(("https://", "http://")):
        try:
            urllib.request.urlopen(url, timeout=PING_SECONDS).close()  # noqa: S310 - checked in the line above
        except (urllib.error.URLError, OSError, ValueError):
            return


def _people(workspace: Workspace) -> str | None:
    """Ask who signed up whether it was they; end pauses that are over; forget who never answered."""
    try:
        now = workspace.now()
        with workspace.store.write() as connection:
            preferences.resume(connection, now=now)
            confirmations.forget_unconfirmed(connection, now=now)
        return send_confirmations(workspace)
    except OutreachError as error:
        return f"sign-ups: {error}"


def _events(workspace: Workspace) -> str | None:
    """Bring recorded events into the store, judge who made them, fold people's into everybody's engagement."""
    try:
        spool = workspace.settings.data / "spool"
        if spool.is_dir():
            Loader(workspace.store, spool).run_once()
        soon = workspace.settings.number("policy.soon_seconds")
        judge_due(workspace.store, now=workspace.now(), soon_seconds=soon)
        with workspace.store.write() as connection:
            accept_overdue(connection, now=workspace.now())
            waiting = held_suppressions(connection)
        engagement.fold(workspace.store, zone=workspace.settings.zone, judged_only=True)
        push(workspace)
    except OutreachError as error:
        return f"events: {error}"
    if waiting:
        return f"events: {waiting} complaints and bounces are held, too many for an hour; see `outreach events held`"
    return None


def _returns(workspace: Workspace) -> str | None:
    """Take mail that came back, and run refusals through the bounce policy."""
    from outreach.cli.bounces import follow

    try:
        follow(workspace)
    except OutreachError as error:
        return f"bounces: {error}"
    return None


def _sends(workspace: Workspace) -> list[str]:
    """Start what is due and go on with what is under way; one campaign's trouble does not stop the others."""
    if reason := installation.held(workspace.store, workspace.settings.data, now=workspace.now()):
        return [f"{reason}. {installation.REMEDY}"]
    recover(workspace.store, now=workspace.now())
    troubles: list[str] = []
    _feeds(workspace, troubles)
    ready = [*_scheduled(workspace, troubles), *_digests(workspace, troubles)]
    with workspace.store.read() as connection:
        under_way = campaigns.every(connection, Status.SENDING)
    # What somebody waits for in danger goes first.
    for campaign in sorted([*ready, *under_way], key=lambda each: each.message_class != "emergency"):
        try:
            _send(workspace, campaign)
        except OutreachError as error:
            troubles.append(f"{campaign.name}: {error}")
    return troubles


def _scheduled(workspace: Workspace, troubles: list[str]) -> list[Campaign]:
    with alone(workspace.settings.data / "locks", "schedule") as free:
        if not free:
            return []
        found = due.find_due(workspace.store, workspace.settings, segments=workspace.segments(), now=workspace.now())
    troubles.extend(found.troubles)
    troubles.extend(_ask(workspace, each) for each in found.unapproved)
    return found.campaigns


def _ask(workspace: Workspace, campaign: Campaign) -> str:
    """Mail an occurrence to whoever may approve it; in a line, what it waits for."""
    above = workspace.settings.number("policy.approval_above")
    waits = (
        f"{campaign.name} waits for somebody's approval: it reaches {campaign.reaches:,} people, and what "
        f"{campaign.plan['planned_by']} approved alone is good for {above:,}"
    )
    try:
        asked = asking.ask(
            workspace.store,
            workspace.settings,
            campaign.name,
            names=(),
            token_keys=workspace.token_keys,
            now=workspace.now(),
        )
    except OutreachError as error:
        return f"{waits}. Nobody was asked by mail ({error}); outreach campaigns approve {campaign.name} --by NAME"
    return f"{waits}. Asked by mail: {', '.join(each.name for each in asked.members)}"


def _feeds(workspace: Workspace, troubles: list[str]) -> None:
    if not (workspace.root / "feeds").is_dir():
        return
    try:
        with alone(workspace.settings.data / "locks", "feeds") as free:
            if free:
                troubles.extend(feeds.collect(workspace.store, workspace.settings, now=workspace.now()))
    except OutreachError as error:
        troubles.append(f"feeds: {error}")


def _digests(workspace: Workspace, troubles: list[str]) -> list[Campaign]:
    try:
        with alone(workspace.settings.data / "locks", "digests") as free:
            names = []
            if free:
                names = digesting.gather(workspace.store, workspace.settings, now=workspace.now(), troubles=troubles)
    except OutreachError as error:
        troubles.append(f"digests: {error}")
        return []
    with workspace.store.read() as connection:
        return [campaigns.find(connection, name) for name in names]


def _send(workspace: Workspace, campaign: Campaign) -> None:
    """One campaign, unless another run is at it: a long send must not gather a new sender every minute."""
    with alone(workspace.settings.data / "locks", f"send-{campaign.id}") as free:
        if not free:
            return
        if campaign.status is Status.APPROVED:
            # As by hand: nothing leaves from here that a person at the command line could not have sent.
            campaign = lifecycle.check(workspace.store, workspace.settings, campaign.name)
        sent = send_campaign(workspace, campaign, workers=1, patience=0, quiet=True)
        lifecycle.refuse_paused(sent.campaign)
