"""The question in a message: GET shows it with the answer that was clicked, POST sends it.

    GET, HEAD /s/<token>/<number>     the question, that answer chosen; nothing is recorded
    POST answer=<number>              recorded, durable before it is acknowledged; a person's last answer counts

Scanners follow every link, so a click alone is no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from outreach.rendering.questions import Question
from outreach.tokens import Purpose, Subject
from tracking import forms, pages
from tracking.answers import Answer
from tracking.links import LinkTables
from tracking.pages import Button, Reader
from tracking.pages.words import choose
from tracking.recording import Recorder, Request


class _Asked(NamedTuple):
    """What a link asks, of whom, and which answer was clicked."""

    subject: Subject
    reader: Reader
    language: str
    question: Question
    clicked: int


class Survey:
    """The pages of `/s/`. `verify` says whom a token is about, `page` makes an answer.

    `missing` makes one of 404, and `late` one of 503, while the campaign's file is not here.
    """

    def __init__(
        self,
        links: LinkTables,
        recorder: Recorder,
        *,
        verify: Callable[[Purpose, str], Subject | None],
        page: Callable[[int, str], Answer],
        missing: Callable[[Request], Answer],
        late: Callable[[Request], Answer],
    ) -> None:
        self._links = links
        self._recorder = recorder
        self._verify, self._page, self._missing, self._late = verify, page, missing, late

    async def asked(self, request: Request) -> Answer:
        found = self._find(request)
        return self._ask(found) if isinstance(found, _Asked) else found

    async def answered(self, request: Request) -> Answer:
        found = self._find(request)
        if not isinstance(found, _Asked):
            return found
        body = await forms.body(request.receive)
        fields = forms.fields(body, request.header(b"content-type").encode("latin-1"))
        chosen = _number(fields.get("answer", ""), found.question)
        if chosen is None:
            return self._ask(found)
        if not await self._recorder.bind(self._recorder.answer(found.subject, request, chosen)):
            again = Button(found.reader.words.later_button, "answer", str(chosen))
            return self._page(503, pages.later(found.reader, again=again))
        return self._page(200, pages.answered(found.reader, found.language, found.question.answers[chosen]))

    def _ask(self, found: _Asked) -> Answer:
        return self._page(200, pages.question(found.reader, found.language, found.question, chosen=found.clicked))

    def _find(self, request: Request) -> _Asked | Answer:
        """What is asked, or the answer to a link that asks nothing."""
        token, _, number = request.rest.partition("/")
        subject = self._verify(Purpose.ANSWER, token)
        if subject is None:
            return self._missing(request)
        links = self._links.get(subject.campaign_id)
        if links is None:
            return self._late(request)
        reader = Reader(choose(request.header(b"accept-language"), otherwise=links.table.language), links.table)
        asked = links.table.question(reader.language)
        clicked = _number(number, asked[1]) if asked else None
        if asked is None or clicked is None:
            return self._missing(request)
        return _Asked(subject, reader, *asked, clicked)


def _number(text: str, question: Question) -> int | None:
    """The number of one of the question's answers; None for anything else."""
    known = text.isascii() and text.isdigit() and len(text) <= 2
    return int(text) if known and int(text) < len(question.answers) else None
