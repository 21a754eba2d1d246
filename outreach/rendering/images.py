"""What an image file is, by its bytes and never by its name: kind, size in pixels, and the name it is published by.

Only what every mail program shows is taken: PNG, JPEG and GIF.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from outreach.errors import OutreachError

MAX_BYTES: Final = 2_000_000
"""Of one image, ours: what a phone on a bad line still waits for."""
MAX_PIXELS: Final = 25_000_000
"""Width times height, ours: small files can unfold to what crashes a mail program."""
TYPES: Final = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif"}
"""The ends of names, and what a server says they are."""

_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers of a frame, which hold its size (ITU T.81, table B.1)."""


class ImageError(OutreachError):
    """A file that cannot be published as an image."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image as it is published; `name` says what is in it, so that it can be kept for ever."""

    name: str
    width: int
    height: int
    size: int
    """Bytes."""


def examine(data: bytes) -> Image:
    """ImageError for what mail programs do not show, and for what is too large."""
    if len(data) > MAX_BYTES:
        raise ImageError(f"has {len(data) / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:g} MB are sent to people's phones")
    kind, width, height = _read(data)
    if not 0 < width * height <= MAX_PIXELS:
        raise ImageError(f"has {width} × {height} pixels; a mail is 600 wide, and twice that is enough")
    return Image(f"{sha256(data).hexdigest()[:32]}.{kind}", width, height, len(data))


def _read(data: bytes) -> tuple[str, int, int]:
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR" and len(data) >= 24:
        return "png", int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 10:
        return "gif", int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    if data.startswith(b"\xff\xd8"):
        for marker, segment in _segments(data):
            if marker in _SOF and len(segment) >= 5:
                return "jpg", int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[1:3], "big")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        raise ImageError("is a WebP image, which Outlook does not show; save it as PNG or JPEG")
    if b"<svg" in data[:1_000].lower():
        raise ImageError("is an SVG drawing, which mail programs do not show; save it as PNG")
    raise ImageError("is no PNG, JPEG or GIF image, whatever its name says")


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The marker segments of a JPEG before its first scan."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA or length < 2:
            return
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length
