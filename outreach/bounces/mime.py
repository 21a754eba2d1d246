"""Take a mail apart without trusting it: bounded in size, depth, parts and headers, and never raising.

The standard library's parser recurses with the nesting and takes seconds for a hundred thousand
parts. This one walks lines once, and stops reading where a bounce never goes; what it left out is
named in `Part.cut`, so that a reader can refuse to judge a mail it did not see whole.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_BYTES = 10 * 1024 * 1024
"""A larger mail is not opened. Bounces with the whole mail inside are at most a few megabytes."""
MAX_DEPTH = 20
MAX_PARTS = 200
MAX_HEADER_BYTES = 64 * 1024
MAX_HEADERS = 500
MAX_TEXT = 64 * 1024
"""Bytes of one part's text that are decoded and read."""
MAX_WORDS = 50
"""Encoded words (RFC 2047) decoded in one header."""

_FIELD = re.compile(rb"([!-9;-~]{1,80})[ \t]*:[ \t]*(.*)", re.DOTALL)
_WORD = re.compile(r"=\?([\w-]{1,40})(?:\*[\w-]{1,20})?\?([bBqQ])\?([^?\s]{0,1000})\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)\s+(=\?)")
_PARAMETER = re.compile(r';\s*([\w*-]{1,40})\s*=\s*(?:"([^"]{0,300})"|([^;\s]{1,300}))')
_BLOCK_TAG = re.compile(r"<(?:/?(?:p|div|tr|table|h[1-6]|ul|ol)|br|li|hr)\b[^<>]{0,300}>", re.IGNORECASE)
_SCRIPT = re.compile(r"<(style|script|head|title)\b[^<>]{0,300}>[^<]{0,60000}</\1>", re.IGNORECASE)
_TAG = re.compile(r"<[a-zA-Z/!][^<>]{0,300}>")


