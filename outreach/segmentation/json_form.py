"""A tree as JSON and back, for a visual editor of rules. It edits the same tree that text is read into.

    {"and": [{"compare": {"field": "district", "comparison": "is", "value": {"number": "3"}}}, {"not": …}]}

Reading goes through the printed form, so that JSON can say nothing that text cannot, and is checked in one place.
"""

from __future__ import annotations

from dataclasses import fields as parts_of
from typing import Any, get_args

from outreach.segmentation import rules
from outreach.segmentation.errors import RuleError
from outreach.segmentation.parser import MAX_DEPTH, parse
from outreach.segmentation.printing import canonical
from outreach.segmentation.rules import And, Condition, Count, Name, Node, Not, Or, Rule, Scope, Value, Window

_CONDITIONS: dict[str, Any] = {one.__name__.lower(): one for one in get_args(Condition)}
_NAMES = {kind: name for name, kind in _CONDITIONS.items()}


def to_json(rule: Rule) -> dict[str, Any]:
    """The tree as what json.dumps takes. Places in the text are not part of it."""
    return _node(rule.root)


def from_json(document: Any) -> Rule:
    """The rule that a JSON tree says. Raises RuleError, and nothing else, for anything that is not one."""
    try:
        rule = Rule(_read_node(document, depth=0))
        printed = canonical(rule)
        found = parse(printed)
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise RuleError(f"this JSON is not a rule: {type(error).__name__} {str(error)[:80]}".rstrip()) from None
    if found != rule:
        raise RuleError("this JSON is not a rule that text could say; compare it with what is made from text")
    return found


def _node(node: Node) -> dict[str, Any]:
    match node:
        case And(parts=parts):
            return {"and": [_node(part) for part in parts]}
        case Or(parts=parts):
            return {"or": [_node(part) for part in parts]}
        case Not(part=part):
            return {"not": _node(part)}
    return {_NAMES[type(node)]: _parts(node)}


def _parts(one: Any) -> dict[str, Any]:
    return {part.name: _plain(getattr(one, part.name)) for part in parts_of(one) if part.name != "at"}


def _plain(value: Any) -> Any:
    match value:
        case Name(text=text):
            return text
        case Value(kind=kind, text=text):
            return {kind: text}
        case Window() | Count() | Scope():
            return _parts(value)
        case tuple():
            return [_plain(part) for part in value]
    return value


def _read_node(document: Any, *, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise RuleError(f"the tree is more than {MAX_DEPTH} deep; name parts of the rule as segments")
    [(word, inside)] = document.items()
    match word:
        case "and" | "or":
            parts = tuple(_read_node(part, depth=depth + 1) for part in inside)
            if len(parts) < 2:
                raise ValueError(f"{word} needs two parts")
            return And(parts) if word == "and" else Or(parts)
        case "not":
            return Not(_read_node(inside, depth=depth + 1))
    kind = _CONDITIONS[word]
    return kind(**{name: _read_part(name, value) for name, value in inside.items()})  # type: ignore[no-any-return]


def _read_part(name: str, value: Any) -> Any:
    match name, value:
        case (("field" | "name"), str()):
            return Name(value)
        case "names", list():
            return tuple(Name(_text(one)) for one in value)
        case (("value" | "low" | "high" | "text"), dict()):
            return _read_value(value)
        case (("values" | "dates"), list()):
            return tuple(_read_value(one) for one in value)
        case (("window" | "count" | "scope"), dict()):
            kind: Any = getattr(rules, name.capitalize())
            return kind(**{inner: _read_part(inner, one) for inner, one in value.items()})
        case _, (str() | int() | None):
            return value
    raise ValueError(f"{name} has the wrong form")


def _read_value(document: Any) -> Value:
    [(kind, text)] = document.items()
    return Value(kind, _text(text))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is needed")
    return value
