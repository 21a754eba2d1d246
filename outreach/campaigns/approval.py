"""Approval binds a person to a plan's hash; drift since then makes `send` refuse."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from outreach.addresses import fold
from outreach.campaigns import credentials
from outreach.campaigns.compiling import compile_all
from outreach.campaigns.definition import load
from outreach.campaigns.series import WINDOW, approved_as, drifted, is_digest, is_own, is_reworded, quoted
from outreach.campaigns.terms import plan_hash, sending_domain
from outreach.errors import ApprovalMissing, Blocked, OutreachError, UsageError
from outreach.rendering.message import CompiledMessage
from outreach.segmentation.catalogue import load_catalogue
from outreach.settings import Settings
from outreach.store import acting, campaigns, deliveries, staff, staff_links
from outreach.store.acting import shell_user
from outreach.store.campaigns import Campaign, Status
from outreach.store.database import Store
from outreach.store.staff import Member

LONGEST_NAME: Final = 60
"""Of somebody who approves and is no user; ours."""


def approve(
    store: Store,
    name: str,
    *,
    by: str,
    now: dt.datetime,
    above: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Campaign:
    """Record that `by` approved a plan as it stands, signed with their token.

    While there are no users, the shell's user is recorded beside the name. ApprovalMissing when the token is not
    `by`'s, or when a plan for more than `above` people would be approved by whoever made it; UsageError for a name
    that is too long to keep.
    """
    environment = os.environ if environment is None else environment
    with store.write() as connection:
        campaign = campaigns.find(connection, name)
        refuse_drift(connection, campaign)
        member = credentials.current(connection, environment=environment)
        if member is None:
            if len(by) > LONGEST_NAME:
                raise UsageError(f"`--by` has {len(by)} characters; write a name of at most {LONGEST_NAME}")
            who = f"{by} (shell user {shell_user()[:32]})"
            return _record(connection, campaign, who=who, approval=None, now=now)
        if fold(by) != fold(member.name):
            raise ApprovalMissing(f"the token is {member.name}'s, not {by}'s; everybody approves with their own")
        token = environment.get(credentials.VARIABLE, "")
        if not token:
            raise ApprovalMissing(
                f"an approval is signed: set {credentials.VARIABLE} to your token, or ask for a link by mail with "
                f"`outreach campaigns ask {campaign.name}`"
            )
        return sign(connection, campaign, member, secret=token, above=above, now=now)


def sign(
    connection: Connection,
    campaign: Campaign,
    member: Member,
    *,
    secret: str,
    above: int | None,
    now: dt.datetime,
    link: int | None = None,
) -> Campaign:
    """Record a member's approval of a plan, signed with their token, or with the `link` that was mailed to them.

    ApprovalMissing if they may not approve it; Blocked if it waits for nobody's approval any more.
    """
    refuse_own(campaign, member, above=above)
    statement = _statement(campaign, member.name, now.isoformat(), link)
    approval = {**statement, "signature": credentials.signed(secret, statement)}
    with acting.as_(member.actor):
        return _record(connection, campaign, who=member.name, approval=approval, now=now)


def _record(
    connection: Connection, campaign: Campaign, *, who: str, approval: Mapping[str, Any] | None, now: dt.datetime
) -> Campaign:
    values = {"approved_at": now, "approved_by": who, "approval": approval}
    if not campaigns.set_status(connection, campaign.id, Status.APPROVED, only_from=(Status.PLANNED,), **values):
        by = f" by {campaign.approved_by}" if campaign.status is Status.APPROVED else ""
        raise Blocked(f"{campaign.name} is already {campaign.status}{by}; only a fresh plan can be approved")
    return campaigns.get(connection, campaign.id)


def refuse_own(campaign: Campaign, member: Member, *, above: int | None) -> None:
    """ApprovalMissing for somebody's own plan, if it reaches more than `above` people."""
    if above is not None and campaign.reaches > above and is_own(campaign, member.name):
        raise ApprovalMissing(
            f"{campaign.name} reaches {campaign.reaches:,} people; above {above:,} a second person has to approve what "
            f"{member.name} planned"
        )


def _statement(campaign: Campaign, by: str, at: str, link: int | None) -> dict[str, Any]:
    """What an approver signs: this plan, and no other."""
    with_link = {} if link is None else {"link": link}
    return {"campaign": campaign.name, "plan": campaign.plan_hash, "by": by, "at": at, **with_link}


def refuse_unapproved(campaign: Campaign) -> None:
    if campaign.status is Status.PLANNED:
        raise ApprovalMissing(
            f"{campaign.name} is not approved; somebody has to run: "
            f"outreach campaigns approve {campaign.name} --by NAME"
        )


