"""Turning a campaign file into messages that are ready for the wire, one for each language."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from outreach.campaigns.dates import invitation
from outreach.campaigns.definition import CampaignError, Definition
from outreach.campaigns.looks import look_of
from outreach.campaigns.pictures import Pictures
from outreach.errors import UsageError
from outreach.rendering.errors import Report, refuse
from outreach.rendering.layouts import Template, read_template
from outreach.rendering.message import CompiledMessage, Source, compile_message
from outreach.rendering.words import words
from outreach.settings import Settings


def compile_all(
    definitions: Mapping[str, Definition],
    settings: Settings,
    *,
    known_fields: Collection[str],
    report: Report = refuse,
    pictures: Pictures | None = None,
) -> dict[str, CompiledMessage]:
    """Each language's message. TemplateError or CampaignError names the file, the line and the remedy.

    Whoever wants to publish or show the images that are used passes `pictures`, which then knows them.

    All languages share one numbering of links: each goes on where the one before it ended, so the last message
    knows them all.
    """
    messages: dict[str, CompiledMessage] = {}
    links: tuple[str, ...] = ()
    for language, definition in definitions.items():
        source = _source(definition, settings, pictures or Pictures.of(settings))
        messages[language] = compile_message(source, known_fields=known_fields, links=links, report=report)
        links = messages[language].links
    _same_question(definitions, messages)
    return messages


def _same_question(definitions: Mapping[str, Definition], messages: Mapping[str, CompiledMessage]) -> None:
    """Answers are counted by their number, so that every language has to ask the same question."""
    counts = {language: len(each.question.answers) if each.question else 0 for language, each in messages.items()}
    first = next(iter(counts))
    for language, count in counts.items():
        if count != counts[first]:
            raise CampaignError(
                f"its question has {count} answers, and {counts[first]} in {first}; ask the same in every language,"
                " with the answers in the same order",
                place=definitions[language].path,
            )


def _source(definition: Definition, settings: Settings, pictures: Pictures) -> Source:
    template = template_of(definition, settings)
    if not definition.body.strip() and not template.text:
        raise CampaignError("it has no text below its front matter", place=definition.path, line=definition.body_line)
    subject, body = said(definition)
    return Source(
        subject=subject,
        body=body,
        sender=definition.sender,
        reply_to=definition.reply_to,
        language=definition.language,
        preheader=definition.preheader,
        layout=template.mjml,
        layout_place=template.place,
        text=template.text,
        calendar=invitation(definition, default_zone=settings.text("organisation.timezone")),
        published=pictures.address,
        organisation=settings.text("organisation.name"),
        postal_address=settings.text("organisation.address"),
        topic=definition.topic,
        place=str(definition.path),
        first_line=definition.body_line,
    )


def said(definition: Definition) -> tuple[str, str]:
    """A campaign's subject and body; a drill says in both that it is one."""
    if not definition.drill:
        return definition.subject, definition.body
    drill = words(definition.language).drill
    # In front of the first line, so that faults below it keep their line.
    return f"{drill}: {definition.subject}", f"**{drill}** {definition.body}"


def template_of(definition: Definition, settings: Settings) -> Template:
    """What a campaign's `template:` stands for in its language. CampaignError names the line."""
    try:
        look = look_of(definition.sender, settings.root)
        folders = [settings.root / "templates"]
        return read_template(definition.template, language=definition.language, folders=folders, look=look)
    except UsageError as error:
        line = definition.lines.get("template")
        raise CampaignError(f"`template:` {error}", place=definition.path, line=line) from None


def content_folders(kind: str) -> list[Path]:
    """Where the `templates` or `segments` that ship with Outreach are: in a checkout, or inside the wheel."""
    package = Path(__file__).parent.parent
    return [folder for folder in (package.parent / kind, package / "content" / kind) if folder.is_dir()]
