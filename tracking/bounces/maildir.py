"""A Maildir that an MTA delivers returned mail into: `new` is taken, then moved to `cur` as seen.

Nothing is deleted. A mail that was taken and not yet moved when we were killed is taken again, to no effect.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from outreach.bounces.mime import MAX_BYTES
from outreach.errors import ConfigurationError
from tracking.bounces.taking import Desk

SEEN = ":2,S"


def collect(folder: Path, desk: Desk) -> int:
    """Take every new mail. How many."""
    new, cur = folder / "new", folder / "cur"
    if not new.is_dir():
        raise ConfigurationError(f"{folder} is no Maildir: it has no folder new")
    cur.mkdir(exist_ok=True)
    count = 0
    for path in sorted(new.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            continue  # another run took it
        desk.take(raw)
        with contextlib.suppress(FileNotFoundError):  # another run took it too, to no effect, and was quicker
            path.replace(cur / (path.name.partition(":")[0] + SEEN))
        count += 1
    return count
