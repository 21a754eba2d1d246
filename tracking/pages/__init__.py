"""The few pages residents see: small, without scripts, readable on any phone and by any screen reader.

A page names the organisation and the topic, never a person: mail is forwarded, and the link with it.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from outreach.rendering.questions import Question
from tracking.links import LinkTable
from tracking.pages.words import LANGUAGES, Words, direction

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "page.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
).encode()
ENVIRONMENT = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, auto_reload=False
)
ENVIRONMENT.globals["direction"] = direction
_TEMPLATE = ENVIRONMENT.get_template("page.html")
_QUESTION = ENVIRONMENT.get_template("question.html")
STYLE = Markup(_STYLE)  # noqa: S704 - our own file, and the policy allows nothing else


@dataclass(frozen=True, slots=True)
class Button:
    """A form of one hidden field; pressing it posts to the page's own address."""

    label: str | Markup
    name: str
    value: str
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """In whose language a page speaks, and about what; `table` is None while the campaign's file is not here."""

    language: str
    table: LinkTable | None = None

    @property
    def words(self) -> Words:
        return LANGUAGES[self.language]

    @property
    def topic(self) -> str:
        return self.table.topic if self.table else ""

    @property
    def organisation(self) -> str:
        return self.table.organisation if self.table else ""


def leave(reader: Reader) -> str:
    """Asks, and changes nothing. The GET of an unsubscribe link."""
    words = reader.words
    if reader.topic:
        question = words.leave_question
    else:
        question = words.leave_all_question if reader.organisation else words.leave_these_question
    buttons = [Button(words.leave_button, "leave", "topic")]
    if reader.topic and reader.organisation:
        buttons.append(Button(_filled(words.all_button, reader), "leave", "all", quiet=True))
    return _page(
        reader,
        title=words.leave_title,
        heading=_filled(question, reader),
        note=words.leave_note if reader.topic else "",
        buttons=tuple(buttons),
    )


def left(reader: Reader, *, everything: bool) -> str:
    """Says what has been done, and offers to undo it."""
    words = reader.words
    topic_only = reader.topic and not everything
    return _page(
        reader,
        title=words.left_title,
        heading=words.left_title,
        lines=(_filled(words.left_topic, reader) if topic_only else words.left_all,),
        note=words.left_note,
        buttons=(Button(words.undo_button, "undo", "1", quiet=True),),
        done=True,
    )


def undone(reader: Reader) -> str:
    words = reader.words
    return _page(reader, title=words.undone_title, heading=words.undone_title, lines=(words.undone_note,), done=True)


def question(reader: Reader, spoken: str, asked: Question, *, chosen: int) -> str:
    """Asks the message's question, in the language `spoken`, with one answer chosen; nothing is sent yet."""
    said = "" if spoken.partition("-")[0] == reader.language else spoken
    return _QUESTION.render(
        **_frame(reader, title=reader.words.answer_title, heading=_spoken(asked.text, said)),
        lines=(),
        note=reader.words.answer_note,
        words=reader.words,
        answers=asked.answers,
        chosen=chosen,
        spoken=said,
    )


def answered(reader: Reader, spoken: str, answer: str) -> str:
    words = reader.words
    said = "" if spoken.partition("-")[0] == reader.language else spoken
    # The words are ours; `format` of Markup escapes what is put in.
    line = Markup(words.answered_line).format(answer=_spoken(answer, said))  # noqa: S704
    heading = words.answered_title
    return _page(reader, title=heading, heading=heading, lines=(line,), note=words.answered_note, done=True)


def unknown(reader: Reader) -> str:
    """For a link that we did not make, or that was damaged on its way."""
    words = reader.words
    return _page(reader, title=words.unknown_title, heading=words.unknown_title, lines=(words.unknown_note,))


def no_such_link(reader: Reader) -> str:
    words = reader.words
    return _page(reader, title=words.link_title, heading=words.link_title, lines=(words.link_note,))


def later(reader: Reader, *, again: Button | None = None) -> str:
    """We cannot do it now. `again` repeats what was asked."""
    words = reader.words
    buttons = (again,) if again else ()
    return _page(reader, title=words.later_title, heading=words.later_title, lines=(words.later_note,), buttons=buttons)


def _page(
    reader: Reader,
    *,
    title: str,
    heading: str | Markup,
    lines: tuple[str | Markup, ...] = (),
    note: str = "",
    buttons: tuple[Button, ...] = (),
    done: bool = False,
) -> str:
    frame = _frame(reader, title=title, heading=heading, done=done)
    return _TEMPLATE.render(**frame, lines=lines, note=note, buttons=buttons)


def _frame(reader: Reader, *, title: str, heading: str | Markup, done: bool = False) -> dict[str, object]:
    return {
        "language": reader.language,
        "title": title,
        "organisation": reader.organisation,
        "style": STYLE,
        "heading": heading,
        "done": done,
    }


def _filled(sentence: str, reader: Reader) -> Markup:
    """The sentence with the topic and organisation in it, each marked with the language it is in."""
    # The words are ours; `format` of Markup escapes what is put in.
    return Markup(sentence).format(  # noqa: S704
        topic=_named(reader.topic, reader), organisation=_named(reader.organisation, reader)
    )


def _named(name: str, reader: Reader) -> Markup:
    if reader.table is None or reader.table.language.split("-")[0] == reader.language:
        return Markup("<b>{}</b>").format(name)
    return Markup('<b lang="{}">{}</b>').format(reader.table.language, name)


def _spoken(words: str, language: str) -> Markup:
    """Words of a campaign, marked with their language where the page speaks another."""
    return Markup('<span lang="{}" dir="auto">{}</span>').format(language, words) if language else escape(words)
