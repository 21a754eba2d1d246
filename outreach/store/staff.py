"""The people who work with Outreach, and the roles they hold.

Their token is theirs alone: the store holds what verifies it. Everything that changes here is written down in the audit
log by the function that changes it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from outreach.addresses import fold
from outreach.errors import UsageError
from outreach.store import audit
from outreach.store.acting import HOUSE, Actor, Grant, require
from outreach.store.permissions import ROLES as RIGHTS
from outreach.store.permissions import Object, Right, Verb
from outreach.store.staff_links import MAX_CODES
from outreach.store.tables import department as departments
from outreach.store.tables import staff, staff_link, staff_role

ROLES = tuple(RIGHTS)
CODE_FOR = dt.timedelta(hours=24)
"""How long a code works that was mailed to somebody's address."""
CODE_EVERY = dt.timedelta(minutes=1)
"""Not more often is a code mailed: the address may be a stranger's."""
_MANAGE: Right = (Verb.MANAGE, Object.STAFF)


@dataclass(frozen=True, slots=True)
class Member:
    """One of the staff."""

    id: int
    name: str
    address: str
    public_key: bytes
    shell_user: str | None
    verified_at: dt.datetime | None
    """When a code that was mailed to the address came back; None: it may be a stranger's."""
    grants: tuple[Grant, ...]

    @property
    def actor(self) -> Actor:
        return Actor(self.name, self.grants)

    @property
    def roles(self) -> str:
        """In words: `approver in Parks, author`."""
        return ", ".join(map(str, self.grants)) or "no role"

    @property
    def is_administrator(self) -> bool:
        """Of the whole house."""
        return any(each.role == "administrator" and each.department_id == HOUSE for each in self.grants)


_COLUMNS = [staff.c[name] for name in ("id", "name", "address", "public_key", "shell_user", "verified_at")]
_HERE = staff.c.left_at.is_(None)


def add(
    connection: Connection,
    name: str,
    *,
    address: str,
    role: str,
    public_key: bytes,
    now: dt.datetime,
    department: str | None = None,
    shell_user: str | None = None,
) -> Member:
    """UsageError when somebody of that name is, or was, there already, or there is no such department."""
    department_id = department_of(connection, department)
    require(_MANAGE, department=department_id or None, what=f"adding {name}")
    known = connection.execute(select(staff.c.left_at).where(staff.c.key == fold(name))).one_or_none()
    if known is not None:
        raise UsageError(
            f"{name} is one of the staff already; see `outreach users list`"
            if known.left_at is None
            else f"somebody called {name} worked here before, and what they signed keeps that name; add another one"
            f" as, for example, {name} 2"
        )
    _refuse_taken(connection, shell_user)
    made = connection.execute(
        insert(staff).values(
            name=name, key=fold(name), address=address, public_key=public_key, shell_user=shell_user, created_at=now
        )
    ).inserted_primary_key
    assert made is not None
    connection.execute(insert(staff_role).values(staff_id=made[0], department_id=department_id, role=role))
    grant = Grant(role, department_id, department or "")
    _note(connection, name, now, added=str(grant), **({"shell user": shell_user} if shell_user else {}))
    return Member(made[0], name, address, public_key, shell_user, None, (grant,))


def give(
    connection: Connection, member: Member, *, role: str | None, department: str | None, now: dt.datetime
) -> Member:
    """Give somebody a role in a department or the whole house, in place of the one they have there; None takes it."""
    department_id = department_of(connection, department)
    require(_MANAGE, department=department_id or None, what=f"changing what {member.name} may do")
    here = (staff_role.c.staff_id == member.id) & (staff_role.c.department_id == department_id)
    before = connection.execute(select(staff_role.c.role).where(here)).scalar_one_or_none()
    if before == role:
        return member
    connection.execute(delete(staff_role).where(here))
    if role is not None:
        connection.execute(insert(staff_role).values(staff_id=member.id, department_id=department_id, role=role))
    _keep_an_administrator(connection, f"{member.name} is the only administrator; make another first")
    where = {"in": department} if department else {}
    _note(connection, member.name, now, role=role or "none", before=before or "none", **where)
    changed = by_id(connection, member.id)
    assert changed is not None
    return changed


def log_in_as(connection: Connection, member: Member, shell_user: str | None, *, now: dt.datetime) -> None:
    """Whoever the machine knows by this name is this person, without a token; None: nobody is."""
    _require_all(member, f"saying who {member.name} is at the shell")
    if shell_user != member.shell_user:
        _refuse_taken(connection, shell_user)
    connection.execute(update(staff).where(staff.c.id == member.id).values(shell_user=shell_user))
    _note(connection, member.name, now, **{"shell user": shell_user or "none"})


def leave(connection: Connection, member: Member, *, now: dt.datetime) -> None:
    """Their token, links, roles and shell user are worth nothing from now on; what they signed stays signed."""
    _require_all(member, f"letting {member.name} leave")
    connection.execute(update(staff).where(staff.c.id == member.id).values(left_at=now, shell_user=None))
    connection.execute(delete(staff_role).where(staff_role.c.staff_id == member.id))
    mine = (staff_link.c.staff_id == member.id) & staff_link.c.revoked_at.is_(None)
    connection.execute(update(staff_link).where(mine).values(revoked_at=now))
    _keep_an_administrator(connection, f"{member.name} is the only administrator; add another before they leave")
    _note(connection, member.name, now, left=member.roles)


