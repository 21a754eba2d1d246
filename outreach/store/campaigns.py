"""Campaigns: what was planned, who approved it, and where its sending stands.

planned -> approved -> sending <-> paused
                          |-> finished | stopped
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, or_, select, true, update

from outreach.errors import OutreachError
from outreach.store.acting import current, require
from outreach.store.checkpoints import lock
from outreach.store.permissions import Object, Verb
from outreach.store.tables import campaign, message
from outreach.store.tables.base import LAST_ID

APPROVER_LENGTH: Final = 120
"""Characters of `approved_by` that are kept."""


class Status(StrEnum):
    """Where a campaign stands."""

    PLANNED = "planned"
    APPROVED = "approved"
    SENDING = "sending"
    PAUSED = "paused"
    STOPPED = "stopped"
    FINISHED = "finished"


IMPORTED: Final = "imported:"
"""How the file of a campaign is called that another system sent, and whose history was taken over."""
OURS: Final = campaign.c.file.not_like(f"{IMPORTED}%")
"""Campaigns that we sent ourselves: what another system did says nothing about our speed, or our trial."""


class UnknownCampaign(OutreachError):
    """There is no campaign of that name."""

    def __init__(self, name: str, *, known: list[str]) -> None:
        near = difflib.get_close_matches(name, known, 1)
        meant = (
            f"; did you mean {near[0]}?"
            if near
            else f"; there are {', '.join(known)}"
            if known
            else "; none is planned yet"
        )
        super().__init__(f"no campaign is called {name!r}{meant}")


@dataclass(frozen=True, slots=True)
class Campaign:
    """One message to one frozen audience."""

    id: int
    name: str
    file: str
    topic_id: int | None
    department_id: int | None
    message_class: str
    status: Status
    rule: str
    plan: Mapping[str, Any]
    plan_hash: str
    frozen: int
    planned_at: dt.datetime
    approved_at: dt.datetime | None
    approved_by: str | None
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    not_after: dt.datetime | None
    pause_reason: str | None
    approval: Mapping[str, Any] | None = None
    """The signed statement of who approved it; None when there were no users yet."""

    @property
    def reaches(self) -> int:
        """Everybody it is for: who is frozen, and who reads it in their next digest."""
        return self.frozen + int(self.plan.get("in_digests", 0))


_COLUMNS = [campaign.c[name] for name in Campaign.__slots__]


def next_name(connection: Connection, stem: str) -> str:
    """The name of the next plan made from a file: its stem and a running number. Nobody else gets it meanwhile."""
    lock(connection, "campaign names")  # several hosts may plan at the same moment
    names = connection.execute(select(campaign.c.name).where(campaign.c.name.like(f"{stem}-%"))).scalars()
    numbers = [int(match[1]) for name in names if (match := re.fullmatch(re.escape(stem) + r"-(\d+)", name))]
    return f"{stem}-{max(numbers, default=0) + 1}"


def add(connection: Connection, **values: Any) -> int:
    """Insert a planned campaign; returns its id. The rest is filled by `seal` once the audience is frozen."""
    require((Verb.CHANGE, Object.CAMPAIGN), department=values.get("department_id"), what=f"planning {values['name']}")
    identity = connection.execute(insert(campaign).values(status=Status.PLANNED.value, **values)).inserted_primary_key
    assert identity is not None
    return int(identity[0])


def add_message(connection: Connection, campaign_id: int, language: str, *, compiled: Any, hash: str) -> None:
    connection.execute(insert(message).values(campaign_id=campaign_id, language=language, compiled=compiled, hash=hash))


def messages(connection: Connection, campaign_id: int) -> dict[str, Any]:
    """The compiled message document of each language."""
    rows = connection.execute(
        select(message.c.language, message.c.compiled)
        .where(message.c.campaign_id == campaign_id)
        .order_by(message.c.language)
    )
    return {language: compiled for language, compiled in rows}  # noqa: C416 - a result has keys(), which dict() would take


def seal(connection: Connection, campaign_id: int, *, plan: Mapping[str, Any], plan_hash: str, frozen: int) -> None:
    """Fix what will be approved: the plan, its hash, and how many people are frozen."""
    connection.execute(
        update(campaign)
        .where(campaign.c.id == campaign_id)
        .values(
            plan=dict(plan),
            plan_hash=plan_hash,
            frozen=frozen,
            recurring=bool(plan.get("schedule", {}).get("rule")),
        )
    )


def find(connection: Connection, name: str) -> Campaign:
    """A campaign by plan name, number, or the stem of its file (then its latest plan)."""
    stem = re.sub(r"^.*/|\.md$", "", name)
    wanted = [campaign.c.name == stem, campaign.c.file == stem]
    if re.fullmatch(r"[0-9]{1,10}", name) and int(name) <= LAST_ID:
        wanted.append(campaign.c.id == int(name))
    row = connection.execute(
        select(*_COLUMNS).where(or_(*wanted)).order_by((campaign.c.name == stem).desc(), campaign.c.id.desc()).limit(1)
    ).first()
    if row is None:
        known = list(connection.execute(select(campaign.c.name).order_by(campaign.c.id.desc()).limit(20)).scalars())
        raise UnknownCampaign(name, known=known)
    return _campaign(row)


def get(connection: Connection, campaign_id: int) -> Campaign:
    return _campaign(connection.execute(select(*_COLUMNS).where(campaign.c.id == campaign_id)).one())


def status(connection: Connection, campaign_id: int) -> Status:
    return Status(connection.execute(select(campaign.c.status).where(campaign.c.id == campaign_id)).scalar_one())


def every(connection: Connection, *statuses: Status) -> list[Campaign]:
    """All campaigns, or those of the given statuses, oldest first."""
    query = select(*_COLUMNS).order_by(campaign.c.id)
    if statuses:
        query = query.where(campaign.c.status.in_([status.value for status in statuses]))
    return [_campaign(row) for row in connection.execute(query)]


def recurring_files(connection: Connection) -> list[str]:
    """The campaign files that were ever planned with a rule for again and again."""
    found = select(campaign.c.file).where(campaign.c.recurring == true()).distinct().order_by(campaign.c.file)
    return list(connection.execute(found).scalars())


def of_file(connection: Connection, file: str, *, before: int | None = None) -> Iterator[Campaign]:
    """The plans of a file, latest first, each read when it is asked for; `before`: older than this campaign."""
    # Whether it recurs does not matter; saying so lets the index on (recurring, file) find them.
    mine = (campaign.c.file == file) & campaign.c.recurring.in_([False, True])
    while True:
        older = mine if before is None else mine & (campaign.c.id < before)
        before = connection.execute(select(func.max(campaign.c.id)).where(older)).scalar_one()
        if before is None:
            return
        yield get(connection, before)


def set_status(
    connection: Connection, campaign_id: int, status: Status, *, only_from: tuple[Status, ...], **values: Any
) -> bool:
    """Move to `status` if it is in one of `only_from`; False if it was not. ApprovalMissing for who may not."""
    permit(connection, campaign_id, _ASKS.get(status, Verb.CHANGE), what=f"making {{}} {status}")
    changed = connection.execute(
        update(campaign)
        .where(campaign.c.id == campaign_id, campaign.c.status.in_([item.value for item in only_from]))
        .values(status=status.value, **values)
    ).rowcount
    return bool(changed)


_ASKS: Final = {
    Status.APPROVED: Verb.APPROVE,
    Status.SENDING: Verb.SEND,
    Status.FINISHED: Verb.SEND,
    Status.PAUSED: Verb.STOP,
    Status.STOPPED: Verb.STOP,
}
"""What one has to be permitted to bring a campaign there; nothing ever becomes planned again."""


def permit(connection: Connection, campaign_id: int, verb: Verb, *, what: str) -> None:
    """ApprovalMissing unless whoever is at work may do this to a campaign of that department.

    `what` is how a person would call it, with braces for the campaign's name.
    """
    if current().is_person:
        columns = campaign.c.name, campaign.c.department_id
        row = connection.execute(select(*columns).where(campaign.c.id == campaign_id)).one()
        require((verb, Object.CAMPAIGN), department=row.department_id, what=what.format(row.name))


def previous_sizes(connection: Connection, file: str) -> list[int]:
    """How many people earlier campaigns of the same file reached, latest first."""
    rows = connection.execute(
        select(campaign.c.frozen)
        .where(campaign.c.file == file, campaign.c.started_at.is_not(None))
        .order_by(campaign.c.id.desc())
    )
    return list(rows.scalars())


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(campaign)).scalar_one()


def _campaign(row: Row[Any]) -> Campaign:
    values = dict(row._mapping)
    values["status"] = Status(values["status"])
    return Campaign(**values)
