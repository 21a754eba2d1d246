"""`outreach campaigns`: check, plan, approve, send, and watch."""

from __future__ import annotations

import datetime as dt
import sys
from collections import Counter

import click

from outreach.campaigns import lifecycle
from outreach.campaigns.lifecycle import Sent
from outreach.campaigns.orders import orders_for
from outreach.cli.checking import check
from outreach.cli.new_campaign import new
from outreach.cli.planning import approve, plan, urgent
from outreach.cli.progress import sending_progress
from outreach.cli.testing import test
from outreach.cli.workspace import Workspace, open_workspace, print_json
from outreach.errors import FinishedWithExceptions, UsageError
from outreach.store import campaigns as store_campaigns
from outreach.store import deliveries
from outreach.store.campaigns import Campaign, Status
from outreach.store.deliveries import State

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


campaigns.add_command(check)
campaigns.add_command(new)
campaigns.add_command(plan)
campaigns.add_command(approve)
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
    if not sys.stdin.isatty():
        raise UsageError(
            f"sending to {campaign.frozen:,} people has to be confirmed; add --yes where nobody can be asked"
        )
    urgent(campaign)
    typed = click.prompt(f"Type {campaign.frozen} to send {campaign.name} to {campaign.frozen:,} people", default="")
    if typed.replace(",", "").strip() != str(campaign.frozen):
        raise UsageError("that is not the number; nothing was sent")


def send_campaign(workspace: Workspace, campaign: Campaign, *, workers: int | None, patience: int, quiet: bool) -> Sent:
    """Send with a progress bar (or silently), and say where the campaign stands then."""
    orders = orders_for(
        campaign, workspace.settings, token_keys=workspace.token_keys, patience=dt.timedelta(seconds=patience)
    )
    with sending_progress(campaign, quiet=quiet) as progress:
        return lifecycle.send(
            workspace.store, workspace.settings, campaign, orders=orders, workers=workers, progress=progress
        )


@campaigns.command()
@click.argument("name", metavar="CAMPAIGN")
@as_json_option
def status(name: str, as_json: bool) -> None:
    """Where CAMPAIGN stands."""
    workspace = open_workspace()
    with workspace.store.read() as connection:
        campaign = store_campaigns.find(connection, name)
    sent = lifecycle.standing(workspace.store, campaign.id)
    if as_json:
        print_json(_document(sent))
    else:
        _show(sent)


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
    with workspace.store.read() as connection:
        have_it = deliveries.counts(connection, campaign.id)[State.ACCEPTED]
    click.echo(f"{campaign.name} is stopped: {have_it:,} people have it, {cancelled:,} will not get it")


@campaigns.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--accepted", is_flag=True, help="The relay's log shows that they were taken: count them as accepted.")
@click.option("--resend", is_flag=True, help="Send them again, with the same Message-ID.")
@as_json_option
def doubts(name: str, accepted: bool, resend: bool, as_json: bool) -> None:
    """Who may or may not have got CAMPAIGN, and settling it.

    A delivery is in doubt when the message was complete and the answer never came. Look for its Message-ID in the
    relay's log, then settle all of them with --accepted or --resend.
    """
    if accepted and resend:
        raise UsageError("choose one of --accepted and --resend")
    workspace = open_workspace()
    with workspace.store.write() as connection:
        campaign = store_campaigns.find(connection, name)
        people = deliveries.in_state(connection, campaign.id, State.IN_DOUBT)
        if accepted or resend:
            state, reason = (
                (State.ACCEPTED, "settled by hand: accepted") if accepted else (State.WAITING, "sent again by hand")
            )
            for subscriber_id in people:
                deliveries.resolve_doubt(
                    connection, campaign.id, subscriber_id, state=state, reason=reason, now=workspace.now()
                )
            if resend and people:
                store_campaigns.set_status(
                    connection, campaign.id, Status.SENDING, only_from=(Status.FINISHED,), finished_at=None
                )
    ids = lifecycle.message_ids(campaign, people, token_keys=workspace.token_keys)
    if as_json:
        print_json({"campaign": campaign.name, "in_doubt": ids, "settled": bool(accepted or resend)})
        return
    for message_id in ids:
        click.echo(message_id)
    click.echo(f"{len(ids)} {'settled' if accepted or resend else 'in doubt'}", err=True)


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
    if campaign.status is Status.PAUSED:
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
