"""Questions about one field, in SQL: a column of the profile, or a look-up in the subscriber's attributes.

A JSON value counts as what the field's type says, or as unknown: a number is a text when the field holds texts, as ZIP
codes come both ways; a text is never a number, because PostgreSQL would have to trust it.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Float,
    FunctionElement,
    String,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    not_,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from outreach.segmentation.fields import Field, Type
from outreach.segmentation.questions import (
    DayRange,
    Has,
    NumberIs,
    NumberRange,
    OfField,
    TextIs,
    TextLike,
    YesNoIs,
    fold,
)
from outreach.store.tables import profile, subscriber

Test = ColumnElement[bool]

_TEXTS = ("text", "integer", "real", "string", "number")
_NUMBERS = ("integer", "real", "number")
"""What SQLite's json_type and PostgreSQL's jsonb_typeof call them."""
_DAY_SHAPE = "____-__-__%"


class folded(FunctionElement[str]):  # noqa: N801  (named like the SQL function it is)
    """A to Z in lower case and nothing else, compared byte by byte: the same on both databases."""

    type = Text()
    inherit_cache = True


class json_kind(FunctionElement[str]):  # noqa: N801
    """The type of a JSON value, in the database's own word."""

    type = String()
    inherit_cache = True


@compiles(folded, "sqlite")
def _folded_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"lower({compiler.process(element.clauses, **options)})"


@compiles(folded, "postgresql")
def _folded_postgresql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f'lower(({compiler.process(element.clauses, **options)}) COLLATE "C")'


@compiles(json_kind, "sqlite")
def _kind_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    # Of what JSON_EXTRACT gives, true would already be 1: ask by the path instead.
    [index] = element.clauses
    document, path = (compiler.process(side, **options) for side in (index.left, index.right))
    return f"json_type({document}, {path})"


@compiles(json_kind, "postgresql")
def _kind_postgresql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"jsonb_typeof({compiler.process(element.clauses, **options)})"


def answer(question: OfField, zone: ZoneInfo, *, no: bool) -> Test:
    """The test, or its complement. Neither is ever NULL."""
    field = question.field
    if field.column is not None:
        column = profile.c[field.column]
        test = _test(question, column, zone)
        return or_(column.is_(None), not_(test)) if no else and_(column.is_not(None), test)
    tests = [_test(question, subscriber.c.address, zone)] if field.is_address else _attribute_tests(question, zone)
    found = exists(
        select(1).select_from(subscriber).where(subscriber.c.id == profile.c.subscriber_id, *tests).correlate(profile)
    )
    return not_(found) if no else found


def _attribute_tests(question: OfField, zone: ZoneInfo) -> list[Test]:
    """All must hold; first the one that few people pass, because SQLite reads the JSON again for each."""
    field = question.field
    value = subscriber.c.attributes[field.name]
    plain = value.as_string()
    kind = json_kind(value)
    if field.type is Type.NUMBER:
        return [_test(question, case((kind.in_(_NUMBERS), cast(plain, Float))), zone)]  # else "abc" would be cast
    if field.type is Type.YESNO:
        # SQLite's kinds are true and false; PostgreSQL's is boolean, and the value says which.
        yes = or_(kind == "true", and_(kind == "boolean", plain == "true"))
        return [_test(question, case((yes, 1.0), (kind.in_(("false", "boolean")), 0.0)), zone)]
    text = cast(plain, Text)
    if field.type is Type.DATE:
        return [_test(question, folded(func.substr(text, 1, 10)), zone), text.like(_DAY_SHAPE), kind.in_(_TEXTS)]
    return [_test(question, text, zone), kind.in_(_TEXTS)]


def _test(question: OfField, value: ColumnElement[Any], zone: ZoneInfo) -> Test:
    match question:
        case TextIs(texts=texts):
            plain = _comparable(question.field, value, "".join(texts))
            return plain == texts[0] if len(texts) == 1 else plain.in_(texts)
        case TextLike(likeness=likeness, text=text):
            plain = _comparable(question.field, value, text)
            if likeness == "contains":
                return plain.contains(text, autoescape=True)
            if likeness == "starts with":
                return plain.startswith(text, autoescape=True)
            return plain.endswith(text, autoescape=True)
        case NumberIs(numbers=numbers):
            return value == numbers[0] if len(numbers) == 1 else value.in_(numbers)
        case NumberRange():
            return _number_range(question, value)
        case YesNoIs(wanted=wanted):
            return value == float(wanted)
        case DayRange(field=field, first=first, end=end):
            low = None if first is None else _limit(field, first, zone)
            high = None if end is None else _limit(field, end, zone)
            return and_(*([value >= low] if low is not None else []), *([value < high] if high is not None else []))
        case Has(field=field):
            filled = field.type in (Type.TEXT, Type.CHOICE)
            return value != "" if filled else value.is_not(None)


def _comparable(field: Field, value: ColumnElement[Any], wanted: str) -> ColumnElement[Any]:
    """The value without its case, unless case makes no difference: 40 ms of 1,000,000 people are its price."""
    caseless = field.column == "locale" or fold(wanted.upper()) == wanted.upper()
    return value if caseless else folded(value)


def _number_range(question: NumberRange, value: ColumnElement[Any]) -> Test:
    limits: list[Test] = []
    if question.low is not None:
        limits.append(value >= question.low if question.low_too else value > question.low)
    if question.high is not None:
        limits.append(value <= question.high if question.high_too else value < question.high)
    return and_(*limits)


def _limit(field: Field, day: dt.date, zone: ZoneInfo) -> dt.datetime | str:
    """Where a day begins: a moment for a column, its own text for a date that is kept as text."""
    return day.isoformat() if field.column is None else dt.datetime.combine(day, dt.time(), zone)
