"""Who is at work, and the one door that everything goes through: no command and no page reads or writes around it.

    with acting.as_(actor):
        ...                      # every transaction, and every change in it, is checked

Until somebody is known (a token, the shell's user, a link in a mail) it is the machine that works: cron, the sending
workers, the service's loader. Permission is then the file's owner's, as it is for anybody who opens the database with
another program. As soon as a person is known, everything that is not permitted to them is refused.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, SelectBase, event
from sqlalchemy.sql.dml import UpdateBase

from outreach.errors import ApprovalMissing
from outreach.store.permissions import IN_A_DEPARTMENT, Object, Right, Verb, allows, least, may_write

HOUSE: Final = 0
"""The department that a role in the whole house is held in."""
ANYWHERE: Final = -1
"""Of a thing that belongs to no department: a role in any of them counts."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, held in one department or in the whole house."""

    role: str
    department_id: int = HOUSE
    department: str = ""

    def __str__(self) -> str:
        return f"{self.role} in {self.department}" if self.department else self.role


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody at work. `grants` is None for the machine, which is the file's owner."""

    name: str = ""
    grants: tuple[Grant, ...] | None = None

    @property
    def is_person(self) -> bool:
        return self.grants is not None

    def may(self, verb: Verb, thing: Object, department: int | None = ANYWHERE) -> bool:
        """`department`: of the thing; None is nobody's but the house's."""
        if self.grants is None:
            return True
        if department == ANYWHERE and (verb in IN_A_DEPARTMENT or thing is Object.STAFF):
            held = self.grants
        else:
            held = tuple(each for each in self.grants if each.department_id in (HOUSE, department))
        return any(allows(each.role, verb, thing) for each in held)

    def may_write(self, table: str) -> bool:
        """Whether anything in a table may be changed; what cannot be told is for the house's administrators."""
        if self.grants is None or any(may_write(each.role, table) for each in self.grants):
            return True
        return not table and self.may(Verb.MANAGE, Object.HOUSE)

    def described(self) -> str:
        """For a sentence: `Dana Lee is an author in Parks`."""
        roles = " and ".join(f"{_article(each.role)} {each}" for each in self.grants or ())
        return f"{self.name or 'who did not say their name'} is {roles or 'not on the staff'}"


MACHINE: Final = Actor()
NOBODY: Final = Actor("somebody without a token", ())
_acting: ContextVar[Actor] = ContextVar("acting", default=MACHINE)


def current() -> Actor:
    return _acting.get()


def begin(actor: Actor) -> None:
    """From now on it is this one who works, in this thread or task."""
    _acting.set(actor)


@contextmanager
def as_(actor: Actor) -> Iterator[None]:
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def require(right: Right, *, department: int | None = ANYWHERE, what: str = "") -> None:
    """ApprovalMissing (exit code 4) unless whoever is at work may do this. `what`: how a person would call it."""
    verb, thing = right
    actor = _acting.get()
    if actor.may(verb, thing, department):
        return
    role = least(verb, thing)
    where = "" if department == ANYWHERE or not _held_elsewhere(actor, right) else " of that department"
    raise ApprovalMissing(f"{actor.described()}; {what or f'{verb} {thing}'} asks for {_article(role)} {role}{where}")


def _held_elsewhere(actor: Actor, right: Right) -> bool:
    return any(allows(each.role, *right) for each in actor.grants or ())


def shell_user() -> str:
    """Whom the machine says this is: by the process's owner, for anybody may set LOGNAME."""
    if not hasattr(os, "getuid"):
        return getpass.getuser()
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # no name for this number, as in many containers
        return str(os.getuid())


def guard(engine: Engine) -> None:
    """Check every statement of this engine against whoever is at work when it runs."""

    @event.listens_for(engine, "before_cursor_execute")
    def _checked(_connection: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: bool) -> None:
        actor = _acting.get()
        if actor.grants is None or _BRACKET.match(statement):
            return
        table = _target(statement, context)
        if table is None:
            if not actor.may(Verb.LOOK, Object.CAMPAIGN):
                raise ApprovalMissing(f"{actor.described()}, and may not look at anything here")
        elif table == "audit":
            if not statement.lstrip().upper().startswith("INSERT"):
                raise ApprovalMissing("the audit log only grows; nobody changes it")
        elif not table.startswith("staged_") and not actor.may_write(table):
            raise ApprovalMissing(f"{actor.described()}, and may not change what is kept in {table or 'the database'}")


_BRACKET = re.compile(r"\s*(BEGIN|SAVEPOINT|RELEASE|ROLLBACK|SET)\b", re.IGNORECASE)
_HARMLESS = re.compile(r"\s*(SELECT|WITH|VALUES|EXPLAIN|SHOW|PRAGMA|ANALYZE|LOCK)\b", re.IGNORECASE)
_WRITES = re.compile(
    r"\s*(?:INSERT(?:\s+OR\s+\w+)?\s+INTO|REPLACE\s+INTO|UPDATE|DELETE\s+FROM|COPY|CREATE\s+(?:TEMPORARY|TEMP)\s+TABLE"
    r'|DROP\s+TABLE(?=\s+"?staged_)|CREATE\s+INDEX\s+\w+\s+ON)\s+(?:temp\.)?"?(\w+)',
    re.IGNORECASE,
)
_HIDDEN = re.compile(
    r"^\s*(?:WITH|EXPLAIN)\b.*\b(?:INSERT|UPDATE|DELETE)\b(?!.*FOR\s+UPDATE)", re.IGNORECASE | re.DOTALL
)


def _target(statement: str, context: Any) -> str | None:
    """The table that a statement changes; None: it changes nothing; empty: that cannot be told, so nobody may."""
    element = getattr(getattr(context, "compiled", None), "statement", None)
    if isinstance(element, UpdateBase):
        return str(getattr(element.table, "name", ""))
    if isinstance(element, SelectBase):
        return None
    if found := _WRITES.match(statement):
        return found[1].lower()
    return None if _HARMLESS.match(statement) and not _HIDDEN.search(statement) else ""


def _article(role: str) -> str:
    return "an" if role[:1] in "aeiou" else "a"
