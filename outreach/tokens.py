"""Signed links: what a subscriber's click proves, and nothing more.

A token says "campaign, subscriber" under a keyed hash. One salt per purpose, so an open pixel can
never be replayed as an unsubscribe. Keys are listed oldest first; the last one signs and all of
them verify, so rotating a key does not break the links in mail already delivered. This module also
owns the shape of every link, so that the mail and the tracking service cannot disagree.

Layout: key id 1 byte, campaign 4, subscriber 6, BLAKE2b 10 (80 bits, forgeable only online) = 21
bytes = exactly 28 base64url characters, no padding and no spare bits: one spelling per token.
"""

from __future__ import annotations

import base64
import secrets
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path
from typing import NamedTuple

from outreach.errors import ConfigurationError, OutreachError

LENGTH = 28
KEY_BYTES = 32
_MAC_BYTES = 10
_URLSAFE = bytes.maketrans(b"+/", b"-_")
_PLAIN = bytes.maketrans(b"-_+/=", b"+/...")
"""Back again. What only ordinary base64 would say is no letter of ours, so that there is one spelling."""


_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]
_SHIFTS = range(160, -1, -10)


class Purpose(Enum):
    """What a token is for; the value is the hash's personalisation and the first part of the path."""

    OPEN = b"o"
    CLICK = b"c"
    UNSUBSCRIBE = b"u"
    PREFERENCES = b"p"
    VIEW = b"v"
    ANSWER = b"s"
    """To a question in the mail. The answer's number is appended, as a link's is."""
    LINK = b"x"
    """A link whose address holds something of the person's; the token covers that too."""
    CONFIRM = b"k"
    RETURN_PATH = b"b"
    MESSAGE_ID = b"m"
    APPROVE = b"a"
    """One of the staff, asked to approve a plan: its numbers are the link's and the person's."""
    STOP = b"h"
    """One of the staff, who may halt a campaign."""
    FORM = b"f"
    """That a form was shown, and when: its campaign is the second since 1970."""

    # Enum hashes by name, in Python: six look-ups for each message cost more than the hashes they find.
    __hash__ = object.__hash__


class BadToken(OutreachError):
    """A token that we did not sign for this purpose."""


class Subject(NamedTuple):
    """Whom and what a token is about."""

    campaign_id: int
    subscriber_id: int


class KeyRing:
    """Signs with the newest key, verifies with all of them.

    `keys` maps a key id (1 to 255, ascending with age of use) to 32 secret bytes.
    """

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        if not keys:
            raise ConfigurationError("there is no signing key; `outreach init` makes one in keys/tokens")
        self._current = max(keys)
        self._states = {
            (key_id, purpose): blake2b(digest_size=_MAC_BYTES, key=key, person=b"outreach-" + purpose.value)
            for key_id, key in keys.items()
            for purpose in Purpose
        }
        self._copies = {purpose: self._states[self._current, purpose].copy for purpose in Purpose}
        self._prefix = bytes((self._current,))
        self._readers = {purpose: self._reader(purpose) for purpose in Purpose}

    def __repr__(self) -> str:
        return f"KeyRing(signing with key {self._current})"

    @property
    def newest(self) -> int:
        """The id of the key that signs."""
        return self._current

    def sign(self, purpose: Purpose, campaign_id: int, subscriber_id: int, content: bytes = b"") -> str:
        """A token of 28 URL-safe characters, which covers the `content` too. About 1 microsecond."""
        data = self._prefix + campaign_id.to_bytes(4, "big") + subscriber_id.to_bytes(6, "big")
        mac = self._copies[purpose]()
        mac.update(data + content)
        return b2a_base64(data + mac.digest(), newline=False).translate(_URLSAFE).decode("ascii")

    def sign_each(self, purposes: Sequence[Purpose], campaign_id: int, subscriber_id: int) -> list[str]:
        """One token for each purpose, in order, in half the time that `sign` takes for them."""
        data = self._prefix + campaign_id.to_bytes(4, "big") + subscriber_id.to_bytes(6, "big")
        raw = b""
        for purpose in purposes:
            mac = self._copies[purpose]()
            mac.update(data)
            raw += data + mac.digest()
        letters = b2a_base64(raw, newline=False).translate(_URLSAFE).decode("ascii")
        return [letters[start : start + LENGTH] for start in range(0, len(letters), LENGTH)]

    def verify(self, purpose: Purpose, token: str, content: bytes = b"") -> Subject:
        """Whom the token is about, or BadToken, also if it was signed with another `content`."""
        if len(token) != LENGTH:
            raise BadToken("this link is incomplete")
        subject = self._readers[purpose](token.encode("ascii", "replace"), content)
        if subject is None:
            raise BadToken("this link was not made by us, or damaged on its way")
        return subject

    def claimed(self, token: str) -> Subject:
        """What a token says it is about, unproven: to look up what it covers and `verify` that. BadToken if damaged."""
        try:
            raw = a2b_base64(token.encode("ascii", "replace").translate(_PLAIN))
        except Error:
            raw = b""
        if len(token) != LENGTH or len(raw) != LENGTH * 3 // 4:
            raise BadToken("this link is incomplete")
        return Subject(int.from_bytes(raw[1:5], "big"), int.from_bytes(raw[5:11], "big"))

    def reader(self, purpose: Purpose) -> Callable[[bytes], Subject | None]:
        """`verify` for the tracking service's fastest path: a token's bytes to its subject, or None. About 1 us."""
        return self._readers[purpose]

    def _reader(self, purpose: Purpose) -> Callable[..., Subject | None]:
        states = {key_id: state for (key_id, of), state in self._states.items() if of is purpose}

        def read(token: bytes, content: bytes = b"") -> Subject | None:
            # The length is checked before and after: base64 decoding silently skips junk characters.
            try:
                raw = a2b_base64(token.translate(_PLAIN))
            except Error:
                return None
            if len(token) != LENGTH or len(raw) != LENGTH * 3 // 4 or (state := states.get(raw[0])) is None:
                return None
            mac = state.copy()
            mac.update(raw[:11] + content)
            if not compare_digest(mac.digest(), raw[11:]):
                return None
            return Subject(int.from_bytes(raw[1:5], "big"), int.from_bytes(raw[5:11], "big"))

        return read


