"""MAIL, RCPT and DATA of one message, with the parameters of what the server announced in EHLO.

SIZE (RFC 1870)      the size; a message that is bigger than the server takes is refused here and never sent
8BITMIME (RFC 6152)  BODY=8BITMIME where the content needs it; without the offer such a message is refused here
SMTPUTF8 (RFC 6531)  where an address needs it; without the offer such an address is refused here
DSN (RFC 3461)       only the headers back, failures and delays only, and whom a notice is about

What our composer makes is 7-bit, and the addresses people give are ASCII, so that every relay takes them. A lane takes
any Message, though, and none leaves that would arrive broken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from outreach.rendering.message import Message
from outreach.sending.outcomes import Outcome, Verb, outcome_of

_ADDRESS = re.compile(r"[!-;=?-~]+@[!-;=?-~]+\Z").match
"""Printable ASCII without space or angle brackets: what may stand inside `<>` in MAIL and RCPT."""
_UTF8_ADDRESS = re.compile(r"[^\s<>@\x00-\x20\x7f-\x9f]+@[^\s<>@\x00-\x20\x7f-\x9f]+\Z").match
_XTEXT = re.compile(r"[^!-*,-<>-~]")

Commands = tuple[bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Offer:
    """What the server announced in EHLO."""

    pipelining: bool = False
    dsn: bool = False
    eight_bits: bool = False
    utf8: bool = False
    size: int | None = None
    """The largest message it takes in bytes; 0 if it names none; None if SIZE (RFC 1870) is not offered."""


def envelope(message: Message, offer: Offer) -> Commands | Outcome:
    """The three commands, or the outcome if the server could only refuse them."""
    recipient, return_path = message.recipient, message.return_path
    plain = _ADDRESS(recipient) and _ADDRESS(return_path)
    if not plain and not (_UTF8_ADDRESS(recipient) and _UTF8_ADDRESS(return_path)):
        return outcome_of("553 5.1.3 (ours) an address that cannot stand in an envelope", Verb.RCPT)
    mail, rcpt = f"MAIL FROM:<{return_path}>", f"RCPT TO:<{recipient}>"
    if not plain:
        if not offer.utf8:
            return outcome_of("553 5.6.7 (ours) the relay does not offer SMTPUTF8, which this address needs", Verb.RCPT)
        mail += " SMTPUTF8"
    if message.eight_bit:
        if not offer.eight_bits:
            return outcome_of("554 5.6.3 (ours) the relay does not offer 8BITMIME, which this message needs", Verb.MAIL)
        mail += " BODY=8BITMIME"
    if offer.size is not None:
        if 0 < offer.size < message.size:
            return outcome_of(f"552 5.3.4 (ours) bigger than the {offer.size} bytes the relay takes", Verb.MAIL)
        mail += f" SIZE={message.size}"
    if offer.dsn:  # RFC 3461, sections 4.1 to 4.4; RFC 6533, section 3
        kind = "rfc822" if plain else "utf-8"
        original = _xtext(recipient) if plain else recipient
        mail += f" RET=HDRS ENVID={_xtext(message.message_id)}"
        rcpt += f" NOTIFY=FAILURE,DELAY ORCPT={kind};{original}"
    return f"{mail}\r\n".encode(), f"{rcpt}\r\n".encode(), b"DATA\r\n"


def _xtext(text: str) -> str:
    """RFC 3461, section 4: `+` and hexadecimal for what may not stand as it is."""
    return _XTEXT.sub(lambda match: "".join(f"+{byte:02X}" for byte in match[0].encode()), text)
