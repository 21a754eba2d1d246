"""For every rule and every person: both databases and plain Python choose the same people, and `not` is exact."""

from __future__ import annotations

import datetime as dt
import random
import re
import time
from dataclasses import astuple, dataclass
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import ColumnElement, Connection, insert, not_, select, update

from outreach.events import Kind
from outreach.segmentation import (
    Catalogue,
    Field,
    Person,
    Rule,
    RuleError,
    Topic,
    Type,
    canonical,
    compile_rule,
    evaluate,
    explain,
    from_json,
    load_catalogue,
    load_person,
    parse,
    to_json,
)
from outreach.segmentation.parser import MAX_LENGTH
from outreach.segmentation.person import ActiveDay, Engagement, Mail
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
from outreach.store import tables
from outreach.store.database import Store

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
ZONE = ZoneInfo("America/Chicago")
TODAY = NOW.astimezone(ZONE).date()
PEOPLE = 80
TEXTS = [
    "3",
    "4",
    "02134",
    "North",
    "north",
    "NORTH gate",
    "Ñandú",
    "ñandú",
    "50%_off",
    "o'Brien",
    'say "hi"',
    "a\\b",
    "x",
]
FIELDS = {
    "district": "text",
    "zip": "text",
    "renter": "yesno",
    "age": "number",
    "moved": "date",
    "language": "text",
    "joined": "date",
    "first_name": "text",
    "street": "text",
    "pets": "number",
    "dog": "yesno",
    "built": "date",
    "email": "text",
}
SLOTS = {"district": "t1", "zip": "t2", "renter": "n1", "age": "n2", "moved": "d1"}
TOPICS = {"Parking": 1, "Parks and trails": 2, "Road works": 1, "Nothing yet": None}
SEGMENTS = {
    "engaged": "opened within 90 days or clicked at least 2 times within 200 days",
    "renters here": "renter and not district is unknown",
    "of segments": 'in segment "renters here" or not in segment engaged',
}


@dataclass(frozen=True)
class City:
    catalogue: Catalogue
    people: dict[int, Person]


