"""One worker's side of the ledger: claims in, outcomes out, in batches.

The order is the promise. A claim is committed before anything is composed. The journal knows of a message
before its dot can leave. Outcomes are committed to the store before the journal forgets them.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from outreach.sending.failpoints import reach
from outreach.sending.identity import this_process
from outreach.sending.journal import Journal
from outreach.sending.outcomes import Verb
from outreach.store import campaigns, claims
from outreach.store.campaigns import Status
from outreach.store.caps import Reached
from outreach.store.claims import Claimed, Written
from outreach.store.database import Store
from outreach.store.deliveries import State

CLAIM = 400
"""Deliveries a worker leases at once: the most that another may have to take over."""
LEASE = dt.timedelta(minutes=15)
"""Longer than the ten minutes a server may take to answer the final dot."""
HEAD_START = dt.timedelta(seconds=5)
"""How long an emergency that was just started keeps others off the relay before its first claim is seen."""


class Ledger:
    """Claims deliveries of one campaign for one worker, and writes down how they ended.

    Use as a context: leaving it hands back what was claimed and not sent, and forgets the worker.
    """

    def __init__(
        self,
        store: Store,
        campaign_id: int,
        *,
        folder: Path,
        clock: Callable[[], dt.datetime],
        urgent: bool = False,
        caps: Reached | None = None,
    ) -> None:
        self._store = store
        self._campaign_id = campaign_id
        self._clock = clock
        self._urgent = urgent
        self._caps = caps
        self._waiting: deque[Claimed] = deque()
        self._nobody = False
        """True once nobody was due, until the next look: each lane asks before it rests, and one answer is for all."""
        self._claimed: dict[int, Claimed] = {}
        self._on_wire: set[int] = set()
        self._written: list[Written] = []
        self._open: Counter[int] = Counter()
        self.tally: Counter[State] = Counter()
        self.status = Status.SENDING
        self.overtaken = False
        """True while an emergency needs the connections."""
        self.neighbours = 0
        """How many other campaigns share the connections; an emergency shares them with none."""
        me = this_process()
        path = folder / f"{me.pid}-{me.started or 0}-{campaign_id}.journal"
        self.journal = Journal(path)
        with store.write() as connection:
            self._worker = claims.register(
                connection, host=me.host, boot=me.boot, pid=me.pid, started=me.started, journal=str(path), now=clock()
            )

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, claims.FenceLost):
            return  # others have it now; our journal stays for whoever asks
        self.hand_back()
        if self._on_wire:
            return  # cut off in the middle of a handover: recovery reads the journal
        self.flush()
        reach("leaving")
        with self._store.write() as connection:
            claims.leave(connection, self._worker.id)
        self.journal.close()

    @property
    def worker_id(self) -> int:
        return self._worker.id

    def claim(self, limit: int) -> list[Claimed]:
        """Up to `limit` deliveries to make now; empty when nothing is due or the campaign was paused or stopped."""
        if not self._waiting and self.status is Status.SENDING and not self._nobody:
            now = self._clock()
            reach("claiming")
            with self._store.write() as connection:
                rows = claims.take(connection, self._campaign_id, self._worker.id, limit=CLAIM, now=now, lease=LEASE)
                if self._caps is not None:
                    rows = self._caps.mark(connection, rows, now=now)
            reach("claimed")
            self._nobody = not rows
            self._waiting.extend(rows)
            self._claimed.update((row.subscriber_id, row) for row in rows)
            self._open.update(row.claim_id for row in rows)
        return [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]

    @contextmanager
    def composing(self, batch: Sequence[Claimed]) -> Iterator[None]:
        """Around the making of these messages: whose it was, if that kills this process."""
        self.journal.composing(self._campaign_id, [claimed.subscriber_id for claimed in batch])
        yield
        reach("composed")
        self.journal.composing(self._campaign_id, ())

    def sending(self, claimed: Claimed) -> None:
        """The final dot of this message may leave from now on."""
        reach("sending")
        self.journal.sending(self._campaign_id, claimed.subscriber_id)
        self._on_wire.add(claimed.subscriber_id)
        reach("dotted")

    def answered(self, claimed: Claimed, verb: Verb, reply: str) -> None:
        """The server's answer that ended this transaction."""
        reach("answered")
        self.journal.answered(self._campaign_id, claimed.subscriber_id, verb, reply)
        reach("noted")

    def settle(self, claimed: Claimed, state: State, reason: str, *, due_at: dt.datetime | None = None) -> None:
        """Note how one delivery ended, now; `flush` commits it."""
        self._note(claimed, state, reason, due_at)
        self.tally[state] += 1

    def put_off(self, claimed: Claimed, reason: str, *, due_at: dt.datetime) -> None:
        """Not now, and nothing was tried: it waits again until `due_at`."""
        self._note(claimed, State.WAITING, reason, due_at, tried=False)

    @property
    def unwritten(self) -> int:
        return len(self._written)

    def flush(self, *, look: bool = True) -> None:
        """Commit what is noted; and look whether the campaign was paused or stopped, and say that we live."""
        reach("flushing")
        self.journal.flush()
        now = self._clock()
        with self._store.write() as connection:
            claims.write_down(connection, self._campaign_id, self._written, now=now)
            done = self._open.copy()
            done.subtract(item.claim_id for item in self._written)
            claims.close(connection, [claim_id for claim_id, left in done.items() if left == 0])
            if look:
                self._look(connection, now)
            reach("written")
        reach("flushed")
        self._open = +done
        self._written.clear()
        self.journal.restart((self._campaign_id, subscriber_id) for subscriber_id in self._on_wire)
        reach("restarted")

    def _look(self, connection: Connection, now: dt.datetime) -> None:
        self._nobody = False
        claims.heartbeat(connection, self._worker.id, now=now, lease=LEASE)
        self.status = campaigns.status(connection, self._campaign_id)
        if not self._urgent:
            self.overtaken = claims.overtaken(connection, self._campaign_id, since=now - HEAD_START)
            self.neighbours = claims.neighbours(connection, self._campaign_id)

    def hand_back(self, besides: Collection[int] = ()) -> int:
        """Make every claimed delivery that is not on the wire due again at once; how many that were.

        `besides`: those of these people, who are about to be sent to.
        """
        self._waiting.clear()
        kept = self._on_wire.union(besides)
        back = [claimed for person, claimed in self._claimed.items() if person not in kept]
        for claimed in back:
            self._note(claimed, State.WAITING, "handed back", self._clock(), tried=False)
        return len(back)

    def _note(
        self, claimed: Claimed, state: State, reason: str, due_at: dt.datetime | None, *, tried: bool = True
    ) -> None:
        del self._claimed[claimed.subscriber_id]
        self._on_wire.discard(claimed.subscriber_id)
        at = self._clock()
        self._written.append(Written(claimed.claim_id, claimed.subscriber_id, state, reason[:500], due_at, tried, at))
