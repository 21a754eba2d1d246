"""Why one person is in a rule, or out: clause by clause, with the fact each was decided by.

yes  all of these:
yes    whose district is 3 or 4                       district is 4
no     who clicked at least one link in the last …    last click March 12, 2026, 254 days ago; links clicked: 3
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from outreach.segmentation import rules
from outreach.segmentation.fields import Catalogue, Field
from outreach.segmentation.meaning import Meaning, meaning
from outreach.segmentation.parser import parse
from outreach.segmentation.person import NOTHING, Engagement, Person, holds, known_value, times
from outreach.segmentation.questions import CAMPAIGN, DEPARTMENT, TOPIC, DayCount, MailCount, Opposite
from outreach.segmentation.rules import And, Member, Node, Not, Or, Rule, Scope
from outreach.segmentation.wording import Wording


@dataclass(frozen=True, slots=True)
class Clause:
    """One line of the answer. `depth` is its indentation; `fact` is empty for the lines that hold others."""

    text: str
    holds: bool
    fact: str
    depth: int


def clauses(
    rule: Rule | str, person: Person, catalogue: Catalogue, language: str = "en", *, now: dt.datetime, zone: ZoneInfo
) -> tuple[Clause, ...]:
    """The rule clause by clause for this person; the first line is the answer. Raises RuleError."""
    today = now.astimezone(zone).date()
    meaning(rule, catalogue, today=today)
    root = parse(rule).root if isinstance(rule, str) else rule.root
    teller = _Teller(Wording(catalogue, language, today), person, zone)
    return tuple(teller.tell(root, no=False, depth=0))


@dataclass(frozen=True, slots=True)
class _Teller:
    wording: Wording
    person: Person
    zone: ZoneInfo

    def tell(self, node: Node, *, no: bool, depth: int) -> Iterator[Clause]:
        match node:
            case Not(part=part):
                yield from self.tell(part, no=not no, depth=depth)
            case And(parts=parts) | Or(parts=parts):
                every = isinstance(node, And) != no
                yield Clause(self.wording.say("all" if every else "any"), self._holds(node) != no, "", depth)
                for part in parts:
                    yield from self.tell(part, no=no, depth=depth + 1)
            case Member(group="segment", names=names) if len(names) == 1:
                yield from self._segment(node, no=no, depth=depth)
            case Member(group="segment", names=names):
                yield from self.tell(Or(tuple(Member("segment", (name,)) for name in names)), no=no, depth=depth)
            case _:
                yield Clause(self.wording.condition(node, no=no), self._holds(node) != no, self._fact(node), depth)

    def _segment(self, node: Member, *, no: bool, depth: int) -> Iterator[Clause]:
        name = self.wording.name("segment", node.names[0])
        said = self.wording.say("segment.no" if no else "segment", name=self.wording.quoted(name), clauses="")
        yield Clause(said.partition(" [")[0], self._holds(node) != no, "", depth)
        yield from self.tell(parse(self.wording.catalogue.segments[name]).root, no=False, depth=depth + 1)

    def _holds(self, node: Node) -> bool:
        return holds(Meaning(self.wording.catalogue, self.wording.today).of(node), self.person, self.zone)

    def _fact(self, node: rules.Condition) -> str:
        say = self.wording.say
        match node:
            case rules.Everyone():
                return ""
            case rules.Suppressed():
                reason = self.person.suppressed
                return say("fact.suppressed", reason=reason) if reason else say("fact.not_suppressed")
            case rules.Member():
                return self._topics()
            case rules.Did(verb=verb, scope=scope):
                return self._last(verb, scope) + self._then(node)
            case rules.Ignored(scope=scope):
                return say("fact.unopened", number=self._row(scope).unopened)
            case _:
                return self._value(self.wording.catalogue.field_named(node.field))

    def _value(self, one: Field) -> str:
        value = known_value(one, self.person)
        label = self.wording.label(one)
        if value is None:
            return self.wording.say("fact.unknown", field=label)
        match value:
            case bool():
                said = self.wording.say("yes" if value else "no")
            case dt.datetime():
                said = self._when(value)
            case float():
                said = f"{value:g}"
            case _:
                said = str(value)
        return self.wording.say("fact.value", field=label, value=said)

    def _topics(self) -> str:
        names = [topic.name for topic in self.wording.catalogue.topics if topic.id in self.person.topics]
        if not names:
            return self.wording.say("fact.no_topics")
        listed = self.wording.listed([self.wording.quoted(name) for name in names], self.wording.say("and"))
        return self.wording.say("fact.topics", names=listed)

    def _last(self, verb: str, scope: Scope | None) -> str:
        row = self._row(scope)
        if verb == "received" and scope is not None and scope.kind == "campaign":
            row = self._mail(self.wording.catalogue.campaign_named(scope.name))
        last, number = {
            "opened": (row.last_open_at, row.opens),
            "clicked": (row.last_click_at, row.clicks),
            "received": (row.last_sent_at, row.received),
        }[verb]
        when = self._when(last) if last else self.wording.say("fact.never")
        return self.wording.say(f"fact.{verb}", when=when, number=number)

    def _then(self, node: rules.Did) -> str:
        """How often in the window, where the last time does not say it."""
        question = Meaning(self.wording.catalogue, self.wording.today).of(node)
        if isinstance(question, Opposite):
            question = question.part
        if node.window is None or not isinstance(question, DayCount | MailCount):
            return ""
        return "; " + self.wording.say("fact.then", number=times(question, self.person, self.zone))

    def _mail(self, campaign_id: int) -> Engagement:
        sent = [mail.at for mail in self.person.mails if mail.campaign_id == campaign_id]
        return Engagement(received=len(sent), last_sent_at=max(sent, default=None))

    def _row(self, scope: Scope | None) -> Engagement:
        catalogue = self.wording.catalogue
        match scope:
            case Scope(kind="department", name=name):
                key = DEPARTMENT, catalogue.department_named(name)
            case Scope(kind="topic", name=name):
                key = TOPIC, catalogue.topic_named(name).id
            case Scope(name=name):
                key = CAMPAIGN, catalogue.campaign_named(name)
            case _:
                key = 0, 0
        return self.person.engagement.get(key, NOTHING)

    def _when(self, moment: dt.datetime) -> str:
        day = moment.astimezone(self.zone).date()
        return self.wording.ago(day)
