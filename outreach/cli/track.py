"""`outreach track`: the service that residents' mail programs talk to."""

from __future__ import annotations

import os
import sys

import click

from outreach import logs
from outreach.settings import load_settings
from tracking import supervisor
from tracking.configuration import configuration
from tracking.loading import loading
from tracking.server import listen


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; put a TLS proxy in front.")
@click.option("--port", default=8400, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that answer; one per core."
)
@click.option(
    "--proxies",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="How many proxies in front add to X-Forwarded-For.",
)
def track(host: str, port: int, workers: int, proxies: int) -> None:
    """Record opens, clicks and unsubscribes, until stopped.

    Runs the service and, beside it, the loader that brings its events into the store. Redirects and
    unsubscribes go on working while the database is down; the events arrive when it is back.

    `kill -HUP` (`systemctl reload`) restarts it with new code and settings, and drops no request.
    """
    settings = load_settings()
    configuration(settings, proxies=proxies)  # what is wrong is said here, once, and not by each worker
    guard = supervisor.inherited() or supervisor.first(listen(host, port))
    bound_host, bound_port = guard.listener.getsockname()[:2]
    click.echo(f"tracking at http://{bound_host}:{bound_port}, answering for {settings.tracking_url}", err=True)
    os.chdir(settings.root)
    command = [sys.executable, "-P", "-m", "outreach.cli.serving", "--proxies", str(proxies)]
    archive = settings.text("tracking.archive") == "yes"
    log = (settings.log_file, settings.text("log.level"))
    logs.begin("outreach track", file=log[0], level=log[1])
    with loading(settings.database_url, settings.data / "spool", archive=archive, log=log):
        another = supervisor.supervise(guard, command, workers=workers)
    if another:
        supervisor.hand_over(guard)
