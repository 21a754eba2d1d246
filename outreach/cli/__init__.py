"""The command line: one module for each noun, all of them thin.

Exit codes are a stable interface: 0 done or nothing to do, 1 error, 2 wrong usage, 4 approval or
permission missing, 5 finished with exceptions, 6 blocked by a safety rule, 75 try again later,
78 configuration, 130 interrupted and resumable.
"""

from __future__ import annotations

import sys

import click

from outreach import __version__
from outreach.cli.campaigns import campaigns
from outreach.cli.config import config, db
from outreach.cli.cron import cron
from outreach.cli.demo import demo
from outreach.cli.init import init
from outreach.cli.report import report
from outreach.cli.segments import segments
from outreach.cli.subscribers import subscribers
from outreach.cli.templates import templates
from outreach.cli.track import track
from outreach.errors import OutreachError


class Outreach(click.Group):
    """Turns an OutreachError into one line on stderr and its own exit code."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except OutreachError as error:
            click.echo(f"outreach: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("outreach: interrupted; run the same command again to go on", err=True)
            ctx.exit(130)


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


for command in (init, demo, subscribers, segments, templates, campaigns, report, cron, track, config, db):
    main.add_command(command)
