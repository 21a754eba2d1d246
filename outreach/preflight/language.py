"""Plain language: sentences, paragraphs, office words and the schooling a text asks for, in its own language.

An average of 15 to 20 words a sentence, none above 25, five sentences a paragraph, and grade 8 or below: what public
authorities have found most people to read without effort.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from outreach.preflight import source
from outreach.preflight.draft import City, Draft
from outreach.preflight.findings import Finding, Severity
from outreach.preflight.jargon import JARGON

CHECK: Final = "plain language"
LONG_SENTENCE: Final = 25
"""Words."""
LONG_PARAGRAPH: Final = 5
"""Sentences."""
GRADE: Final = 9.0
ENOUGH: Final = 60
"""Words; of fewer, a grade says nothing."""

_SENTENCE = re.compile(r"[^.!?…。！？]+(?:[.!?…。！？]+(?=\s|$|[\"'”»)])[\"'”»)]*|$|[.!?…])", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_ABBREVIATION = re.compile(
    r"\b(?:a\.m|p\.m|e\.g|i\.e|etc|Mr|Mrs|Ms|Dr|St|No|Sr|Sra|z\.B|d\.h|Nr|vs|Ave|Blvd)\.", re.IGNORECASE
)
SHOUTED = re.compile(r"\b[A-ZÄÖÜÁÉÍÓÚÑ]{2,}(?:[^\w\n]+[A-ZÄÖÜÁÉÍÓÚÑ]{2,}){2,}\b")


def check(draft: Draft, city: City) -> Iterator[Finding]:
    language = draft.language.lower().split("-", 1)[0]
    paragraphs = list(source.paragraphs(draft.body))
    for paragraph in paragraphs:
        yield from _paragraph(draft, paragraph)
        yield from _jargon(draft, paragraph, {**JARGON.get(language, {}), **city.jargon})
    counted = measured([each.text for each in paragraphs], language)
    if counted and counted.words >= ENOUGH and language in _GRADES:
        grade = _GRADES[language](counted)
        if grade > GRADE:
            yield Finding(
                CHECK, Severity.WARN, draft.body_at(0), f"the text asks for about {grade:.0f} years of school",
                "use shorter sentences and shorter words; aim at 8",
            )  # fmt: skip


def _paragraph(draft: Draft, paragraph: source.Paragraph) -> Iterator[Finding]:
    number = 0
    for start, sentence in sentences(paragraph.text):
        number += 1
        words = len(_WORD.findall(sentence))
        if words > LONG_SENTENCE:
            yield Finding(
                CHECK, Severity.WARN, draft.body_at(paragraph.line_of(start)),
                f'a sentence has {words} words: "{_beginning(sentence)} …"', "make two or three of it",
            )  # fmt: skip
    if number > LONG_PARAGRAPH:
        yield Finding(
            CHECK, Severity.WARN, draft.body_at(paragraph.line), f"a paragraph has {number} sentences",
            "divide it, or make it a list",
        )  # fmt: skip
    if found := SHOUTED.search(paragraph.text):
        yield Finding(
            CHECK, Severity.WARN, draft.body_at(paragraph.line_of(found.start())),
            f'"{found[0][:40]}" is in capital letters, which is slow to read and sounds like shouting',
            "write it in small letters; **bold** stresses well enough",
        )  # fmt: skip


def _jargon(draft: Draft, paragraph: source.Paragraph, jargon: Mapping[str, str]) -> Iterator[Finding]:
    text = paragraph.text.lower()
    for words, better in jargon.items():
        if words in text and (found := re.search(rf"\b{re.escape(words)}\b", text)):
            yield Finding(
                CHECK, Severity.WARN, draft.body_at(paragraph.line_of(found.start())), f'"{words}" is office language',
                f'write "{better}"' if better else "leave it out",
            )  # fmt: skip


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Each sentence and the character it begins at."""
    shielded = _ABBREVIATION.sub(lambda found: found[0].replace(".", "·"), text)
    for found in _SENTENCE.finditer(shielded):
        if _WORD.search(found[0]):
            lead = len(found[0]) - len(found[0].lstrip())
            yield found.start() + lead, found[0].strip()


def _beginning(sentence: str) -> str:
    return " ".join(sentence.split()[:6])


@dataclass(frozen=True, slots=True)
class Counted:
    sentences: int
    words: int
    syllables: int
    long: int
    """Words of seven letters and more."""
    many: int
    """Words of three syllables and more."""
    one: int
    """Words of one syllable."""


def measured(paragraphs: Sequence[str], language: str) -> Counted | None:
    """What readability formulae count; None without words. A paragraph ends a sentence, dot or not."""
    words = [word for text in paragraphs for word in _WORD.findall(text)]
    found = sum(1 for text in paragraphs for _ in sentences(text))
    if not words or not found:
        return None
    counts = [syllables(word.lower(), language) for word in words]
    return Counted(
        found,
        len(words),
        sum(counts),
        sum(len(word) > 6 for word in words),
        sum(count >= 3 for count in counts),
        sum(count == 1 for count in counts),
    )


def syllables(word: str, language: str) -> int:
    """A heuristic: nine of ten English words come out right."""
    groups = len(re.findall(r"[aeiouyáéíóúüäöàèìòùâêîôû]+", word))
    if language == "en":
        if re.search(r"(?:[^laeiouy]|[aeiouy]l)e$|[^td]ed$|[^csxz]es$", word) and groups > 1:
            groups -= 1
        groups += len(re.findall(r"i[ao](?!u)|eo|[aeiou]ing$|[^aeiou]le[ds]?$", word)) * (groups > 0)
        groups -= len(re.findall(r"[st]ion|cial|tial|[^aeiou]les?$", word)) if groups > 1 else 0
    elif language == "es":
        groups += len(re.findall(r"[íú][aeo]|[aeo][íú]|[aeo]{2}", word))
    return max(groups, 1)


def _flesch_kincaid(counted: Counted) -> float:
    return 0.39 * counted.words / counted.sentences + 11.8 * counted.syllables / counted.words - 15.59


def _fernandez_huerta(counted: Counted) -> float:
    """Its ease of 0 to 100 as years of school, by its own table: 60 is the eighth."""
    ease = 206.84 - 60 * counted.syllables / counted.words - 1.02 * counted.words / counted.sentences
    return max(4.0, 8 + (60 - ease) / 6)


def _wiener(counted: Counted) -> float:
    """Wiener Sachtextformel 1 (Bamberger and Vanecek, 1984): years of school."""
    share = 100 / counted.words
    return (
        0.1935 * counted.many * share
        + 0.1672 * counted.words / counted.sentences
        + 0.1297 * counted.long * share
        - 0.0327 * counted.one * share
        - 0.875
    )


_GRADES: Final[Mapping[str, Callable[[Counted], float]]] = {
    "en": _flesch_kincaid,
    "es": _fernandez_huerta,
    "de": _wiener,
}
