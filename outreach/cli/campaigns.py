"""`outreach campaigns`: check, plan, approve, send, and watch."""

from __future__ import annotations

import datetime as dt
import logging
import sys
from collections import Counter
from pathlib import Path

import click

from outreach.campaigns import lifecycle
from outreach.campaigns.doubts import by_evidence, by_log, reopen
from outreach.campaigns.lifecycle import Sent
from outreach.campaigns.orders import orders_for
from outreach.cli import standing
from outreach.cli.archiving import archive
from outreach.cli.checking import check
from outreach.cli.new_campaign import new
from outreach.cli.planning import approve, ask, plan, urgent
from outreach.cli.progress import sending_progress
from outreach.cli.testing import test
from outreach.cli.workspace import Workspace, open_workspace, print_json
from outreach.errors import FinishedWithExceptions, UsageError
from outreach.logs import note
from outreach.store import campaigns as store_campaigns
from outreach.store import deliveries, throttles
from outreach.store.campaigns import Campaign, Status
from outreach.store.deliveries import State

_logger = logging.getLogger(__name__)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")


@click.group()
def campaigns() -> None:
    """One text file to one audience: plan it, have it approved, send it.

    \b
    outreach campaigns new
    outreach campaigns check campaigns/parking.md
    outreach campaigns test campaigns/parking.md --to dana@city.example
    outreach campaigns plan campaigns/parking.md
    outreach campaigns approve parking-1 --by "Dana Lee"
    outreach campaigns send parking-1
    """


@campaigns.command("list")
@as_json_option
def list_campaigns(as_json: bool) -> None:
    """Every campaign, its status and its audience."""
    workspace = open_workspace()
    with workspace.store.read() as connection:
        found = store_campaigns.every(connection)
    if as_json:
        print_json([{"campaign": each.name, "status": each.status, "audience": each.frozen} for each in found])
        return
    for each in found:
        click.echo(f"{each.name:40} {each.status:10} {each.frozen:>9,} people")


campaigns.add_command(archive)
campaigns.add_command(check)
campaigns.add_command(new)
campaigns.add_command(plan)
campaigns.add_command(approve)
campaigns.add_command(ask)
campaigns.add_command(test)


@campaigns.command()
@click.argument("name", metavar="PLAN")
@click.option("--yes", is_flag=True, help="Do not ask; only an approved plan can be sent anyway.")
@click.option("--workers", type=click.IntRange(1, 64), help="Sending processes; by default as many as pay.")
@click.option(
    "--patience", type=click.IntRange(0), default=30, show_default=True, help="Seconds to wait for a retry to be due."
)
@as_json_option
def send(name: str, yes: bool, workers: int | None, patience: int, as_json: bool) -> None:
    """Send an approved PLAN. Run it again after a crash or Ctrl-C: it goes on where it was."""
    workspace = open_workspace()
    campaign = lifecycle.check(workspace.store, workspace.settings, name)
    if not yes and campaign.status is Status.APPROVED:
        confirm(campaign)
    sent = send_campaign(workspace, campaign, workers=workers, patience=patience, quiet=as_json)
    if as_json:
        print_json(_document(sent))
    else:
        _show(sent)
    _complain(sent)


def confirm(campaign: Campaign) -> None:
    """Have the number of people typed in; without a terminal there is nobody to ask."""
    people, later = campaign.reaches, campaign.reaches - campaign.frozen
    if not sys.stdin.isatty():
        raise UsageError(f"sending to {people:,} people has to be confirmed; add --yes where nobody can be asked")
    urgent(campaign)
    digests = f", {later:,} of them in their next digest" if later else ""
    typed = click.prompt(
        f"Type {people} to send {campaign.name} to {people:,} people{digests}", default="", show_default=False
    )
    if typed.replace(",", "").strip() != str(people):
        raise UsageError("that is not the number; nothing was sent")


def send_campaign(workspace: Workspace, campaign: Campaign, *, workers: int | None, patience: int, quiet: bool) -> Sent:
    """Send with a progress bar (or silently), and say where the campaign stands then."""
    orders = orders_for(
        campaign, workspace.settings, token_keys=workspace.token_keys, patience=dt.timedelta(seconds=patience)
    )
    with sending_progress(campaign, quiet=quiet) as progress:
        sent = lifecycle.send(
            workspace.store, workspace.settings, campaign, orders=orders, workers=workers, progress=progress
        )
    counts = {state.word: sent.counts[state] for state in State if sent.counts[state]}
    note(_logger, "sent", campaign=campaign.name, status=str(sent.campaign.status), **counts)
    return sent


