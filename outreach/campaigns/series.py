"""What nobody signed by hand: an occurrence of a recurring campaign, and a digest of campaigns.

An occurrence stands for the plan that was approved for the whole series, named in it by name and hash; all that a
reader or an auditor would call its content has to be the same. Only its moment and its people are new. If they have
become so many that whoever planned the series could not have approved it alone, it stands for itself, and a second
person has to approve it; later ones stand for that one then. A digest stands for the campaigns it quotes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from outreach.addresses import fold
from outreach.campaigns.terms import plan_hash
from outreach.store import campaigns, digests
from outreach.store.campaigns import Campaign

WINDOW: Final = "until when it may be sent (`not_after:`)"
_SAME: Final = {
    "messages": "the message",
    "links": "the links",
    "subject": "the subject",
    "from": "the sender",
    "topic": "the topic",
    "message_class": "the class of its topic",
    "rule": "the rule (`to:`)",
    "rule_hash": "a segment its rule uses",
    "drill": "whether it is a drill",
    "in_doubt": "what happens to messages in doubt",
    "domain": "the sending domain",
    "tracking_url": "the tracking address",
    "list_id": "the List-Id",
}
"""What of a plan has to be as it was approved, and how people call it."""
_SINCE: Final = {"item": "its words in digests", "window": WINDOW}
"""The same, of what older plans do not name, nor those made while there are no digests."""


def stands_for(connection: Connection, series: Campaign, *, reaches: int, above: int) -> dict[str, Any]:
    """What an occurrence's plan says of its approval: whose word it is, and for which plan that was given.

    One made from another names the first of all. None is named if it reaches more than `above` people and that one
    was approved by who planned it.
    """
    origin = approved_as(connection, series) or series
    by = str((origin.approval or {}).get("by", ""))
    if by and reaches > above and is_own(origin, by):
        return {"planned_by": by}
    named = {"name": origin.name, "plan": origin.plan_hash}
    return {"planned_by": by or origin.plan.get("planned_by", ""), "series": series.plan.get("series") or named}


def is_own(campaign: Campaign, name: str) -> bool:
    """Whether somebody planned it; what nobody signed for may be anybody's own."""
    planner = str(campaign.plan.get("planned_by", ""))
    return not planner or planner.startswith("shell user") or fold(planner) == fold(name)


def is_digest(campaign: Campaign) -> bool:
    return campaign.message_class == digests.MESSAGE_CLASS


def approved_as(connection: Connection, occurrence: Campaign) -> Campaign | None:
    """The campaign whose approval an occurrence stands on: itself unless it belongs to a series; None if that is gone.

    A series whose plan is not the one that was named (or was changed by hand since) is gone, too.
    """
    named = occurrence.plan.get("series")
    if not named:
        return occurrence
    try:
        series = campaigns.find(connection, str(named["name"]))
    except campaigns.UnknownCampaign:
        return None
    untouched = series.plan_hash == named["plan"] == plan_hash(series.plan)
    return series if untouched and not series.plan.get("series") else None


def drifted(series: Campaign, occurrence: Campaign) -> Iterator[str]:
    """What of an occurrence is not as its series was approved, in words."""
    for name, words in _SAME.items():
        if series.plan.get(name) != occurrence.plan.get(name):
            yield words
    for name, words in _SINCE.items():
        if name in series.plan and occurrence.plan.get(name, series.plan[name]) != series.plan[name]:
            yield words
    for part in ("text", "zone", "rule"):
        if series.plan.get("schedule", {}).get(part) != occurrence.plan.get("schedule", {}).get(part):
            yield "the schedule"
            return


def item_hash(content: Mapping[str, Any]) -> str:
    """What binds a plan to the words that digests have of it."""
    return plan_hash(content)


def quoted(connection: Connection, digest: Campaign) -> Iterator[tuple[Campaign, Mapping[str, Any]]]:
    """The campaigns that a digest carries to anybody, with their words; entries of feeds belong to none."""
    for each in digests.campaigns_in(connection, digest.id):
        yield campaigns.get(connection, each), digests.content_of(connection, each)


def is_reworded(campaign: Campaign, content: Mapping[str, Any]) -> bool:
    """Whether a campaign's words in digests are not those that were approved. Plans once named none."""
    return bool(campaign.plan.get("item", item_hash(content)) != item_hash(content))
