"""The tree of a rule: what was said, before anybody asks what it means here and today.

Trees are frozen values. Two rules are equal if they say the same; where a word stood in the text
(`at`) is carried along for error messages and does not count. Nothing in here knows a database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Place = tuple[int, int]
"""Offsets of the first character and of the one after the last."""
NOWHERE: Place = (0, 0)

ValueKind = Literal["text", "number", "yesno", "date"]
Comparison = Literal["is", ">", ">=", "<", "<="]
Likeness = Literal["contains", "starts with", "ends with"]
WindowKind = Literal["within", "before", "after", "since", "on", "between", "this", "last"]
Unit = Literal["day", "week", "month", "year"]
Verb = Literal["opened", "clicked", "received"]
CountKind = Literal["at least", "at most", "exactly"]
ScopeKind = Literal["department", "topic", "campaign"]
GroupKind = Literal["topic", "department", "segment"]


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a field, topic, department, campaign or segment, as it was written."""

    text: str
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Value:
    """Something a field is compared with. The field's type decides what it means.

    A number keeps its text, so that ZIP code 02134 does not become 2134. A date is `2026-03-31`, `today`,
    `yesterday` or `3 months ago`.
    """

    kind: ValueKind
    text: str
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Window:
    """When: `within 90 days` (amount, unit), `since` or `between` (dates), `this month` (unit)."""

    kind: WindowKind
    dates: tuple[Value, ...] = ()
    amount: int = 0
    unit: Unit = "day"
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Count:
    """How often. `fewer than 3` is kept as `at most 2`, `more than 3` as `at least 4`."""

    kind: CountKind
    number: int
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose mail: of one department, about one topic, or one campaign."""

    kind: ScopeKind
    name: Name


@dataclass(frozen=True, slots=True)
class Everyone:
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    field: Name
    comparison: Comparison
    value: Value


@dataclass(frozen=True, slots=True)
class OneOf:
    field: Name
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Both ends belong to it."""

    field: Name
    low: Value
    high: Value


@dataclass(frozen=True, slots=True)
class Like:
    field: Name
    likeness: Likeness
    text: Value


@dataclass(frozen=True, slots=True)
class Known:
    field: Name


@dataclass(frozen=True, slots=True)
class When:
    """A date field lies in a window."""

    field: Name
    window: Window


@dataclass(frozen=True, slots=True)
class Member:
    """Subscribed to one of these topics (or topics of these departments), or in one of these segments."""

    group: GroupKind
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Suppressed:
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Did:
    """Opened, clicked or received: how often (once, if nothing is said), whose mail, when."""

    verb: Verb
    count: Count | None = None
    scope: Scope | None = None
    window: Window | None = None
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Ignored:
    """The last so many campaigns that reached this person were not opened."""

    number: int
    scope: Scope | None = None
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    part: Node


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Node, ...]


Condition = Everyone | Compare | OneOf | Between | Like | Known | When | Member | Suppressed | Did | Ignored
Node = Condition | Not | And | Or


@dataclass(frozen=True, slots=True)
class Rule:
    """A tree and the text it came from, so that errors found later can still point at their place."""

    root: Node
    text: str | None = field(default=None, compare=False)


def place(node: Node | Name | Value | Scope) -> Place:
    """Where in the text this stands, from its first known word to its last."""
    match node:
        case Name() | Value() | Everyone() | Suppressed() | Did() | Ignored():
            return node.at
        case Scope():
            return node.name.at
        case Compare():
            return _around(node.field.at, node.value.at)
        case OneOf():
            return _around(node.field.at, *(value.at for value in node.values))
        case Between():
            return _around(node.field.at, node.low.at, node.high.at)
        case Like():
            return _around(node.field.at, node.text.at)
        case Known():
            return node.field.at
        case When():
            return _around(node.field.at, node.window.at)
        case Member():
            return _around(*(name.at for name in node.names))
        case Not():
            return place(node.part)
        case And() | Or():
            return _around(*(place(part) for part in node.parts))


def _around(*places: Place) -> Place:
    known = [one for one in places if one != NOWHERE]
    if not known:
        return NOWHERE
    return min(start for start, _ in known), max(end for _, end in known)
