"""The staff's desk behind the links they were mailed: /a/<token> decides about a plan, /h/<token> halts a send.

`outreach track` serves it beside the residents' pages. A GET or HEAD reads and changes nothing, so a scanner that
follows the link does no harm; only a POST decides. Whoever's link it is acts, with the roles they have now: the store
asks whether they may (store.acting). Every refusal is a sentence on the page and a row in the audit log.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from outreach import clock
from outreach.campaigns import asking, lifecycle
from outreach.campaigns.approval import refuse_drift, refuse_edited, sign
from outreach.campaigns.brief import Brief, brief, counts_in_words
from outreach.campaigns.letters import moment
from outreach.errors import ApprovalMissing, Blocked, OutreachError
from outreach.settings import Settings
from outreach.store import acting, audit, campaigns, staff, staff_links
from outreach.store.campaigns import Campaign, Status
from outreach.store.database import Store
from outreach.store.permissions import PAGES
from outreach.store.staff import Member
from outreach.store.staff_links import StaffLink
from outreach.tokens import BadToken, KeyRing
from tracking import answers, forms
from tracking.answers import Answer
from tracking.app import Handler, Route
from tracking.pages.staff import POLICY, StaffPage
from tracking.recording import Request

MAX_WHY: Final = 500
_NOTED_EVERY: Final = 60.0
"""Seconds between two rows of the audit log about links that are not ours: they cost whoever makes them nothing."""
_NOT_IT: Final = "that is not the code; it is in the mail that came beside the one with the link"
_DOING: Final = {"approve": "approving", "refuse": "refusing", "stop": "stopping"}
_log = logging.getLogger(__name__)


class Gone(ApprovalMissing):
    """The link is ours, and whoever it was for has left."""

    def __init__(self, name: str, campaign: str) -> None:
        super().__init__(f"{name} does not work here any more, and this link was theirs alone")
        self.name, self.campaign = name, campaign


class WrongCode(ApprovalMissing):
    """The confirmation code is missing or another; it may be typed again."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody with a link of theirs, and what it is about."""

    token: str
    link: StaffLink
    member: Member
    campaign: Campaign


