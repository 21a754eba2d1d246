"""The command line: one module for each noun, all of them thin.

Exit codes are a stable interface: 0 done or nothing to do, 1 error, 2 wrong usage, 4 approval or
permission missing, 5 finished with exceptions, 6 blocked by a safety rule, 75 try again later,
78 configuration, 130 interrupted and resumable.
"""

from __future__ import annotations

import importlib
import logging
import sys
import time
from typing import Final

import click

from outreach import __version__, logs
from outreach.cli.watching import watch
from outreach.errors import OutreachError

COMMANDS: Final = {
    "init": "init",
    "demo": "demo",
    "subscribers": "subscribers",
    "segments": "segments",
    "fields": "fields",
    "templates": "templates",
    "campaigns": "campaigns",
    "notify": "notify",
    "report": "report",
    "bounces": "bounces",
    "doctor": "doctor",
    "deliverability": "deliverability",
    "events": "events",
    "engagement": "engagement",
    "keys": "keys",
    "cron": "cron",
    "worker": "worker",
    "track": "track",
    "users": "users",
    "go-live": "users",
    "dkim": "dkim",
    "backup": "backup",
    "restore": "backup",
    "resume": "backup",
    "audit": "audit",
    "config": "config",
    "db": "config",
    "store": "store_commands",
    "retention": "retention",
}
"""Each command, and the module here that has it: cron starts us every minute, so only what is asked for is loaded."""

_logger = logging.getLogger(__name__)


class Outreach(click.Group):
    """Loads commands when they are named; turns an OutreachError into one line on stderr and its own exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"outreach.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        watch(command, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        started = time.monotonic()
        try:
            result = super().invoke(ctx)
        except OutreachError as error:
            click.echo(f"outreach: {error}", err=True)
            _log(ctx, started, code=error.exit_code, error=str(error))
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("outreach: interrupted; run the same command again to go on", err=True)
            _log(ctx, started, code=130)
            ctx.exit(130)
        _log(ctx, started, code=0)
        return result


def _log(ctx: click.Context, started: float, *, code: int, **more: str) -> None:
    """How a command ended, if there is a log; never what it was given, which may be about a person."""
    if logs.is_begun():
        command = ctx.invoked_subcommand or ""
        logs.note(_logger, "ended", command=command, code=code, seconds=round(time.monotonic() - started, 3), **more)


@click.group(cls=Outreach, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="outreach")
def main() -> None:
    """A city's whole conversation with its residents.

    \b
    outreach demo                                     see the whole loop in a practice city
    outreach init city && cd city                     begin a workspace
    outreach subscribers import export.csv            bring people in
    outreach campaigns plan campaigns/welcome.md      see who would get what

    Exit codes: 0 ok, 1 error, 2 usage, 4 approval missing, 5 finished with exceptions,
    6 blocked by a safety rule, 75 try again later, 78 configuration, 130 interrupted.
    """
    # Cron runs with LANG=C; people's names still have to come out whole.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
