"""From what the grammar recognised to the tree of rules.py. Spellings end here: `=`, `equals` and `is` are one.

lark calls these methods while it parses, from the leaves up, so that nothing recurses.
"""

from __future__ import annotations

import datetime as dt
import re
from itertools import pairwise
from typing import Any, NoReturn, cast, get_args

from lark import Token, Transformer

from outreach.segmentation.elided import Bracketed, bare, elided
from outreach.segmentation.errors import RuleError
from outreach.segmentation.grammar import NUMBER_WORDS
from outreach.segmentation.printing import unsaid
from outreach.segmentation.rules import (
    NOWHERE,
    And,
    Between,
    Compare,
    Comparison,
    Count,
    CountKind,
    Did,
    Everyone,
    GroupKind,
    Ignored,
    Known,
    Like,
    Likeness,
    Member,
    Name,
    Node,
    Not,
    OneOf,
    Or,
    Place,
    Scope,
    ScopeKind,
    Suppressed,
    Unit,
    Value,
    Verb,
    When,
    Window,
    WindowKind,
    place,
)

MAX_AMOUNT = 100_000
"""Of days, campaigns, times: more is a slip of the finger."""

_SYMBOLS: dict[str, Comparison] = {
    ">": ">",
    ">=": ">=",
    "=>": ">=",
    "≥": ">=",
    "<": "<",
    "<=": "<=",
    "=<": "<=",
    "≤": "<=",
}
_AMOUNTS: dict[str, Comparison] = {
    "at least": ">=",
    "at most": "<=",
    "more than": ">",
    "greater than": ">",
    "over": ">",
    "above": ">",
    "less than": "<",
    "fewer than": "<",
    "under": "<",
    "below": "<",
    "exactly": "is",
}
_VERBS: dict[str, Verb] = {"open": "opened", "clic": "clicked", "rece": "received", "got": "received"}
_LIKE: dict[str, Likeness] = {"contain": "contains", "start": "starts with", "end": "ends with"}
_NUMBERS = ("INT", "NUMBER_WORD")
_KNOWN = {"known", "set"}


class _Values(tuple[Value, ...]):
    """A bracketed list, told apart from a single value."""


