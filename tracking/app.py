"""The tracking service, a raw ASGI application. The route table is the contents page.

The promise: when it answers 200 to an open, 302 to a click or 2xx to an unsubscribe, the event has
been written and fdatasync'ed to this node's spool. Opens and clicks are still answered when the
spool cannot take them (counted as lost; health turns 503); an unsubscribe never is.

GET changes nothing. A redirect's destination comes from the campaign's link file, never from the
request. No address and no token is ever logged.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from outreach.events import Choice, Flag, Kind
from outreach.rendering.personal import unpacked
from outreach.tokens import BadToken, KeyRing, Purpose, Subject
from tracking import answers, archive, forms, pages, unsubscribe
from tracking.answers import Answer, Message, Receive, Send
from tracking.choices import Choices
from tracking.copies import Library, archived_at
from tracking.counters import BEAT_SECONDS, Counters
from tracking.desk import Desk, House
from tracking.fast import HotPath
from tracking.images import FOLDER, Images
from tracking.links import BadDestination, LinkTable, LinkTables, destination
from tracking.machines import DayKeys, Network, Observer
from tracking.pages.words import choose
from tracking.recording import Recorder, Request
from tracking.reserve import DEFAULT_MARKS, Marks
from tracking.survey import Survey
from tracking.webhooks import esp, feedback

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
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Mail services whose webhooks are listened to, with their secrets (tracking.webhooks.esp)."""
    networks: Sequence[tuple[str, Network]] | None = None
    """Whose networks are whose; None: what comes with us."""
    default_choice: Choice = Choice.INDIVIDUAL
    """What is recorded of people who said nothing about it."""
    marks: Marks = DEFAULT_MARKS
    database_url: str | None = None
    """Where people's choices are read for the pages; without it there are only the links of mail."""
    organisation: str = ""
    public_url: str = ""
    """Of this service, without a slash at its end; feeds need whole addresses."""
    counters: Counters | None = None
    """This worker's, if it is one of several (tracking.supervisor)."""


Handler = Callable[[Request], Awaitable[Answer]]


class Route(NamedTuple):
    """What answers the paths that begin with one word."""

    path: str
    reads: Handler | None = None
    posts: Handler | None = None

    def methods(self) -> tuple[str, ...]:
        return (("GET", "HEAD") if self.reads else ()) + (("POST",) if self.posts else ())


