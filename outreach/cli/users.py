"""`outreach users` and `outreach go-live`: who works here, and when mail may go to everybody."""

from __future__ import annotations

import re
import sys

import click

from outreach.addresses import normalise
from outreach.campaigns import credentials
from outreach.cli.workspace import Workspace, open_workspace, print_json
from outreach.errors import ApprovalMissing, ConfigurationError, UsageError
from outreach.settings import FILE, load_settings
from outreach.store import campaigns, staff
from outreach.store.campaigns import Campaign, Status

OPEN = (Status.PLANNED, Status.APPROVED, Status.SENDING, Status.PAUSED)
_MODE = re.compile(r'^mode\s*=\s*"trial"[^\n]*$', re.MULTILINE)


@click.group()
def users() -> None:
    """The staff who work with Outreach, each with a token of their own.

    Once there are users, approving a campaign needs the approver's token in OUTREACH_TOKEN, and above
    policy.approval_above people it has to be somebody else than who planned it.

    \b
    outreach users add "Dana Lee" --address dana@city.example --role administrator
    OUTREACH_TOKEN=outreach-… outreach campaigns approve parking-1 --by "Dana Lee"
    """


@users.command()
@click.argument("name")
@click.option("--address", required=True, help="Where test mails to this person go; in trial mode they may get mail.")
@click.option(
    "--role",
    type=click.Choice(staff.ROLES),
    default="author",
    show_default=True,
    help="Authors plan; approvers also approve; administrators also add users and go live.",
)
def add(name: str, address: str, role: str) -> None:
    """Add NAME to the staff, and show the token that is theirs alone. The first one is an administrator."""
    workspace = open_workspace()
    token = credentials.new_token()
    with workspace.store.write() as connection:
        here = credentials.current(connection)
        require_administrator(here, "adds users")
        first = here is None
        member = staff.add(
            connection,
            name,
            address=normalise(address),
            role="administrator" if first else role,
            public_key=credentials.public_key(token),
            now=workspace.now(),
        )
    click.echo(
        f"{member.name} <{member.address}> is one of the staff now, as {member.role}. Their token, shown only once:\n"
    )
    click.echo(f"  {token}\n")
    click.echo(f"They put it into {credentials.VARIABLE} before they approve, and tell it nobody.", err=True)


@users.command()
@click.argument("name")
def leave(name: str) -> None:
    """NAME has left: their token is worth nothing from now on. Prints the handover: their plans that are still open."""
    workspace = open_workspace()
    with workspace.store.write() as connection:
        require_administrator(credentials.current(connection), "lets users leave")
        member = staff.find(connection, name)
        if member is None:
            raise UsageError(f"nobody on the staff is called {name}; see `outreach users list`")
        others = [each for each in staff.everyone(connection) if each.id != member.id]
        if member.role == "administrator" and not any(each.role == "administrator" for each in others):
            raise UsageError(f"{member.name} is the only administrator; add another before they leave")
        staff.leave(connection, member, now=workspace.now())
        mine = [each for each in campaigns.every(connection, *OPEN) if member.name in _hands(each)]
    click.echo(f"{member.name} has left; their token opens nothing any more")
    for each in mine:
        click.echo(f"  still open, and somebody else's now: {each.name} ({each.status})")


@users.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def list_users(as_json: bool) -> None:
    """Everybody on the staff. Tokens are never shown."""
    with open_workspace().store.read() as connection:
        found = staff.everyone(connection)
    if as_json:
        print_json([{"name": each.name, "address": each.address, "role": each.role} for each in found])
        return
    for each in found:
        click.echo(f"{each.name:30} {each.role:14} {each.address}")
    if not found:
        click.echo("nobody yet; add the first with: outreach users add NAME --address ADDRESS", err=True)


@click.command("go-live")
@click.option("--yes", is_flag=True, help="Do not ask.")
def go_live(yes: bool) -> None:
    """Leave trial mode: from now on mail goes to everybody a campaign reaches."""
    workspace = open_workspace()
    if workspace.settings.text("mode") == "live":
        click.echo("this workspace is live already; nothing was changed")
        return
    with workspace.store.read() as connection:
        require_administrator(credentials.current(connection), "decides to go live")
    _ask(workspace, yes=yes)
    path = workspace.root / FILE
    text = path.read_text("utf-8")
    changed, count = _MODE.subn('mode = "live"', text)
    if not count:
        raise ConfigurationError(
            f'{path} does not set mode = "trial"; it comes from {workspace.settings.values["mode"].origin}. '
            "Set OUTREACH_MODE=live there"
        )
    path.write_text(changed, "utf-8")
    load_settings(workspace.root)  # proves that the file still reads
    click.echo(f"live: {workspace.settings.text('organisation.name')} may write to everybody from now on")


def _ask(workspace: Workspace, *, yes: bool) -> None:
    name = workspace.settings.text("organisation.name")
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("going live has to be confirmed; add --yes where nobody can be asked")
    if click.prompt(f"Type the organisation's name, {name}, to go live", default="") != name:
        raise UsageError("that is not the name; nothing was changed")


def require_administrator(member: staff.Member | None, what: str) -> None:
    """ApprovalMissing (exit code 4) unless an administrator is here, or nobody has been added yet."""
    if member is not None and member.role != "administrator":
        raise ApprovalMissing(f"only an administrator {what}; {member.name} is {member.role}")


def _hands(campaign: Campaign) -> tuple[str, ...]:
    """Whose campaign it is: who planned it, who approved it."""
    return str(campaign.plan.get("planned_by", "")), campaign.approved_by or ""
