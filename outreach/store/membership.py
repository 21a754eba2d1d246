"""Whether a person is among those of another query, in the form that each database answers fastest.

SQLite makes a list once and looks everybody up in it. PostgreSQL does so too for IN, but asks a large NOT IN again for
each person, which for a city takes hours: it gets NOT EXISTS, an anti-join.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    FromClause,
    FunctionElement,
    Select,
    and_,
    exists,
    func,
    not_,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BooleanClauseList
from sqlalchemy.sql.operators import and_ as both

from outreach.store.consent import CONFIRMED
from outreach.store.tables import profile, subscription

Test = ColumnElement[bool]
_person = profile.c.subscriber_id
_one = subscription.alias("one")
_SOME = 400
"""People looked at to guess how many want a topic."""


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


class Wants(FunctionElement[bool]):
    """Whether a person has one topic, as a `test` of the profile. `few`: other tests leave few to be looked up."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, topic_id: int, test: Test, *, few: bool) -> None:
        self.topic_id, self.few = topic_id, few
        super().__init__(test)

    def self_group(self, against: Any = None) -> Wants:
        """As it is: SQLAlchemy would hide it in a comparison with 1."""
        return self


@compiles(Wants)
def _test(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(next(iter(element.clauses)), **options)})"


def wanted(connection: Connection, test: Test) -> tuple[FromClause, Test]:
    """Where to look for whom a test of the profile chooses, and what is left to be tested there.

    Where everybody chosen has one topic, SQLite is best shown the people who have it (PostgreSQL finds that itself),
    unless they are many and another test leaves few of all we know.
    """
    if connection.dialect.name == "sqlite":
        parts = list(test.clauses) if isinstance(test, BooleanClauseList) and test.operator is both else [test]
        for part in parts:
            if isinstance(part, Wants) and not (part.few and _common(connection, part.topic_id)):
                has = _has(part.topic_id)
                theirs = _one.join(profile, and_(profile.c.subscriber_id == _one.c.subscriber_id, has))
                return theirs, and_(true(), *(other for other in parts if other is not part))
    return profile, test


def _common(connection: Connection, topic_id: int) -> bool:
    """True if more than a third of the people have a topic, by those of a few hundred of them."""
    last = connection.execute(select(func.max(_person))).scalar_one() or 0
    some = range(1, last + 1, 1 + last // _SOME)
    beside = profile.outerjoin(_one, and_(_one.c.subscriber_id == _person, _has(topic_id)))
    asked = select(func.count(), func.count(_one.c.topic_id)).select_from(beside).where(_person.in_(some))
    people, having = connection.execute(asked).one()
    return bool(having > people / 3)


def _has(topic_id: int) -> Test:
    return and_(_one.c.topic_id == topic_id, _one.c.status == CONFIRMED)
