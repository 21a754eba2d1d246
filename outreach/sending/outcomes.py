"""How one attempt to hand a message over can end, in the words of RFC 5321.

A refusal concerns one recipient, so it is a value. `Unknown` is the one that others lack: the
message was complete and the answer never came (RFC 1047), so nobody can say whether it was taken.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    """The step of the transaction that a reply answered."""

    CONNECT = "connect"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


@dataclass(frozen=True, slots=True)
class Accepted:
    """2yz after the final dot. The next hop took responsibility."""

    reply: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """4yz. Not now; worth another attempt."""

    reply: str
    verb: Verb
    retry_after: dt.timedelta | None = None
    """The next hop itself asked to be left alone for so long, whoever the message is for."""


@dataclass(frozen=True, slots=True)
class Refused:
    """5yz. Never, for this recipient or this message: `outreach.bounces` says which of the two."""

    reply: str
    verb: Verb

    @property
    def told(self) -> str:
        """The reply, with what it answered if that was the message: "user unknown" means less after it was taken."""
        step = {Verb.DATA: "DATA", Verb.DOT: "end of DATA"}.get(self.verb)
        return f"{self.reply} (in reply to {step})" if step else self.reply


@dataclass(frozen=True, slots=True)
class Unsent:
    """The connection went before the final dot could leave. Certainly not taken; try again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The connection went after the final dot left. Taken or not, the server did not say."""

    reason: str


Outcome = Accepted | Deferred | Refused | Unsent | Unknown


def outcome_of(reply: str, verb: Verb) -> Accepted | Deferred | Refused:
    """The outcome a reply line means at a verb. Anything that is not 2yz or 5yz is worth another try."""
    if reply.startswith("2"):
        return Accepted(reply)
    if reply.startswith("5"):
        return Refused(reply, verb)
    return Deferred(reply, verb)
