"""Does an address on the staff belong to that person? A code is mailed there, and has to come back.

Until it does, neither test mails nor campaigns in trial mode go there: a slip of the pen would reach a stranger.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
from hashlib import sha256

from outreach.campaigns import letters
from outreach.campaigns.orders import signer_of
from outreach.errors import Blocked, ConfigurationError, OutreachError, TryAgain
from outreach.rendering import letter
from outreach.rendering.message import Mailbox
from outreach.sending import apart
from outreach.settings import Settings
from outreach.store import staff
from outreach.store.database import Store
from outreach.store.staff import Member
from outreach.store.staff_links import MAX_CODES

_DIGITS = 8


def mail_code(store: Store, settings: Settings, member: Member, *, now: dt.datetime) -> None:
    """Mail a new code to somebody's address. TryAgain: one was just now, or the relay does not take it."""
    domain = settings.text("mail.domain")
    if not domain:
        raise ConfigurationError('no sending domain is set; set domain = "news.city.example" under [mail]')
    code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"
    with store.write() as connection:
        if not staff.mail_code(connection, member, _hash(member, code), now=now):
            raise TryAgain(f"a code was mailed to {member.address} less than a minute ago; look there first")
    mail = letter.compose(
        letters.verifying(settings.text("organisation.name"), member, code=f"{code[:4]} {code[4:]}"),
        sender=Mailbox(settings.text("organisation.name"), f"outreach@{domain}"),
        message_id=f"staff-{secrets.token_hex(12)}@{domain}",
        signer=signer_of(settings, domain),
        now=now,
    )
    try:
        apart.hand_over(settings, [mail])
    except OutreachError:
        with store.write() as connection:
            staff.forget_code(connection, member)  # so that the next try need not wait
        raise


def verify(store: Store, member: Member, code: str, *, now: dt.datetime) -> None:
    """Blocked unless it is the code that was mailed to this person within a day."""
    with store.write() as connection:  # what was tried is counted, whatever comes of it
        right = staff.verify(connection, member, _hash(member, re.sub(r"\D", "", code)), now=now)
    if not right:
        raise Blocked(
            f"that is not the code that was mailed to {member.address} last, or it is older than a day, or {MAX_CODES} "
            f'were tried. For another one: outreach users verify "{member.name}"'
        )


def _hash(member: Member, code: str) -> bytes:
    return sha256(f"{member.id} {member.address} {code}".encode()).digest()