class Desk:
    """Two routes for `tracking.app`. Each request is answered on a thread of its own."""

    def __init__(self, settings: Settings, keys: KeyRing) -> None:
        self._settings, self._keys = settings, keys
        self._store = Store.open(settings.database_url)
        self._noted = float("-inf")

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("/a/<token>", reads=self._reads(staff_links.APPROVE), posts=self._posts(staff_links.APPROVE)),
            Route("/h/<token>", reads=self._reads(staff_links.STOP), posts=self._posts(staff_links.STOP)),
        )

    # --- from a request to a page -------------------------------------------------------------------------------

    def _reads(self, kind: str) -> Handler:
        async def read(request: Request) -> Answer:
            return await self._answer(lambda: self._shown(kind, request.rest))

        return read

    def _posts(self, kind: str) -> Handler:
        async def post(request: Request) -> Answer:
            body = await forms.body(request.receive)
            fields = forms.fields(body, request.header(b"content-type").encode("latin-1"))
            return await self._answer(lambda: self._done(kind, request.rest, fields))

        return post

    async def _answer(self, make: Callable[[], StaffPage]) -> Answer:
        try:
            page = await asyncio.to_thread(make)
        except BadToken:
            page = self._page("This link does not work", 404, "It may have been cut off. Open it from the mail again.")
        except (ApprovalMissing, Blocked) as error:
            page = self._page("This is not possible", 403, _sentence(error))
        except (OutreachError, SQLAlchemyError) as error:
            _log.error("the staff's desk could not answer: %s", type(error).__name__)
            page = self._page("Please try again in a moment", 503, "Nothing has been changed.")
        return answers.page(page.status, page.html(), policy=POLICY)

    def _page(self, title: str, status: int, problem: str) -> StaffPage:
        return StaffPage(
            title=title, organisation=self._settings.text("organisation.name"), problem=problem, status=status
        )

    # --- looking ------------------------------------------------------------------------------------------------

    def _shown(self, kind: str, token: str) -> StaffPage:
        now = clock.now()
        with self._store.read() as connection:
            visit = self._visit(connection, kind, token)
            with acting.as_(visit.member.actor):
                _refuse_old(visit, now=now, zone=self._settings.zone)
                if kind == staff_links.STOP:
                    lifecycle.refuse_over(connection, visit.campaign)
                told = brief(connection, self._settings, visit.campaign, now=now)
                if kind == staff_links.STOP:
                    return _stop_page(told, visit, counts_in_words(connection, visit.campaign))
                return _approve_page(told, visit)

    def _visit(self, connection: Connection, kind: str, token: str) -> Visit:
        """Whose link this is and what it is about, or BadToken; Gone if they have left."""
        link = staff_links.find(connection, self._keys.claimed(token).campaign_id)
        if link is None or link.kind != kind:
            raise BadToken("there is no such link")
        subject = self._keys.verify(asking.PURPOSES[kind], token, link.covered())
        if subject.subscriber_id != link.staff_id:
            raise BadToken("this link is somebody else's")
        campaign = campaigns.get(connection, link.campaign_id)
        member = staff.by_id(connection, link.staff_id)
        if member is None:
            raise Gone(staff.name_of(connection, link.staff_id), campaign.name)
        return Visit(token, link, member, campaign)

    # --- deciding -----------------------------------------------------------------------------------------------

    def _done(self, kind: str, token: str, fields: Mapping[str, str]) -> StaffPage:
        now = clock.now()
        try:
            with self._store.read() as connection:
                visit = self._visit(connection, kind, token)
        except BadToken:
            self._note_stranger(kind, now=now)
            raise
        except Gone as error:
            self._note(error.name, error.campaign, kind, {"refused": str(error)}, now=now)
            raise
        verb = fields.get("do", "")
        try:
            with acting.as_(visit.member.actor):
                return self._act(visit, verb, fields, now=now)
        except (ApprovalMissing, Blocked) as error:
            self._note(visit.member.name, visit.campaign.name, verb, {"refused": str(error)}, now=now)
            if isinstance(error, WrongCode):
                return replace(self._shown(kind, token), problem=_sentence(error), status=403)
            raise

    def _act(self, visit: Visit, verb: str, fields: Mapping[str, str], *, now: dt.datetime) -> StaffPage:
        wanted = ("stop",) if visit.link.kind == staff_links.STOP else ("approve", "refuse")
        if verb not in wanted:
            raise Blocked(f"a link of this kind can {' or '.join(wanted)}, and nothing was chosen")
        acting.require(
            PAGES[verb], department=visit.campaign.department_id, what=f"{_DOING[verb]} {visit.campaign.name}"
        )
        _refuse_old(visit, now=now, zone=self._settings.zone)
        if not secrets.compare_digest(fields.get("plan", "").encode(), visit.link.plan_hash.encode()):
            raise Blocked(f"that page was about another plan, and this link is for {visit.campaign.name} alone")
        if verb == "approve":
            return self._approve(visit, fields.get("code", ""), now=now)
        if verb == "refuse":
            return self._refuse(visit, " ".join(fields.get("why", "")[:MAX_WHY].split()), now=now)
        return self._stop(visit, now=now)

    def _approve(self, visit: Visit, code: str, *, now: dt.datetime) -> StaffPage:
        refuse_edited(self._store, visit.campaign, self._settings)
        if visit.link.code_hash is not None:
            self._check_code(visit.link, code, now=now)
        with self._store.write() as connection:
            visit = self._visit(connection, visit.link.kind, visit.token)  # as it is now that nobody else can change it
            _refuse_old(visit, now=now, zone=self._settings.zone)
            if not asking.is_code(code, visit.link):
                raise WrongCode(_NOT_IT)
            campaign = visit.campaign
            refuse_drift(connection, campaign)
            above = self._settings.number("policy.approval_above")
            sign(connection, campaign, visit.member, secret=visit.token, above=above, now=now, link=visit.link.id)
            audit.note(connection, verb="page approve", object=campaign.name, detail={"link": visit.link.id}, now=now)
        self._tell(visit, approved=True, why="", now=now)
        due = campaign.plan.get("schedule", {}).get("shown", "")
        after = f"It leaves at its time: {due}." if due else "It leaves when it is sent."
        return self._end(f"Approved: {campaign.name}", f"{campaign.reaches:,} people will get it. {after}")

    def _check_code(self, link: StaffLink, code: str, *, now: dt.datetime) -> None:
        """ApprovalMissing unless it is the code. The try is counted, and that is committed, before it is compared."""
        if not code.strip():
            raise WrongCode("so many people get this that approving it asks for the code from the other mail")
        with acting.as_(acting.MACHINE), self._store.write() as connection:
            left = staff_links.take_try(connection, link.id)
        if left >= 0 and asking.is_code(code, link):
            return
        if left <= 0:
            with acting.as_(acting.MACHINE), self._store.write() as connection:
                staff_links.revoke(connection, link.id, now=now)
            raise ApprovalMissing("that was not the code, too often; this link is void now, have another one sent")
        raise WrongCode(_NOT_IT)

    def _refuse(self, visit: Visit, why: str, *, now: dt.datetime) -> StaffPage:
        name, by = visit.campaign.name, visit.member.name
        reason = f"refused by {by}" + (f": {why}" if why else "")
        # What somebody approves at this moment is under way: that can be stopped, not refused.
        lifecycle.stop(self._store, name, now=now, reason=reason, only_from=(Status.PLANNED,))
        self._note(by, name, "refuse", {"why": why} if why else {}, now=now)
        self._tell(visit, approved=False, why=why, now=now)
        return self._end(f"Refused: {name}", "Nobody gets it. Whoever planned it is told.")

    def _stop(self, visit: Visit, *, now: dt.datetime) -> StaffPage:
        campaign, cancelled = lifecycle.stop(
            self._store, visit.campaign.name, now=now, reason=f"stopped by {visit.member.name}"
        )
        self._note(visit.member.name, campaign.name, "stop", {"cancelled": cancelled}, now=now)
        lifecycle.until_nothing_is_on_the_wire(self._store, campaign.id)
        with self._store.read() as connection:
            have = counts_in_words(connection, campaign)
        return self._end(f"Stopped: {campaign.name}", f"{have} {cancelled:,} will not get it.")

    # --- what they share ----------------------------------------------------------------------------------------

    def _end(self, title: str, line: str) -> StaffPage:
        return StaffPage(title=title, organisation=self._settings.text("organisation.name"), lines=(line,), done=True)

    def _tell(self, visit: Visit, *, approved: bool, why: str, now: dt.datetime) -> None:
        """Mail the answer to whoever planned it; nobody waits for that."""

        def tell() -> None:
            try:
                asking.tell_planner(
                    self._store,
                    self._settings,
                    visit.campaign,
                    by=visit.member.name,
                    approved=approved,
                    why=why,
                    now=now,
                )
            except OutreachError as error:  # it is decided and written down; the mail was a courtesy
                _log.warning("whoever planned a campaign was not told: %s", type(error).__name__)

        threading.Thread(target=tell, name="telling", daemon=True).start()

    def _note(self, who: str, campaign: str, verb: str, detail: Mapping[str, object], *, now: dt.datetime) -> None:
        with acting.as_(acting.MACHINE), self._store.write() as connection:
            verb = f"page {verb}" if verb in PAGES else "page"
            audit.note(connection, verb=verb, object=campaign, detail=dict(detail), now=now, who=who)

    def _note_stranger(self, kind: str, *, now: dt.datetime) -> None:
        """A link that is not ours, or was altered: written down, though not as often as somebody likes."""
        if time.monotonic() - self._noted < _NOTED_EVERY:
            return
        self._noted = time.monotonic()
        detail = {"refused": "a link that we did not make, or that was altered"}
        with self._store.write() as connection:
            audit.note(connection, verb=f"page {kind}", object="", detail=detail, now=now, who="unknown")


