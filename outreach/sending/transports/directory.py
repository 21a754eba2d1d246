"""A transport that writes each message into a folder as an .eml file, to look at or to hand on by other means.

The file appears under its name only when it is whole and on the disk: a crash leaves a `.part` that nobody reads.
Its name is the message's own id, so that writing it again after a doubt replaces it instead of doubling it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from outreach.rendering.message import Message
from outreach.sending.outcomes import Outcome, Unsent, Verb, outcome_of
from outreach.sending.transports import OneByOne, RelayUnreachable

SCHEME = "directory:"


class DirectoryTransport:
    """Lanes into `folder`, which is made if it is missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def open(self) -> DirectoryLane:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RelayUnreachable(f"{self._folder} cannot be made: {error.strerror}; nothing was sent") from None
        return DirectoryLane(self._folder)


class DirectoryLane(OneByOne):
    """Writes one file for each message."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    async def hand_over(self, message: Message, *, before_dot: Callable[[], bool]) -> Outcome:
        name = re.sub(r"[^A-Za-z0-9_.=-]", "_", message.message_id.strip("<>").partition("@")[0])
        part = self._folder / f"{name}.part"
        envelope = f"X-Envelope-From: <{message.return_path}>\r\nX-Envelope-To: <{message.recipient}>\r\n"
        try:
            with part.open("wb") as file:
                file.write(envelope.encode("utf-8") + message.data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            return outcome_of(f"452 4.3.1 {error.strerror}", Verb.DATA)
        if not before_dot():
            part.unlink()
            return Unsent("stopped before it left")
        part.replace(part.with_suffix(".eml"))
        return outcome_of("250 2.0.0 written", Verb.DOT)
