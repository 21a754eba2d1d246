"""Who may be sent to right now: the people a worker has claimed, lined up by the provider that takes their mail.

Each provider has a bucket in the store, shared by all workers, and a number of messages that may be on their way at
once. A provider that asks us to slow down is obeyed, all workers alike:

    421 4.7.28 (an unusual rate)   nothing for ten minutes, then one at a time, then one more every minute
    any other 4yz about the rate   nothing for a minute, then half as fast, a tenth faster every minute

While nobody asked for anything, the table is not enforced and no domain is being warmed up, lining up costs nothing.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable

from sqlalchemy import Connection

from outreach.sending.shaping import OTHER, Limits, Shaping
from outreach.sending.warmup import Warmup
from outreach.store import throttles
from outreach.store.claims import Claimed
from outreach.store.database import Store
from outreach.store.throttles import Slowed

LONG_HOLD = dt.timedelta(minutes=10)
SHORT_HOLD = dt.timedelta(minutes=1)
STEP = dt.timedelta(minutes=1)
"""How often a provider that asked us to slow down is trusted with a little more."""
QUEUE_SECONDS = 2.0
"""People of one provider that a worker keeps lined up, in seconds of its rate; whoever is beyond comes back later."""
BURST_SECONDS = 0.4
"""How much a bucket holds, and how much of it a worker may have in hand, in seconds of the provider's rate."""
REFILL_EVERY = dt.timedelta(seconds=0.15)
LAPSES_AFTER = dt.timedelta(seconds=1)
"""What a worker has in hand is of this moment: after a standstill, all workers' would leave at once."""
UNUSUAL_RATE = "4.7.28"
RELAY = "relay"
"""The name of the next hop itself, among those who may ask us to slow down."""

_SLOWER = re.compile(
    r"4\.7\.28|\brate\b|too (?:many|much|fast)|throttl|slow(?:er| down)|TSS0\d|4\.7\.500|server busy", re.IGNORECASE
)
_GREYLISTED = re.compile(r"gr[ea]y-?list", re.IGNORECASE)


def asks_to_slow_down(reply: str) -> bool:
    """Does this 4yz mean our pace? Greylisting does not: it wants the same message again, and no fewer of others."""
    return bool(_SLOWER.search(reply)) and not _GREYLISTED.search(reply)


