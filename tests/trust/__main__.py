"""`make trust`, `python -m tests.trust [--quick] [--write]`: all that can go wrong, and what became of everybody.

Prints a table by fault; `--write` publishes it in docs/promises.md. Ends with 1 if a promise did not hold.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import ModuleType

from outreach.sending.failpoints import POINTS
from tests.trust import kills, people, power, replies, storage
from tests.trust.scene import Run

PAGE = Path(__file__).parents[2] / "docs" / "promises.md"
START, END = "<!-- the table: make trust -->", "<!-- end of the table -->"
NAMES = {
    "F-01": "kill -9 at each step of a worker",
    "F-02": "kill -9 during recovery itself, twice",
    "F-03": "kill -9 of one of three workers",
    "F-04": "no memory while a message is made",
    "F-05": "SIGTERM at each step",
    "F-06": "a stopped process (laptop lid), taken over",
    "F-07": "power lost: every journal prefix against the database's commits",
    "F-08": "a journal torn at every byte",
    "F-09": "disk full under the database",
    "F-12": "the n-th write, sync, rename or open fails",
    "F-14": "database locked by another program",
    "F-19": "relay refuses or resets the connection",
    "F-20": "relay's name cannot be resolved",
    "F-21": "banner late, refusing, garbage, endless",
    "F-22": "EHLO refused, PIPELINING missing or a lie",
    "F-23": "STARTTLS missing, certificate of somebody else",
    "F-24": "AUTH refused",
    "F-25": "4yz at each verb",
    "F-26": "5yz at each verb",
    "F-27": "message too big",
    "F-28": "everything refused by policy from one message on",
    "F-29": "connection cut at each verb",
    "F-30": "connection cut at every n-th byte",
    "F-31": "cut after the dot, message taken",
    "F-32": "cut after the dot, message not taken",
    "F-33": "cut at QUIT",
    "F-34": "replies that come too late or never end",
    "F-35": "odd replies: lines, codes, bytes",
    "F-36": "replies nobody asked for",
    "F-37": "greylisting",
    "F-38": "rate limits",
    "F-40": "twenty senders at once",
    "F-52": "poisoned data of one person",
    "F-53": "one mark for each person, found nowhere else",
    "F-54": "message edited during the send",
    "F-55": "suppressed, erased, moved before the claim",
    "F-62": "an emergency during a bulk send",
    "F-63": "failover to a second relay",
}


FAMILIES = (kills, power, storage, people, replies)


def runs(*families: ModuleType, full: bool) -> Iterator[Run]:
    """Every fault run of these families, one after the other; a case that breaks is a run that went wrong."""
    for case in chain.from_iterable(family.cases(full=full) for family in families):
        begun = time.monotonic()
        try:
            run = case()
        except Exception as error:
            name = getattr(case, "func", case).__name__
            run = Run("F-??", f"{name} {getattr(case, 'args', '')}"[:200], wrong=f"{type(error).__name__}: {error}")
        if "--verbose" in sys.argv:
            print(f"{time.monotonic() - begun:6.2f} s  {run.fault}  {run.what}", flush=True)
        if not run.good:
            print(f"NOT AS PROMISED  {run.fault}  {run.what}: {_story(run)}", flush=True)
        yield run


def main() -> None:
    begun = time.monotonic()
    found = list(runs(*FAMILIES, full="--quick" not in sys.argv))
    table = _table(found)
    print("\n".join(table))
    minutes = (time.monotonic() - begun) / 60
    silent = sorted(set(POINTS) - set().union(*(run.fired for run in found)))
    never = ", ".join(silent) or "none"
    print(f"\n{len(found)} fault runs in {minutes:.1f} minutes; failpoints that never fired: {never}")
    if "--write" in sys.argv:
        before, _, rest = PAGE.read_text("utf-8").partition(START)
        text = "\n".join([START, *table, "", f"{len(found)} fault runs; every failpoint fired.", END])
        PAGE.write_text(before + text + rest.partition(END)[2], "utf-8")
    sys.exit(0 if not silent and all(run.good for run in found) else 1)


def _table(found: list[Run]) -> list[str]:
    lines = ["| fault | | runs | lost | duplicated | in doubt | allowed in doubt |", "|---|---|---|---|---|---|---|"]
    for fault in sorted({run.fault for run in found}):
        mine = [run for run in found if run.fault == fault]
        sums = [sum(getattr(run, name) for run in mine) for name in ("lost", "duplicated", "in_doubt", "allowed")]
        lines.append(f"| {fault} | {NAMES.get(fault, '?')} | {len(mine)} | {' | '.join(map(str, sums))} |")
    sums = [sum(getattr(run, name) for run in found) for name in ("lost", "duplicated", "in_doubt", "allowed")]
    lines.append(f"| | **all** | **{len(found)}** | {' | '.join(f'**{each}**' for each in sums)} |")
    return lines


def _story(run: Run) -> str:
    return (
        f"lost {run.lost}, duplicated {run.duplicated}, unexpected {run.unexpected}, "
        f"in doubt {run.in_doubt} of {run.allowed} allowed; {run.wrong}"
    )


if __name__ == "__main__":
    main()
