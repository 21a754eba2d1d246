"""One mail that came back, from its bytes to its effect. Every way of collecting ends here.

When `take` returns, the mail's effect is committed; only then may its source forget it. Taking the
same mail again changes nothing, so whoever is killed in between simply does it once more.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from outreach.bounces.mime import Part, parse
from outreach.bounces.policy import Limits
from outreach.bounces.proof import asks_to_leave
from outreach.bounces.reading import Kind, Reading
from outreach.bounces.recording import Fate, Taken, number, record, record_leaving
from outreach.store import bounces
from outreach.store.database import Store
from outreach.tokens import KeyRing
from tracking.bounces import reports

MAX_KEPT = 256 * 1024
"""Bytes of a kept mail that are written to disk."""

_WANTS_OUT = re.compile(
    r"\b(?:unsubscribe|remove me|take me off|stop (?:sending|e-?mail|these)|opt[- ]?out|leave me alone|"
    r"no more e?-?mails?|"
    r"abmelden|austragen|d[ée]sabonner|désinscri|darme de baja|cancelar (?:la )?suscripci|no (?:me )?env[ií]en)",
    re.IGNORECASE,
)


class Reads(Protocol):
    """Who reads a mail: normally `outreach.bounces.worker.Reader`, in a process of its own."""

    def read(self, raw: bytes) -> Reading: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Where returned mail is taken, and by which rules."""

    store: Store
    keys: KeyRing
    limits: Limits
    domain: str
    """The sending domain: what a provider's refusal pauses."""
    folder: Path
    """Where mail is kept that a person should read."""
    clock: Callable[[], dt.datetime]
    reader: Reads
    tally: Counter[str] = field(default_factory=Counter)

    def take(self, raw: bytes, *, envelope: tuple[str, ...] = ()) -> Taken:
        """Take one mail; its effect is committed when this returns."""
        return self.take_all([raw], envelope=envelope)[0]

    def take_all(self, mails: Sequence[bytes], *, envelope: tuple[str, ...] = ()) -> list[Taken]:
        """Take some mails; the effects of all of them are committed together when this returns."""
        readings = [self.reader.read(raw) for raw in mails]
        taken = [self._report(raw, reading) for raw, reading in zip(mails, readings, strict=True)]
        with self.store.write() as connection:
            found = [
                done or self._record(connection, raw, reading, envelope)
                for raw, reading, done in zip(mails, readings, taken, strict=True)
            ]
        for raw, reading, one in zip(mails, readings, found, strict=True):
            if one.fate is Fate.KEPT:
                self._keep(raw, reading, one)
            self.tally[one.fate.value] += 1
            if one.effect is not None and one.fate is Fate.RECORDED:
                self.tally[f"effect {one.effect.value}"] += 1
        return found

    def _record(self, connection: Connection, raw: bytes, reading: Reading, envelope: tuple[str, ...]) -> Taken:
        identity, now = _identity(raw, reading), self.clock()
        if reading.kind is Kind.OTHER:
            # A mail to the unsubscribe mailbox carries the token of our unsubscribe link.
            subject = asks_to_leave((reading.subject, *envelope, *reading.addressed_to), self.keys)
            if subject is not None:
                return record_leaving(connection, subject, identity=identity, now=now)
        return record(
            connection,
            reading,
            envelope=envelope,
            keys=self.keys,
            limits=self.limits,
            domain=self.domain,
            identity=identity,
            now=now,
        )

    def _report(self, raw: bytes, reading: Reading) -> Taken | None:
        """A DMARC or TLS report, which receivers send to the same domain."""
        if reading.kind is not Kind.OTHER:
            return None
        try:
            read = reports.take_mail(self.store, raw, now=self.clock())
        except reports.BadReport as error:
            return Taken(Fate.KEPT, why=str(error))
        return Taken(Fate.NOTED) if read else None

    def _keep(self, raw: bytes, reading: Reading, taken: Taken) -> None:
        name = f"{number(raw):016x}.eml"
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        if not path.exists():
            path.write_bytes(raw[:MAX_KEPT])
        why = taken.why
        if reading.kind is Kind.OTHER and _WANTS_OUT.search(f"{reading.subject}\n{_words(raw)}"):
            why = "somebody asks to leave, in words: unsubscribe them by hand"
        with self.store.write() as connection:
            bounces.keep(
                connection,
                key=number(raw),
                kind=reading.kind.value,
                sender=reading.sender,
                subject=reading.subject,
                why=why,
                file=name,
                now=self.clock(),
            )


def _identity(raw: bytes, reading: Reading) -> str:
    """A mail's name for ever: its Message-ID, or the hash of what it says when it has none.

    Received lines differ when a mail comes by two ways; its Message-ID does not.
    """
    return reading.message_id or blake2b(raw, digest_size=16).hexdigest()


def _words(raw: bytes) -> str:
    top: Part = parse(raw)
    return "\n".join(part.text()[:2000] for part in list(top.walk())[:5] if part.type.startswith("text/"))
