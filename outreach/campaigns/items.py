"""What somebody reads of a campaign in a digest: its subject as a heading, its topic, and its text.

Each item is compiled by itself, so that nothing in it reaches into the next one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from outreach.campaigns.compiling import said
from outreach.campaigns.definition import Definition
from outreach.campaigns.pictures import Pictures
from outreach.rendering.errors import TemplateError
from outreach.rendering.images import ImageError
from outreach.rendering.layouts import read_layout
from outreach.rendering.message import Part, Source, compile_message
from outreach.rendering.questions import left_out
from outreach.settings import Settings

Words = Mapping[str, Any]
"""An item in one language: its `title`, its `body` in Markdown, and where its `images` were published, if any."""


def contents(
    definitions: Mapping[str, Definition], settings: Settings, *, known_fields: Collection[str], pictures: Pictures
) -> dict[str, Words]:
    """What a campaign is in digests, by language, proven to compile as a part of one.

    TemplateError names the file and the line: what is wrong there would hold up the digests of everybody later on.
    """
    found: dict[str, Words] = {}
    for language, each in definitions.items():
        images: dict[str, str] = {}

        def address(written: str, images: dict[str, str] = images) -> str:
            images[written] = pictures.address(written)
            return images[written]

        subject, body = said(each)
        # A whole message has no text of its own here: its subject, and the line behind it, have to do.
        text = left_out(body)
        words = {"title": subject, "body": text if text.strip() else each.preheader or subject}
        _prove(each, settings, words, address, known_fields=known_fields)
        found[language] = words | ({"images": images} if images else {})
    return found


def _prove(
    definition: Definition,
    settings: Settings,
    words: Words,
    published: Callable[[str], str],
    *,
    known_fields: Collection[str],
) -> None:
    source = Source(
        subject=words["title"],
        body="",
        parts=parts(
            words,
            topic=definition.topic,
            when="item",
            place=str(definition.path),
            first_line=definition.body_line,
            published=published,
        ),
        sender=definition.sender,
        language=definition.language,
        layout=layout(settings),
        organisation=settings.text("organisation.name"),
        postal_address=settings.text("organisation.address"),
        topic=definition.topic,
        place=str(definition.path),
    )
    try:
        compile_message(source, known_fields=known_fields)
    except TemplateError as error:
        here = error.place == str(definition.path)
        problem, line = (error.problem, error.line) if here else (str(error), definition.body_line)
        raise TemplateError(
            f"it cannot be shown in a digest: {problem}", place=str(definition.path), line=line
        ) from None


def layout(settings: Settings) -> str:
    """The frame of every digest."""
    return read_layout("notice", folders=[settings.root / "templates"])


def parts(
    words: Words,
    *,
    topic: str,
    when: str,
    place: str,
    first_line: int = 1,
    published: Callable[[str], str] | None = None,
) -> list[Part]:
    """An item's title and body as parts of a digest; `first_line` is where its body begins in `place`, for errors."""
    heading = f"## {words['title']}\n\n*{plain(topic)}*\n\n"
    written = Part(
        body=heading + words["body"].rstrip(),
        when=when,
        published=published or _published(words.get("images", {})),
        place=place,
        first_line=first_line - heading.count("\n"),
    )
    return [written, Part(body="---", when=when, place=place)]


def _published(images: Mapping[str, str]) -> Callable[[str], str]:
    def address(written: str) -> str:
        if written not in images:
            raise ImageError("was not published with it")
        return images[written]

    return address


def plain(text: str) -> str:
    """Text from outside, so that Markdown and our templates take it as text."""
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    text = text.replace("{", "(").replace("}", ")")
    return re.sub(r"([\\`*_\[\]<>#+\-!|~&])", r"\\\1", text)