def build(connection: Connection) -> City:
    """People with facts of every kind, many of them missing, and the same facts as Person."""
    dice = random.Random(7)

    def maybe(make: object, share: float = 0.7) -> object:
        return make() if dice.random() < share else None  # type: ignore[operator]

    def past(days: int) -> dt.datetime:
        return NOW - dt.timedelta(milliseconds=dice.randrange(days * 86_400_000))

    known = set(connection.execute(select(tables.field.c.name)).scalars())
    for name, kind in FIELDS.items():
        if name in ("email", "language", "joined"):
            continue
        row = {"type": kind, "slot": SLOTS.get(name)}
        if name in known:
            connection.execute(update(tables.field).where(tables.field.c.name == name).values(**row))
        else:
            connection.execute(insert(tables.field).values(name=name, **row))
    connection.execute(insert(tables.department), [{"id": 1, "name": "Public Works"}, {"id": 2, "name": "Parks"}])
    connection.execute(
        insert(tables.topic),
        [
            {"id": number, "name": name, "key": name.casefold(), "department_id": department}
            for number, (name, department) in enumerate(TOPICS.items(), 1)
        ],
    )
    campaigns = {}
    for number in range(1, 9):
        planned = NOW - dt.timedelta(days=60 * number)
        campaigns[number] = {
            "id": number,
            "name": f"letter-{number}",
            "file": "letter.md",
            "topic_id": 1 + number % 3,
            "department_id": [None, 1, 2][number % 3],
            "status": "finished",
            "rule": "everyone",
            "plan": {},
            "plan_hash": "",
            "frozen": 0,
            "planned_at": planned,
            "finished_at": planned + dt.timedelta(days=20) if number > 1 else None,
        }
    connection.execute(insert(tables.campaign), list(campaigns.values()))
    people = {}
    for person in range(1, PEOPLE + 1):
        address = f"Person{person}@{dice.choice(['city', 'mail'])}.example".lower()
        slots = {
            "district": maybe(lambda: dice.choice(TEXTS)),
            "zip": maybe(lambda: dice.choice(["", *TEXTS])),
            "renter": maybe(lambda: float(dice.randint(0, 1))),
            "age": maybe(lambda: dice.choice([18.0, 30.5, 65.0])),
            "moved": maybe(lambda: past(900)),
        }
        attributes = {
            "first_name": maybe(lambda: dice.choice(TEXTS)),
            "street": maybe(lambda: dice.choice([*TEXTS, 3, 4.5, True, None, ["x"]])),
            "pets": maybe(lambda: dice.choice([0, 1, 2.5, "2", None, False])),
            "dog": maybe(lambda: dice.choice([True, False, 1, "yes", None])),
            "built": maybe(lambda: dice.choice(["1999-12-31", "2026-11-20", "2026-11-20T23:59:59Z", "soon", 2026])),
        }
        attributes = {name: value for name, value in attributes.items() if value is not None}
        overall = figures(dice, past)
        profile = {
            "locale": maybe(lambda: dice.choice(["en", "es", "es-mx", "hmn"])),
            "joined_at": maybe(lambda: past(900)),
            **{SLOTS[name]: value for name, value in slots.items()},
        }
        connection.execute(
            insert(tables.subscriber).values(id=person, address=address, attributes=attributes, created_at=NOW)
        )
        connection.execute(insert(tables.profile).values(subscriber_id=person, status=1, **profile, **overall))
        subscribed = {number: dice.choice([0, 1, 1, 2]) for number in range(1, 4) if dice.random() < 0.5}
        for topic, status in subscribed.items():
            connection.execute(
                insert(tables.subscription).values(topic_id=topic, subscriber_id=person, status=status, changed_at=NOW)
            )
        reason = maybe(lambda: "bounce", 0.2)
        if reason:
            connection.execute(
                insert(tables.suppression).values(
                    address=address, subscriber_id=dice.choice([person, None]), reason=reason, source="test", at=NOW
                )
            )
        scopes = {(kind, one): figures(dice, past) for kind in (1, 2) for one in (1, 2, 3) if dice.random() < 0.5}
        scopes.pop((1, 3), None)
        for campaign_id in campaigns:
            if dice.random() < 0.3:
                scopes[3, campaign_id] = figures(dice, past) | {"received": 0, "unopened": 0, "last_sent_at": None}
        for (kind, one), row in scopes.items():
            connection.execute(
                insert(tables.engagement).values(scope_kind=kind, scope_id=one, subscriber_id=person, **row)
            )
        days = {
            ActiveDay(
                dice.choice([Kind.OPEN, Kind.CLICK]),
                TODAY - dt.timedelta(days=dice.choice([0, 1, 5, 29, 30, 31, 90, 300])),
                dice.randint(0, 2),
                dice.randint(0, 3),
                dice.randint(1, 2),
            )
            for _ in range(dice.randint(0, 6))
        }
        days = {(day.event, day.day, day.department_id, day.topic_id): day for day in days}
        for day in days.values():
            connection.execute(
                insert(tables.engagement_day).values(
                    kind=int(day.event),
                    day=(day.day - dt.date(1970, 1, 1)).days,
                    subscriber_id=person,
                    department_id=day.department_id,
                    topic_id=day.topic_id,
                    count=day.count,
                )
            )
        mails = []
        for number, one in campaigns.items():
            if dice.random() < 0.4:
                state = dice.choice([3, 3, 3, 4, 6])
                at = min(NOW, one["planned_at"] + dt.timedelta(hours=dice.randrange(480)))
                connection.execute(
                    insert(tables.delivery).values(campaign_id=number, subscriber_id=person, state=state, at=at)
                )
                if state == 3:
                    mails.append(Mail(number, one["department_id"], one["topic_id"], at))
        values = {
            **slots,
            **attributes,
            "language": profile["locale"],
            "joined": profile["joined_at"],
            "email": address,
        }
        people[person] = Person(
            values={name: value for name, value in values.items() if value is not None},
            topics=frozenset(topic for topic, status in subscribed.items() if status == 1),
            suppressed=reason,
            engagement={(0, 0): Engagement(**overall)} | {key: Engagement(**row) for key, row in scopes.items()},
            days=tuple(days.values()),
            mails=tuple(mails),
        )
    return City(load_catalogue(connection, segments=SEGMENTS), people)


def figures(dice: random.Random, past: object) -> dict[str, object]:
    moments = {
        name: past(days) if dice.random() < 0.6 else None  # type: ignore[operator]
        for name, days in (("last_sent_at", 20), ("last_open_at", 200), ("last_click_at", 400))
    }
    counts = {name: dice.randint(0, 5) for name in ("received", "opens", "clicks", "unopened")}
    return {**counts, **moments}


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


