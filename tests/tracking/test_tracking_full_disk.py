"""A disk of one megabyte, written full: what is turned away first, and what is there afterwards."""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from outreach.events import Kind
from tests.conftest import missing
from tracking.reserve import Marks
from tracking.spool import Hit, Spool

MARKS = Marks(opens=600_000, clicks=400_000, reserve=65_536)
KINDS = (Kind.OPEN, Kind.CLICK, Kind.UNSUBSCRIBE)
MOST_ROUNDS = 5_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        missing("tmpfs", "only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def fill(folder: Path) -> tuple[Counter[Kind], list[Counter[Kind]]]:
    """Rounds of as many opens, clicks and unsubscribes; what was acknowledged of each, in all and by round."""
    seconds = itertools.count()
    spool = Spool(folder, marks=MARKS, clock=lambda: float(next(seconds)))
    rounds: list[Counter[Kind]] = []
    for number in range(MOST_ROUNDS):
        hits = [Hit(kind, 1_795_000_000_000 + 20_000 * number, 1, person) for kind in KINDS for person in range(1, 21)]
        answers = await asyncio.gather(*map(spool.record, hits), return_exceptions=True)
        taken = Counter(hit.kind for hit, answer in zip(hits, answers, strict=True) if answer is None)
        rounds.append(taken)
        if not taken:
            break
    healthy = spool.healthy
    await spool.close()
    assert not healthy
    return sum(rounds, Counter()), rounds


def test_opens_go_first_then_clicks_and_what_was_acknowledged_is_there(disk: Path) -> None:
    taken, rounds = asyncio.run(fill(disk))
    last = [max((n for n, found in enumerate(rounds) if found[kind]), default=-1) for kind in KINDS]
    assert 0 <= last[0] < last[1] < last[2] == len(rounds) - 2
    assert taken[Kind.OPEN] < taken[Kind.CLICK] < taken[Kind.UNSUBSCRIBE]
    assert all(found[Kind.UNSUBSCRIBE] == 20 for found in rounds[: last[1]])
    assert stored(disk) == taken


def stored(folder: Path) -> Counter[Kind]:
    """What is in the one file, read as it would be after a kill."""
    [path] = folder.glob("*.spool")
    connection = sqlite3.connect(path)
    found = Counter(
        {Kind(kind): count for kind, count in connection.execute("SELECT kind, count(*) FROM hit GROUP BY 1")}
    )
    connection.close()
    return found
