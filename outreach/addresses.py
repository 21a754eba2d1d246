"""E-mail addresses, normalised once on entry, so that one person is one key everywhere.

`normalise` answers with one lower-case ASCII form or refuses with a reason in words. The verdict is
email-validator's (no DNS, no quoted local parts, no SMTPUTF8): its answer for a domain is remembered,
so that a file of a million rows asks it about a thousand domains only.

Lower-casing the local part is a choice: RFC 5321 (2.4) lets a server tell `Ada@` from `ada@`, no
server in use does, and two letters to one person would be worse.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from email_validator import EmailNotValidError, validate_email

from outreach.errors import UsageError

MAX_ADDRESS: Final = 254  # RFC 3696, erratum 1690
_DOMAINS_REMEMBERED: Final = 65_536

# A dot-atom (RFC 5322, 3.2.3) of ASCII at something that may be a domain: what nearly every row holds.
_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]++"
_PLAIN = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+@[^@\s]+", re.ASCII)
_PLAIN_LINE = re.compile(rf"^(?:{_ATOM}(?:\.{_ATOM})*+@([^@\s]+)|.*)$", re.ASCII | re.MULTILINE)
_THOUGHTS_REMEMBERED: Final = 4_096
_BRACKETED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]+)>")
# str.strip() knows no-break spaces, but not the invisible characters that web pages and BOMs leave behind.
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"
_QUOTES = "\"'"


class BadAddress(UsageError):
    """This is not an address we can write to; the message says why."""


def normalise(text: str) -> str:
    """The one form of an address: lower case, ASCII, the domain as A-label (RFC 5890). Raises BadAddress.

    Forgives what people paste: spaces around, `mailto:`, angle brackets, a display name before them.
    """
    if _PLAIN.fullmatch(text) and (address := _plain(text)):
        return address
    bare = strip(text)
    if _PLAIN.fullmatch(bare) and (address := _plain(bare)):
        return address
    address, reason = _verdict(bare) if len(bare) <= MAX_ADDRESS else _verdict.__wrapped__(bare)
    if reason:
        raise BadAddress(reason)
    return address


@lru_cache(maxsize=_THOUGHTS_REMEMBERED)
def _verdict(bare: str) -> tuple[str, str]:
    """The normal form, or why there is none. Remembered: `n/a` and `none` stand in a file a thousand times."""
    try:
        found = validate_email(bare, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        return "", _reason(bare, error)
    if found.ascii_email is None:
        return "", "letters outside a to z before the @-sign cannot be delivered everywhere"
    return found.ascii_email.lower(), ""


def plain_forms(texts: Sequence[str]) -> list[str | None]:
    """What `normalise` says of each, at a fifth of its cost; None for those it has to think about, or refuses.

    All are looked at as one text, a line for each.
    """
    if not texts:
        return []
    lines = "\n".join(map(str.strip, texts))
    if not lines.isascii() or lines.count("\n") != len(texts) - 1:  # K (KELVIN SIGN) in lower case is a plain k
        lines = "\n".join(text if text.isascii() and "\n" not in text else "" for text in map(str.strip, texts))
    lower = lines.lower()
    domains = _PLAIN_LINE.findall(lower)
    good = {domain for domain in set(domains) if 0 < len(domain) < MAX_ADDRESS and _domain(domain) == domain}
    return [
        address if domain in good and len(address) <= MAX_ADDRESS else None
        for address, domain in zip(lower.split("\n"), domains, strict=True)
    ]


def _plain(text: str) -> str | None:
    """The normal form of a dot-atom at a known good domain; None leaves the verdict to email-validator."""
    if len(text) > MAX_ADDRESS:
        return None
    local, _, domain = text.partition("@")
    ascii_domain = _domain(domain.lower())
    if ascii_domain is None:
        return None
    address = f"{local.lower()}@{ascii_domain}"
    return address if len(address) <= MAX_ADDRESS else None


@lru_cache(maxsize=_DOMAINS_REMEMBERED)
def _domain(domain: str) -> str | None:
    """The domain as A-label, or None if email-validator refuses it."""
    try:
        return validate_email(f"a@{domain}", check_deliverability=False).ascii_domain
    except EmailNotValidError:
        return None


def strip(text: str) -> str:
    """The address within what was pasted; unchanged where there is no single one to be found."""
    text = text.strip().strip(_INVISIBLE).strip().rstrip(";,").rstrip()
    if bracketed := _BRACKETED.fullmatch(text):
        name, inner = bracketed["name"].strip().strip(_QUOTES).strip(), bracketed["address"].strip()
        # `a@b.example<c@d.example>` names two addresses; whom it means is not ours to guess.
        if "@" not in name or name.lower() == inner.lower():
            text = inner
    if text[:7].lower() == "mailto:":
        text = unquote(text[7:].partition("?")[0]).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        text = text[1:-1].strip()
    return text


def _reason(text: str, error: EmailNotValidError) -> str:
    if not text:
        return "there is no address"
    if text.count("@") == 0:
        return "an address must have an @-sign"
    return str(error)


def slug(text: str, *, otherwise: str) -> str:
    """Text as it stands in a header or a file name: `Parking & Street Sweeping` is `parking-street-sweeping`."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in text.lower())
    return "-".join(plain.split()) or otherwise


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """The key under which a name is found again: `Parking  & Street Sweeping` is `parking & street sweeping`."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
