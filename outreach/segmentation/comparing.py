"""Comparisons of one field, checked against its type: what a value means depends on what the field holds."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from functools import cache

from babel import Locale

from outreach.segmentation.days import first_and_end, the_day
from outreach.segmentation.errors import RuleError
from outreach.segmentation.fields import Field, Type
from outreach.segmentation.hints import closest, meant
from outreach.segmentation.questions import (
    AnyOf,
    DayRange,
    NumberIs,
    NumberRange,
    Question,
    TextIs,
    TextLike,
    YesNoIs,
    fold,
)
from outreach.segmentation.rules import NOWHERE, Between, Compare, Like, Name, Value, When

LARGEST = 10.0**15
"""Larger numbers than this are not exact any more."""
LONGEST = 1_000
"""Characters of a text to compare with; SQLite refuses patterns that are much longer."""

_TEXTS = (Type.TEXT, Type.CHOICE)
_HOLDS = {
    Type.TEXT: "text",
    Type.CHOICE: "one of a few texts",
    Type.NUMBER: "a number",
    Type.DATE: "a date",
    Type.YESNO: "yes or no",
}
_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", re.IGNORECASE)
_DAY = dt.timedelta(days=1)


def one_of(field: Field, values: tuple[Value, ...], *, today: dt.date) -> Question:
    """The field is one of these values."""
    match field.type:
        case Type.TEXT | Type.CHOICE:
            return TextIs(field, tuple(dict.fromkeys(fold(_text(field, value)) for value in values)))
        case Type.NUMBER:
            return NumberIs(field, tuple(dict.fromkeys(_number(field, value) for value in values)))
        case Type.YESNO:
            return _either(YesNoIs(field, wanted) for wanted in dict.fromkeys(_yesno(field, one) for one in values))
        case Type.DATE:
            days = dict.fromkeys(_day(field, value, today=today) for value in values)
            return _either(DayRange(field, day, day + _DAY) for day in days)


def compared(node: Compare, field: Field, *, today: dt.date) -> Question:
    if node.comparison == "is":
        return one_of(field, (node.value,), today=today)
    above, too = node.comparison[0] == ">", node.comparison.endswith("=")
    if field.type is Type.NUMBER:
        limit = _number(field, node.value)
        if above:
            return NumberRange(field, low=limit, low_too=too)
        return NumberRange(field, high=limit, high_too=too)
    if field.type is Type.DATE:
        day = _day(field, node.value, today=today)
        if above:
            return DayRange(field, day if too else day + _DAY, None)
        return DayRange(field, None, day + _DAY if too else day)
    advice = f"write {field.name} in (…)" if field.type in _TEXTS else f"write {field.name} is yes"
    raise _wrong(
        f"{field.name} holds {_HOLDS[field.type]}, which is not more or less than anything; {advice}", node.field
    )


def between(node: Between, field: Field, *, today: dt.date) -> Question:
    if field.type is Type.NUMBER:
        low, high = _number(field, node.low), _number(field, node.high)
        if low > high:
            raise _wrong("the first number of a between has to be the smaller one", node.low)
        return NumberRange(field, low, high)
    if field.type is Type.DATE:
        first, last = _day(field, node.low, today=today), _day(field, node.high, today=today)
        if first > last:
            raise _wrong("the first day of a between has to be the earlier one", node.low)
        return DayRange(field, first, last + _DAY)
    raise _wrong(f"{field.name} holds {_HOLDS[field.type]}; between needs a number or a date", node.field)


def like(node: Like, field: Field) -> Question:
    if field.type not in _TEXTS:
        raise _wrong(f"{field.name} holds {_HOLDS[field.type]}; {node.likeness} needs a text", node.field)
    return TextLike(field, node.likeness, fold(_short(node.text)))


def when(node: When, field: Field, *, today: dt.date) -> Question:
    if field.type is not Type.DATE:
        raise _wrong(f"{field.name} holds {_HOLDS[field.type]}; {node.window.kind} needs a date", node.field)
    return DayRange(field, *first_and_end(node.window, today=today))


def alone(node: Compare) -> bool:
    """Whether this field stands alone, as `renter` may, without a value."""
    return node.value.at == NOWHERE and node.field.at != NOWHERE


def _text(field: Field, value: Value) -> str:
    if value.kind == "date" and not value.text[0].isdigit():
        raise _wrong(
            f'{field.name} holds {_HOLDS[field.type]}; if you mean the word, write "{value.text}" in quotes', value
        )
    text = _short(value)
    if field.column == "locale":
        text = _language(text, value)
    if field.choices and fold(text) not in map(fold, field.choices):
        known = ", ".join(field.choices[:8])
        suggestion = meant(closest(text, field.choices)) or f"; it is one of {known}"
        raise _wrong(f'{field.name} is never "{text}"{suggestion}', value)
    return text


def language_code(text: str) -> str | None:
    """The code of a language, by the code itself or by its name in English."""
    if code := _languages().get(text.casefold()):
        return code
    return text if _LANGUAGE_TAG.fullmatch(text) else None


def _language(text: str, value: Value) -> str:
    if code := language_code(text):
        return code
    suggestion = closest(text, (str(name) for name in Locale("en").languages.values()))
    raise _wrong(f'no language is called "{text}"{meant(suggestion) or "; write its code, like es"}', value)


@cache
def _languages() -> dict[str, str]:
    known = Locale("en").languages.items()
    return {str(name).casefold(): str(code) for code, name in known if _LANGUAGE_TAG.fullmatch(code)}


def _number(field: Field, value: Value) -> float:
    try:
        number = float(value.text) if value.kind in ("number", "text") and "_" not in value.text else float("nan")
    except ValueError:
        number = float("nan")
    if not abs(number) < LARGEST:
        what = "is too large" if abs(number) >= LARGEST else "is not one"
        raise _wrong(f'{field.name} holds a number, and "{value.text}" {what}', value)
    return number


def _yesno(field: Field, value: Value) -> bool:
    word = value.text.casefold()
    if word in ("yes", "true", "1", "y"):
        return True
    if word in ("no", "false", "0", "n"):
        return False
    raise _wrong(f'{field.name} is yes or no, and "{value.text}" is neither', value)


def _day(field: Field, value: Value, *, today: dt.date) -> dt.date:
    if value.kind == "date":
        return the_day(value, today=today)
    try:
        if value.kind == "text" and len(value.text) == 10:
            return dt.date.fromisoformat(value.text)
    except ValueError:
        pass
    if re.fullmatch(r"(?:19|20)\d\d", value.text):
        year = f"between {value.text}-01-01 and {value.text}-12-31"
        raise _wrong(f"for a whole year, write {field.name} {year}", value)
    raise _wrong(f'{field.name} holds a date, and "{value.text}" is not one; write it like 2026-03-31', value)


def _short(value: Value) -> str:
    if len(value.text) > LONGEST:
        raise _wrong(f"a text in a rule can have {LONGEST:,} characters, and this has {len(value.text):,}", value)
    return value.text


def _either(parts: Iterable[Question]) -> Question:
    questions = tuple(parts)
    return questions[0] if len(questions) == 1 else AnyOf(questions)


def _wrong(message: str, where: Name | Value) -> RuleError:
    start, end = where.at
    return RuleError(message, start=start, end=end)
