"""Every tree a rule can be, for the properties to hold of."""

from __future__ import annotations

from hypothesis import strategies as st

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
    Scope,
    Suppressed,
    Value,
    When,
    Window,
)
from tests.properties.rules_city import FIELDS, SEGMENTS, TEXTS

texts = st.sampled_from(TEXTS).map(lambda text: Value("text", text))
numbers = st.sampled_from(["0", "1", "2.5", "3", "18", "30.5", "-4"]).map(lambda text: Value("number", text))
yesnos = st.sampled_from(["yes", "no", "true", "false"]).map(lambda text: Value("yesno", text))
dates = st.sampled_from(
    ["2026-11-20", "2026-11-21", "2025-01-01", "1999-12-31", "today", "yesterday", "30 days ago", "2 weeks ago"]
).map(lambda text: Value("date", text))
values = {"text": st.one_of(texts, numbers), "number": numbers, "yesno": yesnos, "date": dates}
fields = st.sampled_from(sorted(FIELDS))
units = st.sampled_from(["day", "week", "month", "year"])


@st.composite
def windows(draw: st.DrawFn) -> Window:
    kind = draw(st.sampled_from(["within", "before", "after", "since", "on", "between", "this", "last"]))
    if kind == "within":
        return Window("within", amount=draw(st.integers(0, 40)), unit=draw(units))
    if kind in ("this", "last"):
        return Window(kind, unit=draw(st.sampled_from(["week", "month", "year"])))
    if kind == "between":
        ends = sorted(draw(st.tuples(*[st.sampled_from(["2025-01-01", "2026-10-22", "2026-11-20", "2026-11-21"])] * 2)))
        return Window("between", tuple(Value("date", end) for end in ends))
    return Window(kind, (draw(dates),))


def language(value: Value) -> Value:
    return Value("text", "es") if value.kind == "text" else Value("text", "hmn")


@st.composite
def about_fields(draw: st.DrawFn) -> Node:
    name = draw(fields)
    kind, field = FIELDS[name], Name(name)
    value = values[kind].map(language) if name == "language" else values[kind]
    choices = ["is", "in", "known"]
    choices += {"text": ["like"] * 2, "number": ["order", "between"], "date": ["order", "between", "when"]}.get(
        kind, []
    )
    match draw(st.sampled_from(choices)):
        case "is":
            return Compare(field, "is", draw(value))
        case "in":
            return OneOf(field, tuple(draw(st.lists(value, min_size=2, max_size=4))))
        case "known":
            return Known(field)
        case "like":
            piece = draw(st.sampled_from(["3", "N", "%", "_", "\\", "'", "Ñ", "or", "x"]))
            return Like(field, draw(st.sampled_from(["contains", "starts with", "ends with"])), Value("text", piece))
        case "order":
            return Compare(field, draw(st.sampled_from([">", ">=", "<", "<="])), draw(value))
        case "between" if kind == "number":
            return Between(
                field, Value("number", "1"), draw(st.sampled_from([Value("number", "1"), Value("number", "30")]))
            )
        case "between":
            return Between(field, Value("date", "2025-01-01"), Value("date", "yesterday"))
        case _:
            return When(field, draw(windows().filter(lambda window: window.kind != "between")))


names = {
    "department": st.sampled_from(["Parks", "PUBLIC  works"]),
    "topic": st.sampled_from(["parking", "Parks and trails", "Nothing yet"]),
    "segment": st.sampled_from(sorted(SEGMENTS)),
    "campaign": st.sampled_from(["letter-1", "letter-4"]),
}


counts = st.builds(Count, st.sampled_from(["at least", "exactly", "at most"]), st.integers(1, 4))


@st.composite
def activities(draw: st.DrawFn) -> Node:
    kind = draw(st.sampled_from([None, "department", "topic", "campaign"]))
    verb = draw(st.sampled_from(["opened", "clicked", "received"]))
    window = draw(st.none() | windows())
    if kind == "campaign":
        scope = Scope("campaign", Name(draw(names[kind])))
        count = draw(st.none() | (counts if verb == "clicked" else st.just(Count("exactly", 1))))
        return Did(verb, count, scope, window)
    scope = Scope(kind, Name(draw(names[kind]))) if kind else None
    if draw(st.integers(0, 4)) == 0:
        return Ignored(draw(st.integers(1, 6)), scope)
    count = draw(st.none() | counts | st.just(Count("at most", 0)))
    return Did(verb, count, scope, window)


@st.composite
def members(draw: st.DrawFn) -> Node:
    group = draw(st.sampled_from(["topic", "department", "segment"]))
    return Member(group, tuple(Name(name) for name in draw(st.lists(names[group], min_size=1, max_size=3))))


leaves = st.one_of(about_fields(), activities(), members(), st.just(Suppressed()), st.just(Everyone()))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=8,
)