@campaigns.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--live", is_flag=True, help="Keep looking until nothing is under way.")
@as_json_option
def status(name: str, live: bool, as_json: bool) -> None:
    """Where CAMPAIGN stands, and what mailbox providers ask of us."""
    workspace = open_workspace()
    with workspace.store.read() as connection:
        campaign = store_campaigns.find(connection, name)

    def look() -> tuple[Sent, list[str]]:
        with workspace.store.read() as connection:
            slowed = throttles.slowed(connection)
        zone, now = workspace.settings.zone, workspace.now()
        words = [standing.provider_words(each, now=now, zone=zone) for each in slowed.values()]
        return lifecycle.standing(workspace.store, campaign.id), words

    sent, words = look()
    if as_json:
        print_json(_document(sent) | {"providers": words})
        return
    if live:
        sent = standing.watch(look)
    _show(sent)
    standing.say(words)


@campaigns.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--reason", default="by hand", help="Shown to whoever looks next.")
def pause(name: str, reason: str) -> None:
    """Stop handing out work; what is on the wire ends as it ends. `resume` goes on."""
    campaign = lifecycle.pause(open_workspace().store, name, reason=reason)
    click.echo(f"{campaign.name} is paused. Go on with:  outreach campaigns resume {campaign.name}")


@campaigns.command()
@click.argument("name", metavar="CAMPAIGN")
def resume(name: str) -> None:
    """Let a paused CAMPAIGN be sent again."""
    campaign = lifecycle.resume(open_workspace().store, name)
    click.echo(f"{campaign.name} may go on. Next:  outreach campaigns send {campaign.name}")


@campaigns.command()
@click.argument("name", metavar="CAMPAIGN")
def stop(name: str) -> None:
    """End CAMPAIGN for good: nobody who has not got it will."""
    workspace = open_workspace()
    campaign, cancelled = lifecycle.stop(workspace.store, name, now=workspace.now())
    counts = lifecycle.until_nothing_is_on_the_wire(workspace.store, campaign.id)
    cancelled = max(cancelled, counts[State.CANCELLED])
    click.echo(f"{campaign.name} is stopped: {counts[State.ACCEPTED]:,} people have it, {cancelled:,} will not get it")
    if unknown := counts[State.SENDING] + counts[State.IN_DOUBT]:
        click.echo(f"  {unknown:,} were being handed over and may have it: outreach campaigns doubts {campaign.name}")


@campaigns.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--log", type=click.Path(path_type=Path), help="The relay's log: whoever's Message-ID is in it has it.")
@click.option("--complete", is_flag=True, help="The log covers the whole send: whoever is not in it is sent again.")
@click.option("--accepted", is_flag=True, help="Count all of them as accepted.")
@click.option("--resend", is_flag=True, help="Send all of them again, with the same Message-ID.")
@as_json_option
def doubts(name: str, log: Path | None, complete: bool, accepted: bool, resend: bool, as_json: bool) -> None:
    """Who may or may not have got CAMPAIGN, and settling it.

    A delivery is in doubt when the message was complete and the answer never came. Whoever opened, clicked or bounced
    since is settled at once; the others by the relay's --log, or all of them by hand with --accepted or --resend.
    """
    if accepted + resend + (log is not None) > 1 or (complete and log is None):
        raise UsageError("choose one of --log (with or without --complete), --accepted and --resend")
    workspace = open_workspace()
    store, now = workspace.store, workspace.now()
    with store.read() as connection:
        campaign = store_campaigns.find(connection, name)
    settled = by_evidence(store, campaign, now=now)
    if log is not None:
        found = by_log(store, campaign, log, complete=complete, token_keys=workspace.token_keys, now=now)
        settled += found.accepted + found.again
    with store.write() as connection:
        people = deliveries.in_state(connection, campaign.id, State.IN_DOUBT)
        if accepted or resend:
            state, reason = (
                (State.ACCEPTED, "settled by hand: accepted") if accepted else (State.WAITING, "sent again by hand")
            )
            for subscriber_id in people:
                deliveries.resolve_doubt(connection, campaign.id, subscriber_id, state=state, reason=reason, now=now)
            if resend and people:
                reopen(connection, campaign)
    ids = lifecycle.message_ids(campaign, people, token_keys=workspace.token_keys)
    if as_json:
        print_json({"campaign": campaign.name, "in_doubt": ids, "settled": bool(settled or accepted or resend)})
        return
    for message_id in ids:
        click.echo(message_id)
    if settled:
        click.echo(f"{settled} settled by what came back or by the log", err=True)
    click.echo(f"{len(ids)} {'settled' if accepted or resend else 'in doubt'}", err=True)