def refuse_drift(connection: Connection, campaign: Campaign) -> None:
    """Blocked if the plan, a message or a frozen row in the store is not what was planned."""
    _refuse(campaign, list(_stored_drift(connection, campaign)))


def refuse_edited(store: Store, campaign: Campaign, settings: Settings) -> None:
    """Blocked if the campaign's files, its sender or the tracking address changed since the plan."""
    path = settings.root / str(campaign.plan["file"])
    if not path.is_file():
        return  # the plan has all it needs; a file that is gone cannot contradict it
    with store.read() as connection:
        fields = load_catalogue(connection, segments={}).fields
    try:
        drift = list(_edits(campaign, settings, path, known_fields=fields))
    except OutreachError as error:
        drift = [f"the campaign file, which no longer compiles: {error}"]
    _refuse(campaign, drift)


def _edits(campaign: Campaign, settings: Settings, path: Path, *, known_fields: Collection[str]) -> Iterator[str]:
    planned = campaign.plan["messages"]
    definitions = load(path, default_language=settings.text("organisation.language"))
    main = next(iter(definitions.values()))
    now = {
        language: message.hash
        for language, message in compile_all(definitions, settings, known_fields=known_fields).items()
    }
    for language in sorted({*now, *planned}):
        if now.get(language) != planned.get(language):
            yield f"the message in {language}"
    if main.to != campaign.rule:
        yield "the rule (`to:`)"
    sender = f"{main.sender.name} <{main.sender.address}>"
    if sender != campaign.plan["from"]:
        yield f"the sender, now {sender}"
    if " ".join(main.schedule.split()) != campaign.plan.get("schedule", {}).get("text", ""):
        yield "the schedule"
    window = " ".join(main.not_after.split())
    if campaign.plan.get("window", window) != window:
        yield WINDOW
    if sending_domain(settings, main) != campaign.plan["domain"]:
        yield "the sending domain"
    if settings.tracking_url != campaign.plan["tracking_url"]:
        yield "the tracking address"


def _stored_drift(connection: Connection, campaign: Campaign) -> Iterator[str]:
    if plan_hash(campaign.plan) != campaign.plan_hash:
        yield "the plan itself"
    for language, document in campaigns.messages(connection, campaign.id).items():
        if CompiledMessage.from_document(document).hash != campaign.plan["messages"].get(language):
            yield f"the stored message in {language}"
    if campaign.status is not Status.PLANNED:
        yield from _approval_drift(connection, campaign)
    if deliveries.audience_hash(connection, campaign.id) != campaign.plan["audience_hash"]:
        yield "the frozen audience: somebody was added, removed or given another language by hand"


def _approval_drift(connection: Connection, campaign: Campaign) -> Iterator[str]:
    """Why the approval does not hold: its own, its series' for an occurrence, its campaigns' for a digest."""
    if is_digest(campaign):
        for each, content in quoted(connection, campaign):
            yield from (f"{what} of {each.name}, which it quotes" for what in quoted_drift(connection, each, content))
        return
    series = approved_as(connection, campaign)
    if series is None:
        name = campaign.plan["series"]["name"]
        yield f"the approval: {name}, which it is an occurrence of, is not as it was approved"
    elif not _holds(connection, series):
        yield "the approval: it was not signed by the person it names, or not for this plan"
    elif series is not campaign:
        yield from drifted(series, campaign)


def quoted_drift(connection: Connection, campaign: Campaign, content: Mapping[str, Any]) -> Iterator[str]:
    """What of a campaign is not as it was approved, where a digest quotes it with these words."""
    if plan_hash(campaign.plan) != campaign.plan_hash:
        yield "the plan"
    if list(_approval_drift(connection, campaign)):
        yield "the approval"
    if is_reworded(campaign, content):
        yield "the words in digests"


def _holds(connection: Connection, campaign: Campaign) -> bool:
    """Whether the approval is signed for this very plan. Whoever left since has approved all the same.

    Before there were users nobody could sign.
    """
    approval = campaign.approval or {}
    if not approval:
        first = staff.since(connection)
        return first is None or (campaign.approved_at is not None and campaign.approved_at < first)
    by, link = str(approval.get("by", "")), approval.get("link")
    if link is None:
        key = staff.key_of(connection, by)
    else:
        key = staff_links.key_of(connection, int(link), by=by, plan_hash=campaign.plan_hash)
    statement = _statement(campaign, by, str(approval.get("at", "")), link)
    return key is not None and credentials.verifies(key, statement, str(approval.get("signature", "")))


def _refuse(campaign: Campaign, drift: list[str]) -> None:
    if drift:
        raise Blocked(
            f"{campaign.name} is not what was planned any more. Changed: {'; '.join(drift)}. "
            "Nothing was sent. Plan again, look at it, and have it approved"
        )
