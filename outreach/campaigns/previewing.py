"""Previews: the very message, for sample people of the shapes that break mails, or for one subscriber."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from outreach.campaigns.compiling import compile_all
from outreach.campaigns.definition import load
from outreach.campaigns.pictures import Pictures
from outreach.campaigns.samples import ADDRESS, SAMPLES, answers
from outreach.campaigns.terms import sending_domain
from outreach.errors import OutreachError
from outreach.rendering.compose import Composer
from outreach.rendering.message import Recipient
from outreach.rendering.preview import render_preview
from outreach.segmentation.catalogue import load_catalogue
from outreach.segmentation.fields import Type
from outreach.settings import Settings
from outreach.store import subscribers
from outreach.store.database import Store
from outreach.tokens import load_keys


@dataclass(frozen=True, slots=True)
class Preview:
    """One person's message in one language; `error` instead when theirs cannot be made."""

    name: str
    """street-sweeping.en.typical"""
    subject: str = ""
    html: str = ""
    text: str = ""
    mail: bytes = b""
    error: str = ""
    note: str = ""
    """Which paragraphs it shows: renter is yes"""


def previews(
    store: Store, settings: Settings, path: Path, *, address: str | None, token_keys: Path, now: dt.datetime
) -> Iterator[Preview]:
    """The message of each sample person (or of one subscriber) in each language. Nothing is sent or tracked."""
    with store.read() as connection:
        fields = load_catalogue(connection, segments={}).fields
        people = SAMPLES if address is None else {"subscriber": _attributes(connection, address)}
    definitions = load(path, default_language=settings.text("organisation.language"))
    shown = address or ADDRESS
    pictures = Pictures.of(settings)
    for language, compiled in compile_all(definitions, settings, known_fields=fields, pictures=pictures).items():
        domain = sending_domain(settings, definitions[language])
        composer = Composer(
            compiled,
            campaign_id=0,
            tokens=load_keys(token_keys),
            tracking_url=settings.tracking_url,
            domain=domain,
            list_id=f"preview <preview.{domain}>",
            feedback_id="preview:preview:preview:preview",
            unsubscribe_mailbox=None,
            signer=None,
        )
        asked = sorted(field for field in compiled.fields if fields[field].type is Type.YESNO)
        for who, attributes in people.items():
            answered = answers(who, asked)
            note = ", ".join(f"{field} is {'yes' if yes else 'no'}" for field, yes in answered.items())
            recipient = Recipient(0, shown, {"email": shown, **attributes, **answered})
            name = f"{path.stem}.{language}.{who}"
            try:
                subject, html, text = render_preview(compiled, recipient)
                mail = composer.compose(recipient, now=now).data
            except OutreachError as error:
                yield Preview(name, error=str(error), note=note)
            else:
                yield Preview(name, subject, pictures.inlined(html), text, mail, note=note)


def write(made: Iterable[Preview], out: Path) -> list[Path]:
    """Write .html, .txt and .eml of each preview into a folder; returns the files."""
    out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for preview in made:
        files = {".html": preview.html.encode(), ".txt": preview.text.encode(), ".eml": preview.mail}
        if preview.error:
            files = {".error.txt": f"{preview.error}\n".encode()}
        for suffix, content in files.items():
            file = out / f"{preview.name}{suffix}"
            file.write_bytes(content)
            written.append(file)
    return written


def _attributes(connection: Connection, address: str) -> dict[str, object]:
    found = subscribers.find(connection, address)
    if found is None:
        raise OutreachError(f"no subscriber has the address {address}; leave out --as to see sample people")
    return {**found.attributes, "language": found.locale, "joined": found.joined_at}
