"""`outreach doctor`: is this workspace, and the domain it sends from, fit to send? Each check with its exact fix."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import socket
import stat
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from outreach.errors import OutreachError
from outreach.preflight.domain.verdicts import Check, Verdict, fail, ok, unknown, warning

if TYPE_CHECKING:
    from outreach.cli.workspace import Workspace

MIN_FREE = 500 * 1024 * 1024
SECONDS = 5
MAX_FETCH = 64 * 1024
_FROM = re.compile(r"^from:.*?([^\s<>\"]+@[^\s<>\"]+)", re.IGNORECASE | re.MULTILINE)
_SIGNS = {Verdict.OK: "✓", Verdict.WARNING: "!", Verdict.FAIL: "✗", Verdict.UNKNOWN: "?"}
_COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAIL: "red", Verdict.UNKNOWN: "cyan"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--offline", is_flag=True, help="Only what can be seen on this machine.")
@click.option("--blocklists", is_flag=True, help="Also ask public blocklists about mail.sending_addresses.")
def doctor(as_json: bool, offline: bool, blocklists: bool) -> None:
    """Check this workspace and its domain; exit code 1 if something must be mended before mail is sent.

    \b
    outreach doctor
    outreach doctor --json
    outreach doctor --blocklists
    """
    from outreach.cli.workspace import open_workspace, print_json

    workspace = open_workspace(check=False)
    checks = [*local(workspace), *([] if offline else domain(workspace, ask_blocklists=blocklists))]
    failed = [each for each in checks if each.verdict is Verdict.FAIL]
    if as_json:
        print_json({"ok": not failed, "checks": [each.as_json() for each in checks]})
    else:
        for each in checks:
            click.echo(f"{click.style(_SIGNS[each.verdict], fg=_COLOURS[each.verdict])} {each.name}: {each.says}")
            if each.fix:
                click.echo(f"    {each.fix}")
    if failed:
        names = ", ".join(each.name for each in failed)
        raise OutreachError(f"{len(failed)} of {len(checks)} checks failed: {names}")


def local(workspace: Workspace) -> Iterator[Check]:
    """What can be seen from here."""
    yield _guarded("settings", lambda: _settings(workspace))
    yield _guarded("database", lambda: _database(workspace))
    yield _guarded("installation", lambda: _installation(workspace))
    yield _guarded("keys", lambda: _keys(workspace))
    yield _guarded("disk", lambda: _disk(workspace))
    yield _guarded("clock", _clock)
    yield _guarded("relay", lambda: _relay(workspace))


def _installation(workspace: Workspace) -> Check:
    from outreach.store import installation

    reason = installation.held(workspace.store, workspace.settings.data, now=workspace.now())
    if reason:
        return fail("installation", f"nothing is sent: {reason}", "outreach resume --after-restore")
    return ok("installation", "this database, this folder and this machine belong together")


def domain(workspace: Workspace, *, ask_blocklists: bool) -> list[Check]:
    """What the world sees of us."""
    from outreach.preflight.dns import SystemResolver
    from outreach.preflight.domain.checks import Identity, run

    settings = workspace.settings
    if not settings.text("mail.domain"):
        return [fail("domain", "no sending domain is set", 'set domain = "news.city.example" under [mail]')]
    relay = urlsplit(settings.text("relay.url"))
    identity = Identity(
        sending=settings.text("mail.domain").lower(),
        senders=senders(workspace),
        tracking=urlsplit(settings.tracking_url).hostname or "",
        selector=settings.text("mail.dkim_selector"),
        key=settings.key("mail.dkim_key"),
        addresses=tuple(settings.text("mail.sending_addresses").replace(",", " ").split()),
        relay=relay.hostname or "",
    )
    return run(SystemResolver(), identity, fetch=fetch, now=workspace.now(), ask_blocklists=ask_blocklists)


def senders(workspace: Workspace) -> tuple[str, ...]:
    """The From addresses that the workspace's campaigns and senders name."""
    files = [*(workspace.root / "campaigns").glob("*.md"), *(workspace.root / "senders").glob("*.toml")]
    texts = (path.read_text("utf-8", "replace")[:4000].replace("=", ":") for path in sorted(files))
    return tuple(dict.fromkeys(match[1].lower() for text in texts for match in _FROM.finditer(text)))


def fetch(url: str) -> str:
    """A small text by HTTPS; OSError if there is none."""
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 - https://mta-sts.<our own domain> only
        return str(answer.read(MAX_FETCH).decode("utf-8", "replace"))


def _guarded(name: str, ask: Callable[[], Check]) -> Check:
    try:
        return ask()
    except (OutreachError, OSError) as error:
        return fail(name, str(error), "see the message")


def _settings(workspace: Workspace) -> Check:
    values = workspace.settings.values
    return ok("settings", f"{workspace.root / 'outreach.toml'}, mode {values['mode'].value}")


def _database(workspace: Workspace) -> Check:
    from outreach.store import migrations

    migrations.check(workspace.store)
    return ok("database", workspace.store.main.url.render_as_string(hide_password=True))


def _keys(workspace: Workspace) -> Check:
    from outreach.rendering import multibuffer
    from outreach.tokens import load_keys

    load_keys(workspace.token_keys)
    for path in (workspace.token_keys, workspace.settings.key("mail.dkim_key")):
        if isinstance(path, Path) and path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            return fail("keys", f"others on this machine can read {path}", f"chmod 600 {path}")
    eight = ", and DKIM signs eight at once" if multibuffer.available() else ""
    return ok("keys", f"the signing keys are there, and private{eight}")


def _disk(workspace: Workspace) -> Check:
    folder = workspace.settings.data if workspace.settings.data.is_dir() else workspace.root
    if not os.access(folder, os.W_OK):
        return fail(
            "disk", f"{folder} cannot be written", f"make its owner the user that runs outreach: chown {folder}"
        )
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE:
        return fail("disk", f"only {free // 2**20} MB are free in {folder}", "make room: unsubscribes need it most")
    return ok("disk", f"{free // 2**30} GB free in {folder}")


def _clock() -> Check:
    """adjtimex(2) answers 5 (TIME_ERROR) while nobody keeps the clock right."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return unknown("clock", "this system does not say whether its clock is kept right")
    if state == 5:
        return warning("clock", "nobody keeps this clock right; signatures carry the time", "apt install chrony")
    return ok("clock", "kept right") if state >= 0 else unknown("clock", "the system does not say")


def _relay(workspace: Workspace) -> Check:
    relay = workspace.settings.text("relay.url")
    if not relay.startswith("smtp"):
        from outreach.sending.transports.address import transport_for

        transport_for(relay, hello="localhost", workspace=workspace.settings.root)  # says itself what is wrong
        return ok("relay", f"{relay} is set up")
    url = urlsplit(relay.split()[0])
    where = f"{url.hostname}:{url.port or (465 if url.scheme == 'smtps' else 25)}"
    try:
        with socket.create_connection((url.hostname or "", int(where.rpartition(":")[2])), SECONDS):
            return ok("relay", f"{where} answers")
    except OSError as error:
        return fail("relay", f"{where} cannot be reached: {error}", "set relay.url, or start the mail server there")