def _sentence(error: Exception) -> str:
    """An error as it stands on a page. The names of plans keep their spelling."""
    text = str(error)
    first = text.split(" ")[0]
    return f"{text[0].upper() if first.isalpha() else text[0]}{text[1:]}."


def _refuse_old(visit: Visit, *, now: dt.datetime, zone: dt.tzinfo) -> None:
    """Blocked for a link that is over, or a campaign that waits for no answer any more."""
    link, campaign = visit.link, visit.campaign
    if campaign.plan_hash != link.plan_hash:
        raise Blocked(f"{campaign.name} is not the plan that this link was sent for; have it planned and asked again")
    if link.revoked_at is not None:
        raise Blocked("this link does not work any more; a newer one was sent, or it was withdrawn")
    if now > link.expires_at:
        raise Blocked(f"this link worked until {moment(link.expires_at, zone)}; have another one sent")
    if link.kind == staff_links.APPROVE and campaign.status is not Status.PLANNED:
        by = f" by {campaign.approved_by}" if campaign.approved_by else ""
        raise Blocked(f"{campaign.name} is already {campaign.status}{by}; nothing is left to decide")


def _approve_page(told: Brief, visit: Visit) -> StaffPage:
    return StaffPage(
        title=f"May this go to {told.to_whom}?",
        organisation=told.organisation,
        alarm=told.emergency,
        lines=(told.audience,),
        facts=_facts(told),
        lists=_lists(told),
        text=told.text,
        plan=visit.link.plan_hash,
        does="approve",
        button=f"Approve: {told.to_whom}",
        asks_code=visit.link.code_hash is not None,
        note=f"You decide as {visit.member.name}. Nothing has changed yet.",
    )


def _stop_page(told: Brief, visit: Visit, standing: str) -> StaffPage:
    return StaffPage(
        title="Stop this send?",
        organisation=told.organisation,
        alarm=told.emergency,
        lines=(f"“{told.subject}”", standing, "Whoever has not got it will not get it. It cannot be started again."),
        plan=visit.link.plan_hash,
        does="stop",
        button="Stop it for good",
        note=f"You decide as {visit.member.name}. Nothing has changed yet.",
    )


def _facts(told: Brief) -> tuple[tuple[str, str], ...]:
    found = [("Subject", told.subject), ("From", told.sender), ("Planned by", told.planned_by)]
    if told.due:
        found.append(("Due", told.due))
    if len(told.languages) > 1:
        found.append(("Languages", ", ".join(told.languages)))
    return tuple(found)


def _lists(told: Brief) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    if told.is_first:
        new: tuple[tuple[str, str], ...] = (("", "This is the first plan of this file."),)
    else:
        new = (*(("", each) for each in told.differences), *told.changes) or (("", "Nothing."),)
    found = [("Different from last time", new)]
    if told.warnings:
        found.append(("What the checks warn of", tuple(("", each) for each in told.warnings)))
    if told.left_out:
        found.append(("Left out", tuple(("", each) for each in told.left_out)))
    return tuple(found)
