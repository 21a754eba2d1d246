"""`outreach keys`: the secrets that sign links, and a new one when it is time."""

from __future__ import annotations

import os
from pathlib import Path

import click

from outreach.cli.workspace import TOKENS
from outreach.errors import ConfigurationError
from outreach.settings import load_settings
from outreach.tokens import load_keys, new_key_line

MOST = 255


@click.group()
def keys() -> None:
    """The secrets that sign the links in mail."""


@keys.command()
def rotate() -> None:
    """Sign new links with a new key. The links of mail already sent go on working: old keys verify for ever.

    Bring the key file to every machine of the tracking service, and reload it (`kill -HUP`) before the next mail
    is sent: a service that does not know the new key yet takes its links for forged ones.
    """
    path = load_settings().root / TOKENS
    number = _next(path)
    _append(path, new_key_line(number))
    click.echo(f"key {number} signs from now on; copy {path} to every machine of `outreach track` and reload it there")


@keys.command("show")
def show() -> None:
    """Say which keys there are, and nothing of their secrets."""
    path = load_settings().root / TOKENS
    numbers = _numbers(path)
    for number in numbers:
        click.echo(f"key {number}: {'signs and verifies' if number == max(numbers) else 'verifies'}")


def _next(path: Path) -> int:
    number = max(_numbers(path)) + 1
    if number > MOST:
        raise ConfigurationError(f"{path} holds {MOST} keys, the most there can be; the oldest mail's must be given up")
    return number


def _numbers(path: Path) -> list[int]:
    load_keys(path)  # complains about a missing or damaged file
    return [int(line.split()[0]) for line in path.read_text("ascii").splitlines() if line]


def _append(path: Path, line: str) -> None:
    """The whole file anew beside the old one, then in its place: no reader sees a part, a crash leaves the old one."""
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        text = path.read_text("ascii")
        file.write(text if text.endswith("\n") else text + "\n")
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
