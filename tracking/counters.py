"""What the service has done since it began, for /metrics in Prometheus's text format.

Each worker counts in a page of its own of one unnamed file that the supervisor made, so whichever of them is asked
answers for all, also for those that have ended: a count never goes back while the service runs. What is only true of
this moment (gauges) each writes once a second, and a worker that has stopped doing so is left out.

Counts only: no label ever names a campaign, a token or a client.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from outreach.events import Kind
from tracking.spool import Spool

PAGE = mmap.ALLOCATIONGRANULARITY
BEAT_SECONDS = 1.0
_GONE_SECONDS = 5.0
_KINDS = 32
"""Room for kinds; 0 is none."""
_COUNTS = {
    "recorded": "Events made durable before they were answered.",
    "lost": "Opens and clicks answered without having been recorded.",
    "unrecorded": "Opens and clicks answered and not recorded, as the person chose.",
    "refused": "Binding events and answers answered with 503 because they could not be made durable.",
    "unknown": "Requests with a token or link that is not ours.",
    "failed": "Requests that ended in an error of ours.",
}
_GAUGES: dict[str, tuple[str, Callable[[Iterable[int]], int]]] = {
    "workers": ("Processes that answer.", sum),
    "backlog": ("Events that wait for the disk.", sum),
    "disk_level": ("0 all is recorded, 1 no opens, 2 only binding events: disk space is short.", max),
    "write_failures": ("Writes to the spool that failed.", sum),
    "healthy": ("1 while the spools take events.", min),
}
_PLACES = {name: place * _KINDS for place, name in enumerate(_COUNTS)}
_FIRST_GAUGE = len(_COUNTS) * _KINDS
_BEAT = _FIRST_GAUGE + len(_GAUGES)


def cell(name: str, kind: Kind | None = None) -> int:
    """Where a count stands in a worker's page, for those who count often."""
    return _PLACES[name] + (int(kind) if kind else 0)


class Board:
    """The pages of all workers of one service. The supervisor makes it and passes `descriptor` and a page on."""

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        self.descriptor = descriptor

    def new_page(self) -> int:
        """A page that nobody has written to."""
        page = os.fstat(self.descriptor).st_size // PAGE
        os.ftruncate(self.descriptor, (page + 1) * PAGE)
        return page

    def pages(self) -> Iterator[memoryview[int]]:
        """What every worker has counted, as it is now."""
        content = memoryview(os.pread(self.descriptor, os.fstat(self.descriptor).st_size, 0))
        for start in range(0, len(content), PAGE):
            yield content[start : start + PAGE].cast("Q")


class Counters:
    """One worker's counts, and the sums of all. Without a board it knows of no others, and says so."""

    def __init__(self, board: Board | None = None, page: int = 0) -> None:
        self._board = board
        shared = mmap.mmap(board.descriptor, PAGE, offset=page * PAGE) if board else mmap.mmap(-1, PAGE)
        self.cells: memoryview[int] = memoryview(shared).cast("Q")
        """This worker's page; `cells[cell(name, kind)] += 1` is `add`, quicker."""

    def add(self, name: str, kind: Kind | None = None) -> None:
        self.cells[cell(name, kind)] += 1

    def beat(self, spool: Spool, *, now: float) -> None:
        """Write down what is true of this worker now, in seconds since 1970."""
        found = (1, spool.backlog, int(spool.level), spool.failures, int(spool.healthy))
        for place, value in enumerate(found, _FIRST_GAUGE):
            self.cells[place] = value
        self.cells[_BEAT] = int(now)

    def prometheus(self, spool: Spool) -> str:
        """The text that a Prometheus server reads (exposition format 0.0.4)."""
        now = time.time()
        self.beat(spool, now=now)
        pages = list(self._board.pages()) if self._board else [self.cells]
        lines = [] if self._board else [f"# Only process {os.getpid()} has been counted here, and not those beside it."]
        for name, text in _COUNTS.items():
            lines += [f"# HELP outreach_tracking_{name}_total {text}", f"# TYPE outreach_tracking_{name}_total counter"]
            lines += _counted(f"outreach_tracking_{name}_total", _PLACES[name], pages)
        alive = [page for page in pages if now - page[_BEAT] < _GONE_SECONDS]
        for place, (name, (text, together)) in enumerate(_GAUGES.items(), _FIRST_GAUGE):
            lines += [
                f"# HELP outreach_tracking_{name} {text}",
                f"# TYPE outreach_tracking_{name} gauge",
                f"outreach_tracking_{name} {together(page[place] for page in alive)}",
            ]
        return "\n".join(lines) + "\n"


def _counted(name: str, place: int, pages: Sequence[memoryview[int]]) -> Iterator[str]:
    sums = {kind: sum(page[place + kind] for page in pages) for kind in range(_KINDS)}
    kinds = {kind: count for kind, count in sums.items() if kind and count}
    for kind, count in kinds.items():
        yield f'{name}{{kind="{Kind(kind).name.lower()}"}} {count}'
    if sums[0] or not kinds:
        yield f"{name} {sums[0]}"
