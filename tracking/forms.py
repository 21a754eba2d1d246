"""Reading a small form, as a browser or a mailbox provider posts it.

RFC 8058, 3.2: a one-click unsubscribe comes as multipart/form-data or application/x-www-form-urlencoded.
Whatever arrives, reading never raises for its content: a form that cannot be read has no fields.
"""

from __future__ import annotations

from email.message import Message as Mail
from email.parser import BytesParser
from urllib.parse import parse_qsl

from tracking.answers import Receive

MAX_BODY = 8192
MAX_FIELDS = 100


class TooLarge(Exception):
    """The body has more bytes than we read."""


class HungUp(Exception):
    """The client went away before the body was complete, so nothing was asked of us."""


async def body(receive: Receive, *, limit: int = MAX_BODY) -> bytes:
    """The whole request body. Raises TooLarge, or HungUp."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HungUp
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise TooLarge
        if not message.get("more_body"):
            return b"".join(parts)


def fields(content: bytes, content_type: bytes) -> dict[str, str]:
    """The form's fields; the last one of a name counts. Empty if this is no form."""
    kind = content_type.split(b";")[0].strip().lower()
    if kind == b"multipart/form-data":
        return _multipart(content, content_type)
    if kind in (b"application/x-www-form-urlencoded", b""):
        try:
            return dict(
                parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
            )
        except ValueError:
            return {}
    return {}


def _multipart(content: bytes, content_type: bytes) -> dict[str, str]:
    """Multipart is MIME (RFC 7578, 4), so the mail parser reads it; it records defects instead of raising."""
    header = content_type.replace(b"\r", b"").replace(b"\n", b"")
    mail = BytesParser().parsebytes(b"Content-Type: " + header + b"\r\n\r\n" + content)
    found: dict[str, str] = {}
    if not mail.is_multipart():
        return found
    for part in mail.get_payload():
        if isinstance(part, Mail):
            name = part.get_param("name", header="content-disposition")
            value = part.get_payload(decode=True)
            if isinstance(name, str) and isinstance(value, bytes):
                found[name] = value.decode("utf-8", "replace").strip()
    return found
