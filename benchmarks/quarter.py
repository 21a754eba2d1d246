"""A simulated quarter: does every item reach everybody who wants it, once, in the promised window?

python -m benchmarks quarter          two weeks around the change to summer time
python -m benchmarks quarter --full   40 topics, 2,000 people, 13 weeks, two changes of the clock
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
import time
from pathlib import Path

from outreach.cli.init import make_workspace
from outreach.practice.quarter import Outcome, Quarter, open_fragile
from outreach.settings import load_settings
from outreach.store.consent import Frequency


def simulate(root: Path, *, people: int, topics: int, days: int, every: dt.timedelta, seed: int = 7) -> Outcome:
    make_workspace(root, name="City of Example", domain="city.example", timezone="America/Los_Angeles")
    settings = load_settings(root, {"OUTREACH_DIGESTS_AT": "08:00"})
    store = open_fragile(settings)
    try:
        quarter = Quarter(store, settings, seed=seed, people=people, topics=topics, every=every)
        # Los Angeles and New York change on 14 March 2027, Berlin on the 28th; Kolkata never does.
        return quarter.run(dt.datetime(2027, 3, 8, tzinfo=dt.UTC), days=days, chance=0.05)
    finally:
        store.close()


def show(outcome: Outcome, *, seconds: float) -> None:
    print(
        f"{outcome.items} items, {outcome.messages:,} messages ({outcome.digests} digest campaigns), "
        f"{outcome.ticks:,} runs of cron of which {outcome.missed} never happened and {outcome.crashes} transactions "
        f"died; {seconds:.0f} s"
    )
    print("\n| frequency | items promised | got once | outside the window |")
    print("|---|---:|---:|---:|")
    for wish in Frequency:
        word = wish.name.lower().replace("_", " ")
        print(f"| {word} | {outcome.promised[wish]:,} | {outcome.once[wish]:,} | {outcome.late[wish]} |")
    print(f"\nlost {outcome.lost}, twice {outcome.twice}, to people who had not asked {outcome.unasked}")


def main() -> None:
    full = "--full" in sys.argv
    started = time.perf_counter()
    size = (2_000, 40, 91, dt.timedelta(hours=8)) if full else (120, 10, 12, dt.timedelta(hours=10))
    people, topics, days, every = size
    with tempfile.TemporaryDirectory() as folder:
        outcome = simulate(Path(folder) / "city", people=people, topics=topics, days=days, every=every)
    show(outcome, seconds=time.perf_counter() - started)
    if not outcome.kept:
        raise SystemExit("the promise was not kept")
