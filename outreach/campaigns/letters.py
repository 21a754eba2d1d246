"""What staff are written: asked to approve, given a code, told that a send begins and how to stop it.

Always in English, as everything that staff read. No letter holds a resident's data: messages are shown as a made-up
person would get them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from outreach.campaigns.brief import Brief
from outreach.rendering.letter import Letter
from outreach.rendering.message import Mailbox
from outreach.store.staff import Member

_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_RULE: Final = "-" * 60


@dataclass(frozen=True, slots=True)
class Panel:
    """What a letter says, once: it becomes text and HTML."""

    organisation: str
    title: str
    lines: Sequence[str] = ()
    lists: Sequence[tuple[str, Sequence[str]]] = ()
    url: str = ""
    button: str = ""
    code: str = ""
    notes: Sequence[str] = ()
    below: str = ""
    alarm: str = ""

    def text(self) -> str:
        parts = [self.organisation, *([self.alarm] if self.alarm else []), self.title, *self.lines]
        parts += [heading + "\n" + "\n".join(f"- {item}" for item in items) for heading, items in self.lists]
        parts += [self.code] if self.code else []
        parts += [f"{self.button}:\n{self.url}"] if self.url else []
        return "\n\n".join([*parts, *self.notes]) + "\n"

    def html(self, template: str = "letter.html") -> str:
        values = {name: getattr(self, name) for name in self.__slots__}
        return _environment().get_template(template).render(values)


def asking(brief: Brief, member: Member, *, url: str, until: str, with_code: bool) -> Letter:
    """The real mail, and above it what somebody has to know who decides about it."""
    panel = Panel(
        organisation=brief.organisation,
        title=f"May this go to {brief.to_whom}?",
        alarm=brief.emergency,
        lines=(
            brief.audience,
            f"{brief.planned_by} planned {brief.name}, from {brief.sender}."
            + (f" Due: {brief.due}." if brief.due else " It leaves when it is sent, after your approval."),
        ),
        lists=tuple(_lists(brief)),
        url=url,
        button="Look and decide",
        notes=(
            f"This link is yours alone, and works until {until}. Please do not forward this mail.",
            *(("A code comes in a mail of its own: so many people get this.",) if with_code else ()),
        ),
        below=f"Below: the mail as people get it{_in_language(brief)}. Its subject: {brief.subject}",
    )
    html = panel.html()
    if brief.html:
        shown = panel.html("panel.html").replace("\\", r"\\")
        html = _BODY.sub(rf"\g<0>{shown}", brief.html, count=1) if _BODY.search(brief.html) else html
    text = f"{panel.text()}\n{panel.below}\n{_RULE}\n\n{brief.text}"
    return Letter(_to(member), f"Please approve: {brief.subject}", text, html)


def code(brief: Brief, member: Member, *, code: str, until: str) -> Letter:
    panel = Panel(
        organisation=brief.organisation,
        title="Your confirmation code",
        lines=(
            f"For {brief.name}, which {brief.to_whom} would get. The page that decides about it asks for this code:",
        ),
        code=code,
        notes=(f"It works until {until}, for you alone. Nobody will ever ask you for it by mail or phone.",),
    )
    return Letter(_to(member), f"Your code for {brief.name}", panel.text(), panel.html())


def verifying(organisation: str, member: Member, *, code: str) -> Letter:
    """Whether an address on the staff is that person's own."""
    panel = Panel(
        organisation=organisation,
        title="Is this address yours?",
        lines=(f"{member.name} was added to the staff with this address. This code shows that it arrives:",),
        code=code,
        notes=(
            f'Whoever is at the workspace types: outreach users verify "{member.name}" {code.replace(" ", "")}',
            "It works for a day. If you are not that person, do nothing: no other mail will follow.",
        ),
    )
    return Letter(_to(member), f"Your code for {organisation}", panel.text(), panel.html())


def starting(brief: Brief, member: Member, *, url: str, approved_by: str) -> Letter:
    """A send begins, and this is how to stop it."""
    panel = Panel(
        organisation=brief.organisation,
        title=f"Going out now, to {brief.to_whom}",
        alarm=brief.emergency,
        lines=(
            f"“{brief.subject}” ({brief.name})",
            brief.audience,
            f"{brief.planned_by} planned it, {approved_by} approved it.",
            "If something is wrong with it, stop it: whoever has not got it will not get it.",
        ),
        url=url,
        button="Stop this send",
        notes=("The page asks once more before anything stops. The link is yours alone.",),
    )
    return Letter(_to(member), f"Going out now: {brief.subject}", panel.text(), panel.html())


def decided(organisation: str, member: Member, *, name: str, by: str, approved: bool, why: str) -> Letter:
    """To whoever planned it: what an approver said."""
    said = "approved" if approved else "refused"
    after = (
        f"Send it with: outreach campaigns send {name}. If it is scheduled, it goes by itself."
        if approved
        else "Nothing was sent. Mend it, plan it again and ask again."
    )
    lines = (f"{by} {said} {name}.", *((f"Why: {why}",) if why else ()), after)
    panel = Panel(organisation=organisation, title=f"{name} is {said}", lines=lines)
    return Letter(_to(member), f"{said.capitalize()}: {name}", panel.text(), panel.html())


def moment(at: dt.datetime, zone: dt.tzinfo) -> str:
    """Monday 23 November, 14:05 PST"""
    local = at.astimezone(zone)
    return f"{local:%A} {local.day} {local:%B, %H:%M %Z}"


def _lists(brief: Brief) -> list[tuple[str, Sequence[str]]]:
    found: list[tuple[str, Sequence[str]]] = []
    if brief.is_first:
        found.append(("Different from last time", ("There was no last time: this is the first plan of this file.",)))
    else:
        changes = tuple(f"{what} {line}" for what, line in brief.changes)
        same = () if brief.differences or changes else ("Nothing: the same words, people and links.",)
        found.append(("Different from last time", (*brief.differences, *changes, *same)))
    if brief.warnings:
        found.append(("What the checks warn of", brief.warnings))
    if brief.left_out:
        found.append(("Left out", brief.left_out))
    return found


def _in_language(brief: Brief) -> str:
    others = len(brief.languages) - 1
    return f", in one of {others + 1} languages" if others else ""


def _to(member: Member) -> Mailbox:
    return Mailbox(member.name, member.address)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
