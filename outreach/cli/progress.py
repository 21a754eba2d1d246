"""What scrolls by while a campaign is sent: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from outreach.sending.workers import Progress as Report
from outreach.store.campaigns import Campaign
from outreach.store.deliveries import State

LINE_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""


class Advance(Protocol):
    """Show how much is done, and a note beside it."""

    def __call__(self, done: int, note: str = "") -> None: ...


@contextmanager
def sending_progress(campaign: Campaign, *, quiet: bool) -> Iterator[Report | None]:
    """A callback that shows a tally; None if nothing is to be shown."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with bar(f"sending {campaign.name}", total=campaign.frozen) as progress:
            yield lambda tally: progress(sum(tally.values()), _words(tally))
    else:
        yield _lines(campaign)


@contextmanager
def bar(title: str, *, total: int | None) -> Iterator[Advance]:
    """A progress bar on stderr; call what it gives with how much is done and a note."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=False) as progress:
        task = progress.add_task(title, total=total, note="")

        def advance(done: int, note: str = "") -> None:
            progress.update(task, completed=done, note=note)

        yield advance


def _lines(campaign: Campaign) -> Report:
    last = time.monotonic()

    def report(tally: Counter[State]) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY:
            last = time.monotonic()
            click.echo(f"{campaign.name}: {_words(tally)}; safe to stop with Ctrl-C", err=True)

    return report


def _words(tally: Counter[State]) -> str:
    return ", ".join(f"{tally[state]:,} {state.word.replace('_', ' ')}" for state in State if tally[state])