class Tracking:
    """The application. Its spool is opened when the server starts (ASGI lifespan), or with the first request."""

    def __init__(self, config: TrackingConfig, *, more: Sequence[Route] = ()) -> None:
        """`more`: what somebody above us answers on the same socket; a word of ours is never taken from us."""
        self._config = config
        self._keys = config.keys
        self._links = LinkTables(config.links_dir)
        self._services = esp.Services(config.services)
        self._library = Library(config.links_dir)
        self._images = Images(config.links_dir.parent / FOLDER)
        self._recorder = Recorder(
            spool_dir=config.spool_dir,
            observer=Observer(DayKeys(config.key_dir), networks=config.networks),
            choices=Choices(config.links_dir, default=config.default_choice),
            marks=config.marks,
            trusted_proxies=config.trusted_proxies,
            counters=config.counters,
        )
        self._counters = self._recorder.counters
        self._pulse: asyncio.TimerHandle | None = None
        self.hot = HotPath(config.keys, self._links, self._recorder)
        """What a server needs to answer opens and clicks without asking this application (tracking.fast)."""
        survey = Survey(
            self._links,
            self._recorder,
            verify=self._verified,
            page=self._page,
            missing=self._not_found,
            late=self._late,
        )
        self.routes = (
            Route("/o/<token>.gif", reads=self.opened),
            Route("/c/<token>/<number>", reads=self.clicked),
            Route("/x/<token>/<number>/<values>", reads=self.followed),
            Route("/s/<token>/<number>", reads=survey.asked, posts=survey.answered),
            Route("/u/<token>", reads=self.asked_to_leave, posts=self.leaving),
            *self._counter(),
            Route("/v/<token>", reads=self.viewed),
            Route("/i/<hash>.png", reads=self.shown),
            Route("/archive/<topic>", reads=self.archived),
            Route("/hooks/feedback", posts=self.reported),  # and /hooks/<a mail service>
            Route("/healthz", reads=self.health),
            Route("/metrics", reads=self.metrics),
            Route("/robots.txt", reads=self.robots),
        )
        self._by_word = {route.path.split("/")[1]: route for route in (*more, *self.routes)}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            answer = await self.answer(scope, receive)
            await answer.send(send, head=scope["method"] == "HEAD")

    async def answer(self, scope: Message, receive: Receive) -> Answer:
        """The answer to a request, whatever happens: an error of ours is logged without what the client sent."""
        method = scope["method"]
        word, _, rest = scope["path"].removeprefix("/").partition("/")
        request = Request(method, rest, scope, receive)
        route = self._by_word.get(word)
        if route is None:
            return self._not_found(request)
        handler = route.reads if method in ("GET", "HEAD") else route.posts if method == "POST" else None
        if handler is None:
            return answers.not_allowed(route.methods())
        try:
            return await handler(request)
        except forms.TooLarge:
            return answers.TOO_LARGE
        except forms.HungUp:
            return answers.EMPTY_404
        except Exception as error:
            # Not the message: it may quote the request. The frames show only our own lines.
            frames = "".join(traceback.format_tb(error.__traceback__))
            _log.error("answering %s failed: %s\n%s", route.path, type(error).__name__, frames)
            self._counters.add("failed")
            return answers.EMPTY_500

    def _counter(self) -> tuple[Route, ...]:
        """Where people choose, sign up and confirm. Without the database a preference link offers to leave."""
        leave = partial(self.asked_to_leave, purpose=Purpose.PREFERENCES)
        leaving = partial(self.leaving, purpose=Purpose.PREFERENCES)
        config = self._config
        if config.database_url is None:
            return (Route("/p/<token>", reads=leave, posts=leaving),)
        desk = Desk(
            config.database_url,
            House(config.organisation, config.language, config.default_choice),
            keys=self._keys,
            recorder=self._recorder,
            verify=self._verified,
            leave=leave,
            leaving=leaving,
        )
        return (
            Route("/p/<token>", reads=desk.choosing, posts=desk.chose),
            Route("/signup", reads=desk.signing_up, posts=desk.signed_up),
            Route("/k/<token>", reads=desk.asked, posts=desk.confirmed),
        )

    # --- opens and clicks ---------------------------------------------------------------------------------------

    async def opened(self, request: Request) -> Answer:
        # A mail client shows a broken image for anything but 200, so a bad token still gets the pixel.
        subject = self._verified(Purpose.OPEN, request.rest[:-4]) if request.rest.endswith(".gif") else None
        if subject is not None:
            await self._recorder.note(Kind.OPEN, subject, request)
        return answers.PIXEL_ANSWER

    async def clicked(self, request: Request) -> Answer:
        token, _, number = request.rest.partition("/")
        subject = self._verified(Purpose.CLICK, token)
        if subject is None:
            return self._no_such_link(request)
        found = self._links.get(subject.campaign_id)
        if found is None:
            return self._late(request)
        index = int(number) if number.isascii() and number.isdigit() and len(number) <= 3 else -1
        location = found.locations[index] if 0 <= index < len(found.locations) else None
        if location is None:
            return self._no_such_link(request, found.table)
        await self._recorder.note(Kind.CLICK, subject, request, link=index)
        return answers.redirect(location)

    async def followed(self, request: Request) -> Answer:
        """A link that holds values of the person's: the token covers them, and the table still says which site."""
        token, _, content = request.rest.partition("/")
        subject = self._verified(Purpose.LINK, token, content.encode("utf-8", "replace"))
        if subject is None:
            return self._no_such_link(request)
        found = self._links.get(subject.campaign_id)
        if found is None:
            return self._late(request)
        try:
            number, values = unpacked(content)
            location = destination(found.table.links[number], values)
        except (ValueError, IndexError, BadDestination):
            return self._no_such_link(request, found.table)
        await self._recorder.note(Kind.CLICK, subject, request, link=number)
        return answers.redirect(location)

    # --- leaving ------------------------------------------------------------------------------------------------

    async def asked_to_leave(self, request: Request, *, purpose: Purpose = Purpose.UNSUBSCRIBE) -> Answer:
        subject = self._verified(purpose, request.rest)
        if subject is None:
            return self._not_found(request)
        return self._page(200, pages.leave(self._reader(request, self._table(subject))))

    async def leaving(self, request: Request, *, purpose: Purpose = Purpose.UNSUBSCRIBE) -> Answer:
        subject = self._verified(purpose, request.rest)
        if subject is None:
            return self._not_found(request)
        body = await forms.body(request.receive)
        fields = forms.fields(body, request.header(b"content-type").encode("latin-1"))
        wish = unsubscribe.wish_of(fields)
        table = self._table(subject)
        reader = self._reader(request, table)
        flags = Flag.ONE_CLICK if unsubscribe.is_one_click(fields) else Flag(0)
        hit = self._recorder.hit(wish.kind, subject, request, flags=flags, detail=unsubscribe.detail(wish, table))
        if not await self._recorder.bind(hit):
            again = unsubscribe.again(wish, reader.words.later_button)
            return self._page(503, pages.later(reader, again=again))
        if wish is unsubscribe.Wish.UNDO:
            return self._page(200, pages.undone(reader))
        return self._page(200, pages.left(reader, everything=wish is unsubscribe.Wish.LEAVE_ALL))

    async def reported(self, request: Request) -> Answer:
        if request.rest in self._services.accounts:
            return await self._reported_by_service(request)
        secret = self._config.webhook_secret
        if secret is None or request.rest != "feedback":
            return self._not_found(request)
        body = await forms.body(request.receive, limit=feedback.MAX_BODY)
        if not feedback.is_signed(body, request.header(feedback.HEADER), secret=secret, now=time.time()):
            self._counters.add("unknown")
            return answers.text(401, "the signature is missing, wrong or too old\n")
        try:
            reports = feedback.read(body, self._keys)
        except feedback.BadReport as error:
            return answers.text(400, f"{error}\n")
        if not await self._recorder.bind(*(self._recorder.hit(kind, subject, request) for kind, subject in reports)):
            return answers.text(503, "not recorded; please repeat\n")
        return answers.text(200, f"{len(reports)} recorded\n")

    async def _reported_by_service(self, request: Request) -> Answer:
        body = await forms.body(request.receive, limit=esp.MAX_BODY)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
        path, now = request.scope["path"], dt.datetime.now(dt.UTC)
        try:
            # On a thread: it may import Django, or fetch a certificate.
            events = await asyncio.to_thread(
                self._services.receive, request.rest, request.method, path, headers, body, now=now
            )
        except esp.Refused as refused:
            self._counters.add("unknown")
            return answers.text(refused.status, f"{refused}\n")
        found = esp.reports(events, self._keys)
        hits = [self._recorder.hit(kind, subject, request, detail=detail) for kind, subject, detail in found]
        if not await self._recorder.bind(*hits):
            self._services.forget(request.rest, events)  # so that it is not taken for a repetition
            return answers.text(503, "not recorded; please repeat\n")
        return answers.text(200, f"{len(found)} recorded\n")

    # --- reading in a browser -----------------------------------------------------------------------------------

    async def viewed(self, request: Request) -> Answer:
        subject = self._verified(Purpose.VIEW, request.rest)
        copies = self._library.get(subject.campaign_id) if subject else None
        if subject is None or copies is None:
            return self._not_found(request)
        if copies.public:  # so that what people copy from the address bar is nobody's own
            return answers.redirect(archived_at(copies.topic_id, subject.campaign_id).encode())
        return archive.message(copies, request.header(b"accept-language"))

    async def shown(self, request: Request) -> Answer:
        return await self._images.get(request.rest) or answers.EMPTY_404

    async def archived(self, request: Request) -> Answer:
        topic, _, campaign = request.rest.partition("/")
        number, is_feed = topic.removesuffix(".rss"), topic.endswith(".rss")
        if not _is_number(number) or (campaign and (is_feed or not _is_number(campaign))):
            return self._not_found(request)
        if campaign:
            copies = self._library.get(int(campaign))
            if copies is None or not copies.public or copies.topic_id != int(number):
                return self._not_found(request)
            return archive.message(copies, request.header(b"accept-language"))
        found = self._library.archive(int(number))
        if not found:
            return self._not_found(request)
        if is_feed:
            return archive.feed(int(number), found, base=self._config.public_url)
        language = choose(request.header(b"accept-language"), otherwise=next(iter(found[0][1].languages)))
        return self._page(200, archive.index(int(number), found, language=language))

    # --- for those who run it -----------------------------------------------------------------------------------

    async def health(self, _request: Request) -> Answer:
        spool = self._recorder.spool
        if spool.healthy and not spool.level:
            return answers.text(200, "ok\n")
        reason = "the spool cannot be written" if not spool.healthy else f"disk space is short: {spool.level.name}"
        return answers.text(503, f"{reason}\n")

    async def metrics(self, _request: Request) -> Answer:
        return answers.text(
            200, self._counters.prometheus(self._recorder.spool), media_type=b"text/plain; version=0.0.4"
        )

    async def robots(self, _request: Request) -> Answer:
        return answers.ROBOTS

    # --- what they share ----------------------------------------------------------------------------------------

    def _verified(self, purpose: Purpose, token: str, content: bytes = b"") -> Subject | None:
        try:
            return self._keys.verify(purpose, token, content)
        except BadToken:
            self._counters.add("unknown")
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

    def _late(self, request: Request) -> Answer:
        """Links are published before the first mail, so they are late on this replica or its disk failed: no guess."""
        return self._page(503, pages.later(self._reader(request)))

    def _page(self, status: int, html: str) -> Answer:
        headers = (RETRY_AFTER,) if status == 503 else ()
        return answers.page(status, html, policy=pages.POLICY, headers=headers)

    def _beat(self) -> None:
        self._counters.beat(self._recorder.spool, now=time.time())
        self._pulse = asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message: dict[str, Any] = dict(await receive())
            if message["type"] == "lifespan.startup":
                try:
                    self._beat()  # opens the spool
                except Exception as error:
                    await send({"type": "lifespan.startup.failed", "message": f"the spool cannot be opened: {error}"})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                if self._pulse is not None:
                    self._pulse.cancel()
                await self._recorder.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