def mail_code(connection: Connection, member: Member, code_hash: bytes, *, now: dt.datetime) -> bool:
    """Remember the code that is about to be mailed to somebody's address; False if one was just now."""
    fresh = staff.c.code_at.is_(None) | (staff.c.code_at <= now - CODE_EVERY)
    changed = connection.execute(
        update(staff).where(staff.c.id == member.id, fresh).values(code_hash=code_hash, code_at=now, code_tries=0)
    ).rowcount
    return bool(changed)


def forget_code(connection: Connection, member: Member) -> None:
    """The code that was to be mailed did not leave."""
    connection.execute(update(staff).where(staff.c.id == member.id).values(code_hash=None, code_at=None))


def verify(connection: Connection, member: Member, code_hash: bytes, *, now: dt.datetime) -> bool:
    """Whether this is the code that was mailed, not too long ago: then the address is verified. A code works once.

    Each call counts as a try, so commit it whatever it says; after MAX_CODES no code is looked at any more.
    """
    left = (staff.c.id == member.id) & (staff.c.code_tries < MAX_CODES)
    counted = update(staff).where(left).values(code_tries=staff.c.code_tries + 1)
    if not connection.execute(counted).rowcount:
        return False
    mailed = (staff.c.code_hash == code_hash) & (staff.c.code_at > now - CODE_FOR)
    changed = connection.execute(
        update(staff).where(staff.c.id == member.id, mailed).values(verified_at=now, code_hash=None)
    ).rowcount
    if changed:
        _note(connection, member.name, now, verified="the address")
    return bool(changed)


def find(connection: Connection, name: str) -> Member | None:
    """By name, whatever the spelling; who has left is not found."""
    return _one(connection, staff.c.key == fold(name))


def by_id(connection: Connection, staff_id: int) -> Member | None:
    """None for who has left."""
    return _one(connection, staff.c.id == staff_id)


def holder(connection: Connection, public_key: bytes) -> Member | None:
    """Whose token has this public key."""
    return _one(connection, staff.c.public_key == public_key)


def at_shell(connection: Connection, shell_user: str) -> Member | None:
    """Whom the machine knows by this name."""
    return _one(connection, staff.c.shell_user == shell_user)


def key_of(connection: Connection, name: str) -> bytes | None:
    """What verifies somebody's signatures, also after they have left."""
    return connection.execute(select(staff.c.public_key).where(staff.c.key == fold(name))).scalar_one_or_none()


def name_of(connection: Connection, staff_id: int) -> str:
    """Also of who has left."""
    name: str = connection.execute(select(staff.c.name).where(staff.c.id == staff_id)).scalar_one()
    return name


def since(connection: Connection) -> dt.datetime | None:
    """When the first of the staff was added; None while there is nobody."""
    first: dt.datetime | None = connection.execute(select(func.min(staff.c.created_at))).scalar_one()
    return first


def everyone(connection: Connection) -> list[Member]:
    rows = connection.execute(select(*_COLUMNS).where(_HERE).order_by(staff.c.name)).all()
    grants = _grants(connection, [row.id for row in rows])
    return [Member(**row._mapping, grants=grants.get(row.id, ())) for row in rows]


def permitted(connection: Connection, right: Right, department_id: int | None) -> list[Member]:
    """Everybody who may do this to a thing of that department (None: of no department)."""
    return [each for each in everyone(connection) if each.actor.may(*right, department_id)]


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(staff).where(_HERE)).scalar_one()


def department_of(connection: Connection, name: str | None) -> int:
    """The department's number; HOUSE for None. UsageError names those there are."""
    if name is None:
        return HOUSE
    known: dict[str, int] = {row.name: row.id for row in connection.execute(select(departments))}
    found = {fold(each): number for each, number in known.items()}.get(fold(name))
    if found is None:
        there = f"there are {', '.join(sorted(known))}" if known else "none is named in topics/*.toml yet"
        raise UsageError(f"no department is called {name!r}; {there}")
    return found


def _one(connection: Connection, condition: Any) -> Member | None:
    row = connection.execute(select(*_COLUMNS).where(condition, _HERE)).one_or_none()
    return Member(**row._mapping, grants=_grants(connection, [row.id]).get(row.id, ())) if row else None


def _grants(connection: Connection, people: Sequence[int]) -> dict[int, tuple[Grant, ...]]:
    rows = connection.execute(
        select(staff_role.c.staff_id, staff_role.c.role, staff_role.c.department_id, departments.c.name)
        .outerjoin(departments, departments.c.id == staff_role.c.department_id)
        .where(staff_role.c.staff_id.in_(people))
        .order_by(staff_role.c.staff_id, staff_role.c.department_id)
    )
    found: dict[int, tuple[Grant, ...]] = {}
    for person, role, department_id, name in rows:
        found[person] = (*found.get(person, ()), Grant(role, department_id, name or ""))
    return found


def _require_all(member: Member, what: str) -> None:
    """Somebody's administrator is who administers every department they hold a role in."""
    for grant in member.grants or (Grant("", HOUSE),):
        require(_MANAGE, department=grant.department_id or None, what=what)


def _keep_an_administrator(connection: Connection, otherwise: str) -> None:
    if not any(each.is_administrator for each in everyone(connection)):
        raise UsageError(otherwise)


def _refuse_taken(connection: Connection, shell_user: str | None) -> None:
    if shell_user and (other := at_shell(connection, shell_user)):
        raise UsageError(f"the shell's user {shell_user} is {other.name} already")


def _note(connection: Connection, name: str, now: dt.datetime, **detail: Any) -> None:
    audit.note(connection, verb="staff", object=name, detail=detail, now=now)
