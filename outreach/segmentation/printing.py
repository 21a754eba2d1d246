"""A tree as text: one spelling for each meaning, and parsing it gives the same tree again."""

from __future__ import annotations

import re
from itertools import pairwise

from outreach.segmentation.elided import elided
from outreach.segmentation.errors import RuleError
from outreach.segmentation.grammar import RESERVED
from outreach.segmentation.rules import (
    And,
    Between,
    Compare,
    Condition,
    Count,
    Did,
    Everyone,
    Ignored,
    Known,
    Like,
    Member,
    Name,
    Node,
    Not,
    OneOf,
    Or,
    Rule,
    Scope,
    Suppressed,
    Value,
    When,
    Window,
)

_BARE = re.compile(r"[^\W\d]\w*(?:-\w+)*")


def canonical(rule: Rule) -> str:
    """The rule in its one printed form, on one line."""
    return _node(rule.root)


def _node(node: Node) -> str:
    match node:
        case And(parts=parts):
            return " and ".join(_parts(parts, (And, Or)))
        case Or(parts=parts):
            return " or ".join(_parts(parts, (Or,)))
        case Not(part=part):
            return _denied(part)
        case _:
            return _condition(node)


def _parts(parts: tuple[Node, ...], bracketed: tuple[type, ...]) -> list[str]:
    """Each part, in brackets where it would else be joined, or read, with its neighbour."""
    alone = {number for number, (before, after) in enumerate(pairwise(parts)) if elided(before, after)}
    return [
        f"({_node(part)})" if isinstance(part, bracketed) or number in alone else _node(part)
        for number, part in enumerate(parts)
    ]


def unsaid(node: Did) -> str:
    """What is said with the verb, besides how often."""
    return " ".join(filter(None, (_scope(node.scope), _window(node.window))))


def _denied(node: Node) -> str:
    match node:
        case And() | Or():
            return f"not ({_node(node)})"
        case Compare(field=field, comparison="is", value=value):
            return f"{_field(field)} is not {_value(value)}"
        case OneOf() | Between() | Like() | Known() | When() | Member():
            return _condition(node, no="not ")
        case _:
            return f"not {_node(node)}"


def _condition(node: Condition, *, no: str = "") -> str:
    match node:
        case Everyone():
            return "everyone"
        case Suppressed():
            return "suppressed"
        case Compare(field=field, comparison=comparison, value=value):
            return f"{_field(field)} {comparison} {_value(value)}"
        case OneOf(field=field, values=values):
            return f"{_field(field)} {no}in ({', '.join(map(_value, values))})"
        case Between(field=field, low=low, high=high):
            return f"{_field(field)} {no}between {_value(low)} and {_value(high)}"
        case Like(field=field, likeness=likeness, text=text):
            return f"{_field(field)} {no}{likeness} {_quoted(text.text)}"
        case Known(field=field):
            return f"{_field(field)} is {'unknown' if no else 'known'}"
        case When(field=field, window=window):
            return f"{_field(field)} {no}{_window(window)}"
        case Member(group=group, names=names):
            return _member(group, names, no=no)
        case Did():
            words = [node.verb, _count(node.count), _scope(node.scope), _window(node.window)]
            return " ".join(word for word in words if word)
        case Ignored(number=number, scope=scope):
            return f"ignored the last {number} campaigns {_scope(scope)}".rstrip()


def _member(group: str, names: tuple[Name, ...], *, no: str) -> str:
    if len(names) > 1:
        return f"{group} {no}in ({', '.join(_quoted(name.text) for name in names)})"
    if group == "segment":
        return f"segment is {no}{_quoted(names[0].text)}" if no else f"in segment {_quoted(names[0].text)}"
    return f"{group} is {no}{_quoted(names[0].text)}"


def _field(name: Name) -> str:
    plain = _BARE.fullmatch(name.text) and name.text.casefold() not in RESERVED
    return name.text if plain else _quoted(name.text)


def _value(value: Value) -> str:
    return _quoted(value.text) if value.kind == "text" else value.text


def _count(count: Count | None) -> str:
    return f"{count.kind} {count.number} time{'' if count.number == 1 else 's'}" if count else ""


def _scope(scope: Scope | None) -> str:
    if scope is None:
        return ""
    preposition = {"department": "from department", "topic": "about topic", "campaign": "campaign"}[scope.kind]
    return f"{preposition} {_quoted(scope.name.text)}"


def _window(window: Window | None) -> str:
    if window is None:
        return ""
    match window.kind:
        case "within":
            return f"within {window.amount} {window.unit}{'' if window.amount == 1 else 's'}"
        case "this" | "last":
            return f"{window.kind} {window.unit}"
        case "between":
            return f"between {window.dates[0].text} and {window.dates[1].text}"
    return f"{window.kind} {window.dates[0].text}"


def _quoted(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise RuleError("a name or text in a rule needs at least one character, and no invisible ones")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
