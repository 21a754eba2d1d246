"""Links of their own that were mailed to staff: what one is for, until when, and what was tried with it.

A link is a credential for one thing: its token covers the plan's hash, the person and the hour it ends, and what is
approved with it is signed by it. Here is only what verifies that signature.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, insert, select, update

from outreach.store.dialects import to_ms
from outreach.store.tables import owner, staff, staff_link
from outreach.store.tables.base import LAST_ID

APPROVE: Final = "approve"
STOP: Final = "stop"
MAX_CODES: Final = 10
"""So many may be typed; then the link is void. A code has 40 bits, so this is for the person, who should hear of it."""


@dataclass(frozen=True, slots=True)
class StaffLink:
    """One link."""

    id: int
    kind: str
    campaign_id: int
    plan_hash: str
    staff_id: int
    made_at: dt.datetime
    expires_at: dt.datetime
    public_key: bytes
    code_hash: bytes | None
    wrong_codes: int
    revoked_at: dt.datetime | None

    def covered(self) -> bytes:
        """What its token covers besides its number and its person."""
        return f"{self.kind} {self.campaign_id} {self.plan_hash} {to_ms(self.expires_at)}".encode()


_COLUMNS = [staff_link.c[name] for name in StaffLink.__slots__]


def add(
    connection: Connection,
    *,
    kind: str,
    campaign_id: int,
    plan_hash: str,
    staff_id: int,
    now: dt.datetime,
    expires_at: dt.datetime,
) -> StaffLink:
    """A new link, worth nothing until `seal`; earlier ones of the kind for this campaign and person end with it."""
    mine = (staff_link.c.kind == kind) & (staff_link.c.campaign_id == campaign_id) & (staff_link.c.staff_id == staff_id)
    connection.execute(update(staff_link).where(mine, staff_link.c.revoked_at.is_(None)).values(revoked_at=now))
    made = connection.execute(
        insert(staff_link).values(
            kind=kind,
            campaign_id=campaign_id,
            plan_hash=plan_hash,
            staff_id=staff_id,
            made_at=now,
            expires_at=expires_at,
            public_key=bytes(32),
        )
    ).inserted_primary_key
    assert made is not None
    found = find(connection, made[0])
    assert found is not None
    return found


def seal(connection: Connection, link_id: int, *, public_key: bytes, code_hash: bytes | None) -> None:
    connection.execute(
        update(staff_link).where(staff_link.c.id == link_id).values(public_key=public_key, code_hash=code_hash)
    )


def find(connection: Connection, link_id: int) -> StaffLink | None:
    """By the number in its token, which may be anything in a forged one."""
    if link_id > LAST_ID:
        return None
    row = connection.execute(select(*_COLUMNS).where(staff_link.c.id == link_id)).one_or_none()
    return StaffLink(**row._mapping) if row else None


def key_of(connection: Connection, link_id: int, *, by: str, plan_hash: str) -> bytes | None:
    """What verifies an approval that was given with a link, if it was that person's link to that plan."""
    found: bytes | None = connection.execute(
        select(staff_link.c.public_key)
        .join(staff, staff.c.id == staff_link.c.staff_id)
        .where(
            staff_link.c.id == link_id,
            staff_link.c.kind == APPROVE,
            staff_link.c.plan_hash == plan_hash,
            staff.c.name == by,
        )
    ).scalar_one_or_none()
    return found


def take_try(connection: Connection, link_id: int) -> int:
    """Count one more code, before it is looked at; how many may follow, or -1 if this one is too many.

    In one statement: however many are typed at the same moment, no more than MAX_CODES are ever compared.
    """
    left = staff_link.c.wrong_codes < MAX_CODES
    counted = (
        update(staff_link).where(staff_link.c.id == link_id, left).values(wrong_codes=staff_link.c.wrong_codes + 1)
    )
    tried = connection.execute(counted.returning(staff_link.c.wrong_codes)).scalar_one_or_none()
    return -1 if tried is None else MAX_CODES - tried


def revoke(connection: Connection, link_id: int, *, now: dt.datetime) -> None:
    """The link is worth nothing any more."""
    mine = (staff_link.c.id == link_id) & staff_link.c.revoked_at.is_(None)
    connection.execute(update(staff_link).where(mine).values(revoked_at=now))


def waiting(connection: Connection, staff_id: int, *, now: dt.datetime) -> list[StaffLink]:
    """Plans that somebody was asked to approve, and may still."""
    rows = connection.execute(
        select(*_COLUMNS).where(
            staff_link.c.staff_id == staff_id,
            staff_link.c.kind == APPROVE,
            staff_link.c.revoked_at.is_(None),
            staff_link.c.expires_at > now,
        )
    )
    return [StaffLink(**row._mapping) for row in rows]


def asked(connection: Connection, campaign_id: int) -> list[int]:
    """The staff who were asked to approve a campaign."""
    mine = (staff_link.c.campaign_id == campaign_id) & (staff_link.c.kind == APPROVE)
    return list(connection.execute(select(staff_link.c.staff_id).where(mine).distinct()).scalars())


def owner_of(connection: Connection, campaign_id: int) -> int | None:
    """Who has taken a campaign over from whoever planned it; None: nobody had to."""
    return connection.execute(select(owner.c.staff_id).where(owner.c.campaign_id == campaign_id)).scalar_one_or_none()


def take_over(connection: Connection, campaign_id: int, staff_id: int, *, now: dt.datetime) -> None:
    changed = connection.execute(
        update(owner).where(owner.c.campaign_id == campaign_id).values(staff_id=staff_id, since=now)
    ).rowcount
    if not changed:
        connection.execute(insert(owner).values(campaign_id=campaign_id, staff_id=staff_id, since=now))