class Throttle:
    """One worker's view. `enforced`: the table's limits hold from the start; otherwise only what providers ask for.
    Whoever is being warmed up keeps to the table too.

    The buckets are shared through the store by all workers of all sends, and so are each provider's connections;
    `worker` is this one's id.
    """

    def __init__(
        self,
        store: Store,
        shaping: Shaping,
        *,
        enforced: bool,
        clock: Callable[[], dt.datetime],
        domains: dict[str, str] | None = None,
        worker: int = 0,
        warmup: Warmup | None = None,
    ) -> None:
        self._worker, self._warmup = worker, warmup
        self._store, self._shaping, self._clock = store, shaping, clock
        self._enforced = enforced or warmup is not None
        self._domains = (domains or {}) | shaping.by_domain()
        self._queues: dict[str, deque[Claimed]] = defaultdict(deque)
        self._slowed: dict[str, Slowed] = {}
        self._budget: Counter[str] = Counter()
        self._on_the_way: Counter[str] = Counter()
        self._shares: dict[str, int] = {}
        self._last_due: dict[str, dt.datetime] = {}
        self._refill_at = clock()
        self.unknown: set[str] = set()
        """Domains whose provider nobody has looked up yet."""
        self.refresh()

    @property
    def active(self) -> bool:
        """False: everybody may be sent to as they come."""
        return self._enforced or bool(self._slowed) or bool(self._queues)

    @property
    def lined_up(self) -> bool:
        return any(self._queues.values())

    @property
    def resting(self) -> bool:
        """True while the next hop itself wants to be left alone."""
        until = self._held(RELAY)
        return until is not None and until > self._clock()

    def provider(self, claimed: Claimed) -> str:
        """The provider of the table that takes this person's mail; else their domain, which speaks for itself only."""
        domain = (claimed.address or "").rpartition("@")[2]
        found = self._domains.get(domain)
        if found is None:
            self.unknown.add(domain)
        return domain if found is None or found == OTHER else found

    def learn(self, domain: str, hosts: Iterable[str]) -> None:
        """What a look-up of `domain` said: the names of the servers that take its mail."""
        provider = self._shaping.by_mx(hosts)
        self._domains[domain] = provider
        with self._store.write() as connection:
            throttles.remember_domain(connection, domain, provider, now=self._clock())

    def line_up(self, claimed: Claimed) -> dt.datetime | None:
        """Take this person into the line; or, if it is too long already, when their turn may come."""
        provider = self.provider(claimed)
        limits, now = self._limits(provider), self._clock()
        if self._warmup is not None and (tomorrow := self._warmup.used_up(provider, now)):
            return tomorrow
        queue = self._queues[provider]
        if limits is None or len(queue) < max(2 * limits.connections, limits.per_second * QUEUE_SECONDS):
            queue.append(claimed)
            return None
        wait = dt.timedelta(seconds=1 / limits.per_second)
        start = max(now + len(queue) * wait, self._held(provider) or now, self._last_due.get(provider, now))
        self._last_due[provider] = start + wait
        return start + wait

    def for_tomorrow(self) -> list[tuple[Claimed, dt.datetime]]:
        """Whoever is in line for a provider that has had its share of the day, and when their turn may come."""
        found: list[tuple[Claimed, dt.datetime]] = []
        if self._warmup is not None:
            for provider in [name for name in self._queues if not self._budget[name]]:
                if tomorrow := self._warmup.used_up(provider, self._clock()):
                    found += [(claimed, tomorrow) for claimed in self._queues.pop(provider)]
        return found

    def take(self, limit: int) -> list[Claimed]:
        """Up to `limit` people who may be sent to now, the providers in turn."""
        self._refill_all(self._clock())
        taken: list[Claimed] = []
        for provider in [name for name, queue in self._queues.items() if queue]:
            queue = self._queues[provider]
            room = min(limit - len(taken), len(queue), self._room(provider))
            taken.extend(queue.popleft() for _ in range(room))
            self._on_the_way[provider] += room
            if provider in self._budget:
                self._budget[provider] -= room
            if not queue:  # so that the next provider's turn comes first, and an unlimited one leaves nothing behind
                del self._queues[provider]
        return taken

    def ended(self, claimed: Claimed) -> None:
        """This person's message is no longer on its way."""
        if self._on_the_way and self._on_the_way[provider := self.provider(claimed)] > 0:
            self._on_the_way[provider] -= 1

    def put_off(self, claimed: Claimed) -> None:
        """A provider said 4yz, whatever about: no sign that it wants more tomorrow."""
        if self._warmup is not None:
            self._warmup.put_off(self.provider(claimed))

    def told(self, claimed: Claimed, reply: str) -> None:
        """A provider said 4yz about our rate: all workers obey."""
        provider, now = self.provider(claimed), self._clock()
        limits = self._table(provider)
        before = self._slowed.get(provider)
        if before is not None and before.until is not None and before.until > now:
            return  # it has been heard already
        with self._store.write() as connection:
            if UNUSUAL_RATE in reply:
                throttles.slow_down(
                    connection, provider, until=now + LONG_HOLD, lanes=1, rate=None, reply=reply, now=now + LONG_HOLD
                )
            else:
                rate = (before.rate if before is not None and before.rate else limits.per_second) / 2
                throttles.slow_down(
                    connection, provider, until=now + SHORT_HOLD, lanes=None, rate=max(rate, 0.1), reply=reply,
                    now=now + SHORT_HOLD,
                )  # fmt: skip
        self.refresh()

    def rest(self, time: dt.timedelta, reply: str) -> dt.datetime:
        """The next hop itself asks to be left alone for a time: nobody is handed over until then, which is returned."""
        until = self._clock() + time
        before = self._held(RELAY)
        if before is None or before < until:
            with self._store.write() as connection:
                throttles.slow_down(connection, RELAY, until=until, lanes=None, rate=None, reply=reply, now=until)
            self.refresh()
        return until

    def refresh(self) -> None:
        """See what other workers were told, and fetch what the buckets hold for us. Called twice a second."""
        now = self._clock()
        with self._store.read() as connection:
            self._slowed = throttles.slowed(connection)
        eased = [each for each in self._slowed.values() if each.at + STEP <= now]
        idle = [name for name in self._shares if not self._queues.get(name) and not self._on_the_way[name]]
        if eased or idle or (self._warmup is not None and self._warmup.unwritten):
            with self._store.write() as connection:
                for each in eased:
                    self._ease(connection, each, now=now)
                self._slowed = throttles.slowed(connection)
                if idle:
                    self._give_back(connection, idle)
                if self._warmup is not None:
                    self._warmup.write(connection, now)
        self._refill_all(now)

    def clear(self) -> None:
        """Nobody is in the line any more: whoever was has been handed back. `refresh` gives back our turns."""
        self._queues.clear()
        self._on_the_way.clear()
        self._last_due.clear()

    def _give_back(self, connection: Connection, idle: list[str]) -> None:
        throttles.give_back(connection, self._worker, idle)
        for provider in idle:
            del self._shares[provider]
        self._let_go(idle)

    def _let_go(self, providers: Iterable[str]) -> None:
        """What is in hand for these providers is not used any more."""
        for provider in providers:
            unused = self._budget.pop(provider, 0)
            if self._warmup is not None:
                self._warmup.unused(provider, unused)

    def _refill_all(self, now: dt.datetime) -> None:
        """Fetch what the buckets hold for whoever is in line."""
        limited = [name for name, queue in self._queues.items() if queue and self._limits(name) is not None]
        if limited and now >= self._refill_at:
            if now - self._refill_at > LAPSES_AFTER:
                self._let_go(list(self._budget))
            self._refill_at = now + REFILL_EVERY
            with self._store.write() as connection:
                for provider in limited:
                    self._refill(connection, provider, now=now)

    def _refill(self, connection: Connection, provider: str, *, now: dt.datetime) -> None:
        limits = self._limits(provider)
        assert limits is not None
        burst = max(1.0, limits.per_second * BURST_SECONDS)
        in_line, on_the_way = len(self._queues[provider]), self._on_the_way[provider]
        wanted = min(in_line, int(burst)) - self._budget[provider]
        if wanted > 0:
            given = throttles.grant(connection, provider, wanted, rate=limits.per_second, burst=burst, now=now)
            if self._warmup is not None:
                given = self._warmup.take(connection, provider, given, now)
            self._budget[provider] += given
        self._shares[provider] = throttles.share(
            connection, provider, self._worker, wanted=in_line + on_the_way, using=on_the_way, limit=limits.connections
        )

    def _ease(self, connection: Connection, each: Slowed, *, now: dt.datetime) -> None:
        """A minute without complaint: one more at a time, or a tenth faster, until the table's limits are reached."""
        limits = self._table(each.provider)
        lanes = each.lanes + 1 if each.lanes is not None else None
        rate = each.rate * 1.1 if each.rate is not None else None
        healed = (lanes is None or lanes >= limits.connections) and (rate is None or rate >= limits.per_second)
        reply = None if healed else each.reply
        throttles.slow_down(connection, each.provider, until=None, lanes=lanes, rate=rate, reply=reply, now=now)

    def _table(self, provider: str) -> Limits:
        return self._shaping.limits.get(provider) or self._shaping.limits[OTHER]

    def _held(self, provider: str) -> dt.datetime | None:
        slowed = self._slowed.get(provider)
        return slowed.until if slowed is not None else None

    def _limits(self, provider: str) -> Limits | None:
        """What holds for this provider now; None if nothing does."""
        slowed = self._slowed.get(provider)
        if slowed is None and not self._enforced:
            return None
        limits = self._table(provider)
        if slowed is None:
            return limits
        return Limits(provider, slowed.lanes or limits.connections, slowed.rate or limits.per_second)

    def _room(self, provider: str) -> int:
        limits = self._limits(provider)
        if limits is None:
            return len(self._queues[provider])
        held = self._held(provider)
        if held is not None and held > self._clock():
            return 0
        return max(0, min(self._budget[provider], self._shares.get(provider, 0) - self._on_the_way[provider]))
