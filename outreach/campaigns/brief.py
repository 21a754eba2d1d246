"""What an approver is told of a plan, in a mail and on a page: the message, who gets it, what is new about it."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from outreach.campaigns.difference import from_last, last
from outreach.campaigns.samples import typical
from outreach.errors import OutreachError
from outreach.rendering.message import CompiledMessage
from outreach.rendering.preview import render_preview
from outreach.segmentation.catalogue import load_catalogue
from outreach.segmentation.explain import explain
from outreach.settings import Settings
from outreach.store import campaigns, deliveries, digests
from outreach.store.campaigns import Campaign

MOST_LINES: Final = 12
"""Changed lines of text that are shown; ours. Who wants more compares the files."""
_LONGEST: Final = 160


@dataclass(frozen=True, slots=True)
class Brief:
    """One plan, as somebody reads it who decides."""

    name: str
    organisation: str
    subject: str
    sender: str
    people: int
    audience: str
    """Who they are, in a sentence."""
    left_out: tuple[str, ...]
    languages: tuple[str, ...]
    due: str
    planned_by: str
    emergency: str
    """REAL EMERGENCY, or DRILL, which looks like nothing real; empty for anything else."""
    is_first: bool
    differences: tuple[str, ...]
    changes: tuple[tuple[str, str], ...]
    """What happened to a line of the text (gone, new), and the line."""
    warnings: tuple[str, ...]
    text: str
    html: str

    @property
    def to_whom(self) -> str:
        return "1 person" if self.people == 1 else f"{self.people:,} people"


def brief(connection: Connection, settings: Settings, campaign: Campaign, *, now: dt.datetime) -> Brief:
    """Everything as it was planned; the message as a made-up person gets it in the campaign's main language."""
    language = main_language(campaign, settings)
    subject, html, text = _shown(connection, campaign, language) or (str(campaign.plan["subject"]), "", "")
    before = last(connection, campaign)
    old = _shown(connection, before, language) if before is not None else None
    changes = tuple(_changes(old[2], text)) if old is not None else ()
    # Where the changed lines can be shown, that there are some need not be said.
    plain = f"the message in {language} is another" if changes else ""
    return Brief(
        name=campaign.name,
        organisation=settings.text("organisation.name"),
        subject=subject,
        sender=str(campaign.plan["from"]),
        people=campaign.reaches,
        audience=_audience(connection, settings, campaign, now=now) + _in_digests(campaign),
        left_out=tuple(f"{count:,} {reason}" for reason, count in campaign.plan.get("excluded", {}).items()),
        languages=tuple(campaign.plan["messages"]),
        due=str(campaign.plan.get("schedule", {}).get("shown", "")),
        planned_by=str(campaign.plan.get("planned_by", "")) or "somebody at the shell",
        emergency=_emergency(campaign),
        is_first=before is None,
        differences=tuple(_short(each) for each in from_last(connection, campaign) if each != plain),
        changes=changes,
        warnings=tuple(
            str(each["problem"]) for each in campaign.plan.get("findings", []) if each["severity"] == "warning"
        ),
        text=text,
        html=html,
    )


def main_language(campaign: Campaign, settings: Settings) -> str:
    """The organisation's language if it is one of the message's, else its first."""
    spoken = list(campaign.plan["messages"])
    own = settings.text("organisation.language")
    return own if own in spoken else spoken[0]


def _shown(connection: Connection, campaign: Campaign, language: str) -> tuple[str, str, str] | None:
    """Subject, HTML and text; None for a message that is not kept any more (`outreach retention`)."""
    documents = campaigns.messages(connection, campaign.id)
    if not documents:
        return None
    compiled = CompiledMessage.from_document(documents.get(language) or next(iter(documents.values())))
    try:
        return render_preview(compiled, typical(compiled))
    except OutreachError as error:  # it concerns a made-up person; everybody real was rendered by the gate
        return compiled.subject, "", f"It cannot be shown for a made-up person: {error}"


def _audience(connection: Connection, settings: Settings, campaign: Campaign, *, now: dt.datetime) -> str:
    catalogue = load_catalogue(connection, segments=dict(campaign.plan.get("segments", {})))
    try:
        return explain(campaign.rule, catalogue, now=now, zone=settings.zone)
    except OutreachError:  # a topic or field that it names is gone since
        return f"Whoever this rule chose: {campaign.rule}"


def _in_digests(campaign: Campaign) -> str:
    """How many of them do not get a mail of its own."""
    readers = campaign.reaches - campaign.frozen
    return f" {readers:,} of them read it in their next digest." if readers else ""


def _emergency(campaign: Campaign) -> str:
    if campaign.message_class != "emergency":
        return ""
    return "DRILL" if campaign.plan.get("drill") else "REAL EMERGENCY"


def _changes(old: str, new: str) -> Iterator[tuple[str, str]]:
    shown = 0
    for line in difflib.ndiff(old.splitlines(), new.splitlines()):
        sign, content = line[0], line[2:].strip()
        if sign not in "+-" or not content:
            continue
        if shown == MOST_LINES:
            yield "and", "more"
            return
        shown += 1
        yield ("gone:" if sign == "-" else "new:"), _short(content)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


def counts_in_words(connection: Connection, campaign: Campaign) -> str:
    """How far a campaign is: `1,200 of 4,800 people have it.`"""
    have = deliveries.counts(connection, campaign.id)[deliveries.State.ACCEPTED]
    waiting = digests.waiting_for(connection, campaign.id)
    return f"{have:,} of {campaign.frozen:,} people have it{f', {waiting:,} wait for a digest' if waiting else ''}."
