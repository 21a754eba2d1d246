"""What can happen to a delivery after it left: the words the tracking service and the store share.

An event is a fact with a time. Opens and clicks are plentiful and only counted; the binding kinds
change what we may send, so the loader puts them into the main database before anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag


class Kind(IntEnum):
    """What happened. The numbers are stored: never reuse one."""

    OPEN = 1
    CLICK = 2
    UNSUBSCRIBE = 3
    COMPLAINT = 4
    BOUNCE = 5
    PREFERENCES = 6
    CONFIRM = 7
    UNDO = 8
    SIGNUP = 9
    ANSWER = 10
    """To the message's question; `link` is the answer's number."""

    @property
    def binding(self) -> bool:
        """True if it changes what we may send, and so may never be shed or lost."""
        return self not in (Kind.OPEN, Kind.CLICK, Kind.ANSWER)


class Choice(IntEnum):
    """What a person lets us record of their opens and clicks. The numbers are stored: never reuse one."""

    NONE = 1
    """Nothing."""
    AGGREGATE = 2
    """That somebody did: counted without the person."""
    INDIVIDUAL = 3


class Flag(IntFlag):
    """What the request looked like, recorded so that people and machines can be told apart later."""

    HEAD = 1
    POST = 2
    ACCEPT_LANGUAGE = 4
    FETCH_USER = 8
    NAVIGATE = 16
    PREFETCH = 32
    ACCEPT_IMAGE = 64
    COOKIE = 128
    REFERER = 256
    RANGE = 512
    ONE_CLICK = 1024


@dataclass(frozen=True, slots=True)
class Event:
    """One recorded hit or report. `spool` and `sequence` make it unique for ever."""

    spool: str
    sequence: int
    kind: Kind
    at_ms: int
    """Milliseconds since 1970, UTC."""
    campaign_id: int
    subscriber_id: int
    link: int = 0
    agent_class: int = 0
    network_class: int = 0
    prefix_hash: bytes = b""
    """Keyed hash of the client's /24 or /48; never the address itself."""
    flags: int = 0
    detail: str = ""
    """JSON for kinds that carry more, such as the topics ticked on the preference page."""
