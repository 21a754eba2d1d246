"""A wrong link in a message that has been sent: its clicks can be led elsewhere, for all who have the mail already.

Only the campaign's link file changes, in place, and the tracking service reads it within a second. What was approved
and sent stays as it is in the plan. A send that goes on later, by hand or by cron, leaves the file as it is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from outreach.errors import Blocked, UsageError
from outreach.preflight.links import is_among
from outreach.rendering.personal import fields_of
from outreach.settings import Settings
from outreach.store.acting import require
from outreach.store.campaigns import Campaign
from outreach.store.permissions import Object, Verb
from tracking.links import LinkTable, LinkTables, destination, publish


def relink(settings: Settings, campaign: Campaign, *, old: str, new: str) -> Path:
    """Lead every click on `old` to `new` from now on. UsageError or BadDestination says what cannot be.

    ApprovalMissing for who may not approve campaigns of that department.
    """
    right = (Verb.APPROVE, Object.CAMPAIGN)
    require(right, department=campaign.department_id, what=f"leading a link of {campaign.name} elsewhere")
    folder = settings.data / "links"
    table = _table(folder, campaign)
    if old not in table.links:
        raise UsageError(f"{campaign.name} has no link to {old}; it has {', '.join(table.links) or 'none'}")
    destination(new)
    if lacking := set(fields_of(new)) - set(fields_of(old)):
        known = ", ".join(f"{{{field}}}" for field in fields_of(old)) or "no field"
        raise UsageError(f"the mail that was sent does not carry {{{min(lacking)}}}; this link carries {known}")
    hosts = tuple(settings.text("gate.link_hosts").lower().replace(",", " ").split())
    if hosts and not is_among(new, hosts):
        raise Blocked(f"{new} is not among the hosts this city links to (gate.link_hosts)")
    links = tuple(new if url == old else url for url in table.links)
    return publish(folder, campaign.id, replace(table, links=links, plan=campaign.plan_hash))


def published(folder: Path, campaign: Campaign) -> LinkTable | None:
    """A campaign's links as its file has them; None without a file, or with one that is of another plan.

    The first release wrote no plan into them: such a file is of the campaign that has begun.
    """
    found = LinkTables(folder).get(campaign.id)
    if found is None:
        return None
    plan = found.table.plan
    mine = plan == campaign.plan_hash or (not plan and campaign.started_at is not None)
    return found.table if mine else None


def _table(folder: Path, campaign: Campaign) -> LinkTable:
    found = published(folder, campaign)
    if found is None:
        raise UsageError(f"{campaign.name} has not been sent yet: change its file, and plan it anew")
    return found
