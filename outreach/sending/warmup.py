"""Warming up: how much a new sending domain or address may send to each provider in a day, by `warmup.toml`.

    ["news.city.example"]            # a sending domain, or the relay's host: mail counts for each that it goes by
    steps = [200, 400, 800, 1_600]   # messages to one provider in a day; after the last step there is no limit

Mailbox providers trust who sends a little more every day. A step is climbed after a day on which at least half of it
was used and the provider put off no more than MAX_DEFERRED: days without mail climb nothing, and neither do days on
which the provider hesitated. What the law or people's safety asks for is counted, and goes out beyond the limit.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from outreach.errors import ConfigurationError
from outreach.store import warming
from outreach.store.warming import Day

FILE = "warmup.toml"
STEPS = (200, 300, 450, 700, 1_000, 1_500, 2_200, 3_300, 5_000, 7_500, 11_000, 16_000, 24_000, 36_000, 50_000)
"""Where a section names none: never twice as much as the day before, 50,000 after two weeks at the earliest."""
USED, MAX_DEFERRED = 0.5, 0.05


@dataclass(frozen=True, slots=True)
class Curve:
    """The steps of one sending domain or address."""

    source: str
    steps: tuple[int, ...]

    def limit(self, days: Sequence[Day], today: dt.date) -> int | None:
        """How much may be sent to a provider in all of `today`, after these days; None: as much as there is."""
        step = 0
        for day in days:
            if day.day >= today or step == len(self.steps):
                break
            step += day.sent >= self.steps[step] * USED and day.deferred <= day.sent * MAX_DEFERRED
        return self.steps[step] if step < len(self.steps) else None


class Warmup:
    """One worker's view of its curves. Days begin at midnight in `zone`; `mandatory` mail is counted, not held back."""

    def __init__(self, curves: Sequence[Curve], *, zone: dt.tzinfo, mandatory: bool = False) -> None:
        self._curves, self._zone, self._mandatory = curves, zone, mandatory
        self._used_up: dict[str, dt.date] = {}
        self._deferred: Counter[str] = Counter()
        self._unused: Counter[str] = Counter()

    def used_up(self, provider: str, now: dt.datetime) -> dt.datetime | None:
        """When tomorrow begins, if nobody else may be sent to at this provider today."""
        today = now.astimezone(self._zone).date()
        if self._used_up.get(provider) != today:
            return None
        return dt.datetime.combine(today + dt.timedelta(days=1), dt.time(), self._zone).astimezone(dt.UTC)

    def take(self, connection: Connection, provider: str, wanted: int, now: dt.datetime) -> int:
        """How many of `wanted` may go today; they count as sent. Others wait until the transaction ends."""
        today = now.astimezone(self._zone).date()
        for curve in () if self._mandatory or not wanted else self._curves:
            days = warming.days(connection, curve.source, provider)
            limit = curve.limit(days, today)
            if limit is None:
                continue
            sent = days[-1].sent if days and days[-1].day == today else 0
            if sent >= limit:
                self._used_up[provider] = today
            wanted = min(wanted, max(0, limit - sent))
        self._count(connection, provider, now, sent=wanted)
        return wanted

    def put_off(self, provider: str) -> None:
        """A provider said 4yz; `write` counts it."""
        self._deferred[provider] += 1

    def unused(self, provider: str, count: int) -> None:
        """So many that were taken have not been sent after all; `write` takes them back."""
        self._unused[provider] += count

    @property
    def unwritten(self) -> bool:
        return any(self._deferred.values()) or any(self._unused.values())

    def write(self, connection: Connection, now: dt.datetime) -> None:
        for provider in {*self._deferred, *self._unused}:
            sent, deferred = -self._unused[provider], self._deferred[provider]
            self._count(connection, provider, now, sent=sent, deferred=deferred)
        self._deferred.clear()
        self._unused.clear()

    def _count(self, connection: Connection, provider: str, now: dt.datetime, *, sent: int, deferred: int = 0) -> None:
        today = now.astimezone(self._zone).date()
        for curve in self._curves if sent or deferred else ():
            warming.count(connection, curve.source, provider, today, sent=sent, deferred=deferred)


def load(root: Path | None, sources: Collection[str]) -> tuple[Curve, ...]:
    """The curves of those of `sources` that are being warmed up. ConfigurationError names what is wrong."""
    path = root / FILE if root is not None else None
    if path is None or not path.is_file():
        return ()
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        curves = [_curve(source, section) for source, section in document.items()]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be used: {error}") from None
    wanted = {source.lower() for source in sources}
    return tuple(each for each in curves if each.source in wanted)


def _curve(source: str, section: object) -> Curve:
    if not isinstance(section, dict) or set(section) - {"steps"}:
        raise ValueError(f'["{source}"] can hold `steps`, a list of messages a day, and nothing else')
    steps = section.get("steps", list(STEPS))
    if not isinstance(steps, list) or not steps or not all(type(each) is int and each > 0 for each in steps):
        raise ValueError(f'["{source}"] needs steps above nothing, such as [200, 400, 800]')
    if steps != sorted(steps):
        raise ValueError(f'["{source}"] has steps that go down; each may be as high as the one before, or higher')
    return Curve(source.lower(), tuple(steps))
