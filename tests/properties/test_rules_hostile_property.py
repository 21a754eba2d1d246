"""No text and no JSON makes the rule language raise anything but its own error, or keeps it busy."""

from __future__ import annotations

import time

from hypothesis import example, given, settings
from hypothesis import strategies as st

from outreach.segmentation import RuleError, canonical, from_json, parse, to_json
from outreach.segmentation.parser import MAX_LENGTH

FRAGMENTS = [
    "topic",
    "is",
    "not",
    "and",
    "or",
    "(",
    ")",
    "[",
    "]",
    ",",
    "in",
    "within",
    "90",
    "days",
    "opened",
    "clicked",
    "at least",
    "3",
    "times",
    "from",
    "department",
    "Parks",
    '"',
    "'",
    "\u201c",
    "\u201d",
    "district",
    "=",
    "!=",
    "<",
    ">=",
    "between",
    "ago",
    "last",
    "the",
    "ignored",
    "campaigns",
    "segment",
    "suppressed",
    "2026-02-30",
    "today",
    "known",
    "contains",
    "#",
    "\n",
    "&&",
    "||",
    "!",
    "\x00",
    "'; drop table profile; --",
    "' OR 1=1--",
    "\\",
    "99999999999999999999",
    "1e999",
    "NaN",
    "d\u0456strict",
    "everyone",
    "has",
    "never",
    "yes",
    "%",
    "\ud800",
    "\u202e",
    "(a+)+$",
    "is not",
    "once",
]


@settings(max_examples=500)
@given(st.text(max_size=60) | st.lists(st.sampled_from(FRAGMENTS), max_size=14).map(" ".join))
@example("(" * 5000 + ")" * 5000)
@example("not " * 5000 + "renter")
@example("a" * 1_000_000)
@example("renter and " * 900 + "renter")
@example("from " * 900 + " " * 5000 + "(")
@example('\\"' * 4999)
@example("a-" * 4999)
def test_no_text_raises_anything_but_a_rule_error(text: str) -> None:
    started = time.process_time()
    try:
        rule = parse(text, words=("Parks and trails", "Parking & street sweeping"))
    except RuleError as error:
        found = error
    else:
        found = None
    assert time.process_time() - started < 1
    if found is not None:
        assert str(found)
        assert found.line >= 1
        assert found.column >= 1
        return
    if len(canonical(rule)) <= MAX_LENGTH:
        assert parse(canonical(rule)) == rule


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["and", "or", "not", "compare", "field", "value", "did", "verb", "names"]), inner
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_json_raises_anything_but_a_rule_error(document: object) -> None:
    try:
        rule = from_json(document)
    except RuleError:
        return
    assert from_json(to_json(rule)) == rule