@campaigns.command()
@click.argument("name", metavar="CAMPAIGN")
def correct(name: str) -> None:
    """Begin a correction of CAMPAIGN: a new file addressed to exactly those who got it."""
    workspace = open_workspace()
    with workspace.store.read() as connection:
        campaign = store_campaigns.find(connection, name)
    file = workspace.root / "campaigns" / f"{campaign.name}-correction.md"
    if file.exists():
        raise UsageError(f"{file} is there already; edit it, then plan it")
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        f"---\nsubject: Correction: {campaign.plan['subject']}\nto: received campaign {campaign.name}\n"
        f"topic: {campaign.plan['topic']}\nfrom: {campaign.plan['from']}\n---\n"
        "In our message we got something wrong.\n\nWhat is right:\n",
        "utf-8",
    )
    click.echo(f"{file.relative_to(workspace.root)} is for exactly those who got {campaign.name}. Write it, then:")
    click.echo(f"  outreach campaigns plan campaigns/{file.name}")


@campaigns.command()
@click.argument("name", metavar="CAMPAIGN")
@click.argument("old")
@click.argument("new")
def relink(name: str, old: str, new: str) -> None:
    """Lead clicks on OLD, a wrong link in mail already sent, to NEW.

    \b
    outreach campaigns relink parking-1 https://city.example/swepping https://city.example/sweeping
    """
    from outreach.campaigns import relinking

    workspace = open_workspace()
    with workspace.store.read() as connection:
        campaign = store_campaigns.find(connection, name)
    relinking.relink(workspace.settings, campaign, old=old, new=new)
    click.echo(f"from now on, clicks on {old} in {campaign.name} lead to {new}")


def _document(sent: Sent) -> dict[str, object]:
    campaign = sent.campaign
    return {
        "campaign": campaign.name,
        "status": campaign.status,
        "frozen": campaign.frozen,
        **{state.word: sent.counts[state] for state in State},
        "recovered": {state.word: count for state, count in sent.recovered.items()},
        "next_due": sent.next_due.isoformat() if sent.next_due else None,
        "pause_reason": campaign.pause_reason,
    }


def _show(sent: Sent) -> None:
    campaign = sent.campaign
    click.echo(f"{campaign.name} is {campaign.status}: {sent.counts[State.ACCEPTED]:,} of {campaign.frozen:,} accepted")
    _show_counts(sent.counts)
    if sum(sent.recovered.values()):
        found = ", ".join(f"{count} {state.word.replace('_', ' ')}" for state, count in sent.recovered.items())
        click.echo(f"  an earlier run had been cut off; its open deliveries are now: {found}")
    if sent.next_due is not None and campaign.status is Status.SENDING:
        click.echo(
            f"  next try at {sent.next_due:%H:%M} UTC, by `outreach cron` or by this command again; nothing is lost"
        )
    if campaign.status in (Status.PAUSED, Status.STOPPED) and campaign.pause_reason:
        click.echo(f"  why: {campaign.pause_reason}")


def _show_counts(counts: Counter[State]) -> None:
    for state in State:
        if counts[state] and state is not State.ACCEPTED:
            click.echo(f"  {counts[state]:,} {state.word.replace('_', ' ')}")


def _complain(sent: Sent) -> None:
    """Exit 5 when somebody was quarantined or is in doubt, 6 when the breaker paused the campaign."""
    if sent.campaign.status is Status.PAUSED:
        lifecycle.refuse_paused(sent.campaign)
    odd = {state: sent.counts[state] for state in (State.QUARANTINED, State.IN_DOUBT) if sent.counts[state]}
    if odd:
        words = " and ".join(f"{count} {state.word.replace('_', ' ')}" for state, count in odd.items())
        raise FinishedWithExceptions(
            f"{words}; see `outreach report {sent.campaign.name}` and `outreach campaigns doubts {sent.campaign.name}`"
        )
