"""Asking staff to approve a plan by mail, and telling them how to stop a send: each gets a link of their own.

A link is signed for one purpose and covers the plan's hash, the person and the hour it ends; nothing in it says who
that is. What is approved with it is signed by it, as with a token.
"""

from __future__ import annotations

import datetime as dt
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from outreach.campaigns import credentials, letters
from outreach.campaigns.approval import refuse_own
from outreach.campaigns.brief import brief
from outreach.campaigns.handover import responsible
from outreach.campaigns.orders import signer_of
from outreach.campaigns.series import approved_as, is_digest
from outreach.errors import ApprovalMissing, Blocked, OutreachError, UsageError
from outreach.rendering import letter as writing
from outreach.rendering.letter import Letter
from outreach.rendering.message import Mailbox, Message
from outreach.sending import apart
from outreach.settings import Settings
from outreach.store import acting, audit, campaigns, staff, staff_links
from outreach.store.campaigns import Campaign, Status
from outreach.store.database import Store
from outreach.store.permissions import Object, Right, Verb
from outreach.store.staff import Member
from outreach.store.staff_links import StaffLink
from outreach.tokens import KeyRing, Purpose, approve_url, load_keys, stop_url

CHANGE: Final[Right] = (Verb.CHANGE, Object.CAMPAIGN)
APPROVE: Final[Right] = (Verb.APPROVE, Object.CAMPAIGN)
STOP: Final[Right] = (Verb.STOP, Object.CAMPAIGN)
STOP_FOR: Final = dt.timedelta(days=7)
"""How long a link may stop a send; a send that takes longer has other troubles."""
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""32 letters that cannot be taken for each other: eight of them are 40 bits."""
PURPOSES: Final = {staff_links.APPROVE: Purpose.APPROVE, staff_links.STOP: Purpose.STOP}


@dataclass(frozen=True, slots=True)
class Asked:
    """Who was asked, and until when they may answer."""

    campaign: Campaign
    members: tuple[Member, ...]
    until: dt.datetime
    with_code: bool


def ask(
    store: Store, settings: Settings, name: str, *, names: Sequence[str], token_keys: Path, now: dt.datetime
) -> Asked:
    """Mail a plan to those who may approve it, or to those of them who are named.

    ApprovalMissing for who may not change campaigns of its department: the links that were mailed before end with it.
    UsageError or ApprovalMissing if somebody named may not; TryAgain if the relay does not take it: ask again, and
    the new links take the place of those that may have left.
    """
    above = settings.number("policy.approval_above")
    until = now + dt.timedelta(hours=settings.number("policy.approval_hours"))
    keys = load_keys(token_keys)
    with store.read() as connection:
        campaign = campaigns.find(connection, name)
        acting.require(CHANGE, department=campaign.department_id, what=f"asking for the approval of {campaign.name}")
        if campaign.status is not Status.PLANNED:
            raise Blocked(f"{campaign.name} is already {campaign.status}; only a fresh plan can be approved")
        members = _approvers(connection, campaign, names, above=above)
        told = brief(connection, settings, campaign, now=now)
    with_code = campaign.reaches > settings.number("policy.code_above")
    mails: list[Letter] = []
    with store.write() as connection:  # short: a send may be waiting for the writer's lock
        for member in members:
            code, when = new_code() if with_code else "", letters.moment(until, settings.zone)
            token = new_link(connection, keys, campaign, member, code, now=now, until=until)
            url = approve_url(settings.tracking_url, token)
            mails.append(letters.asking(told, member, url=url, until=when, with_code=with_code))
            if code:
                mails.append(letters.code(told, member, code=code, until=when))
            detail = {"asked": member.name}
            audit.note(connection, verb="ask", object=campaign.name, detail=detail, now=now)
    apart.hand_over(settings, list(_composed(mails, settings, campaign, now=now)))
    return Asked(campaign, tuple(members), until, with_code)


def _approvers(connection: Connection, campaign: Campaign, names: Sequence[str], *, above: int) -> list[Member]:
    if names:
        return [_named(connection, campaign, name, above=above) for name in names]
    may = [
        each for each in staff.permitted(connection, APPROVE, campaign.department_id) if _free(campaign, each, above)
    ]
    found = [each for each in may if each.verified_at]
    if not found:
        remedy = (
            f'verify an address first: outreach users verify "{may[0].name}"'
            if may
            else "an administrator adds somebody with: outreach users add NAME --address ADDRESS --role approver"
        )
        raise ApprovalMissing(f"nobody else may approve {campaign.name} by mail; {remedy}")
    return found


def _named(connection: Connection, campaign: Campaign, name: str, *, above: int) -> Member:
    member = staff.find(connection, name)
    if member is None:
        raise UsageError(f"nobody on the staff is called {name}; see `outreach users list`")
    if not member.actor.may(*APPROVE, campaign.department_id):
        raise ApprovalMissing(f"{member.name} ({member.roles}) may not approve {campaign.name}; ask somebody else")
    if member.verified_at is None:
        raise Blocked(
            f"{member.name}'s address is not verified yet: whoever reads it could approve as {member.name}. "
            f'Verify it first, with a code by mail: outreach users verify "{member.name}"'
        )
    refuse_own(campaign, member, above=above)
    return member


def _free(campaign: Campaign, member: Member, above: int) -> bool:
    """Whether somebody may be asked: nobody is asked about their own plan, if the size asks for a second person."""
    try:
        refuse_own(campaign, member, above=above)
    except ApprovalMissing:
        return False
    return True


def new_link(
    connection: Connection,
    keys: KeyRing,
    campaign: Campaign,
    member: Member,
    code: str,
    *,
    now: dt.datetime,
    until: dt.datetime,
    kind: str = staff_links.APPROVE,
) -> str:
    """The token of a new link of somebody's own."""
    link = staff_links.add(
        connection,
        kind=kind,
        campaign_id=campaign.id,
        plan_hash=campaign.plan_hash,
        staff_id=member.id,
        now=now,
        expires_at=until,
    )
    token = keys.sign(PURPOSES[kind], link.id, member.id, link.covered())
    code_hash = hash_of(code, link) if code else None
    staff_links.seal(connection, link.id, public_key=credentials.public_key(token), code_hash=code_hash)
    return token


