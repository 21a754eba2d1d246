"""`outreach bounces`: mail that comes back, collected, read, and shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from outreach.cli.visible import visible

if TYPE_CHECKING:
    from outreach.bounces.policy import Limits
    from outreach.cli.workspace import Workspace
    from tracking.bounces.taking import Desk

KEPT = Path("bounces") / "kept"


@click.group()
def bounces() -> None:
    """Collect and read mail that comes back: bounces, complaints, requests to leave.

    \b
    outreach bounces collect                     from the mailbox in outreach.toml
    outreach bounces collect --maildir ~/Maildir
    outreach bounces classify mail.eml           what one mail says
    outreach bounces kept                        mail that a person should read
    """


@bounces.command()
@click.argument("file", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def classify(file: BinaryIO, as_json: bool) -> None:
    """Read one mail (or - for standard input) and say what it means. Needs no workspace; changes nothing."""
    from outreach.bounces.mime import MAX_BYTES
    from outreach.bounces.reading import read_file
    from outreach.cli.workspace import print_json

    reading = read_file(file.read(MAX_BYTES + 1))
    if as_json:
        print_json(reading.as_json())
        return
    click.echo(f"{reading.kind.value}" + (f": {reading.why}" if reading.why else ""))
    for each in reading.recipients:
        codes = " ".join(filter(None, (each.reply, each.status)))
        click.echo(f"  {visible(each.address) or '(hidden)'}: {each.reason.value}, {each.severity.value}  {codes}")
        if each.text:
            click.echo(f"      {visible(each.text[:200])}")


@bounces.command()
@click.option("--maildir", type=click.Path(file_okay=False, path_type=Path), help="A Maildir to read.")
@click.option("--imap", is_flag=True, help="Read the mailbox of bounces.imap_url, even if --maildir is given too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def collect(maildir: Path | None, imap: bool, as_json: bool) -> None:
    """Take what came back, from a Maildir and over IMAP. Safe to run twice at once, and to be killed."""
    from outreach.cli.workspace import open_workspace, print_json
    from outreach.errors import ConfigurationError

    workspace = open_workspace()
    settings = workspace.settings
    if maildir is None and not imap and not configured(workspace):
        raise ConfigurationError("nowhere to collect from: set bounces.maildir or bounces.imap_url, or use --maildir")
    with desk(workspace) as taking:
        if maildir is not None:
            _maildir(maildir, taking)
        if imap or maildir is None:
            if imap and not settings.text("bounces.imap_url"):
                raise ConfigurationError("bounces.imap_url is not set; write it like imaps://user:password@host/INBOX")
            collect_configured(workspace, taking)
        tally = dict(sorted(taking.tally.items()))
    if as_json:
        print_json(tally)
    elif sys.stdout.isatty() or tally:
        click.echo(", ".join(f"{count} {what}" for what, count in tally.items()) or "nothing new")


@bounces.command()
@click.argument("recipient", required=False)
def take(recipient: str | None) -> None:
    """Take one mail from standard input, as an MTA's alias pipes it; RECIPIENT is the address it was sent to.

    Exit code 75 asks the MTA to try again.
    """
    from outreach.bounces.mime import MAX_BYTES
    from outreach.cli.workspace import open_workspace

    with desk(open_workspace()) as taking:
        taking.take(sys.stdin.buffer.read(MAX_BYTES + 1), envelope=(recipient,) if recipient else ())


@bounces.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8025, show_default=True)
@click.option("--lmtp", is_flag=True, help="Speak LMTP (RFC 2033) instead of SMTP.")
def listen(host: str, port: int, lmtp: bool) -> None:
    """Take returned mail by SMTP or LMTP on this machine, until stopped."""
    import asyncio

    from outreach.cli.workspace import open_workspace
    from tracking.bounces.listening import serve

    async def run(taking: Desk) -> None:
        def one(raw: bytes, envelope: tuple[str, ...]) -> None:
            taking.take(raw, envelope=envelope)

        server = await serve(one, host=host, port=port, lmtp=lmtp)
        click.echo(f"taking returned mail by {'LMTP' if lmtp else 'SMTP'} on {host}:{port}", err=True)
        async with server:
            await server.serve_forever()

    with desk(open_workspace()) as taking:
        asyncio.run(run(taking))


@bounces.command()
@click.option("--all", "every", is_flag=True, help="Also what was handled.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def kept(every: bool, as_json: bool) -> None:
    """List mail that no rule could settle, for a person to read."""
    from dataclasses import asdict

    from outreach.cli.workspace import open_workspace, print_json
    from outreach.store import bounces as store_bounces

    workspace = open_workspace()
    with workspace.store.read() as connection:
        found = store_bounces.kept(connection, every=every)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    for each in found:
        click.echo(f"{each.id:5}  {each.at:%Y-%m-%d %H:%M}  {visible(each.sender)}: {visible(each.subject)}")
        click.echo(f"       {visible(each.why)}  ({workspace.settings.data / KEPT / each.file})")


@bounces.command()
@click.argument("number", type=int)
def handled(number: int) -> None:
    """Say that somebody has dealt with the kept mail NUMBER."""
    from outreach.cli.workspace import open_workspace
    from outreach.errors import UsageError
    from outreach.store import bounces as store_bounces

    workspace = open_workspace()
    with workspace.store.write() as connection:
        if not store_bounces.handled(connection, number, now=workspace.now()):
            raise UsageError(f"there is no kept mail {number}; see `outreach bounces kept --all`")


@bounces.command()
@click.option("--resume", "provider", help="End the rest at this provider now.")
def pauses(provider: str | None) -> None:
    """Show where the sending domain rests because it was refused."""
    from outreach.cli.workspace import open_workspace
    from outreach.store import bounces as store_bounces

    workspace = open_workspace()
    with workspace.store.write() as connection:
        if provider:
            click.echo(f"{store_bounces.resume(connection, provider=provider, now=workspace.now())} ended")
        for each in store_bounces.pauses(connection, now=workspace.now()):
            click.echo(f"{each.domain} rests at {each.provider} until {each.until:%Y-%m-%d %H:%M} UTC")
            click.echo(f"    refused {each.count} times, last: {visible(each.reason)}")


@bounces.command()
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def history(address: str, as_json: bool) -> None:
    """Every bounce and complaint of ADDRESS, and what followed. To release it: `outreach subscribers release`."""
    from outreach.addresses import normalise
    from outreach.cli.workspace import open_workspace, print_json
    from outreach.store import bounces as store_bounces

    workspace = open_workspace()
    with workspace.store.read() as connection:
        found = store_bounces.history(connection, normalise(address))
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(f"{each['at']:%Y-%m-%d %H:%M}  {each['kind']:10} {each['reason']:16} {each['effect']}")
        if each["text"]:
            click.echo(f"    {visible(each['text'])}")


# --- for cron too -------------------------------------------------------------------------------------------------


def configured(workspace: Workspace) -> bool:
    return bool(workspace.settings.text("bounces.maildir") or workspace.settings.text("bounces.imap_url"))


@contextmanager
def desk(workspace: Workspace) -> Iterator[Desk]:
    """Where this workspace takes returned mail."""
    from outreach.bounces.worker import Reader
    from outreach.tokens import load_keys
    from tracking.bounces.taking import Desk

    settings = workspace.settings
    with Reader() as reader:
        yield Desk(
            store=workspace.store,
            keys=load_keys(workspace.token_keys),
            limits=limits(workspace),
            domain=settings.text("mail.domain"),
            folder=settings.data / KEPT,
            clock=workspace.now,
            reader=reader,
        )


def limits(workspace: Workspace) -> Limits:
    from outreach.bounces.policy import Limits

    settings = workspace.settings
    return Limits(
        soft=settings.number("policy.soft_bounces"),
        days=settings.number("policy.soft_days"),
        suspended_days=settings.number("policy.suspended_days"),
        pause_hours=settings.number("policy.pause_hours"),
    )


def collect_configured(workspace: Workspace, taking: Desk) -> None:
    """What outreach.toml names."""
    from tracking.bounces import imap as imap_box

    settings = workspace.settings
    if settings.text("bounces.maildir"):
        _maildir(settings.path("bounces.maildir"), taking)
    if url := settings.text("bounces.imap_url"):
        imap_box.collect(imap_box.mailbox(url), taking, delete=settings.text("bounces.imap_after") == "delete")


def follow(workspace: Workspace) -> None:
    """Cron's part: collect, run refusals through the policy, lift suspensions that are over."""
    import datetime as dt

    from outreach.bounces import recording
    from outreach.cli.deliverability import look_at_seeds
    from outreach.errors import OutreachError
    from outreach.store import bounces as store_bounces

    now, rules = workspace.now(), limits(workspace)
    if configured(workspace):
        with desk(workspace) as taking:
            collect_configured(workspace, taking)
    with workspace.store.write() as connection:
        store_bounces.lift_suspensions(connection, before=now - dt.timedelta(days=rules.suspended_days))
        recent = recording.campaigns_to_look_at(connection, since=now - dt.timedelta(days=2))
    for campaign_id in recent:
        with workspace.store.write() as connection:
            domain = workspace.settings.text("mail.domain")
            recording.record_refusals(connection, campaign_id, limits=rules, domain=domain, now=now)
    if troubles := look_at_seeds(workspace):
        raise OutreachError("; ".join(troubles))


def _maildir(folder: Path, taking: Desk) -> None:
    from tracking.bounces.maildir import collect as from_maildir

    from_maildir(folder.expanduser(), taking)
