"""Header lines that are what they seem: validated, encoded and folded by us.

Python 3.11's `email` turns `=?UTF-8?Q?=0A?=Bcc:` in a subject into a real Bcc; so every name and value passes here,
and nothing that could begin another line, or be decoded into one, is ever written as it stands.
"""

from __future__ import annotations

import re
from base64 import b64encode
from functools import lru_cache
from typing import Final

from outreach.errors import OutreachError

MAX_VALUE: Final = 998
"""Characters of one value, and so of one line even if nobody folds it (RFC 5322, 2.1.1)."""

LINE: Final = 76
"""Where folding aims (RFC 5322, 2.1.1; RFC 2047, section 2)."""

_WORD_BYTES = 39  # with `Subject: ` before it, a line of 73; RFC 2047 allows 76 (section 2)
_NAME = re.compile(r"[!-9;-~]{1,64}").fullmatch
# C0 and C1 controls, and the separators some software treats as line ends.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]").search
_ASCII = re.compile(r"[ -~]*").fullmatch
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*").fullmatch
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
).fullmatch


class HeaderError(OutreachError):
    """A value that may not stand in a header."""


def tidy(text: str) -> str:
    """One line without edges or runs of blanks, as a header's text is read. HeaderError for what could begin a line."""
    if _FORBIDDEN(text):
        raise HeaderError("a header's text contains a line break or control character")
    return re.sub(r"[ \t]+", " ", text).strip(" ")


@lru_cache(maxsize=4096)  # most subjects of a campaign are one of few
def unstructured(text: str) -> str:
    """A subject or the like, as one logical line of ASCII; encoded words (RFC 2047) where it is not plain."""
    text = tidy(text)
    # A text that looks like an encoded word is encoded itself, so that it arrives as it was written.
    value = text if _ASCII(text) and "=?" not in text and _foldable(text) else encoded_words(text)
    if len(value) > MAX_VALUE:
        raise HeaderError(f"a header's text has {len(text)} characters, which is too long")
    return value


def subject(text: str) -> str:
    """`unstructured`, and never empty."""
    value = unstructured(text)
    if not value:
        raise HeaderError("the subject is empty for this person")
    return value


def _foldable(text: str) -> bool:
    return len(text) <= 60 or max(map(len, text.split(" "))) <= 60


def encoded_words(text: str) -> str:
    """RFC 2047, section 2: words of at most 75 characters, no character divided between two (section 5)."""
    words: list[bytes] = []
    current = b""
    for character in text:
        encoded = character.encode()
        if len(current) + len(encoded) > _WORD_BYTES:
            words.append(current)
            current = b""
        current += encoded
    words.append(current)
    return " ".join(f"=?utf-8?b?{b64encode(word).decode('ascii')}?=" for word in words)


@lru_cache(maxsize=16_384)
def phrase(name: str) -> str:
    """A display name (RFC 5322, 3.2.5): plain atoms, a quoted string, or encoded words; nothing for blanks alone."""
    name = tidy(name)
    if not _ASCII(name) or "=?" in name:
        return encoded_words(name)
    if _ATOMS(name):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def address(text: str) -> str:
    """An address as it may stand in a header and an envelope: dot-atom, ASCII, nothing quoted (RFC 5321, 4.1.2)."""
    if not _ADDRESS(text) or len(text) > 254 or text.index("@") > 64:
        raise HeaderError("an address is not one that can be written to")
    return text


def mailbox(name: str, text: str) -> str:
    shown = phrase(name)
    return f"{shown} <{address(text)}>" if shown else address(text)


def checked(name: str, value: str) -> str:
    """A ready value, or HeaderError when it could not be written as it stands."""
    if not _NAME(name):
        raise HeaderError(f"{name!r} is no header name")
    if not _ASCII(value) or "  " in value or value != value.strip() or not value:
        raise HeaderError(f"the {name} header would contain a line break, a run of blanks or something else than ASCII")
    if len(value) > MAX_VALUE:
        raise HeaderError(f"the {name} header has {len(value)} characters; at most {MAX_VALUE} are allowed")
    return value


def line(name: str, value: str) -> str:
    """`Name: value` and CRLF, folded at its blanks, so that unfolding it (RFC 5322, 2.2.3) gives the value again."""
    if len(name) + len(value) <= LINE - 2:
        return f"{name}: {value}\r\n"
    out = f"{name}:"
    column = len(out)
    for word in value.split(" "):
        if column + 1 + len(word) > LINE and column > len(name) + 1:
            out += "\r\n"
            column = 0
        out += f" {word}"
        column += 1 + len(word)
    return out + "\r\n"
