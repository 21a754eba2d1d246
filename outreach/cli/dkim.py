"""`outreach dkim`: keys that sign the mail, and the DNS records that let everybody check them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from outreach.cli.workspace import open_workspace
from outreach.errors import UsageError
from outreach.rendering import dkim as keys

_SELECTOR = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?").fullmatch


@click.group()
def dkim() -> None:
    """The keys that sign the mail."""


@dkim.command()
@click.option("--selector", required=True, help="The key's name in DNS, new for each key: outreach2027.")
@click.option("--ed25519", is_flag=True, help="A second key (RFC 8463), beside an RSA one and never alone.")
def new(selector: str, ed25519: bool) -> None:
    """Make a new DKIM key and print the DNS record to publish. The key in use stays as it is.

    \b
    1. outreach dkim new --selector outreach2027
    2. publish the record, and wait a day
    3. set mail.dkim_selector and mail.dkim_key in outreach.toml
    4. leave the old record in DNS for a week
    """
    workspace = open_workspace(check=False)
    if not _SELECTOR(selector):
        raise UsageError(f'"{selector}" is no selector; use small letters, digits and hyphens')
    path = Path("keys") / f"dkim-{selector}.pem"
    pem = keys.new_second_key() if ed25519 else keys.new_key()
    try:
        handle = os.open(workspace.root / path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} is there already; choose another selector") from None
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    domain = workspace.settings.text("mail.domain") or "YOUR-DOMAIN"
    click.echo(f"{path} holds the new key; keep it secret. Publish this record, then set\n", err=True)
    click.echo(f'  [mail]\n  dkim_selector = "{selector}"\n  dkim_key = "{path}"\n', err=True)
    click.echo(f'{selector}._domainkey.{domain}. IN TXT "{keys.dns_record(pem)}"')
