"""`outreach demo`: the whole loop in a practice city, on real files, real SMTP and real HTTP."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from outreach.cli.demo_story import Story
from outreach.cli.init import make_workspace
from outreach.errors import TryAgain, UsageError
from outreach.practice.mailboxes import MailboxServer
from outreach.settings import FILE, load_settings

DONE = ".practice-done"
MARK = ".practice"
START_SECONDS = 20.0
IMPATIENT = """
[policy]
retry_seconds = 2      # a practice city has no patience; the default is 300
max_attempts = 3
soon_seconds = 0       # and its residents read their mail at once; the default is 5
"""


@click.command()
@click.option("--people", type=click.IntRange(20), default=2_000, show_default=True, help="Residents of the city.")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=Path("practice"), show_default=True, help="Where."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another number is another city.")
@click.pass_context
def demo(context: click.Context, people: int, folder: Path, seed: int) -> None:
    """See the whole product work in a practice city: import, segment, plan, send, track, report.

    Nothing leaves this computer. Ctrl-C is safe: run it again and it goes on where it was.
    """
    folder = folder.absolute()
    _prepare(folder)
    os.chdir(folder)  # every command below finds its workspace as anybody's does
    for name in [name for name in os.environ if name.startswith("OUTREACH_")]:
        del os.environ[name]  # a practice city listens to nobody's real settings
    settings = load_settings()
    relay = int(settings.text("relay.url").rpartition(":")[2])
    with (
        MailboxServer(folder / "mailboxes", port=relay),
        _tracking_service(folder, settings.tracking_url),
    ):
        story = Story(context.find_root().command, folder, people=people, seed=seed)
        story.until_sent()
        story.residents_act()
    # The tracking service has ended, and with it its loader: every event is in the store now.
    story.tell_results()
    (folder / DONE).touch()


def _prepare(folder: Path) -> None:
    """A workspace to practise in: a new one, or the one an interrupted demo left."""
    if (folder / DONE).exists() and (folder / MARK).exists():
        shutil.rmtree(folder)
    if (folder / FILE).exists():
        if not (folder / MARK).exists():
            raise UsageError(f"{folder} is a workspace of your own; choose another folder with --dir")
        click.echo(f"going on in {folder}, where an earlier demo was interrupted\n")
        return
    make_workspace(
        folder,
        name="City of Riverton",
        domain="riverton.example",
        timezone="America/Los_Angeles",
        relay=f"smtp://127.0.0.1:{_free_port()}",
        tracking=f"http://127.0.0.1:{_free_port()}",
        policy=IMPATIENT,
    )
    (folder / MARK).touch()


@contextmanager
def _tracking_service(folder: Path, url: str) -> Iterator[None]:
    """`outreach track`, as a city would run it, in a process of its own."""
    port = url.rpartition(":")[2]
    log = (folder / "track.log").open("ab")
    command = [sys.executable, "-c", "from outreach.cli import main; main()", "track", "--port", port]
    # Its own session: Ctrl-C is for the sender, which ends this service in good order.
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
    try:
        _wait_for(f"{url}/healthz", process)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=90)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own address on this machine
                return
        except OSError:
            time.sleep(0.1)
    raise TryAgain("the tracking service did not start; track.log in the practice folder says why")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
