"""The messages of digests: people who want the same are together, and each item stands between conditions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from outreach.campaigns import items
from outreach.errors import ConfigurationError
from outreach.rendering.errors import TemplateError
from outreach.rendering.message import CompiledMessage, Mailbox, Part, Source, compile_message
from outreach.settings import Settings
from outreach.store import digests
from outreach.store.digests import Item

MAX_ITEMS = 60
MAX_CHARACTERS = 60_000
"""Of one digest's message; people with other items get one of their own."""
_WORDS = {  # subject, first line, the topics in the footer
    "en": ("{organisation}: your updates", "Here is what is new since your last digest.", "your topics"),
    "es": ("{organisation}: sus novedades", "Esto es lo nuevo desde su último resumen.", "sus temas"),
    "de": ("{organisation}: Ihre Neuigkeiten", "Das ist neu seit Ihrer letzten Übersicht.", "Ihren Themen"),
    "fr": ("{organisation} : vos nouvelles", "Voici les nouveautés depuis votre dernier résumé.", "vos sujets"),
    "pt": ("{organisation}: as suas novidades", "Veja o que há de novo desde o último resumo.", "os seus temas"),
    "vi": (
        "{organisation}: tin mới của quý vị",
        "Đây là những tin mới kể từ bản tóm tắt trước.",
        "các chủ đề của quý vị",
    ),
    "zh": ("{organisation}：您的最新消息", "以下是自上次摘要以来的新消息。", "您的主题"),
    "ar": ("{organisation}: آخر المستجدات", "إليك الجديد منذ آخر ملخص.", "مواضيعك"),
}


@dataclass(slots=True)
class Batch:
    """People whose digests are one campaign, and the items these carry."""

    people: dict[int, list[int]] = field(default_factory=dict)
    items: dict[int, Item] = field(default_factory=dict)
    characters: int = 0

    def only(self, items: Collection[int], people: Collection[int] | None = None) -> Batch:
        """Some of its items, for those (or only some) of its people who wait for any of them."""
        waiting = {
            person: [each for each in mine if each in items]
            for person, mine in self.people.items()
            if people is None or person in people
        }
        return Batch(
            {person: mine for person, mine in waiting.items() if mine},
            {each: item for each, item in self.items.items() if each in items},
        )


Messages = Mapping[str, CompiledMessage]
"""A digest's message in each language; the first is the organisation's own."""


def compiled(batch: Batch, make: Callable[[Batch], Messages], faults: dict[int, str]) -> list[tuple[Batch, Messages]]:
    """The batch with its messages. One item never stops the others: it is left out, and its fault is in `faults`.

    What is too long is divided, as often as it takes; a person's items that are left over wait for the next time.
    TemplateError if it is not an item that is wrong, but the frame.
    """
    try:
        return [(batch, make(batch))]
    except TemplateError:
        make(batch.only(()))
    wrong = {each: problem for each in batch.items if (problem := _fault(batch.only({each}), make))}
    faults.update(wrong)
    return [made for rest in _smaller(batch, wrong) for made in compiled(rest, make, faults)]


def _fault(alone: Batch, make: Callable[[Batch], Messages]) -> str:
    try:
        make(alone)
    except TemplateError as error:
        return error.problem
    return ""


def _smaller(batch: Batch, wrong: Collection[int]) -> list[Batch]:
    """A batch without its wrong items; without any, two halves of its people; of one person, half of the items."""
    items, people = sorted(batch.items), sorted(batch.people)
    if wrong:
        rest = batch.only(set(items) - set(wrong))
        return [rest] if rest.people else []
    if len(people) == 1:
        return [batch.only(items[: len(items) // 2])]
    halves = people[: len(people) // 2], people[len(people) // 2 :]
    return [batch.only({each for person in half for each in batch.people[person]}, half) for half in halves]


def batches(wanted: Mapping[int, list[int]], known: Mapping[int, Item]) -> list[Batch]:
    """As few messages as hold everybody's items; people who want the same are together."""
    batches: list[Batch] = []
    for person in sorted(wanted, key=lambda who: (wanted[who], who)):
        mine = wanted[person]
        fits = (batch for batch in batches[-1:] if _fits(batch, mine, known))
        batch = next(fits, None)
        if batch is None:
            batch = Batch()
            batches.append(batch)
        batch.people[person] = mine
        for each in mine:
            if each not in batch.items:
                batch.items[each] = known[each]
                batch.characters += _length(known[each])
    return batches


def _fits(batch: Batch, mine: Collection[int], known: Mapping[int, Item]) -> bool:
    new = [each for each in mine if each not in batch.items]
    return (
        len(batch.items) + len(new) <= MAX_ITEMS
        and batch.characters + sum(_length(known[each]) for each in new) <= MAX_CHARACTERS
    )


def _length(item: Item) -> int:
    return max(len(words["title"]) + len(words["body"]) for words in item.content.values())


def compile_batch(
    batch: Batch, settings: Settings, locales: Mapping[int, str | None], *, fields: frozenset[str]
) -> Messages:
    """The digest in the organisation's language and in every other that its readers and our words have in common."""
    default = settings.text("organisation.language")
    spoken = {(locales[person] or default).partition("-")[0].lower() for person in batch.people}
    languages = [default, *sorted((spoken & set(_WORDS)) - {default})]
    messages: dict[str, CompiledMessage] = {}
    links: tuple[str, ...] = ()
    for language in languages:
        source = _source(batch, settings, language, default=default)
        messages[language] = compile_message(source, known_fields=fields, links=links)
        links = messages[language].links
    return messages


def _source(batch: Batch, settings: Settings, language: str, *, default: str) -> Source:
    subject, greeting, topics = _WORDS.get(language, _WORDS["en"])
    organisation = settings.text("organisation.name")
    return Source(
        subject=subject.format(organisation=organisation),
        body=greeting,
        parts=[part for each in sorted(batch.items) for part in _parts(batch.items[each], language, default=default)],
        sender=sender(settings),
        language=language,
        layout=items.layout(settings),
        organisation=organisation,
        postal_address=settings.text("organisation.address"),
        topic=topics,
        place="the digest",
    )


def _parts(item: Item, language: str, *, default: str) -> list[Part]:
    words = item.content.get(language) or item.content.get(default) or next(iter(item.content.values()))
    place = f"item {item.id} of {item.topic}"
    return items.parts(words, topic=item.topic, when=digests.flag(item.id), place=place)


def sender(settings: Settings) -> Mailbox:
    """From whom digests come: digests.sender, or news@ the mail domain."""
    if text := settings.text("digests.sender"):
        return Mailbox.parse(text)
    if not settings.text("mail.domain"):
        raise ConfigurationError('digests.sender is not set; write it like "City of Example <news@city.example>"')
    return Mailbox(settings.text("organisation.name"), f"news@{settings.text('mail.domain')}")
