"""Whose mail came back? Only our own token says so: in the return path, the Message-ID or the unsubscribe link.

The address a report names proves nothing, for anybody may write one about anybody. With a token, the
worst a forger can do is to bounce the mail that they were sent themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from outreach.tokens import BadToken, KeyRing, Purpose, Subject, token_in_return_path

_RETURN_PATH = re.compile(r"(?<![a-z0-9])b-[a-z2-7]{30,40}(?=@|=|\+)", re.IGNORECASE)
_TOKEN = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{28}(?![A-Za-z0-9_-])")
_IN_WORDS = (Purpose.MESSAGE_ID, Purpose.UNSUBSCRIBE)
MAX_TRIES = 50


def find(places: Iterable[str], keys: KeyRing) -> Subject | None:
    """Whom the mail was for, by the first token of ours in `places`; None if there is none."""
    tries = 0
    for place in places:
        for found in _RETURN_PATH.findall(place):
            if subject := _verified(Purpose.RETURN_PATH, token_of(found), keys):
                return subject
        for found in _TOKEN.findall(place):
            tries += 1
            if tries > MAX_TRIES:
                return None
            for purpose in _IN_WORDS:
                if subject := _verified(purpose, found, keys):
                    return subject
    return None


def token_of(local: str) -> str:
    """The token in a return path's local part; "" if it is damaged."""
    try:
        return token_in_return_path(f"{local}@")
    except BadToken:
        return ""


def asks_to_leave(texts: Iterable[str], keys: KeyRing) -> Subject | None:
    """Whom an unsubscribe mail is about: only the token of the unsubscribe link may unsubscribe."""
    for text in texts:
        for found in _TOKEN.findall(text[:4000])[:MAX_TRIES]:
            if subject := _verified(Purpose.UNSUBSCRIBE, found, keys):
                return subject
    return None


def _verified(purpose: Purpose, token: str, keys: KeyRing) -> Subject | None:
    try:
        return keys.verify(purpose, token)
    except BadToken:
        return None