class Builder(Transformer[Token, Any]):
    """One method for each alternative of the grammar."""

    # --- words

    def value(self, parts: list[Any]) -> Value:
        first: Token = parts[0]
        at = _span(parts)
        match first.type:
            case "STRING":
                return Value("text", _unquoted(first), at)
            case "INT" | "NUMBER_WORD" if len(parts) == 3:
                return Value("date", _ago(first, parts[1]), at)
            case "INT" | "NUMBER":
                return Value("number", str(first), at)
            case "DATE":
                return Value("date", _date(first), at)
            case "DAY_WORD":
                return Value("date", first.lower(), at)
            case "YESNO":
                return Value("yesno", first.lower(), at)
        return Value("text", " ".join(parts), at)

    def words(self, parts: list[Token]) -> Name:
        return Name(" ".join(parts), _span(parts))

    def text(self, parts: list[Token]) -> Name:
        return Name(_unquoted(parts[0]), _span(parts))

    def field(self, parts: list[Token]) -> Name:
        return self.text(parts) if parts[0].type == "STRING" else self.words(parts)

    def values(self, parts: list[Any]) -> _Values:
        return _Values(part for part in parts if isinstance(part, Value))

    # --- and, or, not

    def any_of(self, parts: list[Any]) -> Node | Bracketed:
        return _joined(Or, parts)

    def all_of(self, parts: list[Any]) -> Node | Bracketed:
        return _joined(And, parts)

    def negated(self, parts: list[Any]) -> Node:
        return Not(bare(parts[-1]))

    def bracketed(self, parts: list[Any]) -> Node | Bracketed:
        node = bare(parts[0])
        return Bracketed(node) if isinstance(node, Did | Not) else node

    # --- membership

    def everyone(self, parts: list[Token]) -> Node:
        return Everyone(_span(parts))

    def suppressed(self, parts: list[Token]) -> Node:
        return Suppressed(_span(parts))

    def member(self, parts: list[Any]) -> Node:
        names: list[Name] = []
        for part in parts:
            if isinstance(part, Value):
                names.append(Name(part.text, part.at))
            elif isinstance(part, _Values):
                names.extend(Name(value.text, value.at) for value in part)
        return Member(_group(parts), tuple(names))

    def not_member(self, parts: list[Any]) -> Node:
        return Not(self.member(parts))

    # --- fields

    def flag(self, parts: list[Any]) -> Node:
        return Compare(parts[0], "is", Value("yesno", "yes"))

    def equal(self, parts: list[Any]) -> Node:
        return Compare(parts[0], "is", parts[-1])

    def unequal(self, parts: list[Any]) -> Node:
        return Not(self.equal(parts))

    def one_of(self, parts: list[Any]) -> Node:
        values: _Values = parts[-1]
        node: Node = Compare(parts[0], "is", values[0]) if len(values) == 1 else OneOf(parts[0], tuple(values))
        return _unless(parts, node)

    def known(self, parts: list[Any]) -> Node:
        denied = any(isinstance(part, Token) and part.type == "NOT" for part in parts)
        unknown = (_plain(parts[-1]) in _KNOWN) == denied  # not empty is known
        return Not(Known(parts[0])) if unknown else Known(parts[0])

    def compare(self, parts: list[Any]) -> Node:
        word = _plain(parts[-2])
        return Compare(parts[0], _SYMBOLS.get(word) or _AMOUNTS[word], parts[-1])

    def between(self, parts: list[Any]) -> Node:
        low, high = (part for part in parts if isinstance(part, Value))
        return _unless(parts, Between(parts[0], low, high))

    def like(self, parts: list[Any]) -> Node:
        likeness = _LIKE[_plain(parts[-2]).split()[0].rstrip("s")]
        likes = tuple(Like(parts[0], likeness, Value("text", value.text, value.at)) for value in parts[-1])
        return _unless(parts, likes[0] if len(likes) == 1 else Or(likes))

    def neither(self, parts: list[Any]) -> Node:
        return Not(OneOf(parts[0], tuple(part for part in parts if isinstance(part, Value))))

    def when(self, parts: list[Any]) -> Node:
        return _unless(parts, When(parts[0], parts[-1]))

    def on_that_day(self, parts: list[Any]) -> Node:
        day: Token = parts[-1]
        return _unless(
            parts, When(parts[0], Window("on", (Value("date", day.lower(), _span([day])),), at=_span([day])))
        )

    # --- windows, counts, scopes

    def within(self, parts: list[Token]) -> Window:
        amount = _number(parts[1]) if len(parts) == 3 else 1
        return Window("within", amount=amount, unit=_unit(parts[-1]), at=_span(parts))

    def period(self, parts: list[Token]) -> Window:
        *_, which, unit = _plain(parts[0]).split()
        return Window("this" if which == "this" else "last", unit=cast(Unit, unit), at=_span(parts))

    def dated(self, parts: list[Any]) -> Window:
        return Window(cast(WindowKind, _plain(parts[0])), (parts[1],), at=_span(parts))

    def long_ago(self, parts: list[Token]) -> Window:
        comparison = _AMOUNTS[_plain(parts[0])]
        amount, unit = _number(parts[1]), _unit(parts[2])
        if comparison == "<":
            return Window("within", amount=amount, unit=unit, at=_span(parts))
        if comparison != ">":
            _refuse("write more than or less than here, as in more than 90 days ago", parts[0])
        return Window("before", (Value("date", _ago(*parts[1:3]), _span(parts[1:])),), at=_span(parts))

    def on_day(self, parts: list[Token]) -> Window:
        return Window("on", (Value("date", parts[0].lower(), _span(parts)),), at=_span(parts))

    def between_dates(self, parts: list[Any]) -> Window:
        low, high = (part for part in parts if isinstance(part, Value))
        return Window("between", (low, high), at=_span(parts))

    def count(self, parts: list[Token]) -> Count:
        words = {part.type: _plain(part) for part in parts}
        comparison = _SYMBOLS.get(words.get("COMPARE", "")) or _AMOUNTS.get(words.get("AMOUNT", ""), ">=")
        if once := words.get("ONCE"):
            number = 2 if once == "twice" else 1
        else:
            number = _number(next(part for part in parts if part.type in _NUMBERS))
        kind: CountKind = {">": "at least", ">=": "at least", "<": "at most", "<=": "at most"}.get(
            comparison, "exactly"
        )  # type: ignore[assignment]  # mypy widens the values to str
        number += {">": 1, "<": -1}.get(comparison, 0)
        if number < (kind == "at least"):
            _refuse("everybody did it at least 0 times; for nobody ever, write not in front", *parts)
        return Count(kind, number, _span(parts))

    def scope(self, parts: list[Any]) -> Scope:
        word: Token = parts[0]
        kinds = {"FROM": "department", "ABOUT": "topic"}
        kind = kinds.get(word.type) or _plain(word).split()[-1]
        return Scope(cast(ScopeKind, kind), parts[1])

    # --- what people did

    def did(self, parts: list[Any]) -> Node:
        verb = next(part for part in parts if isinstance(part, Token) and part.type == "VERB")
        found = _each_once(parts, verb.lower())
        meant = _VERBS.get(_plain(verb)[:4], "received")
        return Did(meant, found.get(Count), found.get(Scope), found.get(Window), at=_span(parts))

    def did_not(self, parts: list[Any]) -> Node:
        return Not(self.did(parts))

    def ignored(self, parts: list[Any]) -> Node:
        number = next((part for part in parts if isinstance(part, Token) and part.type in _NUMBERS), None)
        found = _each_once(parts, "ignored")
        scope, window, at = found.get(Scope), found.get(Window), _span(parts)
        how_many = 1 if number is None else _number(number)
        if how_many < 1 and number is not None:
            _refuse("count campaigns from 1 up", number)
        counted = any(isinstance(part, Token) and part.type in ("MAILS", *_NUMBERS) for part in parts)
        if window is None and (counted or scope is None or scope.kind != "campaign"):
            if not counted:
                _refuse(
                    "say how many, as in ignored the last 5 campaigns, or when, as in ignored within 90 days", *parts
                )
            return Ignored(how_many, scope, at=at)
        count = Count("at least", how_many, at) if how_many > 1 else None
        return And((Did("received", count, scope, window, at=at), Not(Did("opened", None, scope, window, at=at))))


