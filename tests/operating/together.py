"""`outreach cron` in many processes at the same instant: python together.py LOG FOLDER FOLDER …

A process for each folder, forked once all of the program is loaded, and let go together. What one says on stderr is in
LOG.0, LOG.1 and so on; how each ended is printed, a line each. Started anew each time, so that nothing is shared.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

from outreach.cli import main

for part in ("cli.cron", "campaigns.plan", "sending.pipeline", "sending.supervisor"):
    importlib.import_module(f"outreach.{part}")


def cron(folder: str, gate: int, log: str) -> NoReturn:
    code: object = 70
    try:
        os.chdir(folder)
        os.dup2(os.open(log, os.O_CREAT | os.O_WRONLY, 0o600), 2)
        os.read(gate, 1)  # until the other end is closed
        sys.argv = ["outreach", "cron"]
        main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    log, *folders = sys.argv[1:]
    gate, let_go = os.pipe()
    runs = []
    for number, folder in enumerate(folders):
        if (run := os.fork()) == 0:
            os.close(let_go)
            cron(folder, gate, f"{log}.{number}")
        runs.append(run)
    os.close(let_go)
    for run in runs:
        print(os.waitstatus_to_exitcode(os.waitpid(run, 0)[1]))
