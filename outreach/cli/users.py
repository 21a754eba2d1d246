"""`outreach users` and `outreach go-live`: who works here, and when mail may go to everybody."""

from __future__ import annotations

import re
import sys

import click
from sqlalchemy import Connection

from outreach.addresses import normalise
from outreach.campaigns import credentials, handover, verifying
from outreach.cli.workspace import Workspace, open_workspace, print_json
from outreach.errors import ApprovalMissing, ConfigurationError, UsageError
from outreach.settings import FILE, load_settings
from outreach.store import acting, staff
from outreach.store.staff import Member

_MODE = re.compile(r'^mode\s*=\s*"trial"[^\n]*$', re.MULTILINE)


@click.group()
def users() -> None:
    """The staff who work with Outreach, each with a token of their own.

    Once there are users, approving a campaign needs the approver's token in OUTREACH_TOKEN (or the link they were
    mailed), and above policy.approval_above people it has to be somebody else than who planned it.

    \b
    outreach users add "Dana Lee" --address dana@city.example --role administrator
    outreach users add "Sam Roe" --address sam@city.example --role approver --department Parks
    outreach users role "Sam Roe" author --department "Public Works"
    OUTREACH_TOKEN=outreach-… outreach campaigns approve parking-1 --by "Dana Lee"
    """


in_department = click.option(
    "--department", metavar="NAME", help="Only in this department (topics/*.toml name them); else in the whole house."
)


@users.command()
@click.argument("name")
@click.option("--address", required=True, help="Where their mail goes; in trial mode they may get campaigns, too.")
@click.option(
    "--role",
    type=click.Choice(staff.ROLES),
    default="author",
    show_default=True,
    help="Readers look; authors also plan and send; approvers also approve; administrators may everything.",
)
@in_department
@click.option("--shell-user", metavar="LOGIN", help="Who is logged in here as LOGIN is this person, without a token.")
def add(name: str, address: str, role: str, department: str | None, shell_user: str | None) -> None:
    """Add NAME to the staff, and show the token that is theirs alone. The first one is an administrator."""
    workspace = open_workspace()
    token = credentials.new_token()
    with workspace.store.write() as connection:
        first = not staff.count(connection)
        member = staff.add(
            connection,
            name,
            address=normalise(address),
            role="administrator" if first else role,
            department=None if first else department,
            shell_user=shell_user,
            public_key=credentials.public_key(token),
            now=workspace.now(),
        )
    click.echo(f"{member.name} <{member.address}> is one of the staff now, as {member.roles}.")
    if first and (role != "administrator" or department):
        asked = f"--role {role}" + (f' --department "{department}"' if department else "")
        click.echo(
            f"The first one is always an administrator of the whole house; {asked} was not used. Once there is another "
            f'administrator: outreach users role "{member.name}" ROLE'
        )
    click.echo("Their token, shown only once:\n")
    click.echo(f"  {token}\n")
    click.echo(f"They put it into {credentials.VARIABLE} before they approve, and tell it nobody.", err=True)
    click.echo(f'Before test mails go there:  outreach users verify "{member.name}"', err=True)


@users.command()
@click.argument("name")
@click.argument("code", nargs=-1)
def verify(name: str, code: tuple[str, ...]) -> None:
    """Show that NAME's address is theirs: mail a CODE there, and take it back, with or without its gap.

    Test mails, and campaigns in trial mode, go to verified addresses only.

    \b
    outreach users verify "Dana Lee"              mails a code
    outreach users verify "Dana Lee" 12345678     takes it back
    """
    workspace = open_workspace()
    with workspace.store.read() as connection:
        member = find(connection, name)
    # The code is what permits it, not the role of whoever types it in.
    with acting.as_(acting.MACHINE):
        if not code:
            verifying.mail_code(workspace.store, workspace.settings, member, now=workspace.now())
            click.echo(f'a code was mailed to {member.address}. Next:  outreach users verify "{member.name}" CODE')
        else:
            verifying.verify(workspace.store, member, "".join(code), now=workspace.now())
            click.echo(f"{member.address} is verified as {member.name}'s")


@users.command()
@click.argument("name")
@click.argument("role", type=click.Choice([*staff.ROLES, "none"]))
@in_department
def role(name: str, role: str, department: str | None) -> None:
    """Give NAME a ROLE in one department or in the whole house, instead of the one they have there."""
    workspace = open_workspace()
    with workspace.store.write() as connection:
        given = None if role == "none" else role
        member = staff.give(connection, find(connection, name), role=given, department=department, now=workspace.now())
    click.echo(f"{member.name}: {member.roles}")


@users.command()
@click.argument("name")
@click.argument("login", required=False)
def shell(name: str, login: str | None) -> None:
    """Whoever is logged in on this machine as LOGIN is NAME, without a token. Without LOGIN: nobody is any more.

    It is enough for everything their roles permit, except for approving: that is always signed, with their token or
    with the link they were mailed.
    """
    workspace = open_workspace()
    with workspace.store.write() as connection:
        member = find(connection, name)
        staff.log_in_as(connection, member, login, now=workspace.now())
    click.echo(f"{login} is {member.name} here" if login else f"{member.name} shows a token from now on")


@users.command()
@click.argument("name")
@click.option("--to", "successor", metavar="NAME", help="Who goes on with what is open; else whoever runs this.")
def leave(name: str, successor: str | None) -> None:
    """NAME has left: their token and links are worth nothing from now on, and what is open is somebody else's.

    Writes the handover into data/handovers/.
    """
    workspace = open_workspace()
    with workspace.store.write() as connection:
        leaver = find(connection, name)
        taking = find(connection, successor) if successor else staff.find(connection, acting.current().name)
        if taking is not None and taking.id == leaver.id:
            if successor:
                raise UsageError(f"{leaver.name} cannot take over from themselves; name somebody else with --to")
            taking = None  # whoever leaves by their own hand leaves it to an administrator
        found = handover.leave(connection, leaver, successor=taking, now=workspace.now())
    folder = workspace.settings.data / "handovers"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / found.file).write_text(found.text(), "utf-8")
    click.echo(found.text())
    click.echo(f"written to {(folder / found.file).relative_to(workspace.root)}", err=True)


@users.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def list_users(as_json: bool) -> None:
    """Everybody on the staff. Tokens are never shown."""
    with open_workspace().store.read() as connection:
        found = staff.everyone(connection)
    if as_json:
        print_json([_document(each) for each in found])
        return
    for each in found:
        at_shell = f"  ({each.shell_user} here)" if each.shell_user else ""
        unverified = "" if each.verified_at else "  (not verified)"
        click.echo(f"{each.name:30} {each.roles:30} {each.address}{unverified}{at_shell}")
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
        # Even where nobody else needs a token: this is when mail begins to reach people.
        member = credentials.current(connection)
    if member is not None and not member.is_administrator:
        raise ApprovalMissing(f"only an administrator decides to go live; {member.name} is {member.roles}")
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


def find(connection: Connection, name: str) -> Member:
    """One of the staff by name, or UsageError."""
    member = staff.find(connection, name)
    if member is None:
        raise UsageError(f"nobody on the staff is called {name}; see `outreach users list`")
    return member


def _document(member: Member) -> dict[str, object]:
    roles = [{"role": each.role, "department": each.department or None} for each in member.grants]
    return {
        "name": member.name,
        "address": member.address,
        "role": ", ".join(dict.fromkeys(each.role for each in member.grants)),
        "roles": roles,
        "shell_user": member.shell_user,
        "verified": member.verified_at is not None,
    }