@dataclass(slots=True)
class Part:
    """One part of a mail; `body` is as it travelled."""

    headers: list[tuple[str, str]]
    body: bytes
    parts: list[Part] = field(default_factory=list)
    cut: str = ""
    """Why not everything was read, in words; empty if it was."""

    def header(self, name: str) -> str:
        """The first header of this name (lower case), unfolded and decoded; "" if there is none."""
        return next((decoded(value) for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        return [decoded(value) for key, value in self.headers if key == name]

    @property
    def type(self) -> str:
        """The media type in lower case; text/plain where none is told (RFC 2045, 5.2)."""
        found = self._raw("content-type").partition(";")[0].strip().lower()
        return found if "/" in found else "text/plain"

    def parameter(self, name: str) -> str:
        value = self._raw("content-type")
        for key, quoted, bare in _PARAMETER.findall(value[:4000]):
            if key.lower() == name:
                return str(quoted or bare)
        return ""

    def text(self) -> str:
        """What a person would read in this part. Never raises; unreadable bytes become U+FFFD."""
        content = to_text(self.content(), self.parameter("charset"))
        return from_html(content) if self.type == "text/html" else content

    def content(self, *, limit: int = MAX_TEXT) -> bytes:
        """The first `limit` bytes with the transfer encoding undone."""
        body, encoding = self.body[: limit * 2], self._raw("content-transfer-encoding").strip().lower()
        if encoding == "quoted-printable":
            body = quopri.decodestring(body)
        elif encoding == "base64":
            body = _base64(body)
        return body[:limit]

    def walk(self) -> Iterator[Part]:
        """This part and those inside it, in the order of the mail."""
        pending = [self]
        while pending:
            part = pending.pop()
            yield part
            pending.extend(reversed(part.parts))

    def _raw(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


def parse(raw: bytes) -> Part:
    """The mail as a tree of parts. Messages inside a message stay leaves: `inner` opens them."""
    if len(raw) > MAX_BYTES:
        return Part([], b"", cut=f"the mail is larger than {MAX_BYTES // 2**20} MB")
    raw = raw.replace(b"\r\n", b"\n")
    if raw.startswith((b"From ", b">From ")):  # the envelope line of an mbox
        raw = raw.partition(b"\n")[2]
    return split(_split(raw))


def split(top: Part) -> Part:
    """Find the parts inside a part, level by level."""
    left, level = MAX_PARTS, [top]
    for _ in range(MAX_DEPTH):
        below: list[Part] = []
        for part in level:
            boundary = part.parameter("boundary")
            if not boundary or not part.type.startswith("multipart/"):
                continue
            pieces = _pieces(part.body, boundary, limit=left)
            if len(pieces) == left:
                top.cut = f"the mail has more than {MAX_PARTS} parts"
                return top
            part.parts = [_split(piece) for piece in pieces]
            left -= len(pieces)
            below += part.parts
        level = below
    if level:
        top.cut = f"the mail's parts are nested more than {MAX_DEPTH} deep"
    top.cut = top.cut or next((part.cut for part in top.walk() if part.cut), "")
    return top


def inner(part: Part) -> Part:
    """The message that a message/rfc822 part carries; its headers only, and not split any further."""
    return _split(part.content() if part._raw("content-transfer-encoding") else part.body)


def decoded(value: str) -> str:
    """A header's value with its encoded words (RFC 2047) read."""
    if "=?" not in value:
        return value
    count = 0

    def word(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        if count > MAX_WORDS:
            return match[0]
        raw = match[3].encode("ascii", "replace")
        raw = quopri.decodestring(raw, header=True) if match[2] in "qQ" else _base64(raw)
        return to_text(raw, match[1])

    return _WORD.sub(word, _BETWEEN_WORDS.sub(r"\1\2", value))


def to_text(raw: bytes, charset: str) -> str:
    """Bytes as text: by the charset named, else UTF-8, else what the bytes look like."""
    if charset and charset.lower() not in ("us-ascii", "utf-8", "utf8", "unknown-8bit"):
        try:
            # "iso-2022-jp" texts use the extended sets of the -ext codec; unknown names raise LookupError.
            name = "iso2022_jp_ext" if charset.lower() == "iso-2022-jp" and b"\x1b" in raw else charset
            if codecs.lookup(name)._is_text_encoding:  # not "zip" or "rot13", which are codecs too
                return raw.decode(name, "replace")
        except (LookupError, ValueError, UnicodeError):
            pass
    if (b"\x1b$B" in raw or b"\x1b$@" in raw) and raw.isascii():  # ISO-2022-JP has seven bits, and is often undeclared
        return raw.decode("iso2022_jp_ext", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("utf-8" if raw.count(b"\xc3") > 3 else "latin-1", "replace")


def from_html(text: str) -> str:
    """Readable lines of an HTML part: block tags become line ends, the others vanish."""
    text = _SCRIPT.sub(" ", text.replace("\n", " "))
    text = html.unescape(_TAG.sub("", _BLOCK_TAG.sub("\n", text)))
    return "\n".join(" ".join(line.split()) for line in text.split("\n"))


def _split(raw: bytes) -> Part:
    """Headers and body of one part."""
    if raw.startswith(b"\n"):
        return Part([], raw[1:])
    head, _, body = raw.partition(b"\n\n")
    cut = ""
    if len(head) > MAX_HEADER_BYTES:
        head, cut = head[:MAX_HEADER_BYTES], f"a header is larger than {MAX_HEADER_BYTES // 1024} KB"
    headers: list[tuple[str, str]] = []
    lines = re.sub(rb"\n[ \t]+", b" ", head).split(b"\n")
    for line in lines[:MAX_HEADERS]:
        match = _FIELD.match(line)
        if match is None:
            # Some reports forget the empty line, or begin a header without a name.
            if not headers:
                return Part([], raw)
            continue
        headers.append((match[1].decode("ascii").lower(), to_text(match[2], "").strip()))
    return Part(headers, body, cut=cut or ("there are too many headers" if len(lines) > MAX_HEADERS else ""))


def _pieces(body: bytes, boundary: str, *, limit: int) -> list[bytes]:
    """What stands between the boundary's lines; a missing end is forgiven. At most `limit` pieces."""
    mark = b"\n--" + boundary.encode("latin-1", "replace")
    found = (b"\n" + body).split(mark, limit + 1)[1:]
    pieces: list[bytes] = []
    for piece in found[:limit]:
        if piece.startswith(b"--"):
            break
        rest = piece.partition(b"\n")
        # A boundary that only begins like ours belongs to an inner multipart.
        if rest[0].strip():
            if pieces:
                pieces[-1] += mark + piece
            continue
        pieces.append(rest[2])
    return pieces


def _base64(raw: bytes) -> bytes:
    """Base64 with whatever damage it has: other bytes are passed over, a missing end is forgiven."""
    kept = raw.translate(None, _NOT_BASE64)
    kept = kept.partition(b"=")[0]
    try:
        return base64.b64decode(kept[: len(kept) - (len(kept) % 4 == 1)] + b"===")
    except (binascii.Error, ValueError):
        return b""


_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64 = bytes(each for each in range(256) if each not in _BASE64)
