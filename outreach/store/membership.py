"""Whether a person is among those of another query, in the form that each database answers fastest.

SQLite makes a list once and looks everybody up in it. PostgreSQL does so too for IN, but asks a large NOT IN again for
each person, which for a city takes hours: it gets NOT EXISTS, an anti-join.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement, FunctionElement, Select, exists, not_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from outreach.store.tables import profile

Test = ColumnElement[bool]
_person = profile.c.subscriber_id


class _by_database(FunctionElement[bool]):  # noqa: N801  (named like the SQL function it stands for)
    """Two forms of one test: the first for SQLite, the second for PostgreSQL."""

    type = Boolean()
    inherit_cache = True


@compiles(_by_database)
def _first(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(next(iter(element.clauses)), **options)})"


@compiles(_by_database, "postgresql")
def _second(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(list(element.clauses)[1], **options)})"


def among(people: Select[Any]) -> Test:
    """The profile's person is one of these. `people` selects one column, never NULL, and names no profile outside."""
    return _person.in_(people.correlate(None))


def absent(people: Select[Any]) -> Test:
    """The exact complement of `among`."""
    inside = people.correlate(None).subquery()
    nobody = not_(exists(select(1).select_from(inside).where(inside.c[0] == _person).correlate(profile)))
    return _by_database(_person.not_in(people.correlate(None)), nobody)
