"""From a request that proved whom it is about to an event in the spool."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

from outreach.events import Choice, Kind
from outreach.tokens import Subject
from tracking.answers import Message, Receive
from tracking.choices import Choices
from tracking.counters import Counters
from tracking.machines import Headers, Observer, Signals
from tracking.reserve import Marks
from tracking.spool import Hit, Spool, SpoolDown

NOBODY = 0
"""The subscriber of a hit that is counted without the person."""
_NONE, _AGGREGATE, _INDIVIDUAL = (int(choice) for choice in Choice)


class Request(NamedTuple):
    """One request, and what of its path follows the first part."""

    method: str
    rest: str
    scope: Message
    receive: Receive

    def header(self, name: bytes) -> str:
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == name), "")


def client_of(headers: Headers, peer: str, *, proxies: int) -> str:
    """The client's address as our outermost trusted proxy saw it; what stands before that anybody may write."""
    if proxies:
        lines = [value.decode("latin-1") for key, value in headers if key == b"x-forwarded-for"]
        hops = ",".join(lines).split(",")  # several lines are one list (RFC 9110, 5.3)
        if len(hops) >= proxies:
            return hops[-proxies].strip()
    return peer


class Recorder:
    """One process's spool and the counters of what went into it. Opens its spool when first needed."""

    def __init__(
        self,
        *,
        spool_dir: Path,
        observer: Observer,
        choices: Choices,
        marks: Marks,
        trusted_proxies: int,
        counters: Counters | None = None,
    ) -> None:
        self.counters = counters or Counters()
        self.observer = observer
        self.proxies = trusted_proxies
        self._folder = spool_dir
        self._marks = marks
        self._choices = choices
        self._spool: Spool | None = None

    @property
    def spool(self) -> Spool:
        if self._spool is None:
            self._spool = Spool(self._folder, marks=self._marks)
        return self._spool

    async def close(self) -> None:
        if self._spool is not None:
            await self._spool.close()

    async def note(self, kind: Kind, subject: Subject, request: Request, *, link: int = 0) -> None:
        """Write an open or a click; if that cannot be, count it as lost, for the person is still to be answered."""
        at_ms = time.time_ns() // 1_000_000
        hit = self.observed(kind, subject, link, self._signals(request, at_ms), at_ms)
        if hit is None:
            return
        recorded: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.spool.put(hit, partial(_settle, recorded))
        self.counters.add("recorded" if await recorded else "lost", kind)

    def observed(self, kind: Kind, subject: Subject, link: int, signals: Signals, at_ms: int) -> Hit | None:
        """An open or a click as the person lets us record it; None if not at all."""
        campaign_id, subscriber_id = subject
        agent, network, prefix, flags = signals
        # A link that is everybody's was made for people who let us count.
        choice = _AGGREGATE if subscriber_id == NOBODY else self._choices.of(subscriber_id)
        if choice != _INDIVIDUAL:
            if choice == _NONE:
                self.counters.add("unrecorded", kind)
                return None
            subscriber_id, prefix = NOBODY, b""
        return Hit(kind, at_ms, campaign_id, subscriber_id, link, agent, network, prefix, flags, "")

    def answer(self, subject: Subject, request: Request, number: int) -> Hit:
        """An answer to a message's question. Whoever does not want to be followed is counted without a name."""
        hit = self.hit(Kind.ANSWER, subject, request, link=number)
        if self._choices.of(subject.subscriber_id) == _INDIVIDUAL:
            return hit
        return hit._replace(subscriber_id=NOBODY, prefix_hash=b"")

    async def bind(self, *hits: Hit) -> bool:
        """Write what binds us. False if it is not certainly on disk, and then it must not be acknowledged."""
        results = await asyncio.gather(*map(self.spool.record, hits), return_exceptions=True)
        for hit, result in zip(hits, results, strict=True):
            if isinstance(result, BaseException) and not isinstance(result, SpoolDown):
                raise result
            self.counters.add("refused" if result else "recorded", hit.kind)
        return not any(results)

    def hit(
        self, kind: Kind, subject: Subject, request: Request, *, link: int = 0, flags: int = 0, detail: str = ""
    ) -> Hit:
        """What this request says, as it is kept."""
        at_ms = time.time_ns() // 1_000_000
        seen = self._signals(request, at_ms)
        return Hit(
            kind,
            at_ms,
            subject.campaign_id,
            subject.subscriber_id,
            link,
            seen.agent_class,
            seen.network_class,
            seen.prefix_hash,
            seen.flags | flags,
            detail,
        )

    def _signals(self, request: Request, at_ms: int) -> Signals:
        headers = request.scope["headers"]
        peer: tuple[str, int] | None = request.scope.get("client")
        client = client_of(headers, peer[0] if peer else "", proxies=self.proxies)
        return self.observer.observe(method=request.method, headers=headers, client=client, at_ms=at_ms)


def _settle(recorded: asyncio.Future[bool], durable: bool) -> None:
    if not recorded.done():  # the client may have hung up meanwhile
        recorded.set_result(durable)
