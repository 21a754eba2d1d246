"""Everybody's message, rendered before anybody gets it: what fails, for how many, and who gets the most."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from outreach.preflight.draft import Failure
from outreach.rendering.compose import Composer
from outreach.rendering.errors import ComposeError, MissingValue
from outreach.rendering.links import CLICK_BASE, PERSONAL_URLS
from outreach.rendering.message import CompiledMessage, Message, Recipient
from outreach.rendering.preview import render_preview
from outreach.rendering.questions import ANSWER_BASE
from outreach.store import audiences

BATCH: Final = 64


class Rows:
    """Renders everybody's message and remembers what failed, for how many, and who gets the most."""

    def __init__(
        self,
        composers: Mapping[str, Composer],
        messages: Mapping[str, CompiledMessage],
        *,
        default: str,
        known: Collection[str],
        now: dt.datetime,
    ) -> None:
        self._composers, self._messages, self._default, self._now = composers, messages, default, now
        self._known = known
        self._failed: dict[tuple[str, str, str], list[int]] = {}
        self._largest: dict[str, tuple[int, Recipient]] = {}
        self.people = 0

    def render(self, people: Iterable[audiences.Person]) -> None:
        pending: dict[str, list[Recipient]] = {}
        for person in people:
            self.people += 1
            language = self._language(person.locale)
            if language in self._composers:
                batch = pending.setdefault(language, [])
                batch.append(_recipient(person))
                if len(batch) == BATCH:
                    self._batch(language, pending.pop(language))
        for language, batch in pending.items():
            self._batch(language, batch)

    def _language(self, locale: str | None) -> str:
        for language in self._messages:
            if locale and (locale == language or locale.startswith(f"{language}-")):
                return language
        return self._default

    def _batch(self, language: str, batch: list[Recipient]) -> None:
        composer = self._composers[language]
        for recipient, made in zip(batch, composer.compose_many(batch, now=self._now), strict=True):
            result: Message | ComposeError = made
            used = recipient
            for _ in range(len(self._messages[language].fields) + 1):
                if not isinstance(result, MissingValue):
                    break
                self._fail(language, f"no value for {result.field}", result.field, recipient)
                # As if it were known, to find what else this person lacks.
                used = replace(used, attributes={**used.attributes, result.field: "x"})
                (result,) = composer.compose_many([used], now=self._now)
            if isinstance(result, ComposeError):
                self._fail(language, str(result), "", recipient)
            elif len(result.data) > self._largest.get(language, (0, used))[0]:
                self._largest[language] = len(result.data), used

    def _fail(self, language: str, problem: str, field: str, recipient: Recipient) -> None:
        counted = self._failed.setdefault((language, problem, field), [0, recipient.subscriber_id])
        counted[0] += 1

    def failures(self) -> Iterator[Failure]:
        for (language, problem, field), (people, example) in self._failed.items():
            if not field or field in self._known:  # what nobody has is told already
                yield Failure(language=language, problem=problem, people=people, example=example, field=field)

    def heaviest(self) -> dict[str, int]:
        """Bytes of the HTML as its reader's program will count them."""
        urls = dict.fromkeys((*PERSONAL_URLS, CLICK_BASE, ANSWER_BASE), f"https://tracking.invalid/{'x' * 32}")
        return {
            language: len(render_preview(self._messages[language], recipient, urls=urls)[1].encode())
            for language, (_, recipient) in self._largest.items()
        }


def _recipient(person: audiences.Person) -> Recipient:
    attributes: dict[str, Any] = {
        **person.attributes,
        "email": person.address,
        "language": person.locale,
        "joined": person.joined_at,
    }
    return Recipient(person.subscriber_id, person.address, attributes)
