"""Reads the messages that really arrived, as a mail program does: the pixel, the links, the ways to leave."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

_PIXEL = re.compile(r"/o/[\w-]+\.gif\Z")
_CLICK = re.compile(r"/c/[\w-]+/\d+\Z")
_HEADER_URL = re.compile(r"<(https?://[^>]+)>")


@dataclass(frozen=True, slots=True)
class Glance:
    """What an envelope shows before it is opened."""

    path: Path
    address: str
    """Whom the message was delivered to, in lower case."""
    message_id: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One message, opened."""

    address: str
    pixel: str
    """URL of the tracking pixel, or empty."""
    clicks: tuple[str, ...]
    """URLs of the tracked links, each once, in the order in which they are read."""
    links: tuple[str, ...]
    """Every URL that is linked, as a scanner sees it; the List-Unsubscribe one too."""
    unsubscribe: str
    """The https or http URL of List-Unsubscribe (RFC 2369), or empty."""
    one_click: bool
    """True if List-Unsubscribe-Post allows a POST there (RFC 8058)."""


def glance(path: Path) -> Glance:
    """Read the few headers that tell whose message this is."""
    with path.open("rb") as file:
        head = file.read(16_384).partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    return Glance(path, _header(head, "Delivered-To").lower(), _header(head, "Message-ID"))


def read(path: Path, address: str) -> Letter:
    """Parse the whole message with the standard library's parser, as far as residents and scanners care."""
    message = message_from_bytes(path.read_bytes())
    unsubscribe = _HEADER_URL.search("".join(str(message.get("List-Unsubscribe", "")).split()))
    page = LexborHTMLParser(_html(message))
    images = [source for node in page.css("img[src]") if (source := node.attributes["src"])]
    links = [target for node in page.css("a[href]") if (target := node.attributes["href"])]
    if unsubscribe:
        links.append(unsubscribe[1])
    links = [link for link in dict.fromkeys(links) if link.startswith(("http://", "https://"))]
    return Letter(
        address=address,
        pixel=next((source for source in images if _PIXEL.search(source)), ""),
        clicks=tuple(link for link in links if _CLICK.search(link)),
        links=tuple(links),
        unsubscribe=unsubscribe[1] if unsubscribe else "",
        one_click="List-Unsubscribe=One-Click" in str(message.get("List-Unsubscribe-Post", "")),
    )


def _html(message: Message) -> str:
    for part in message.walk():
        if part.get_content_type() == "text/html":
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                return content.decode(part.get_content_charset() or "utf-8", "replace")
    return ""


def _header(head: str, name: str) -> str:
    found = re.search(rf"^{name}:\s*(.+?)\s*$", head, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else ""
