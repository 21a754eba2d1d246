"""The counter at which people choose, sign up and confirm: from a request to a page, by way of the spool.

Reads the main database, on a thread of its own, and never writes it. While it cannot be read, a preference
link still lets a person leave, and the other pages ask to come back in a moment.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qs

from sqlalchemy.exc import SQLAlchemyError

from outreach.errors import OutreachError
from outreach.events import Choice, Kind
from outreach.store import confirmations
from outreach.store import preferences as stored
from outreach.store.confirmations import Confirmation
from outreach.store.database import Store
from outreach.store.preferences import OfferedTopic, Standing
from outreach.subscribers.showing import story
from outreach.tokens import KeyRing, Purpose, Subject
from tracking import answers, forms, held, pages, preferences, signup
from tracking.answers import Answer
from tracking.pages.filling import Page
from tracking.pages.words import LANGUAGES, choose
from tracking.recording import Recorder, Request

NOBODY = Subject(0, 0)
TOPICS_SECONDS = 5.0
Found = TypeVar("Found")
Verify = Callable[[Purpose, str], Subject | None]
Handler = Callable[[Request], Awaitable[Answer]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class House:
    """For whom we answer."""

    organisation: str
    language: str
    default_choice: Choice


class Desk:
    """`leave` and `leaving` are what a preference link does while the database cannot be read."""

    def __init__(
        self,
        database_url: str,
        house: House,
        *,
        keys: KeyRing,
        recorder: Recorder,
        verify: Verify,
        leave: Handler,
        leaving: Handler,
    ) -> None:
        self._store = Store.open(database_url)
        self._house = house
        self._keys = keys
        self._recorder = recorder
        self._verify = verify
        self._leave, self._leaving = leave, leaving
        self._topics: tuple[float, tuple[OfferedTopic, ...]] = (float("-inf"), ())

    # --- the preference centre ----------------------------------------------------------------------------------

    async def choosing(self, request: Request) -> Answer:
        subject = self._verify(Purpose.PREFERENCES, request.rest)
        if subject is None:
            return self._unknown(request)
        standing = await self._read(stored.standing, subject.subscriber_id)
        if standing is None:
            return await self._leave(request)
        language = self._language(request, standing)
        house = self._house
        shown = preferences.show(
            standing, language=language, organisation=house.organisation, default=house.default_choice
        )
        return _page(200, shown)

    async def chose(self, request: Request) -> Answer:
        subject = self._verify(Purpose.PREFERENCES, request.rest)
        if subject is None:
            return self._unknown(request)
        standing = await self._read(stored.standing, subject.subscriber_id)
        if standing is None:
            return await self._leaving(request)
        fields = await self._fields(request)
        language = self._language(request, standing)
        wish = preferences.detail(fields, standing, default=self._house.default_choice, language=language)
        if not await self._record(Kind.PREFERENCES, subject, request, preferences.written(wish)):
            return self._later(request)
        here = f"?lang={language}"
        organisation = self._house.organisation
        return _page(200, preferences.saved(wish, standing, language=language, organisation=organisation, here=here))

    # --- signing up ---------------------------------------------------------------------------------------------

    async def signing_up(self, request: Request) -> Answer:
        topics = await self._offered()
        if topics is None:
            return self._later(request)
        return _page(200, self._form(request, topics))

    async def signed_up(self, request: Request) -> Answer:
        topics = await self._offered()
        if topics is None:
            return self._later(request)
        fields = await self._fields(request)
        language = self._language(request, None, asked=fields.get("lang", ""))
        shown = signup.was_shown(self._keys, fields.get("shown", ""), time.time())
        if wrong := signup.problems(fields, topics, language=language, shown=shown):
            return _page(200, self._form(request, topics, language=language, fields=fields, problems=wrong))
        said = signup.written(fields, topics, language)
        if not signup.is_robot(fields) and not await self._record(Kind.SIGNUP, NOBODY, request, said):
            return self._later(request)
        return _page(200, signup.check(language, self._house.organisation))

    # --- confirming ---------------------------------------------------------------------------------------------

    async def asked(self, request: Request) -> Answer:
        return await self._confirming(request, act=False)

    async def confirmed(self, request: Request) -> Answer:
        return await self._confirming(request, act=True)

    async def _confirming(self, request: Request, *, act: bool) -> Answer:
        subject = self._verify(Purpose.CONFIRM, request.rest)
        if subject is None:
            return self._unknown(request)
        topics = await self._offered()
        found = await self._read(confirmations.find, *subject)
        if topics is None:
            return self._later(request)
        organisation = self._house.organisation
        language = self._language(request, None, asked=(found.locale or "") if found else "")
        if found is None or not found.is_valid(dt.datetime.now(dt.UTC)):
            told = found is not None and found.kind == confirmations.HELD
            return _page(410, signup.expired(language=language, organisation=organisation, held=told))
        if found.kind == confirmations.HELD:
            return await self._held(request, found, language=language)
        if not act:
            return _page(200, signup.confirm(found, topics, language=language, organisation=organisation))
        if not await self._record(Kind.CONFIRM, subject, request, ""):
            return self._later(request)
        token = self._keys.sign(Purpose.PREFERENCES, 0, subject.subscriber_id)
        return _page(200, signup.confirmed(language=language, organisation=organisation, choices=f"/p/{token}"))

    async def _held(self, request: Request, found: Confirmation, *, language: str) -> Answer:
        """Everything we hold, for whoever reads mail at that address. To look changes nothing."""
        told = await self._ask(lambda: story(self._store, found.address))
        if told is None:
            return self._later(request)
        return _page(200, held.page(told, language=language, organisation=self._house.organisation))

    # --- what they share ----------------------------------------------------------------------------------------

    def _form(
        self,
        request: Request,
        topics: tuple[OfferedTopic, ...],
        *,
        language: str = "",
        fields: dict[str, str] | None = None,
        problems: tuple[str, ...] = (),
    ) -> Page:
        return signup.form(
            topics,
            language=language or self._language(request, None),
            organisation=self._house.organisation,
            shown=signup.moment(self._keys, time.time()),
            fields=fields,
            problems=problems,
        )

    def _language(self, request: Request, standing: Standing | None, *, asked: str = "") -> str:
        """What the reader picked on the page, else the person's own, else what the browser asks for."""
        query = parse_qs(request.scope.get("query_string", b"").decode("latin-1"))
        own = (standing.language or "").split("-")[0] if standing else ""
        for code in (query.get("lang", [""])[0], asked.split("-")[0], own):
            if code in LANGUAGES:
                return code
        return choose(request.header(b"accept-language"), otherwise=self._house.language)

    async def _offered(self) -> tuple[OfferedTopic, ...] | None:
        at, topics = self._topics
        if time.monotonic() - at > TOPICS_SECONDS:
            found = await self._read(stored.offered)
            if found is None:
                return topics or None
            self._topics = (time.monotonic(), found)
            return found
        return topics

    async def _read(self, query: Callable[..., Found | None], *values: object) -> Found | None:
        """None if there is no answer, or if the database cannot be read."""

        def ask() -> Found | None:
            with self._store.read() as connection:
                return query(connection, *values)

        return await self._ask(ask)

    async def _ask(self, question: Callable[[], Found | None]) -> Found | None:
        try:
            return await asyncio.to_thread(question)
        except (OutreachError, SQLAlchemyError) as error:
            _log.error("the database could not be read: %s", type(error).__name__)
            return None

    async def _record(self, kind: Kind, subject: Subject, request: Request, detail: str) -> bool:
        return await self._recorder.bind(self._recorder.hit(kind, subject, request, detail=detail))

    async def _fields(self, request: Request) -> dict[str, str]:
        body = await forms.body(request.receive)
        return forms.fields(body, request.header(b"content-type").encode("latin-1"))

    def _reader(self, request: Request) -> pages.Reader:
        return pages.Reader(self._language(request, None))

    def _unknown(self, request: Request) -> Answer:
        return answers.page(404, pages.unknown(self._reader(request)), policy=pages.POLICY)

    def _later(self, request: Request) -> Answer:
        return answers.page(
            503, pages.later(self._reader(request)), policy=pages.POLICY, headers=((b"retry-after", b"30"),)
        )


def _page(status: int, page: Page) -> Answer:
    return answers.page(status, page.html(), policy=pages.POLICY)
