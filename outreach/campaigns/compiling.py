"""Turning a campaign file into messages that are ready for the wire, one for each language."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from outreach.campaigns.definition import CampaignError, Definition
from outreach.campaigns.looks import look_of
from outreach.errors import UsageError
from outreach.rendering.errors import Report, refuse
from outreach.rendering.layouts import read_layout
from outreach.rendering.message import CompiledMessage, Source, compile_message
from outreach.rendering.words import words
from outreach.settings import Settings


def compile_all(
    definitions: Mapping[str, Definition],
    settings: Settings,
    *,
    known_fields: Collection[str],
    report: Report = refuse,
) -> dict[str, CompiledMessage]:
    """Each language's message. TemplateError or CampaignError names the file, the line and the remedy.

    All languages share one numbering of links: each goes on where the one before it ended, so the last message
    knows them all.
    """
    messages: dict[str, CompiledMessage] = {}
    links: tuple[str, ...] = ()
    for language, definition in definitions.items():
        source = _source(definition, settings)
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


def _source(definition: Definition, settings: Settings) -> Source:
    drill = words(definition.language).drill if definition.drill else ""
    # In front of the first line, so that faults below it keep their line.
    warned = f"**{drill}** {definition.body}" if drill else definition.body
    return Source(
        subject=f"{drill}: {definition.subject}" if drill else definition.subject,
        body=warned,
        sender=definition.sender,
        reply_to=definition.reply_to,
        language=definition.language,
        preheader=definition.preheader,
        layout=_layout(definition, settings),
        organisation=settings.text("organisation.name"),
        postal_address=settings.text("organisation.address"),
        topic=definition.topic,
        place=str(definition.path),
        first_line=definition.body_line,
    )


def _layout(definition: Definition, settings: Settings) -> str:
    try:
        look = look_of(definition.sender, settings.root)
        return read_layout(definition.template, folders=[settings.root / "templates"], look=look)
    except UsageError as error:
        line = definition.lines.get("template")
        raise CampaignError(f"`template:` {error}", place=definition.path, line=line) from None


def content_folders(kind: str) -> list[Path]:
    """Where the `templates` or `segments` that ship with Outreach are: in a checkout, or inside the wheel."""
    package = Path(__file__).parent.parent
    return [folder for folder in (package.parent / kind, package / "content" / kind) if folder.is_dir()]
