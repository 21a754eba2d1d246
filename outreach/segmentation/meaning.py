"""What a tree means here and today: names looked up, types checked, days counted.

SQL and the plain evaluator both start from what comes out, so that they can differ only in what they find, never in
what they look for. Everything that can be wrong with a rule is found here or in the parser: never while sending.

A window is made of whole days in the organisation's time zone: `within 90 days` begins at midnight 90 days ago. A
rule therefore draws the same line all day, and `opened within 90 days` agrees with the counts of `opened at least 2
times within 90 days`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NoReturn

from outreach.events import Kind
from outreach.segmentation import comparing
from outreach.segmentation.days import first_and_end
from outreach.segmentation.errors import RuleError
from outreach.segmentation.fields import Catalogue, Field, Type
from outreach.segmentation.hints import needs_quotes, stray
from outreach.segmentation.parser import MAX_DEPTH, parse
from outreach.segmentation.questions import (
    CAMPAIGN,
    DEPARTMENT,
    EVERYTHING,
    TOPIC,
    AllOf,
    Always,
    AnyOf,
    DayCount,
    Figure,
    Has,
    LastSince,
    Latest,
    MailCount,
    Mailing,
    OnSuppressionList,
    Opposite,
    Question,
    Subscribed,
    Total,
)
from outreach.segmentation.rules import (
    And,
    Between,
    Compare,
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
    place,
)

MAX_CONDITIONS = 300
"""In one rule with all the segments it names. SQLite allows expressions 1,000 deep, and a chain of `and`s is deep."""
MAX_NESTING = 30
"""Ands and ors inside one another, segments included. SQLite's own parser gives up between 40 and 60."""
MAX_VALUES = 5_000
"""Values of all its lists: each is a bound parameter, of which SQLite allows 32,766."""

_ONCE = Count("at least", 1)
_FIGURES: dict[str, tuple[Figure, Latest]] = {
    "opened": ("opens", "last_open_at"),
    "clicked": ("clicks", "last_click_at"),
    "received": ("received", "last_sent_at"),
}


def meaning(rule: Rule | str, catalogue: Catalogue, *, today: dt.date) -> Question:
    """The question a rule asks. RuleError shows the place of what is wrong, in a segment it names if it is there."""
    return Meaning(catalogue, today).of_rule(rule)


def check(text: str, catalogue: Catalogue, *, today: dt.date = dt.date(2000, 1, 1)) -> Rule:
    """Read a rule and look up every name and type in it. RuleError says what is wrong; nothing is asked of anybody.

    Whether a rule is right does not depend on the day, unless it counts back to before 1900.
    """
    rule = parse(text, words=catalogue.words())
    meaning(rule, catalogue, today=today)
    return rule


