"""Turning a campaign file into messages that are ready for the wire, one for each language."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from outreach.campaigns.definition import CampaignError, Definition
from outreach.rendering.message import CompiledMessage, Source, compile_message
from outreach.settings import Settings

LAYOUT = "layout.mjml"


def compile_all(
    definitions: Mapping[str, Definition], settings: Settings, *, known_fields: Collection[str]
) -> dict[str, CompiledMessage]:
    """Each language's message. TemplateError or CampaignError names the file, the line and the remedy.

    All languages share one numbering of links: each goes on where the one before it ended, so the last message
    knows them all.
    """
    messages: dict[str, CompiledMessage] = {}
    links: tuple[str, ...] = ()
    for language, definition in definitions.items():
        messages[language] = compile_message(_source(definition, settings), known_fields=known_fields, links=links)
        links = messages[language].links
    return messages


def _source(definition: Definition, settings: Settings) -> Source:
    return Source(
        subject=definition.subject,
        body=definition.body,
        sender=definition.sender,
        reply_to=definition.reply_to,
        language=definition.language,
        preheader=definition.preheader,
        layout=_layout(definition, settings.root),
        organisation=settings.text("organisation.name"),
        postal_address=settings.text("organisation.address"),
        topic=definition.topic,
        place=str(definition.path),
        first_line=definition.body_line,
    )


def _layout(definition: Definition, root: Path) -> str:
    """The layout of a template of this workspace, or of those that come with Outreach."""
    folders = [root / "templates", *content_folders("templates")]
    for folder in folders:
        file = folder / definition.template / LAYOUT
        if file.resolve().is_relative_to(folder.resolve()) and file.is_file():
            return file.read_text("utf-8")
    known = sorted({each.parent.name for folder in folders for each in folder.glob(f"*/{LAYOUT}")})
    raise CampaignError(
        f"{definition.path} asks for the template {definition.template!r}; there are {', '.join(known)}"
    )


def content_folders(kind: str) -> list[Path]:
    """Where the `templates` or `segments` that ship with Outreach are: in a checkout, or inside the wheel."""
    package = Path(__file__).parent.parent
    return [folder for folder in (package.parent / kind, package / "content" / kind) if folder.is_dir()]
