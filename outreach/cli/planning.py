"""`outreach campaigns plan` and `approve`: what would happen, and somebody's word that it may."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
from sqlalchemy import ColumnElement, Connection

from outreach.campaigns import asking, credentials
from outreach.campaigns.approval import approve as approve_plan
from outreach.campaigns.approval import refuse_edited
from outreach.campaigns.checking import Checked
from outreach.campaigns.difference import from_last
from outreach.campaigns.later import due_at
from outreach.campaigns.plan import Planned
from outreach.campaigns.plan import plan as make_plan
from outreach.campaigns.quiet_times import Waits, waits
from outreach.campaigns.trial import A_DAY, is_trial
from outreach.cli.checking import as_document, counted, look, refuse, show_findings
from outreach.cli.workspace import Workspace, open_workspace, print_json
from outreach.preflight.findings import Severity
from outreach.store import campaigns as store_campaigns
from outreach.store.campaigns import Campaign

PLANS = "plans"


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def plan(file: Path, as_json: bool) -> None:
    """Check FILE, then freeze its audience and message as a plan. Nothing is sent.

    The plan is a file named by its content, in data/plans/. What is approved is this plan: if a character, a link,
    the sender or one of the people is changed afterwards, sending refuses.
    """
    workspace = open_workspace()
    checked, planned = through_the_gate(workspace, file, quiet=as_json)
    with workspace.store.read() as connection:
        campaign = store_campaigns.find(connection, planned.name)
        differences = from_last(connection, campaign)
        quiet = list(waits(connection, workspace.settings, campaign, at=due_at(campaign) or workspace.now()))
    saved = _save(workspace, campaign)
    if as_json:
        print_json(
            {
                "plan": planned.name,
                "audience": planned.audience,
                "excluded": dict(planned.excluded),
                "hash": planned.hash,
                "languages": list(planned.languages),
                "links": list(planned.links),
                "schedule": planned.schedule,
                "estimate": planned.takes.document() if planned.takes else {},
                "in_digests": planned.in_digests,
                "quiet": [{"people": each.people, "zone": each.zone, "until": each.until} for each in quiet],
                "file": str(saved),
                "differences": differences,
                "findings": [as_document(finding) for finding in checked.findings],
            }
        )
        return
    show_findings(finding for finding in checked.findings if finding.severity is not Severity.NOTE)
    _show(planned, differences, quiet)
    urgent(campaign)
    _next(workspace, campaign)


def through_the_gate(
    workspace: Workspace,
    file: Path,
    *,
    quiet: bool,
    among: Callable[[Connection], ColumnElement[bool]] | None = None,
    sealed: Callable[[Connection, int], object] | None = None,
) -> tuple[Checked, Planned]:
    """Check FILE and plan it, by whoever is at work. What blocks it is shown unless `quiet`, and raised.

    `among` and `sealed`: as for `campaigns.plan.plan`.
    """
    checked = look(workspace, file)
    if checked.blocked and not quiet:
        told = str(checked.error or "")  # below, as what ends this
        show_findings(each for each in checked.findings if not told.startswith(f"{each.place}: {each.problem}"))
    if checked.error is not None:
        raise checked.error
    refuse(checked)
    with workspace.store.read() as connection:
        author = credentials.author(connection)
    return checked, make_plan(
        workspace.store,
        workspace.settings,
        file,
        segments=workspace.segments(),
        now=workspace.now(),
        planned_by=author,
        findings=[as_document(finding) for finding in checked.findings],
        among=among,
        sealed=sealed,
    )


def _show(planned: Planned, differences: list[str], quiet: list[Waits]) -> None:
    click.echo(f"{planned.name}: {counted(planned.audience)} would get this")
    for reason, count in planned.excluded.items():
        click.echo(f"  {count:,} left out: {reason}")
    if planned.in_digests:
        click.echo(f"  {planned.in_digests:,} more read it in their next digest")
    if planned.schedule:
        click.echo(f"  due: {planned.schedule}")
    for each in quiet:
        click.echo(f"  {each}")
    if planned.takes and planned.audience:
        click.echo(f"  takes {planned.takes}")
    click.echo(f"  languages: {', '.join(planned.languages)}; links: {len(planned.links)}; hash {planned.hash[:12]}")
    for difference in differences:
        click.echo(f"  since last time: {difference}")


def _next(workspace: Workspace, campaign: Campaign) -> None:
    limit = workspace.settings.number("policy.approval_above")
    if campaign.reaches > limit:
        click.echo(f"\nMore than {limit:,} people: somebody else than you has to approve it.")
        click.echo(f"Ask by mail:  outreach campaigns ask {campaign.name}")
    if is_trial(workspace.settings):
        click.echo(f"\nTrial mode: only staff get mail, {A_DAY} a day. Leave it with: outreach go-live")
    click.echo(f"\nNothing is sent. Next:  outreach campaigns approve {campaign.name} --by NAME")


def _save(workspace: Workspace, campaign: Campaign) -> Path:
    """The plan as a file whose name says what it holds: name and hash."""
    folder = workspace.settings.data / PLANS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{campaign.name}-{campaign.plan_hash[:16]}.json"
    path.write_text(json.dumps(campaign.plan, ensure_ascii=False, indent=2, sort_keys=True) + "\n", "utf-8")
    return path.relative_to(workspace.root)


@click.command()
@click.argument("name", metavar="PLAN")
@click.option("--by", required=True, help="Who approves it.")
def approve(name: str, by: str) -> None:
    """Approve PLAN as it stands; the approval is bound to its hash.

    Once there are users (outreach users add), it is signed with the token in OUTREACH_TOKEN, which has to be the
    approver's own. Above policy.approval_above people nobody approves what they planned themselves.
    """
    workspace = open_workspace()
    with workspace.store.read() as connection:
        planned = store_campaigns.find(connection, name)
    if planned.status is store_campaigns.Status.PLANNED:
        refuse_edited(workspace.store, planned, workspace.settings)
    campaign = approve_plan(
        workspace.store,
        name,
        by=by,
        now=workspace.now(),
        above=workspace.settings.number("policy.approval_above"),
    )
    urgent(campaign)
    click.echo(f"{campaign.name} is approved by {by} for {campaign.reaches:,} people (hash {campaign.plan_hash[:12]})")
    click.echo(f"Next:  outreach campaigns send {campaign.name}")


@click.command()
@click.argument("name", metavar="PLAN")
@click.option("--to", "names", multiple=True, metavar="NAME", help="Whom to ask; repeatable. Else everybody who may.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def ask(name: str, names: tuple[str, ...], as_json: bool) -> None:
    """Mail PLAN to those who may approve it: the message, its audience, what is new, and a link of their own.

    Whoever opens the link sees the plan on a page of `outreach track` and approves or refuses it there. The link works
    for policy.approval_hours; above policy.code_above people the page also asks for a code that comes in a second mail.
    """
    workspace = open_workspace()
    asked = asking.ask(
        workspace.store,
        workspace.settings,
        name,
        names=names,
        token_keys=workspace.token_keys,
        now=workspace.now(),
    )
    if as_json:
        print_json(
            {
                "plan": asked.campaign.name,
                "asked": [each.name for each in asked.members],
                "until": asked.until.isoformat(),
                "with_code": asked.with_code,
            }
        )
        return
    until = asked.until.astimezone(workspace.settings.zone)
    code = ", each with a code in a second mail" if asked.with_code else ""
    click.echo(
        f"asked {', '.join(each.name for each in asked.members)}{code}; they may answer until {until:%a %H:%M %Z}"
    )


def urgent(campaign: Campaign) -> None:
    """An emergency looks like nothing else does, and a drill says that it is one."""
    if campaign.message_class != "emergency":
        return
    if campaign.plan.get("drill"):
        text = f"DRILL  {campaign.frozen:,} people will be told that this is an exercise"
        click.echo(click.style(f"  {text}  ", fg="black", bg="cyan"))
    else:
        text = f"REAL EMERGENCY  {campaign.frozen:,} people will be alarmed, now, subscribed or not"
        click.echo(click.style(f"  {text}  ", fg="white", bg="red", bold=True))
