"""A letter to one of us: two parts, headers of our own, signed. No campaign: nobody subscribes, nothing is counted."""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from dataclasses import dataclass
from email.utils import format_datetime
from hashlib import sha256

from outreach.rendering import headers
from outreach.rendering.dkim import Seal, Signer
from outreach.rendering.message import Mailbox, Message
from outreach.rendering.wire import quoted_printable


@dataclass(frozen=True, slots=True)
class Letter:
    """What is said, and to whom; text and HTML as they are to be read."""

    to: Mailbox
    subject: str
    text: str
    html: str
    language: str = "en"


def compose(letter: Letter, *, sender: Mailbox, message_id: str, signer: Signer | None, now: dt.datetime) -> Message:
    """The letter, ready to be handed over. HeaderError for a name or subject that may not stand in a header.

    `message_id` is without its brackets. The sender's own address takes what bounces.
    """
    boundary = f"=_{sha256(f'{message_id}{letter.subject}'.encode()).hexdigest()[:24]}"
    fields = [
        ("From", headers.mailbox(sender.name, sender.address)),
        ("To", headers.mailbox(letter.to.name, letter.to.address)),
        ("Subject", headers.subject(letter.subject)),
        ("Date", format_datetime(now.astimezone(dt.UTC))),
        ("Message-ID", f"<{message_id}>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="{boundary}"'),
        ("Content-Language", letter.language),
        ("Auto-Submitted", "auto-generated"),  # so that nobody's vacation answers it: RFC 3834, 5
    ]
    fields = [(name, headers.checked(name, value)) for name, value in fields]
    body = "".join(
        (
            _part(boundary, "plain", letter.text),
            _part(boundary, "html", letter.html),
            f"--{boundary}--\r\n",
        )
    ).encode("ascii")
    head = "".join(headers.line(name, value) for name, value in fields)
    head = f"{_signature(fields, body, signer, now)}{head}\r\n"
    return Message(f"<{message_id}>", sender.address, letter.to.address, head.encode("ascii"), body)


def _part(boundary: str, kind: str, content: str) -> str:
    encoded, column = quoted_printable(content.replace("\r\n", "\n"))
    end = "\r\n" if column else ""
    return (
        f"--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
        f"\r\n{encoded}{end}"
    )


def _signature(fields: list[tuple[str, str]], body: bytes, signer: Signer | None, now: dt.datetime) -> str:
    """The DKIM-Signature header (RFC 6376, 3.5); empty without a key."""
    if signer is None:
        return ""
    seal, seconds = Seal(signer, [name for name, _ in fields]), int(now.timestamp())
    body_hash = b64encode(sha256(body).digest()).decode("ascii")
    canonical = "".join(f"{name.lower()}:{value}\r\n" for name, value in fields)
    (signed,) = signer.sign_many([sha256((canonical + seal.canonical(body_hash, seconds)).encode("ascii")).digest()])
    return seal.header(body_hash, seconds, signed)
