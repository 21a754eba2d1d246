"""How a campaign's standing is told: in words, with what each provider asked of us, and live."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from outreach.campaigns.lifecycle import Sent
from outreach.sending.throttle import RELAY
from outreach.store.campaigns import Status
from outreach.store.deliveries import State
from outreach.store.throttles import Slowed

LOOK_EVERY = 1.0
MEMORY = 30.0
"""Seconds over which the speed is measured."""
DONE = frozenset(state for state in State if not state.open)


def provider_words(slowed: Slowed, *, now: dt.datetime, zone: ZoneInfo) -> str:
    """`Microsoft asked us to slow down; nothing is lost; next try 14:35`."""
    name = slowed.provider if "." in slowed.provider else slowed.provider.capitalize()
    name = "The relay" if slowed.provider == RELAY else name
    if slowed.until is not None and slowed.until > now:
        return f"{name} asked us to slow down; nothing is lost; next try {slowed.until.astimezone(zone):%H:%M}"
    pace = "at its usual pace" if slowed.rate is None else f"with {slowed.rate:.0f} messages a second"
    pace = pace if slowed.lanes is None else f"with {slowed.lanes} at a time"
    return f"{name} asked us to slow down; nothing is lost; going on {pace}"


def speed_words(done: list[tuple[float, int]], *, left: int) -> str:
    """How fast it goes and how long it will take, from (time, people done) of the last seconds."""
    (before, had), (now, have) = done[0], done[-1]
    rate = (have - had) / (now - before) if now > before else 0.0
    if rate <= 0:
        return "nothing left in the last seconds" if left else "done"
    return f"{rate:,.0f} a second, about {_length(left / rate)} to go"


def _length(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def watch(look: Callable[[], tuple[Sent, list[str]]]) -> Sent:
    """Show the standing, renewed every second, until nothing is under way. Ctrl-C stops the watching only."""
    done: list[tuple[float, int]] = []
    with Live(console=Console(), refresh_per_second=4) as live:
        while True:
            sent, words = look()
            done = [each for each in done if each[0] > time.monotonic() - MEMORY]
            done.append((time.monotonic(), sum(sent.counts[state] for state in DONE)))
            live.update(_picture(sent, words, done))
            if sent.campaign.status is not Status.SENDING:
                return sent
            time.sleep(LOOK_EVERY)


def _picture(sent: Sent, words: list[str], done: list[tuple[float, int]]) -> Group:
    campaign, have = sent.campaign, done[-1][1]
    table = Table.grid(padding=(0, 2))
    for state in State:
        if sent.counts[state]:
            table.add_row(state.word.replace("_", " "), f"{sent.counts[state]:,}")
    return Group(
        Text(f"{campaign.name} is {campaign.status}: {speed_words(done, left=campaign.frozen - have)}"),
        ProgressBar(total=max(1, campaign.frozen), completed=have, width=60),
        table,
        *map(Text, words),
    )


def say(words: list[str]) -> None:
    for each in words:
        click.echo(f"  {each}")
