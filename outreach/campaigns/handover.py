"""When somebody leaves: what of theirs is open goes to somebody else, and a page says what that one has to know."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from outreach.addresses import fold
from outreach.errors import UsageError
from outreach.store import audit, campaigns, staff, staff_links
from outreach.store.campaigns import Campaign, Status
from outreach.store.permissions import Object, Right, Verb
from outreach.store.staff import Member

OPEN = (Status.PLANNED, Status.APPROVED, Status.SENDING, Status.PAUSED)
_OWN: Right = (Verb.CHANGE, Object.CAMPAIGN)


@dataclass(frozen=True, slots=True)
class Handover:
    """Who left, who goes on, and with what."""

    leaver: Member
    successor: Member | None
    """None: nothing of theirs was open."""
    open: tuple[Campaign, ...]
    approved: tuple[Campaign, ...]
    """Approved by them and not over: their approval holds."""
    unanswered: tuple[Campaign, ...]
    """They were asked to approve these, and somebody else has to be asked now."""
    at: dt.datetime

    @property
    def file(self) -> str:
        """A name for the page: the day and the person."""
        words = "".join(letter if letter.isalnum() else " " for letter in fold(self.leaver.name))
        return f"{self.at:%Y-%m-%d}-{'-'.join(words.split()) or self.leaver.id}.md"

    def text(self) -> str:
        """The page, in Markdown."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        name = self.leaver.name
        yield f"# Handover: {name}\n"
        yield f"{name} ({self.leaver.roles}) left on {self.at:%Y-%m-%d}."
        yield "Their token, links and shell user open nothing any more."
        if self.successor is not None:
            yield f"\n## Now {self.successor.name}'s\n"
            yield from (f"- {each.name}, {each.status}: {self._next(each)}" for each in self.open)
        if self.unanswered:
            yield "\n## Waiting for somebody else's approval\n"
            yield from (f"- {each.name}: `outreach campaigns ask {each.name}`" for each in self.unanswered)
        if self.approved:
            yield f"\n## Approved by {name}, and that holds\n"
            yield from (f"- {each.name}, {each.status}" for each in self.approved)
        if self.successor is None and not self.unanswered and not self.approved:
            yield "\nNothing of theirs is open."
        yield "\n## What Outreach cannot see\n"
        yield "- passwords they knew: of the relay, the database, the servers, `OUTREACH_NOTIFY_TOKEN`"
        yield "- mailing lists and mailboxes that still go to their address"

    def _next(self, campaign: Campaign) -> str:
        return {
            Status.PLANNED: f"have it approved with `outreach campaigns ask {campaign.name}`, or plan it again",
            Status.APPROVED: f"send it with `outreach campaigns send {campaign.name}`, or stop it",
            Status.SENDING: f"it goes on by itself; watch it with `outreach campaigns status {campaign.name}`",
            Status.PAUSED: f"`outreach campaigns resume {campaign.name}`, or stop it",
        }[campaign.status]


def leave(connection: Connection, leaver: Member, *, successor: Member | None, now: dt.datetime) -> Handover:
    """Let somebody leave in one transaction. UsageError if what is open has nobody who may go on with it."""
    mine = tuple(each for each in campaigns.every(connection, *OPEN) if responsible(connection, each) == leaver.name)
    approved = tuple(each for each in campaigns.every(connection, *OPEN) if each.approved_by == leaver.name)
    waiting = {each.campaign_id for each in staff_links.waiting(connection, leaver.id, now=now)}
    unanswered = tuple(each for each in campaigns.every(connection, Status.PLANNED) if each.id in waiting)
    staff.leave(connection, leaver, now=now)
    if mine:
        successor = successor or _somebody(connection)
        _hand_over(connection, mine, leaver, successor, now=now)
    return Handover(leaver, successor if mine else None, mine, approved, unanswered, now)


def responsible(connection: Connection, campaign: Campaign) -> str:
    """Whose campaign it is: who took it over, else who planned it."""
    taken = staff_links.owner_of(connection, campaign.id)
    if taken is not None:
        return staff.name_of(connection, taken)
    return str(campaign.plan.get("planned_by", ""))


def _hand_over(
    connection: Connection, mine: tuple[Campaign, ...], leaver: Member, successor: Member, *, now: dt.datetime
) -> None:
    for campaign in mine:
        if not successor.actor.may(*_OWN, campaign.department_id):
            raise UsageError(
                f"{campaign.name} was {leaver.name}'s and is {campaign.status}; {successor.name} ({successor.roles}) "
                "may not go on with it. Name somebody who may: --to NAME"
            )
        staff_links.take_over(connection, campaign.id, successor.id, now=now)
        detail = {"from": leaver.name, "to": successor.name}
        audit.note(connection, verb="handover", object=campaign.name, detail=detail, now=now)


def _somebody(connection: Connection) -> Member:
    """An administrator: there is always one."""
    return next(each for each in staff.everyone(connection) if each.is_administrator)
