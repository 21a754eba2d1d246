"""The loader beside the service, in a process of its own: neither waits for the other's interpreter.

    with loading(database_url, spool_dir):
        serve(...)

A loader that dies is started again; events wait in the spool meanwhile. When the block ends the
loader makes one last pass. Should the service be killed, the loader notices, does the same, and ends.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

from outreach import logs
from outreach.store.database import Store
from tracking.loader import run

RESTART_SECONDS = 1.0
LAST_PASS_SECONDS = 60.0
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def loading(
    database_url: str, spool_dir: Path, *, archive: bool = False, log: tuple[Path | None, str] = (None, "warning")
) -> Iterator[None]:
    """Keep a loader running while the block runs. `archive`: what is sent about a topic is public.

    `log`: the log's file and level.
    """
    finished = threading.Event()
    process = _start(database_url, spool_dir, archive, log)

    def supervise() -> None:
        nonlocal process
        while not finished.wait(RESTART_SECONDS):
            if not process.is_alive():
                _log.error("the loader ended with code %s and is started again", process.exitcode)
                process = _start(database_url, spool_dir, archive, log)

    supervisor = threading.Thread(target=supervise, name="loader supervisor", daemon=True)
    supervisor.start()
    try:
        yield
    finally:
        finished.set()
        supervisor.join()
        process.terminate()
        process.join(LAST_PASS_SECONDS)


def _start(database_url: str, spool_dir: Path, archive: bool, log: tuple[Path | None, str]) -> BaseProcess:
    # Not fork: the service has threads, and a fork keeps only one of them.
    process = multiprocessing.get_context("spawn").Process(
        target=_main, args=(database_url, spool_dir, archive, log, os.getpid()), name="loader", daemon=True
    )
    process.start()
    return process


def _main(database_url: str, spool_dir: Path, archive: bool, log: tuple[Path | None, str], parent: int) -> None:
    terminated = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the service tells us when to end
    logs.begin("outreach track: loader", file=log[0], level=log[1])
    store = Store.open(database_url)
    try:
        run(
            store,
            spool_dir,
            stopped=lambda: terminated.is_set() or os.getppid() != parent,
            links_dir=spool_dir.parent / "links",
            archive=archive,
        )
    finally:
        store.close()
