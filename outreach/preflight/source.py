"""What stands where in a body as it was written: links, images, headings and paragraphs, each with its line.

Lines are found by looking at the text itself, because a compiled message no longer knows them. Code blocks are left
out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINK = re.compile(
    r"(?P<image>!?)\[(?P<label>(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\((?P<url>[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)[^)]*\)"
)
_BARE = re.compile(r"(?<![(\[<\"'=])\bhttps?://[^\s<>\"')\]]+")
_HEADING = re.compile(r"\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_STATEMENT = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_VALUE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_MARKS = re.compile(r"^\s*(?:[-+*]|\d+[.)])\s+|^\s*(?:>\s?)+|^\s*\[!\w+\]|[*_`~]+")


@dataclass(frozen=True, slots=True)
class Link:
    """One link or image of the body; `line` is counted from 0."""

    label: str
    url: str
    line: int
    image: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Prose as it would be read aloud, with the line it begins on and the line of each of its characters."""

    text: str
    line: int
    starts: tuple[tuple[int, int], ...]
    """(character, line): from that character on, the text comes from that line."""

    def line_of(self, character: int) -> int:
        return max((line for start, line in self.starts if start <= character), default=self.line)


def lines(body: str) -> Iterator[tuple[int, str]]:
    """The lines that are not inside a code block; {# comments #}, which nobody gets, are blank."""
    fenced = False
    body = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), body)
    for number, line in enumerate(body.splitlines()):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced:
            yield number, line


def links(body: str) -> Iterator[Link]:
    for number, line in lines(body):
        for found in _LINK.finditer(line):
            yield Link(found["label"].strip(), found["url"].strip("<>"), number, image=bool(found["image"]))
            for inner in _LINK.finditer(found["label"]):
                yield Link(inner["label"].strip(), inner["url"], number, image=True)
        for bare in _BARE.finditer(_LINK.sub("", line)):
            url = bare[0].rstrip(".,;:!?")
            yield Link(url, url, number)


def headings(body: str) -> Iterator[Heading]:
    for number, line in lines(body):
        if found := _HEADING.match(line):
            yield Heading(len(found[1]), found[2], number)


def paragraphs(body: str) -> Iterator[Paragraph]:
    """Runs of prose; a list item, a quote and a table row are each one of their own, headings are none."""
    collected: list[tuple[int, str]] = []
    for number, line in [*lines(body), (-1, "")]:
        spoken = _spoken(line)
        begins_new = bool(re.match(r"\s*(?:[-+*]|\d+[.)])\s+|\s*\|", line))
        if collected and (not spoken or begins_new or number == -1 or _HEADING.match(line)):
            yield _paragraph(collected)
            collected = []
        if spoken and not _HEADING.match(line) and not line.lstrip().startswith("|"):
            collected.append((number, spoken))


def _spoken(line: str) -> str:
    line = _LINK.sub(lambda found: "" if found["image"] else found["label"], line)
    line = _VALUE.sub("word", _STATEMENT.sub("", _BARE.sub("", line)))
    return " ".join(_MARKS.sub("", line).split())


def _paragraph(collected: list[tuple[int, str]]) -> Paragraph:
    text, starts = "", []
    for number, line in collected:
        starts.append((len(text), number))
        text += line + " "
    return Paragraph(text.strip(), collected[0][0], tuple(starts))