def new_code() -> str:
    """`K7QF-3M9X`"""
    letters_of_it = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters_of_it[:4]}-{letters_of_it[4:]}"


def hash_of(code: str, link: StaffLink) -> bytes:
    """As the store keeps it, whatever the spelling."""
    plain = "".join(letter for letter in code.upper() if letter in _LETTERS)
    return blake2b(plain.encode(), digest_size=32, salt=link.id.to_bytes(16, "big")).digest()


def is_code(code: str, link: StaffLink) -> bool:
    """Whether it is what the link asks for, if it asks for anything."""
    return link.code_hash is None or secrets.compare_digest(hash_of(code, link), link.code_hash)


@contextmanager
def announcing(
    store: Store, settings: Settings, campaign: Campaign, *, token_keys: Path, now: dt.datetime
) -> Iterator[None]:
    """While the block sends, mail everybody concerned a link that stops it. Never delays or ends a send."""
    thread = threading.Thread(
        target=_announce, args=(store, settings, campaign, token_keys, now), name="announcing", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        thread.join(apart.SECONDS)


def _announce(store: Store, settings: Settings, campaign: Campaign, token_keys: Path, now: dt.datetime) -> None:
    try:
        announce(store, settings, campaign, token_keys=token_keys, now=now)
    except OutreachError as error:
        detail = {"not sent": type(error).__name__}
        with store.write() as connection:
            audit.note(connection, verb="stop links", object=campaign.name, detail=detail, now=now, who="outreach")


def announce(
    store: Store, settings: Settings, campaign: Campaign, *, token_keys: Path, now: dt.datetime
) -> list[Member]:
    """Mail everybody concerned a link that stops a send of more than policy.approval_above people.

    Digests mail none: each campaign in one had its own, which takes it out of the digests that were not gathered yet.
    """
    if campaign.reaches <= settings.number("policy.approval_above") or is_digest(campaign):
        return []
    keys = load_keys(token_keys)
    with store.read() as connection:
        members = concerned(connection, campaign)
        if not members:
            return []
        told = brief(connection, settings, campaign, now=now)
    with store.write() as connection:  # short: the send has begun
        mails = []
        for member in members:
            token = new_link(
                connection, keys, campaign, member, "", now=now, until=now + STOP_FOR, kind=staff_links.STOP
            )
            url = stop_url(settings.tracking_url, token)
            mails.append(letters.starting(told, member, url=url, approved_by=campaign.approved_by or "nobody"))
        told_to = {"told": ", ".join(each.name for each in members)}
        audit.note(connection, verb="stop links", object=campaign.name, detail=told_to, now=now, who="outreach")
    apart.hand_over(settings, list(_composed(mails, settings, campaign, now=now)))
    return members


def concerned(connection: Connection, campaign: Campaign) -> list[Member]:
    """Whose campaign it is, who approved it or was asked to, and who administers its department; each once.

    Only at addresses that are known to be theirs: the link in the mail is enough to stop a send.
    """
    decided = approved_as(connection, campaign) or campaign  # of a series: once, for every occurrence
    names = {responsible(connection, decided), decided.approved_by or ""}
    asked = set(staff_links.asked(connection, decided.id))
    return [
        each
        for each in staff.permitted(connection, STOP, campaign.department_id)
        if each.verified_at
        and (each.name in names or each.id in asked or any(grant.role == "administrator" for grant in each.grants))
    ]


def tell_planner(
    store: Store, settings: Settings, campaign: Campaign, *, by: str, approved: bool, why: str, now: dt.datetime
) -> None:
    """Mail an approver's answer to whoever's campaign it is, if they are on the staff. TryAgain: the relay is away."""
    with store.read() as connection:
        planner = staff.find(connection, responsible(connection, campaign))
    if planner is None or planner.name == by or planner.verified_at is None:
        return
    organisation = settings.text("organisation.name")
    letter = letters.decided(organisation, planner, name=campaign.name, by=by, approved=approved, why=why)
    with acting.as_(acting.MACHINE):
        apart.hand_over(settings, list(_composed([letter], settings, campaign, now=now)))


def _composed(
    mails: Sequence[Letter], settings: Settings, campaign: Campaign, *, now: dt.datetime
) -> Iterator[Message]:
    domain = str(campaign.plan["domain"])
    sender = Mailbox(settings.text("organisation.name"), f"outreach@{domain}")
    signer = signer_of(settings, domain)
    for letter in mails:
        message_id = f"staff-{secrets.token_hex(12)}@{domain}"
        yield writing.compose(letter, sender=sender, message_id=message_id, signer=signer, now=now)
