"""The pages with something to fill in: the preference centre, signing up, confirming. No script, no address shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outreach.store.consent import Frequency
from outreach.store.preferences import OfferedTopic
from tracking.pages import ENVIRONMENT, STYLE
from tracking.pages.words import LANGUAGES, Words

STATUTORY = "statutory"
Pairs = tuple[tuple[str, str], ...]
_TEMPLATE = ENVIRONMENT.get_template("form.html")
_PAUSES = (30, 90, 180)


@dataclass(frozen=True, slots=True)
class Tick:
    """A topic with a box before it."""

    id: int
    name: str
    often_label: str
    ticked: bool
    frequency: str


@dataclass(frozen=True, slots=True)
class Group:
    """Topics under one heading."""

    name: str
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Something to read: names and what is said of each."""

    name: str
    rows: Pairs


@dataclass(frozen=True, slots=True)
class Select:
    """One of several."""

    name: str
    label: str
    options: Pairs
    value: str


@dataclass(frozen=True, slots=True)
class Other:
    """A button of its own beside the form."""

    label: str
    hidden: Pairs


@dataclass(frozen=True, slots=True)
class Page:
    """What the template shows; what is empty is left out."""

    language: str
    title: str
    heading: str
    organisation: str = ""
    lines: tuple[str, ...] = ()
    note: str = ""
    problems: tuple[str, ...] = ()
    button: str = ""
    hidden: Pairs = ()
    groups: tuple[Group, ...] = ()
    frequencies: Pairs = ()
    required: str = ""
    choices: tuple[Select, ...] = ()
    address_name: str = ""
    address_label: str = ""
    address: str = ""
    address_hint: str = ""
    address_required: bool = False
    trap: bool = False
    consent: str = ""
    sections: tuple[Section, ...] = ()
    others: tuple[Other, ...] = ()
    link: tuple[str, str] | None = None
    languages: Pairs = ()
    done: bool = False

    @property
    def words(self) -> Words:
        return LANGUAGES[self.language]

    def html(self) -> str:
        return _TEMPLATE.render(page=self, words=self.words, style=STYLE)


def languages() -> Pairs:
    return tuple((code, words.language_name) for code, words in LANGUAGES.items())


def groups(topics: Sequence[OfferedTopic], ticked: Sequence[int], language: str) -> tuple[Group, ...]:
    """Boxes for what may be chosen, those without a heading first; what the law sends is not a choice."""
    found: dict[str, list[Tick]] = {}
    for topic in topics:
        if topic.message_class != STATUTORY:
            found.setdefault(topic.group_named(language), []).append(_tick(topic, ticked, language))
    return tuple(Group(name, tuple(found[name])) for name in sorted(found, key=str.casefold))


def _tick(topic: OfferedTopic, ticked: Sequence[int], language: str) -> Tick:
    name = topic.named(language)
    often = LANGUAGES[language].often_label.format(topic=name)
    return Tick(topic.id, name, often, topic.id in ticked, str(int(topic.frequency)))


def required(topics: Sequence[OfferedTopic], language: str) -> str:
    named = [topic.named(language) for topic in topics if topic.message_class == STATUTORY]
    return LANGUAGES[language].required.format(topics=", ".join(named)) if named else ""


def frequencies(words: Words) -> Pairs:
    names = (words.at_once, words.daily, words.weekly)
    return tuple((str(int(often)), name) for often, name in zip(Frequency, names, strict=True))


def hours(words: Words) -> Pairs:
    """When digests come, by the reader's own clock; the first is the organisation's hour."""
    return (("", words.hour_usual), *((str(hour), f"{hour:02d}:00") for hour in range(24)))


def pauses(words: Words) -> Pairs:
    return (("0", words.pause_none), *((str(days), words.pause_days.format(days=days)) for days in _PAUSES))
