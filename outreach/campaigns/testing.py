"""Test mails: the very message, signed and marked TEST, to staff and to nobody else."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from outreach.addresses import normalise
from outreach.campaigns.compiling import compile_all
from outreach.campaigns.definition import Definition, load
from outreach.campaigns.orders import signer_of
from outreach.campaigns.pictures import Pictures
from outreach.campaigns.samples import typical
from outreach.campaigns.terms import sending_domain
from outreach.errors import Blocked, OutreachError
from outreach.rendering.compose import Composer
from outreach.rendering.message import CompiledMessage, Message, Recipient
from outreach.rendering.preview import direct
from outreach.segmentation.catalogue import load_catalogue
from outreach.sending import apart
from outreach.settings import Settings
from outreach.store import staff, subscribers
from outreach.store.database import Store
from outreach.store.staff import Member
from outreach.tokens import load_keys

MARK: Final = "TEST: "
_SAID: Final = f"{MARK}not sent to anybody else"
_BANNER: Final = (
    '<div role="note" lang="en" dir="ltr" style="padding:12px 16px;background-color:#ffdd57;color:#1c1c1c;'
    f'font:bold 16px/1.4 Arial,sans-serif;text-align:center">{_SAID}</div>'
)
"""Read out like the rest, and before it; its colours are its own in the dark, too (contrast 12 to 1)."""
_BODY: Final = re.compile(r"<body\b[^>]*>", re.IGNORECASE)


def send_test(
    store: Store, settings: Settings, path: Path, *, to: str, person: str | None, token_keys: Path, now: dt.datetime
) -> list[str]:
    """Send a campaign file in every language to one of the staff; returns the subjects that went out.

    Blocked for an address that is not on the staff, or that nobody has answered from yet. `person` is the address of a
    subscriber whose data fills the fields; without it a made-up person's do.
    """
    to = normalise(to)
    with store.read() as connection:
        known = [member for member in staff.everyone(connection) if member.address == to]
        fields = load_catalogue(connection, segments={}).fields
        attributes = _attributes(connection, person) if person else None
    if not known:
        raise Blocked(
            f"{to} is not on the staff, and test mails go to nobody else; an administrator adds people with: "
            "outreach users add NAME --address ADDRESS, and they are verified with: outreach users verify NAME"
        )
    member = next((each for each in known if each.verified_at), None)
    if member is None:
        raise Blocked(
            f"{to} is {known[0].name}'s and not verified yet: it might be a stranger's. "
            f'Verify it first, with a code by mail: outreach users verify "{known[0].name}"'
        )
    definitions = load(path, default_language=settings.text("organisation.language"))
    pictures = Pictures.of(settings)
    compiled = compile_all(definitions, settings, known_fields=fields, pictures=pictures)
    pictures.publish(settings.data)
    messages = [
        _message(definitions[language], each, settings, attributes, to=member, token_keys=token_keys, now=now)
        for language, each in compiled.items()
    ]
    apart.hand_over(settings, [message for message, _ in messages])
    return [subject for _, subject in messages]


def _message(
    definition: Definition,
    compiled: CompiledMessage,
    settings: Settings,
    attributes: dict[str, object] | None,
    *,
    to: Member,
    token_keys: Path,
    now: dt.datetime,
) -> tuple[Message, str]:
    marked = direct(
        replace(
            compiled,
            subject=MARK + compiled.subject,
            text=f"{_SAID}\n\n{compiled.text}",
            html=_BODY.sub(lambda body: body[0] + _BANNER, compiled.html, count=1),
        )
    )
    domain = sending_domain(settings, definition)
    composer = Composer(
        marked,
        campaign_id=0,
        tokens=load_keys(token_keys),
        tracking_url=settings.tracking_url,
        domain=domain,
        list_id=f"test.{domain}",
        feedback_id=f"test:test:test:{domain.replace('.', '')[:15]}",
        unsubscribe_mailbox=None,
        signer=signer_of(settings, domain),
        id_prefix=f"test-{secrets.token_hex(8)}-",  # or a second test mail would be taken for the first
    )
    somebody = typical(compiled)
    recipient = Recipient(0, to.address, somebody.attributes if attributes is None else attributes, name=to.name)
    return composer.compose(recipient, now=now), marked.subject


def _attributes(connection: Connection, address: str) -> dict[str, object]:
    found = subscribers.find(connection, address)
    if found is None:
        raise OutreachError(f"no subscriber has the address {address}; leave out --as to use a made-up person")
    return {**found.attributes, "email": address, "language": found.locale, "joined": found.joined_at}