@dataclass(slots=True)
class Meaning:
    """One reading of a rule; keeps count of how much there is of it."""

    catalogue: Catalogue
    today: dt.date
    conditions: int = 0
    values: int = 0
    nesting: int = 0
    path: tuple[str, ...] = field(default=())

    def of_rule(self, rule: Rule | str, *, source: str = "") -> Question:
        text = rule if isinstance(rule, str) else rule.text
        try:
            if isinstance(rule, str):
                rule = parse(rule, words=self.catalogue.words())
            return self.of(rule.root)
        except RuleError as error:
            if text is not None and error.text is None:
                error = needs_quotes(error, text, self.catalogue.words())
                raise error.within(text, source=source) from None
            if source and not error.source:
                raise RuleError(
                    error.message, start=error.start, end=error.end, text=error.text, source=source
                ) from None
            raise

    def of(self, node: Node) -> Question:
        match node:
            case And(parts=parts):
                return AllOf(self._parts(node, parts))
            case Or(parts=parts):
                self._check_second_values(parts)
                return AnyOf(self._parts(node, parts))
            case Not(part=part):
                return Opposite(self.of(part))
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            _refuse(f"the rule and its segments have more than {MAX_CONDITIONS} conditions; make it simpler", node)
        match node:
            case Everyone():
                return Always()
            case Suppressed():
                return OnSuppressionList()
            case Member():
                return self._member(node)
            case Did():
                return self._did(node)
            case Ignored(number=number, scope=scope):
                if scope is not None and scope.kind == "campaign":
                    _refuse("campaigns are ignored in a row: name a department or a topic, not a campaign", scope)
                return Total(self._mailing(scope), "unopened", "at least", number)
            case Known(field=name):
                return Has(self.catalogue.field_named(name))
            case _:
                return self._compared(node)

    def _parts(self, node: And | Or, parts: tuple[Node, ...]) -> tuple[Question, ...]:
        if self.nesting >= MAX_NESTING:
            _refuse(f"the rule and its segments are nested more than {MAX_NESTING} deep; make it simpler", node)
        self.nesting += 1
        try:
            return tuple(self.of(part) for part in parts)
        finally:
            self.nesting -= 1

    def _check_second_values(self, parts: tuple[Node, ...]) -> None:
        """`language is Spanish or Vietnamese`: what stands alone behind an or is a value, if it is no field."""
        for before, after in pairwise(parts):
            one = before.part if isinstance(before, Not) else before
            if isinstance(one, Like) and isinstance(after, Compare) and comparing.alone(after):
                self._check_second_piece(one, after, no=isinstance(before, Not))
            if isinstance(one, Compare) and isinstance(after, Compare) and comparing.alone(after):
                try:
                    self.catalogue.field_named(after.field)
                except RuleError:
                    said = "not in" if isinstance(before, Not) else "in"
                    values = f"({one.value.text}, {after.field.text})"
                    _refuse(f"to allow several values, write {one.field.text} {said} {values}", after.field)

    def _check_second_piece(self, one: Like, after: Compare, *, no: bool) -> None:
        """`email ends with .gov or .edu`"""
        if after.field.text.casefold() not in (name.casefold() for name in self.catalogue.fields):
            pieces = f'("{one.text.text}", "{after.field.text}")'
            _refuse(f"to allow several, write {one.field.text} {'not ' * no}{one.likeness} {pieces}", after.field)

    def _compared(self, node: Compare | OneOf | Between | Like | When) -> Question:
        one = self._field(node)
        match node:
            case OneOf(values=values):
                self._count_values(len(values), node)
                return comparing.one_of(one, values, today=self.today)
            case Between():
                return comparing.between(node, one, today=self.today)
            case Like():
                return comparing.like(node, one)
            case When():
                return comparing.when(node, one, today=self.today)
        if comparing.alone(node) and one.type is not Type.YESNO:
            _refuse(f"say what {one.name} should be, as in {one.name} is …", node.field)
        return comparing.compared(node, one, today=self.today)

    def _field(self, node: Compare | OneOf | Between | Like | When) -> Field:
        try:
            return self.catalogue.field_named(node.field)
        except RuleError as error:
            message = stray(node.field.text)
            if not message and isinstance(node, Compare) and comparing.alone(node):
                message = self._misplaced(node.field) or _second_value(error.message)
            if not message:
                raise
            raise RuleError(message, start=error.start, end=error.end) from None

    def _misplaced(self, name: Name) -> str:
        """What to write for a name that is no field's, but somebody else's."""
        words = {
            "in segment": self.catalogue.segments,
            "topic is": [topic.name for topic in self.catalogue.topics],
            "from department": self.catalogue.departments,
        }
        for written, names in words.items():
            for one in names:
                if one.casefold() == name.text.casefold():
                    return f'"{one}" is not a field; write {written} "{one}"'
        return ""

    def _member(self, node: Member) -> Question:
        self._count_values(len(node.names), node)
        if node.group == "segment":
            parts = tuple(self._segment(name) for name in node.names)
            return parts[0] if len(parts) == 1 else AnyOf(parts)
        if node.group == "topic":
            return Subscribed(tuple(dict.fromkeys(self.catalogue.topic_named(name).id for name in node.names)))
        departments = {self.catalogue.department_named(name) for name in node.names}
        return Subscribed(tuple(one.id for one in self.catalogue.topics if one.department_id in departments))

    def _segment(self, name: Name) -> Question:
        called = self.catalogue.segment_named(name)
        if called in self.path:
            way = " → ".join((*self.path[self.path.index(called) :], called))
            _refuse(f'segment "{called}" leads back to itself: {way}', name)
        if len(self.path) >= MAX_DEPTH:
            _refuse(f"segments name one another more than {MAX_DEPTH} deep", name)
        outside = self.path
        self.path = (*outside, called)
        try:
            return self.of_rule(self.catalogue.segments[called], source=f'segment "{called}"')
        finally:
            self.path = outside

    def _did(self, node: Did) -> Question:
        count = node.count or _ONCE
        if count.kind == "at most" or count.number == 0:
            # Few or none is not more: people we have no figures about did it 0 times.
            return Opposite(self._times(node, Count("at least", count.number + 1, count.at)))
        return self._times(node, count)

    def _times(self, node: Did, count: Count) -> Question:
        mailing = self._mailing(node.scope)
        figure, latest = _FIGURES[node.verb]
        once = count == _ONCE
        first, end = first_and_end(node.window, today=self.today) if node.window else (None, None)
        if end is not None and end > self.today:
            end = None  # nobody did anything tomorrow
        if mailing.kind == CAMPAIGN and node.verb != "clicked":
            self._check_campaign(node, count)
            count, once = _ONCE, True
        if node.verb == "received" and (
            mailing.kind == CAMPAIGN or not (node.window is None or (once and end is None))
        ):
            return MailCount(mailing, first, end, count.kind, count.number)
        if node.window is None:
            return Total(mailing, figure, count.kind, count.number)
        if once and first is not None and end is None:
            return LastSince(mailing, latest, first)
        if mailing.kind == CAMPAIGN:
            first = first or self.catalogue.begun.get(mailing.id)  # the days before need not be read
        event = Kind.OPEN if node.verb == "opened" else Kind.CLICK
        return DayCount(event, mailing, first, end, count.kind, count.number)

    def _check_campaign(self, node: Did, count: Count) -> None:
        if (count.kind, count.number) not in (("at least", 1), ("exactly", 1)):
            _refuse(f"one campaign is {node.verb} once at most; write {node.verb} campaign …", count)

    def _mailing(self, scope: Scope | None) -> Mailing:
        if scope is None:
            return EVERYTHING
        if scope.kind == "department":
            return Mailing(DEPARTMENT, self.catalogue.department_named(scope.name))
        if scope.kind == "topic":
            return Mailing(TOPIC, self.catalogue.topic_named(scope.name).id)
        return Mailing(CAMPAIGN, self.catalogue.campaign_named(scope.name))

    def _count_values(self, number: int, node: Node) -> None:
        self.values += number
        if self.values > MAX_VALUES:
            _refuse(f"the rule lists more than {MAX_VALUES:,} values", node)


def _second_value(message: str) -> str:
    return "" if "did you mean" in message else f"{message}; if it is a second value, write in (…, …)"


def _refuse(message: str, where: Node | Name | Value | Scope | Count) -> NoReturn:
    start, end = where.at if isinstance(where, Count) else place(where)
    raise RuleError(message, start=start, end=end)
