"""The tracking service, a raw ASGI application. The route table is the contents page.

The promise: when it answers 200 to an open, 302 to a click or 2xx to an unsubscribe, the event has
been written and fdatasync'ed to this node's spool. Opens and clicks are still answered when the
spool cannot take them (counted as lost; health turns 503); an unsubscribe never is.

GET changes nothing. A redirect's destination comes from the campaign's link file, never from the
request. No address and no token is ever logged.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from outreach.events import Flag, Kind
from outreach.tokens import BadToken, KeyRing, Purpose, Subject
from tracking import answers, forms, pages, unsubscribe
from tracking.answers import Answer, Message, Receive, Send
from tracking.counters import Counters
from tracking.links import LinkTable, LinkTables
from tracking.machines import DayKeys, Observer
from tracking.pages.words import choose
from tracking.reserve import DEFAULT_MARKS, Marks
from tracking.spool import Hit, Spool, SpoolDown
from tracking.webhooks import feedback

RETRY_AFTER = (b"retry-after", b"30")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrackingConfig:
    """Everything the service is told at its start."""

    spool_dir: Path
    links_dir: Path
    keys: KeyRing
    key_dir: Path
    """Where the random keys of the day are kept."""
    trusted_proxies: int = 0
    """How many proxies in front of us append to X-Forwarded-For; 0: the peer is the client."""
    language: str = "en"
    """Of pages about no known campaign, for readers who ask for none of ours."""
    webhook_secret: bytes | None = None
    """Shared with the systems that report complaints; without it there is no webhook."""
    marks: Marks = DEFAULT_MARKS


class Request(NamedTuple):
    """One request, and what of its path follows the first part."""

    method: str
    rest: str
    scope: Message
    receive: Receive

    def header(self, name: bytes) -> str:
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == name), "")


Handler = Callable[[Request], Awaitable[Answer]]


class Route(NamedTuple):
    """What answers the paths that begin with one word."""

    path: str
    reads: Handler | None = None
    posts: Handler | None = None

    def methods(self) -> tuple[str, ...]:
        return (("GET", "HEAD") if self.reads else ()) + (("POST",) if self.posts else ())


class Tracking:
    """The application. `async with` or an ASGI lifespan opens and closes its spool."""

    def __init__(self, config: TrackingConfig) -> None:
        self.counters = Counters()
        self._config = config
        self._keys = config.keys
        self._links = LinkTables(config.links_dir)
        self._observer = Observer(DayKeys(config.key_dir))
        self._spool: Spool | None = None
        self.routes = (
            Route("/o/<token>.gif", reads=self.opened),
            Route("/c/<token>/<number>", reads=self.clicked),
            Route("/u/<token>", reads=self.asked_to_leave, posts=self.leaving),
            Route("/hooks/feedback", posts=self.reported),
            Route("/healthz", reads=self.health),
            Route("/metrics", reads=self.metrics),
            Route("/robots.txt", reads=self.robots),
        )
        self._by_word = {route.path.split("/")[1]: route for route in self.routes}

    async def __aenter__(self) -> Tracking:
        self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._spool is not None:
            await self._spool.close()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            answer = await self.answer(scope, receive)
            await answer.send(send, head=scope["method"] == "HEAD")

    async def answer(self, scope: Message, receive: Receive) -> Answer:
        """The answer to a request, whatever happens: an error of ours is logged without what the client sent."""
        method = scope["method"]
        _, word, rest = (scope["path"] + "/").split("/", 2)
        route = self._by_word.get(word)
        if route is None:
            return self._not_found(Request(method, rest, scope, receive))
        handler = route.reads if method in ("GET", "HEAD") else route.posts if method == "POST" else None
        if handler is None:
            return answers.not_allowed(route.methods())
        try:
            # The slash that was added to split by is not the path's.
            return await handler(Request(method, rest[:-1], scope, receive))
        except forms.TooLarge:
            return answers.TOO_LARGE
        except forms.HungUp:
            return answers.EMPTY_404
        except Exception as error:
            # Not the message: it may quote the request. The frames show only our own lines.
            frames = "".join(traceback.format_tb(error.__traceback__))
            _log.error("answering %s failed: %s\n%s", route.path, type(error).__name__, frames)
            self.counters.add("failed")
            return answers.EMPTY_500

    # --- opens and clicks ---------------------------------------------------------------------------------------

    async def opened(self, request: Request) -> Answer:
        # A mail client shows a broken image for anything but 200, so a bad token still gets the pixel.
        subject = self._verified(Purpose.OPEN, request.rest[:-4]) if request.rest.endswith(".gif") else None
        if subject is not None:
            await self._record(Kind.OPEN, subject, request)
        return answers.PIXEL_ANSWER

    async def clicked(self, request: Request) -> Answer:
        token, _, number = request.rest.partition("/")
        subject = self._verified(Purpose.CLICK, token)
        if subject is None:
            return self._no_such_link(request)
        found = self._links.get(subject.campaign_id)
        if found is None:
            # Published before the first mail, so it is late on this replica or its disk failed: never a guess.
            return self._page(503, pages.later(self._reader(request)))
        index = int(number) if number.isascii() and number.isdigit() and len(number) <= 3 else -1
        location = found.locations[index] if 0 <= index < len(found.locations) else None
        if location is None:
            return self._no_such_link(request, found.table)
        await self._record(Kind.CLICK, subject, request, link=index)
        return answers.redirect(location)

    # --- leaving ------------------------------------------------------------------------------------------------

    async def asked_to_leave(self, request: Request) -> Answer:
        subject = self._verified(Purpose.UNSUBSCRIBE, request.rest)
        if subject is None:
            return self._not_found(request)
        return self._page(200, pages.leave(self._reader(request, self._table(subject))))

    async def leaving(self, request: Request) -> Answer:
        subject = self._verified(Purpose.UNSUBSCRIBE, request.rest)
        if subject is None:
            return self._not_found(request)
        body = await forms.body(request.receive)
        fields = forms.fields(body, request.header(b"content-type").encode("latin-1"))
        wish = unsubscribe.wish_of(fields)
        table = self._table(subject)
        reader = self._reader(request, table)
        flags = Flag.ONE_CLICK if unsubscribe.is_one_click(fields) else Flag(0)
        hit = self._hit(wish.kind, subject, request, flags=flags, detail=unsubscribe.detail(wish, table))
        try:
            await self._open().record(hit)
        except SpoolDown:
            self.counters.add("refused", wish.kind)
            again = unsubscribe.again(wish, reader.words.later_button)
            return self._page(503, pages.later(reader, again=again))
        self.counters.add("recorded", wish.kind)
        if wish is unsubscribe.Wish.UNDO:
            return self._page(200, pages.undone(reader))
        return self._page(200, pages.left(reader, everything=wish is unsubscribe.Wish.LEAVE_ALL))

    async def reported(self, request: Request) -> Answer:
        secret = self._config.webhook_secret
        if secret is None or request.rest != "feedback":
            return self._not_found(request)
        body = await forms.body(request.receive, limit=feedback.MAX_BODY)
        if not feedback.is_signed(body, request.header(feedback.HEADER), secret=secret, now=time.time()):
            self.counters.add("unknown")
            return answers.text(401, "the signature is missing, wrong or too old\n")
        try:
            reports = feedback.read(body, self._keys)
        except feedback.BadReport as error:
            return answers.text(400, f"{error}\n")
        hits = [self._hit(kind, subject, request) for kind, subject in reports]
        try:
            await asyncio.gather(*map(self._open().record, hits))
        except SpoolDown:
            self.counters.add("refused", Kind.COMPLAINT)
            return answers.text(503, "not recorded; please repeat\n")
        for hit in hits:
            self.counters.add("recorded", hit.kind)
        return answers.text(200, f"{len(hits)} recorded\n")

    # --- for those who run it -----------------------------------------------------------------------------------

    async def health(self, _request: Request) -> Answer:
        spool = self._open()
        if spool.healthy and not spool.level:
            return answers.text(200, "ok\n")
        reason = "the spool cannot be written" if not spool.healthy else f"disk space is short: {spool.level.name}"
        return answers.text(503, f"{reason}\n")

    async def metrics(self, _request: Request) -> Answer:
        return answers.text(200, self.counters.prometheus(self._open()), media_type=b"text/plain; version=0.0.4")

    async def robots(self, _request: Request) -> Answer:
        return answers.ROBOTS

    # --- what they share ----------------------------------------------------------------------------------------

    async def _record(self, kind: Kind, subject: Subject, request: Request, *, link: int = 0) -> None:
        """Write an open or a click; if that cannot be, count it as lost, for the person is still to be answered."""
        recorded: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._open().put(self._hit(kind, subject, request, link=link), partial(_settle, recorded))
        self.counters.add("recorded" if await recorded else "lost", kind)

    def _hit(
        self, kind: Kind, subject: Subject, request: Request, *, link: int = 0, flags: int = 0, detail: str = ""
    ) -> Hit:
        at_ms = time.time_ns() // 1_000_000
        scope = request.scope
        seen = self._observer.observe(
            method=request.method, headers=scope["headers"], client=self._client(request), at_ms=at_ms
        )
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

    def _client(self, request: Request) -> str:
        """The client's address as our outermost trusted proxy saw it."""
        if proxies := self._config.trusted_proxies:
            hops = request.header(b"x-forwarded-for").split(",")
            if len(hops) >= proxies:
                return hops[-proxies].strip()
        client: tuple[str, int] | None = request.scope.get("client")
        return client[0] if client else ""

    def _verified(self, purpose: Purpose, token: str) -> Subject | None:
        try:
            return self._keys.verify(purpose, token)
        except BadToken:
            self.counters.add("unknown")
            return None

    def _table(self, subject: Subject) -> LinkTable | None:
        found = self._links.get(subject.campaign_id)
        return found.table if found else None

    def _reader(self, request: Request, table: LinkTable | None = None) -> pages.Reader:
        otherwise = table.language if table else self._config.language
        return pages.Reader(choose(request.header(b"accept-language"), otherwise=otherwise), table)

    def _not_found(self, request: Request) -> Answer:
        return self._page(404, pages.unknown(self._reader(request)))

    def _no_such_link(self, request: Request, table: LinkTable | None = None) -> Answer:
        return self._page(404, pages.no_such_link(self._reader(request, table)))

    def _page(self, status: int, html: str) -> Answer:
        headers = (RETRY_AFTER,) if status == 503 else ()
        return answers.page(status, html, policy=pages.POLICY, headers=headers)

    def _open(self) -> Spool:
        """The spool; opened here for servers that know no lifespan."""
        if self._spool is None:
            self._spool = Spool(self._config.spool_dir, marks=self._config.marks)
        return self._spool

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message: dict[str, Any] = dict(await receive())
            if message["type"] == "lifespan.startup":
                try:
                    self._open()
                except Exception as error:
                    await send({"type": "lifespan.startup.failed", "message": f"the spool cannot be opened: {error}"})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.__aexit__()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _settle(recorded: asyncio.Future[bool], durable: bool) -> None:
    if not recorded.done():  # the client may have hung up meanwhile
        recorded.set_result(durable)
