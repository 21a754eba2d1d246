"""One worker of the tracking service: `python -m tracking --fd N`. `outreach track` starts as many as it is told.

--fd N          the listening socket that it inherits
--ready N       where to write a byte once it answers
--lifeline N    a pipe; when it closes, the supervisor is gone and the worker ends
--board N       a file with the counts of all workers, and
--page N        which page of it is this one's
--proxies N     how many proxies in front add to X-Forwarded-For
--check         read settings and keys, say what is wrong, and end
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

from outreach import logs
from outreach.errors import OutreachError
from outreach.settings import Settings, load_settings
from outreach.tokens import KeyRing
from tracking.app import Route, Tracking
from tracking.configuration import configuration
from tracking.counters import Board, Counters
from tracking.server import listener_from, serve

More = Callable[[Settings, KeyRing], Sequence[Route]]


def main(words: list[str] | None = None, *, more: More = lambda _settings, _keys: ()) -> None:
    """`more` makes the pages that somebody above this package serves beside its own."""
    parser = argparse.ArgumentParser(prog="python -m tracking", add_help=False)
    for name in ("fd", "ready", "lifeline", "board", "page", "proxies"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--check", action="store_true")
    told = parser.parse_args(words)
    try:
        counters = Counters(Board(told.board), told.page) if told.board else None
        settings = load_settings()
        logs.begin("outreach track: worker", file=settings.log_file, level=settings.text("log.level"))
        config = configuration(settings, proxies=told.proxies, counters=counters)
        app = Tracking(config, more=more(settings, config.keys))
    except OutreachError as error:
        print(f"outreach: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    if told.check:
        return
    if told.lifeline:
        threading.Thread(target=_end_with, args=(told.lifeline,), daemon=True).start()
    serve(app, listener_from(told.fd), ready=lambda: os.write(told.ready, b"!") if told.ready else None)


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)  # nobody writes: it returns when the other end is closed
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
