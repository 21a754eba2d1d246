"""One condition in words: `Wording` knows the language, the names and the day, and fills in the phrases."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal

from outreach.segmentation import rules
from outreach.segmentation.comparing import language_code
from outreach.segmentation.days import first_and_end, the_day
from outreach.segmentation.fields import Catalogue, Field, Type
from outreach.segmentation.phrases import LANGUAGES
from outreach.segmentation.phrases_en import ENGLISH
from outreach.segmentation.rules import Count, Name, Scope, Value, Verb, Window

_DAY = dt.timedelta(days=1)
_ONCE = Count("at least", 1)
_THINGS = {"opened": "campaigns", "received": "campaigns", "clicked": "links"}


@dataclass(frozen=True, slots=True)
class Wording:
    """Says conditions in `language` (en, es or de; anything else is said in English)."""

    catalogue: Catalogue
    language: str
    today: dt.date

    def say(self, key: str, **parts: object) -> str:
        phrases = LANGUAGES.get(self.language.split("-")[0].lower(), ENGLISH)
        return phrases[key].format(**parts)

    def condition(self, node: rules.Condition, *, no: bool = False) -> str:
        """The clause for one condition, or for its complement. Segments are not said here."""
        ending = ".no" if no else ""
        match node:
            case rules.Everyone():
                return self.say("everyone" + ending)
            case rules.Suppressed():
                return self.say("suppressed" + ending)
            case rules.Member(group=group, names=names):
                return self.say(
                    group + ending, names=self.either([self.quoted(self.name(group, one)) for one in names])
                )
            case rules.Did():
                return self._did(node, no=no)
            case rules.Ignored(number=number, scope=scope):
                key = "ignored.1" if number == 1 else "ignored"
                return self.say(key + ending, number=number, scope=self._scope(scope))
        one = self.catalogue.field_named(node.field)
        label = self.label(one)
        match node:
            case rules.Compare(comparison=comparison, value=value):
                key = {(Type.YESNO, True): "yesno", (Type.DATE, False): f"day{comparison}"}.get(
                    (one.type, comparison == "is"), comparison
                )
                return self.say(key + ending, field=label, value=self.value(one, value))
            case rules.OneOf(values=values):
                said = self.either([self.value(one, value) for value in values])
                return self.say("is" + ending, field=label, value=said)
            case rules.Between(low=low, high=high):
                return self.say("between" + ending, field=label, low=self.value(one, low), high=self.value(one, high))
            case rules.Like(likeness=likeness, text=text):
                return self.say(likeness + ending, field=label, value=self.quoted(text.text))
            case rules.Known():
                return self.say("known" + ending, field=label)
            case rules.When(window=window):
                key = "joined" if one.name == "joined" else "when"
                return self.say(key + ending, field=label, window=self.window(window))

    def name(self, kind: str, name: Name) -> str:
        """A name as the city spells it, however the rule did."""
        match kind:
            case "topic":
                return self.catalogue.topic_named(name).name
            case "segment":
                return self.catalogue.segment_named(name)
            case "department":
                return next(one for one in self.catalogue.departments if one.casefold() == _plain(name))
        return next(one for one in self.catalogue.campaigns if one.casefold() == _plain(name))

    def label(self, one: Field) -> str:
        phrases = LANGUAGES.get(self.language.split("-")[0].lower(), ENGLISH)
        standard = phrases.get(f"{one.name}.field") or (phrases.get(one.name) if one.name != "joined" else None)
        return standard or one.name.replace("_", " ")

    def value(self, one: Field, value: Value) -> str:
        if one.type is Type.DATE:
            return self.day(dt.date.fromisoformat(value.text) if value.kind == "text" else self._day(value))
        if one.type is Type.YESNO:
            return self.say("yes" if value.text.lower() in ("yes", "true", "1", "y") else "no")
        if one.type is Type.NUMBER:
            return str(format_decimal(value.text, locale=self._locale()))
        if one.column == "locale":
            code = language_code(value.text) or value.text.lower()
            if spoken := self._locale().languages.get(code):
                return f"{spoken} ({code})"
        return value.text if value.kind == "number" else self.quoted(value.text)

    def window(self, window: Window) -> str:
        first, end = first_and_end(window, today=self.today)
        amount = window.amount
        keys = {("within", 1): "within.1", ("between", amount): "window.between"}
        key = keys.get((window.kind, amount), window.kind)
        mark = window.dates[0] if window.dates else None
        return self.say(
            key,
            amount=amount,
            unit=self.say(f"{window.unit}.one" if amount == 1 else window.unit),
            first=self.day(self._day(mark) if mark else first or self.today),
            last=self.day(end - _DAY) if end else "",
        )

    def day(self, day: dt.date) -> str:
        return format_date(day, "long", locale=self._locale())

    def ago(self, day: dt.date) -> str:
        number = (self.today - day).days
        return self.say(f"ago.{number}" if number in (0, 1) else "ago", day=self.day(day), number=number)

    def quoted(self, text: str) -> str:
        return self.say("quoted", text=text)

    def either(self, said: list[str]) -> str:
        """A, B or C."""
        return self.listed(said, self.say("or"))

    def listed(self, said: list[str], word: str) -> str:
        if len(said) == 1:
            return said[0]
        return f"{', '.join(said[:-1])} {word} {said[-1]}"

    def _did(self, node: rules.Did, *, no: bool) -> str:
        count = node.count or _ONCE
        of_one = node.scope is not None and node.scope.kind == "campaign"
        if of_one and node.verb != "clicked" and count.number == 1:
            count = _ONCE  # exactly once is all there can be
        never = no if count == _ONCE else not no and count.number == 0
        window = " " + self.window(node.window) if node.window else ""
        if of_one and node.scope is not None and (count == _ONCE or count.number == 0):
            key = f"{node.verb}.campaign" + (".no" if never else "")
            return self.say(key, name=self.quoted(self.name("campaign", node.scope.name)), window=window)
        parts: dict[str, Any] = {"scope": self._scope(node.scope), "window": window}
        if never:
            return self.say(f"{node.verb}.none", **parts)
        quantity = self._quantity(node.verb, count, no=no)
        if node.window and node.verb != "received" and not _at_least_one(count, no=no):
            quantity = _remarked(quantity, self.say("twice"))
        return self.say(node.verb, quantity=quantity, **parts)

    def _quantity(self, verb: Verb, count: Count, *, no: bool) -> str:
        things = _THINGS[verb]
        if _at_least_one(count, no=no):
            return self.say(f"{things}.one")
        counted = self.say(f"{things}.1" if count.number == 1 else things)
        return self.say(count.kind + (".no" if no else ""), number=count.number, things=counted)

    def _scope(self, scope: Scope | None) -> str:
        if scope is None:
            return ""
        return self.say(f"scope.{scope.kind}", name=self.quoted(self.name(scope.kind, scope.name)))

    def _day(self, value: Value) -> dt.date:
        return the_day(value, today=self.today)

    def _locale(self) -> Locale:
        known = self.language.split("-")[0].lower()
        return Locale(known if known in LANGUAGES else "en")


def _at_least_one(count: Count, *, no: bool) -> bool:
    return count.number == 0 if no else count == _ONCE


def _remarked(said: str, remark: str) -> str:
    """With a remark in brackets, or in those that are there already."""
    return f"{said[:-1]}; {remark})" if said.endswith(")") else f"{said} ({remark})"


def _plain(name: Name) -> str:
    return " ".join(name.text.split()).casefold()
