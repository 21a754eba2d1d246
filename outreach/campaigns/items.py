"""What somebody reads of a campaign in a digest: its subject as a heading, its topic, and its text.

Each item is compiled by itself, so that nothing in it reaches into the next one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from outreach.rendering.layouts import read_layout
from outreach.rendering.message import Part
from outreach.settings import Settings


def layout(settings: Settings) -> str:
    """The frame of every digest."""
    return read_layout("notice", folders=[settings.root / "templates"])


def parts(words: Mapping[str, str], *, topic: str, when: str, place: str, first_line: int = 1) -> list[Part]:
    """An item's title and body as parts of a digest; `first_line` is where its body begins in `place`, for errors."""
    heading = f"## {words['title']}\n\n*{plain(topic)}*\n\n"
    written = Part(
        body=heading + words["body"].rstrip(), when=when, place=place, first_line=first_line - heading.count("\n")
    )
    return [written, Part(body="---", when=when, place=place)]


def plain(text: str) -> str:
    """Text from outside, so that Markdown and our templates take it as text."""
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    text = text.replace("{", "(").replace("}", ")")
    return re.sub(r"([\\`*_\[\]<>#+\-!|~&])", r"\\\1", text)
