"""A message in its two states: the source somebody wrote, and what is compiled of it once.

    Source -> compile_message -> CompiledMessage -> Composer (compose.py) -> Message

Everything that can be wrong for everybody is found here, with file and line; everything that costs time and does not
depend on the person is done here. A compiled message is plain data: it can be stored, hashed, approved, and sent by
another process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, Final, NamedTuple

from markupsafe import escape

from outreach.errors import OutreachError, UsageError
from outreach.rendering import expressions, headers, markdown, mjml, wire, written
from outreach.rendering.errors import Report, TemplateError, refuse
from outreach.rendering.links import CLICK_BASE, PERSONAL_URLS, Links, check_result
from outreach.rendering.personal import number_in
from outreach.rendering.placeholders import ANY, VARIABLE, Placeholders
from outreach.rendering.questions import ANSWER_BASE, Question
from outreach.rendering.words import LAYOUT_NAMES, direction, words

VERSION: Final = 1
"""Of the document; a change that reads old documents differently raises it."""

SLOTS: Final = frozenset({"body", "preheader", "subject"})
"""What a layout is filled with."""

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*").fullmatch


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name and an address, as in `Public Works <works@city.example>`."""

    name: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Mailbox:
        """UsageError when the text is not `Name <address>` or an address alone."""
        found = re.fullmatch(r'\s*(?:"?([^"<>]*?)"?\s*<\s*([^<>\s]+)\s*>|([^<>\s"]+))\s*', text)
        try:
            if found is None:
                raise headers.HeaderError("it is not")
            address = headers.address(found[2] or found[3])
            return cls(name=headers.tidy(found[1] or ""), address=address)
        except OutreachError:
            raise UsageError(f"{text!r} is not a sender; write it as in Public Works <works@city.example>") from None

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a message that was written by itself, and is compiled by itself: its fences and reference links end
    with it. Only who has the field `when` gets it; `published` gives the addresses of its own images.
    """

    body: str
    when: str
    published: Callable[[str], str] | None = None
    place: str
    first_line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What somebody wrote, and the frame around it. `place` and `first_line` are where the body is, for errors.

    `layout` is MJML; with a `text` of its own it is a whole message, in which the body may be missing. `parts` stand
    behind the body. `calendar` is an invitation (invitation.py) to send along, and `published` gives the address of an
    image of the workspace.
    """

    subject: str
    body: str
    parts: Sequence[Part] = ()
    sender: Mailbox
    language: str = "en"
    preheader: str = ""
    reply_to: Mailbox | None = None
    layout: str
    layout_place: str = ""
    text: str = ""
    calendar: str = ""
    published: Callable[[str], str] | None = None
    organisation: str
    postal_address: str
    topic: str
    place: str
    first_line: int = 1

    @property
    def frame(self) -> str:
        """Where the layout is, for errors."""
        return f"{self.layout_place}.mjml" if self.layout_place else f"the layout of {self.place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledMessage:
    """One campaign in one language, ready for anybody. The three templates are Jinja of our allow-list.

    `links` are the destinations of `{{ click_base }}<n>` and of personal links; `fields` what a recipient is asked for;
    `hash` changes with any character that can reach anybody.
    """

    subject: str
    html: str
    text: str
    links: tuple[str, ...]
    fields: frozenset[str]
    language: str
    sender: Mailbox
    reply_to: Mailbox | None
    constants: Mapping[str, str]
    question: Question | None = None
    calendar: str = ""
    hash: str = field(default="")

    def to_document(self) -> dict[str, Any]:
        """Plain data for JSON; `from_document` gives an equal message back."""
        return {
            "version": VERSION,
            "subject": self.subject,
            "html": self.html,
            "text": self.text,
            "links": list(self.links),
            "fields": sorted(self.fields),
            "language": self.language,
            "sender": asdict(self.sender),
            "reply_to": asdict(self.reply_to) if self.reply_to else None,
            "constants": dict(sorted(self.constants.items())),
            "question": self.question.to_document() if self.question else None,
            "calendar": self.calendar,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> CompiledMessage:
        """ValueError when the document is of another version of the product, or is none."""
        if document.get("version") != VERSION:
            raise ValueError(f"a compiled message of version {document.get('version')!r} cannot be read; plan again")
        reply_to, question = document["reply_to"], document["question"]
        message = cls(
            subject=document["subject"],
            html=document["html"],
            text=document["text"],
            links=tuple(document["links"]),
            fields=frozenset(document["fields"]),
            language=document["language"],
            sender=Mailbox(**document["sender"]),
            reply_to=Mailbox(**reply_to) if reply_to else None,
            constants=dict(document["constants"]),
            question=Question.from_document(question) if question else None,
            calendar=document["calendar"],
        )
        return message.hashed()

    def hashed(self) -> CompiledMessage:
        canonical = json.dumps(self.to_document(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return replace(self, hash=sha256(canonical.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Recipient:
    """One person, as plain values. `attributes` include email, language and joined."""

    subscriber_id: int
    address: str
    attributes: Mapping[str, object]
    tracked: bool = True
    """False for who does not want to be followed: no pixel, and links that lead straight where they go."""
    named: bool = True
    """False for who lets us count, but not know them: pixel and links are everybody's."""
    name: str = ""
    """Shown in To instead of the attributes' own: a test mail is filled with somebody else's."""


class Message(NamedTuple):
    """A whole message, ready to be handed over.

    `data` has CRLF line ends and no line that begins with a dot, so that nothing is left to stuff (RFC 5321, 4.5.2).
    It is kept in two pieces, for each copy of a whole message costs as much as many of the steps that made it.
    """

    message_id: str
    return_path: str
    recipient: str
    head: bytes
    body: bytes = b""
    """What stands behind `head`; that may be everything."""
    eight_bit: bool = False
    """True if there are other bytes in it than those of ASCII (RFC 6152). What we compose has none."""

    @property
    def data(self) -> bytes:
        return self.head + self.body

    @property
    def size(self) -> int:
        """Bytes of `data`."""
        return len(self.head) + len(self.body)


def compile_message(
    source: Source, *, known_fields: Collection[str], links: Sequence[str] = (), report: Report = refuse
) -> CompiledMessage:
    """Compile once for everybody, or TemplateError: what, in which file and line, and what was probably meant.

    `links` are the destinations that another language of the same campaign has numbered already. A gate passes a
    `report` that collects: then unknown fields and bad links do not end the compilation, whose result nobody may get.
    """
    _check_frame(source)
    fields = _check_fields(source, frozenset(known_fields), report)
    placeholders = Placeholders()
    numbers = Links(placeholders, numbered=links, report=report, published=source.published)
    body = _body(source, placeholders, numbers)
    html = _html(source, body.mjml, placeholders, numbers)
    text = _text(source, body.text, placeholders, numbers)
    message = CompiledMessage(
        subject=source.subject.strip(),
        html=placeholders.restore_html(html),
        text=placeholders.restore_text(text),
        links=numbers.destinations,
        fields=fields,
        language=source.language,
        sender=source.sender,
        reply_to=source.reply_to,
        constants=_constants(source),
        question=body.question,
        calendar=source.calendar,
    )
    _check_compiled(message, place=source.place)
    return message.hashed()


def _body(source: Source, placeholders: Placeholders, links: Links) -> markdown.Body:
    """The body and its parts, still protected."""

    def converted(text: str, links: Links, place: str, first_line: int) -> markdown.Body:
        protected = placeholders.protect(text, place=place, first_line=first_line)
        return markdown.convert(protected, placeholders=placeholders, links=links, place=place, first_line=first_line)

    body = converted(source.body, links, source.place, source.first_line)
    for part in source.parts:
        made = converted(part.body, links.showing(part.published), part.place, part.first_line)
        if made.question:
            raise TemplateError("a question cannot be asked in a part of a message", place=part.place)
        body += made.inside(placeholders.statement(f"if {part.when}"), placeholders.statement("endif"))
    return body


def _check_frame(source: Source) -> None:
    if not _LANGUAGE(source.language):
        raise TemplateError(f'"{source.language}" is no language tag; write en, es or zh-Hant', place=source.place)
    if not source.subject.strip():
        raise TemplateError("the subject is empty", place=source.place)
    if "\n" in source.subject or "\r" in source.subject:
        raise TemplateError("the subject must be one line", place=source.place)
    if not source.body.strip() and not source.text and not source.parts:
        raise TemplateError("the body is empty", place=source.place, line=source.first_line)
    for mailbox in (source.sender, source.reply_to):
        if mailbox:
            try:
                headers.mailbox(mailbox.name, mailbox.address)
            except headers.HeaderError as error:
                raise TemplateError(f"{mailbox} cannot be a sender: {error}", place=source.place) from None


def _check_fields(source: Source, known: frozenset[str], report: Report) -> frozenset[str]:
    """The fields used anywhere; each source is checked by itself, so that errors name the author's own line."""
    place = source.place
    said = known | LAYOUT_NAMES  # an attribute of the same name is hidden by the campaign's own word
    in_body = said | (PERSONAL_URLS - {"pixel_url"})
    used = expressions.check(source.subject, place=f"{place}, subject", known=said, report=report)
    used |= expressions.check(source.preheader, place=f"{place}, preheader", known=said, report=report)
    used |= expressions.check(source.body, place=place, first_line=source.first_line, known=in_body, report=report)
    for part in source.parts:
        used |= {part.when}
        used |= expressions.check(part.body, place=part.place, first_line=part.first_line, known=in_body, report=report)
    layout = said | SLOTS | PERSONAL_URLS
    frame = expressions.check(source.layout, place=source.frame, known=layout, report=report)
    frame |= expressions.check(source.text, place=f"{source.layout_place}.txt", known=layout, report=report)
    return (used | (frame - SLOTS)) - LAYOUT_NAMES - PERSONAL_URLS


def _check_compiled(message: CompiledMessage, *, place: str) -> None:
    """Prove that the result can be composed: what cannot be sent is refused now, not at the first recipient."""
    allowed = message.fields | message.constants.keys() | PERSONAL_URLS | {CLICK_BASE, ANSWER_BASE}
    for source, form in ((message.subject, wire.HEADER), (message.html, wire.HTML), (message.text, wire.TEXT)):
        try:
            template = wire.WireTemplate(source, form=form, language=message.language, constants=message.constants)
        except (RecursionError, SyntaxError):
            raise TemplateError(
                "this is too complicated to compile; make its conditions simpler", place=place
            ) from None
        if strange := {name for name in template.names - allowed if number_in(name) is None}:
            raise TemplateError(f"{', '.join(sorted(strange))} cannot be printed here", place=place)
        if urls := template.decisions & PERSONAL_URLS:
            raise TemplateError(f"{', '.join(sorted(urls))} can only be printed as it is", place=place)


def _html(source: Source, body: str, placeholders: Placeholders, links: Links) -> str:
    """The layout, filled and compiled, still protected."""
    place = source.frame
    layout = links.rewrite_layout(placeholders.protect(source.layout, place=place), place=place)
    layout = mjml.prepared(layout, placeholders=placeholders, place=place)
    _refuse_unsaid(body, layout, placeholders, place=place)
    filling = {
        "body": mjml.prepared(body, placeholders=placeholders, place=source.place),
        "subject": _escaped(placeholders.protect(source.subject.strip(), place=place)),
        "preheader": _escaped(placeholders.protect(source.preheader.strip(), place=place)),
    }

    def filled(found: re.Match[str]) -> str:
        word = found[1] or found[2]
        name = placeholders.name_in(word) if word.startswith("Zv") else None
        return filling.get(name or "", found[0])

    html = mjml.compiled(ANY.sub(filled, layout), place=place)
    check_result(html, placeholders, place=place)
    return html


def _refuse_unsaid(body: str, template: str, placeholders: Placeholders, *, place: str) -> None:
    """TemplateError when there is a body and a protected template has no room for it."""
    if body.strip() and "body" not in {placeholders.name_in(word[0]) for word in VARIABLE.finditer(template)}:
        raise TemplateError("it never says {{ body }}, so nobody would get the campaign's own text", place=place)


def _text(source: Source, body: str, placeholders: Placeholders, links: Links) -> str:
    """The text part, still protected: the body's, or one written by hand. There is always a way out at its end."""
    footer = _footer(placeholders)
    if not source.text:
        return body + footer
    place = f"{source.layout_place}.txt"
    _refuse_unsaid(body, placeholders.protect(source.text, place=place), placeholders, place=place)
    slots = {
        "body": body,
        "subject": placeholders.protect(source.subject.strip(), place=place),
        "preheader": placeholders.protect(source.preheader.strip(), place=place),
    }
    text = written.filled(source.text, slots, placeholders=placeholders, links=links, place=place)
    return text if expressions.always_says(source.text, "unsubscribe_url") else f"{text}\n{footer}"


def _escaped(protected: str) -> str:
    return str(escape(protected))


def _constants(source: Source) -> dict[str, str]:
    said = words(source.language)
    return {
        "organisation": source.organisation,
        "postal_address": source.postal_address,
        "topic": source.topic,
        "language": source.language,
        "direction": direction(source.language),
        "start": "right" if direction(source.language) == "rtl" else "left",
        "why": said.why.format(topic=source.topic, organisation=source.organisation),
        "leave": said.leave,
        "preferences": said.preferences,
        "view": said.view,
        "preheader": "yes" if source.preheader.strip() else "",  # for {% if preheader %}
    }


def _footer(placeholders: Placeholders) -> str:
    """The text part's end. The dashes and the blank behind them are a signature's mark (RFC 3676, 4.3)."""
    names = ("why", "leave", "unsubscribe_url", "view", "view_url", "organisation", "postal_address")
    why, leave, leave_at, view, view_at, organisation, address = map(placeholders.variable, names)
    return f"-- \n{why}\n{leave}: {leave_at}\n{view}: {view_at}\n\n{organisation}\n{address}\n"