@st.composite
def activities(draw: st.DrawFn) -> Node:
    kind = draw(st.sampled_from([None, "department", "topic", "campaign"]))
    verb = draw(st.sampled_from(["opened", "clicked", "received"]))
    window = draw(st.none() | windows())
    if kind == "campaign":
        scope = Scope("campaign", Name(draw(names[kind])))
        if verb == "received":
            return Did(verb, scope=scope, window=window)
        count = (
            draw(st.none() | st.builds(Count, st.just("at least"), st.integers(1, 3))) if verb == "clicked" else None
        )
        open_ended = window is None or window.kind in ("within", "since", "after", "this")
        return Did(verb, count, scope, window if open_ended and count is None else None)
    scope = Scope(kind, Name(draw(names[kind]))) if kind else None
    if draw(st.integers(0, 4)) == 0:
        return Ignored(draw(st.integers(1, 6)), scope)
    counts = st.builds(Count, st.sampled_from(["at least", "exactly", "at most"]), st.integers(1, 4))
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


def test_the_database_and_the_evaluator_choose_the_same_people(store: Store) -> None:
    with store.write() as connection:
        city = build(connection)
    everybody = set(city.people)

    with store.read() as connection:

        def chosen(expression: ColumnElement[bool]) -> set[int]:
            return set(connection.execute(select(tables.profile.c.subscriber_id).where(expression)).scalars())

        @settings(max_examples=120)
        @given(trees)
        def agree(root: Node) -> None:
            rule = Rule(root)
            expression = compile_rule(rule, city.catalogue, now=NOW, zone=ZONE)
            by_sql = chosen(expression)
            plain = {
                person
                for person, facts in city.people.items()
                if evaluate(rule, facts, city.catalogue, now=NOW, zone=ZONE)
            }
            assert by_sql == plain
            assert chosen(compile_rule(Rule(Not(root)), city.catalogue, now=NOW, zone=ZONE)) == everybody - by_sql
            assert chosen(not_(expression)) == everybody - by_sql

        agree()


def test_a_person_read_from_the_store_has_the_same_facts(store: Store) -> None:
    with store.write() as connection:
        city = build(connection)
        for person, facts in city.people.items():
            found = load_person(connection, person, city.catalogue)
            assert found is not None
            assert rounded(found) == rounded(facts)


def rounded(person: Person) -> tuple[object, ...]:
    """The facts, with moments as numbers: the databases name the time zone differently."""

    def plain(row: object) -> tuple[object, ...]:
        return tuple(one.timestamp() if isinstance(one, dt.datetime) else one for one in astuple(row))  # type: ignore[call-overload]

    engagement = {scope: plain(row) for scope, row in person.engagement.items()}
    mails = {plain(mail) for mail in person.mails}
    return dict(person.values), person.topics, person.suppressed, engagement, set(person.days), mails


@settings(max_examples=300)
@given(trees)
def test_printing_and_parsing_gives_the_same_tree(root: Node) -> None:
    printed = canonical(Rule(root))
    assert parse(printed) == Rule(root)
    assert canonical(parse(printed)) == printed


@settings(max_examples=200)
@given(trees)
def test_json_both_ways_gives_the_same_tree(root: Node) -> None:
    assert from_json(to_json(Rule(root))) == Rule(root)


@given(trees, st.sampled_from(["en", "es", "de"]))
def test_every_rule_can_be_said(root: Node, language: str) -> None:
    catalogue = Catalogue(
        fields={name: Field(name, Type(kind), SLOTS.get(name)) for name, kind in FIELDS.items()},
        topics=tuple(Topic(number, name) for number, name in enumerate(TOPICS, 1)),
        departments={"Public Works": 1, "Parks": 2},
        campaigns={f"letter-{number}": number for number in range(1, 9)},
        segments=SEGMENTS,
    )
    sentence = explain(Rule(root), catalogue, language, now=NOW, zone=ZONE)
    assert re.fullmatch(r"[A-ZÀ-Ý].*\.", sentence)
    assert "{" not in sentence


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
    started = time.monotonic()
    try:
        rule = parse(text, words=("Parks and trails", "Parking & street sweeping"))
    except RuleError as error:
        found = error
    else:
        found = None
    assert time.monotonic() - started < 1
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
