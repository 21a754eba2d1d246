"""From a request that proved whom it is about to an event in the spool."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

from outreach.events import Kind
from outreach.tokens import Subject
from tracking.answers import Message, Receive
from tracking.counters import Counters
from tracking.machines import DayKeys, Observer
from tracking.reserve import Marks
from tracking.spool import Hit, Spool, SpoolDown


class Request(NamedTuple):
    """One request, and what of its path follows the first part."""

    method: str
    rest: str
    scope: Message
    receive: Receive

    def header(self, name: bytes) -> str:
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == name), "")

    def client(self, *, proxies: int) -> str:
        """The client's address as our outermost trusted proxy saw it; what stands before that anybody may write."""
        if proxies:
            lines = [value.decode("latin-1") for key, value in self.scope["headers"] if key == b"x-forwarded-for"]
            hops = ",".join(lines).split(",")  # several lines are one list (RFC 9110, 5.3)
            if len(hops) >= proxies:
                return hops[-proxies].strip()
        peer: tuple[str, int] | None = self.scope.get("client")
        return peer[0] if peer else ""


class Recorder:
    """One process's spool and the counters of what went into it. Opens its spool when first needed."""

    def __init__(self, *, spool_dir: Path, key_dir: Path, marks: Marks, trusted_proxies: int) -> None:
        self.counters = Counters()
        self._folder = spool_dir
        self._marks = marks
        self._proxies = trusted_proxies
        self._observer = Observer(DayKeys(key_dir))
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
        recorded: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.spool.put(self.hit(kind, subject, request, link=link), partial(_settle, recorded))
        self.counters.add("recorded" if await recorded else "lost", kind)

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
        client = request.client(proxies=self._proxies)
        headers = request.scope["headers"]
        seen = self._observer.observe(method=request.method, headers=headers, client=client, at_ms=at_ms)
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


def _settle(recorded: asyncio.Future[bool], durable: bool) -> None:
    if not recorded.done():  # the client may have hung up meanwhile
        recorded.set_result(durable)