def _each_once(parts: list[Any], verb: str) -> dict[type, Any]:
    """How often, whose mail and when, by their kind, in whatever order they were said."""
    found: dict[type, Any] = {}
    for part in parts:
        if isinstance(part, Token):
            continue
        if type(part) in found:
            what = {Count: "how often", Scope: "whose mail", Window: "when"}[type(part)]
            _refuse(f"{what} is said twice; write {verb} … and {verb} … for both", part)
        found[type(part)] = part
    return found


def _joined(kind: type[And] | type[Or], parts: list[Any]) -> Node | Bracketed:
    nodes: list[Node | Bracketed] = [part for part in parts if not isinstance(part, Token)]
    if len(nodes) == 1:
        return nodes[0]  # brackets matter where it is joined with something
    word = "or" if kind is Or else "and"
    for before, after in pairwise(nodes):
        if pair := elided(before, after):
            said = unsaid(pair[1]) or unsaid(pair[0])
            verbs = ("not " * isinstance(part, Not) + did.verb for part, did in zip((before, after), pair, strict=True))
            both = f" {word} ".join(f"{verb} {said}" for verb in verbs)
            _refuse(f"say it for both: {both}; or put each in brackets", *pair)
    return kind(tuple(map(bare, nodes)))


def _unless(parts: list[Any], node: Node) -> Node:
    """`node`, or its opposite if a `not` was said between the field and what follows."""
    denied = any(isinstance(part, Token) and part.type in ("NOT", "DOES_NOT") for part in parts)
    return Not(node) if denied else node


def _group(parts: list[Any]) -> GroupKind:
    for part in parts:
        if isinstance(part, Token) and part.type in ("KIND", "IN_KIND"):
            group = cast(GroupKind, _plain(part).split()[-1].rstrip("s"))
            if group == "segment" and any(isinstance(word, Token) and word.type == "SUBSCRIBED" for word in parts):
                _refuse("people are in a segment, and subscribed to a topic; write in segment …", part)
            return group
    assert get_args(GroupKind)[0] == "topic"
    return "topic"


def _plain(token: Token) -> str:
    return " ".join(token.lower().split())


def _unit(token: Token) -> Unit:
    return cast(Unit, token.lower().rstrip("s"))


def _ago(number: Token, unit: Token) -> str:
    amount = _number(number)
    return f"{amount} {_unit(unit)}{'' if amount == 1 else 's'} ago"


def _number(token: Token) -> int:
    if token.type == "NUMBER_WORD":
        word = token.lower()
        return 1 if word in ("a", "an") else NUMBER_WORDS.index(word) + 1
    if len(token) > 6 or int(token) > MAX_AMOUNT:
        _refuse(f"numbers up to {MAX_AMOUNT:,} are allowed here", token)
    return int(token)


def _date(token: Token) -> str:
    try:
        found = dt.date(*(int(part) for part in token.split("-")))
    except ValueError:
        _refuse("there is no such day; dates are written year-month-day, like 2026-03-31", token)
    if not 1900 <= found.year <= 2200:
        _refuse("dates from 1900 to 2200 are allowed", token)
    return found.isoformat()


def _unquoted(token: Token) -> str:
    inside = token[1:-1].strip()
    if token[0] in "\"'":
        inside = re.sub(r"\\([\"'\\])", r"\1", inside)
    if not inside:
        _refuse("there is nothing between these quotes; for nothing known, write is unknown", token)
    return inside


def _span(parts: list[Any]) -> Place:
    places = [_place(part) for part in parts]
    known = [one for one in places if one != NOWHERE]
    return (min(start for start, _ in known), max(end for _, end in known)) if known else NOWHERE


def _place(part: Any) -> Place:
    if isinstance(part, Token):
        return part.start_pos or 0, part.end_pos or 0
    return part.at if isinstance(part, Window | Count) else place(part)


def _refuse(message: str, *parts: Any) -> NoReturn:
    start, end = _span(list(parts))
    raise RuleError(message, start=start, end=end)