def return_path(token: str, *, domain: str) -> str:
    """The envelope sender that makes a bounce name its delivery (VERP).

    Base32, because mail servers on the way may change the case of a local part (RFC 5321, 2.4).
    """
    # base64.b32encode, three times as fast: 168 bits and two of padding are 17 pairs of letters.
    bits = int.from_bytes(a2b_base64(token.encode("ascii").translate(_PLAIN)), "big") << 2
    return f"b-{''.join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])}@{domain}"


def token_in_return_path(address: str) -> str:
    """The token inside an address that `return_path` made, or BadToken."""
    local = address.partition("@")[0]
    if not local.lower().startswith("b-"):
        raise BadToken("this is not a return path of ours")
    text = local[2:].upper()
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        raise BadToken("this return path is damaged") from None
    return base64.urlsafe_b64encode(raw).decode("ascii")


def open_url(base: str, token: str) -> str:
    return f"{base}/o/{token}.gif"


def click_base(base: str, token: str) -> str:
    """The link's number is appended: it is not signed, for it can only pick another link of the same message."""
    return f"{base}/c/{token}/"


def answer_base(base: str, token: str) -> str:
    """The answer's number is appended, unsigned for the same reason."""
    return f"{base}/s/{token}/"


def personal_url(base: str, token: str, content: str) -> str:
    """`content` is what the token was signed with: the link's number and the person's values."""
    return f"{base}/x/{token}/{content}"


def unsubscribe_url(base: str, token: str) -> str:
    return f"{base}/u/{token}"


def preferences_url(base: str, token: str) -> str:
    return f"{base}/p/{token}"


def confirm_url(base: str, token: str) -> str:
    return f"{base}/k/{token}"


def view_url(base: str, token: str) -> str:
    return f"{base}/v/{token}"


def approve_url(base: str, token: str) -> str:
    return f"{base}/a/{token}"


def stop_url(base: str, token: str) -> str:
    return f"{base}/h/{token}"


def load_keys(path: Path, *, newest: int | None = None) -> KeyRing:
    """Read a key file: one `ID HEX` a line, oldest first, readable by its owner only.

    `newest`: as the ring was when that key was the latest, to make again what it signed.
    """
    try:
        text = path.read_text("ascii")
    except FileNotFoundError:
        raise ConfigurationError(
            f"the signing keys {path} are missing; links in mail already sent need them: restore them from a backup,"
            " or run `outreach init` in a new workspace"
        ) from None
    try:
        keys = {int(number): bytes.fromhex(key) for number, key in (line.split() for line in text.splitlines() if line)}
    except ValueError:
        raise ConfigurationError(f"{path} is damaged; each line must be a number and 64 hexadecimal digits") from None
    if any(len(key) != KEY_BYTES or not 0 < number < 256 for number, key in keys.items()):
        raise ConfigurationError(f"{path} is damaged; each line must be a number and 64 hexadecimal digits")
    return KeyRing({number: key for number, key in keys.items() if newest is None or number <= newest})


def new_key_line(number: int) -> str:
    return f"{number} {secrets.token_hex(KEY_BYTES)}\n"
