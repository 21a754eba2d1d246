"""Rules against a store with a few people in it, on both databases."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite

from outreach.segmentation import (
    Catalogue,
    Field,
    RuleError,
    TooSlow,
    Topic,
    Type,
    clauses,
    compile_rule,
    count,
    find_person,
    load_catalogue,
    load_person,
    parse,
    select_ids,
)
from outreach.segmentation.fields import STANDARD
from outreach.segmentation.parser import MAX_DEPTH
from outreach.store import tables
from outreach.store.database import Store
from outreach.store.membership import wanted

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
CHICAGO = ZoneInfo("America/Chicago")


@pytest.fixture
def catalogue(store: Store) -> Catalogue:
    """Ada in 3 opened yesterday; Ben in 4 never did; Cy's district is unknown; Dot is paused; Eve is suppressed."""
    people = {
        "ada": {"t1": "3", "t2": "02134", "n1": 1.0, "opens": 4, "last_open_at": NOW - dt.timedelta(days=1)},
        "ben": {"t1": "4", "locale": "es", "joined_at": NOW - dt.timedelta(days=400), "received": 9, "unopened": 9},
        "cy": {"n1": 0.0, "clicks": 1, "last_click_at": dt.datetime(2026, 10, 22, 4, 59, tzinfo=dt.UTC)},
        "dot": {"t1": "3", "status": 2},
        "eve": {"t1": "North", "last_click_at": dt.datetime(2026, 10, 22, 5, 0, tzinfo=dt.UTC)},
    }
    with store.write() as connection:
        connection.execute(insert(tables.department).values(id=1, name="Public Works"))
        connection.execute(
            insert(tables.topic),
            [
                {"id": 1, "name": "Parking & street sweeping", "key": "parking", "department_id": 1},
                {"id": 2, "name": "Parks", "key": "parks", "department_id": None},
            ],
        )
        for number, (name, facts) in enumerate(people.items(), 1):
            address = f"{name}@city.example"
            attributes = {"first_name": name.title(), "pets": number}
            connection.execute(
                insert(tables.subscriber).values(id=number, address=address, attributes=attributes, created_at=NOW)
            )
            connection.execute(insert(tables.profile).values(**{"subscriber_id": number, "status": 1, **facts}))
        connection.execute(
            insert(tables.subscription),
            [
                {"topic_id": 1, "subscriber_id": 1, "status": 1, "changed_at": NOW},
                {"topic_id": 1, "subscriber_id": 2, "status": 2, "changed_at": NOW},
                {"topic_id": 2, "subscriber_id": 3, "status": 1, "changed_at": NOW},
            ],
        )
        connection.execute(
            insert(tables.suppression).values(address="eve@city.example", reason="manual", source="desk", at=NOW)
        )
        connection.execute(insert(tables.field).values(name="pets", type="number"))
        return load_catalogue(connection, segments={"engaged": "opened within 90 days"})


def chosen(connection: Connection, rule: str, catalogue: Catalogue) -> str:
    expression = compile_rule(rule, catalogue, now=NOW, zone=CHICAGO)
    ids = connection.execute(select_ids(expression)).scalars().all()
    assert count(connection, expression) == len(ids)
    addresses = (
        select(tables.subscriber.c.address).where(tables.subscriber.c.id.in_(ids)).order_by(tables.subscriber.c.id)
    )
    return " ".join(address.partition("@")[0] for address in connection.execute(addresses).scalars())


WHO = [
    ("everyone", "ada ben cy eve"),  # Dot is paused
    ("district is 3", "ada"),
    ("not district is 3", "ben cy eve"),
    ("district is unknown", "cy"),
    ("district is NORTH", "eve"),
    ("zip is 02134", "ada"),
    ("zip is 2134", ""),
    ("renter", "ada"),
    ("renter is no", "cy"),
    ("not renter", "ben cy eve"),
    ("language is Spanish", "ben"),
    ("first name is ada", "ada"),
    ("email starts with b", "ben"),
    ("pets > 3", "eve"),
    ("joined more than 1 year ago", "ben"),
    ('topic is "parking & STREET sweeping"', "ada"),
    ("department is Public Works", "ada"),
    ("topic in (Parks, 'Parking & street sweeping')", "ada cy"),
    ("not subscribed to Parks", "ada ben eve"),
    ("suppressed", "eve"),
    ("in segment engaged and not suppressed", "ada"),
    ("not in segment engaged", "ben cy eve"),
    ("opened 3 times", "ada"),
    ("opened at least 5 times", ""),
    ("ignored the last 5 campaigns", "ben"),
    ("clicked within 30 days", "eve"),  # the day begins at midnight in Chicago, 05:00 UTC
    ("clicked within 31 days", "cy eve"),
    ('zip is "x\' or 1=1 --" or zip contains "%" or zip ends with \'_\'', ""),
]


def test_who_is_chosen(store: Store, catalogue: Catalogue) -> None:
    with store.read() as connection:
        found = {rule: chosen(connection, rule, catalogue) for rule, _ in WHO}
    assert found == dict(WHO)


WITH_ONE_CAMPAIGN = [
    ("opened campaign parking-1 before 2026-10-03", "ada"),
    ("opened campaign parking-1 before 2026-10-02", ""),
    ("opened campaign parking-1 between 2026-10-02 and 2026-10-31", "ada ben"),
    ("opened campaign parking-1 exactly once on 2026-10-05", "ada ben"),
    ("not opened campaign parking-1 before 2026-10-03", "ben cy eve"),
    ("clicked campaign parking-1 at least 2 times within 90 days", "ben"),
    ("clicked campaign parking-1 at most once before 2026-10-06", "ada cy eve"),
    ("opened campaign parks-1 before 2026-10-06", ""),
    ("ignored campaign parking-1", "cy"),
    ("ignored between 2026-10-02 and 2026-10-31", "cy"),
]


def test_what_people_did_with_one_campaign_and_when(store: Store, catalogue: Catalogue) -> None:
    sent = dt.datetime(2026, 10, 1, 15, tzinfo=dt.UTC)
    plan = {"rule": "everyone", "plan": {}, "plan_hash": "", "frozen": 3, "status": "finished", "finished_at": sent}
    day = (dt.date(2026, 10, 2) - dt.date(1970, 1, 1)).days
    rows = [(1, day, 1, 1), (1, day + 3, 1, 1), (1, day + 3, 2, 1), (2, day + 3, 2, 2)]
    with store.write() as connection:
        for number, name in enumerate(("parking-1", "parks-1"), 1):
            connection.execute(insert(tables.campaign).values(
                id=number, name=name, file="x.md", topic_id=number, planned_at=sent, **plan))  # fmt: skip
        for kind, on, person, count in rows:
            connection.execute(insert(tables.engagement_day).values(
                kind=kind, day=on, subscriber_id=person, campaign_id=1, department_id=0, topic_id=1, count=count
            ))  # fmt: skip
        for person in (1, 2):
            connection.execute(insert(tables.engagement).values(
                scope_kind=3, scope_id=1, subscriber_id=person, opens=1, last_open_at=sent + dt.timedelta(days=4)
            ))  # fmt: skip
        for person in (1, 2, 3):
            at = sent + dt.timedelta(days=1)
            connection.execute(insert(tables.delivery).values(campaign_id=1, subscriber_id=person, state=3, at=at))
        catalogue = load_catalogue(connection, segments={})
        found = {rule: chosen(connection, rule, catalogue) for rule, _ in WITH_ONE_CAMPAIGN}
    assert found == dict(WITH_ONE_CAMPAIGN)


def test_as_deep_and_as_long_as_is_allowed(store: Store, catalogue: Catalogue) -> None:
    """What the parser lets through, both databases can take."""
    deep = "renter"
    for level in range(MAX_DEPTH - 1):
        deep = f"({deep} {'and' if level % 2 else 'or'} not opened) {'or' if level % 2 else 'and'} district is 3"
    wide = " or ".join(["district is 3"] * 300)
    long = f"zip in ({', '.join(['1'] * 3000)})"
    with store.read() as connection:
        assert {chosen(connection, rule, catalogue) for rule in (deep, wide, long)} <= {
            "",
            "ada",
            "ada ben",
            "ada ben cy",
        }


def test_segments_may_nest_as_deep_as_is_allowed(store: Store, catalogue: Catalogue) -> None:
    """And what is nested more deeply than SQLite can read is refused by us, in words."""
    segments = {"s0": "renter is no or zip is 1"}
    for level in range(1, 20):
        segments[f"s{level}"] = f"(in segment s{level - 1} and not opened) or (district is 4 and clicked)"
    nested = Catalogue(catalogue.fields, catalogue.topics, segments=segments)
    with store.read() as connection:
        assert chosen(connection, "in segment s14", nested) == "cy"
        with pytest.raises(RuleError, match="nested more than 30 deep"):
            chosen(connection, "in segment s19", nested)


def test_a_count_that_takes_too_long_says_so(store: Store, catalogue: Catalogue) -> None:
    profile = tables.profile
    with store.write() as connection:
        rows = [{"id": number, "address": f"{number}@city.example"} for number in range(1000, 3000)]
        connection.execute(insert(tables.subscriber).values(attributes={}, created_at=NOW), rows)
        connection.execute(insert(profile).values(status=1), [{"subscriber_id": row["id"]} for row in rows])
    with store.read() as connection:
        one, two = profile.alias(), profile.alias()
        slow = select(one.c.subscriber_id).where(one.c.unopened + two.c.unopened > profile.c.subscriber_id).exists()
        with pytest.raises(TooSlow):
            count(connection, ~slow, seconds=0.05)
        assert count(connection, compile_rule("everyone", catalogue, now=NOW, zone=CHICAGO), seconds=2) == 2004


def test_why_one_person_is_in_or_out(store: Store, catalogue: Catalogue) -> None:
    with store.read() as connection:
        number = find_person(connection, "cy@city.example")
        assert number is not None
        cy = load_person(connection, number, catalogue)
    assert cy is not None
    rule = parse("renter is no and (district is 3 or not clicked within 90 days)")
    lines = clauses(rule, cy, catalogue, now=NOW, zone=CHICAGO)
    assert [(line.depth, line.holds, line.text, line.fact) for line in lines] == [
        (0, False, "all of these:", ""),
        (1, True, "for whom “renter” is no", "renter is no"),
        (1, False, "at least one of these:", ""),
        (2, False, "whose district is 3", "district is not known"),
        (
            2,
            False,
            "who clicked no link in the last 90 days (since August 23, 2026)",
            "last click October 21, 2026, 31 days ago; links clicked: 1",
        ),
    ]


def test_values_are_bound_and_the_cheap_tests_come_first() -> None:
    catalogue = Catalogue(topics=(Topic(1, "Parking"),), departments={"Parks": 2})
    rule = 'zip is "x\' or 1=1 --" and clicked from Parks 3 times within 9 days and topic is parking and language is es'
    compiled = compile_rule(rule, catalogue, now=NOW, zone=CHICAGO).compile(dialect=sqlite.dialect())
    text = str(compiled)
    assert "1=1" not in text
    assert "x' or 1=1 --" in str(compiled.params)
    order = [
        text.index(word) for word in ("profile.locale", "subscription.status", "attributes", "engagement_day.count")
    ]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("rule", "shape"),
    [
        ("opened from Parks within 9 days", "profile.subscriber_id IN (SELECT engagement.subscriber_id"),
        ("not opened from Parks within 9 days", "((profile.subscriber_id NOT IN (SELECT engagement.subscriber_id"),
        ("language is es and not opened from Parks within 9 days", "AND NOT (EXISTS (SELECT 1"),
        ("topic is parking", "(profile.subscriber_id IN (SELECT subscription.subscriber_id"),
        ("language is es and topic is parking", "AND (EXISTS (SELECT 1"),
        ("opened within 9 days", "profile.last_open_at IS NOT NULL AND profile.last_open_at >= ?"),
        ("not opened within 9 days", "profile.last_open_at IS NULL OR profile.last_open_at < ?"),
    ],
)
def test_the_shape_that_was_measured_to_be_quick(rule: str, shape: str) -> None:
    catalogue = Catalogue(topics=(Topic(1, "Parking"),), departments={"Parks": 2})
    compiled = compile_rule(rule, catalogue, now=NOW, zone=CHICAGO).compile(dialect=sqlite.dialect())
    assert shape in str(compiled) if shape.startswith("AND") else str(compiled).startswith(shape)


def test_slots_are_asked_after_what_stands_before_them_in_the_row() -> None:
    slots = {"age": Field("age", Type.NUMBER, "n1"), "district": Field("district", Type.TEXT, "t1")}
    rule = "age >= 3 and district is 4 and not language is en and not opened within 9 days"
    compiled = str(compile_rule(rule, Catalogue(fields=STANDARD | slots), now=NOW, zone=CHICAGO))
    order = [compiled.index(f"profile.{column} ") for column in ("locale", "last_open_at", "t1", "n1")]
    assert order == sorted(order)


def test_sqlite_scans_the_narrow_index_where_that_has_all_that_is_asked(sqlite_store: Store) -> None:
    with sqlite_store.read() as connection:
        catalogue = load_catalogue(connection, segments={})
        scans = {}
        for rule in (
            "renter and not language is en",
            "district is 4 and subscribed to x",
            "ignored the last 5 campaigns",
        ):
            named = replace(catalogue, topics=(Topic(1, "x"),))
            query = select_ids(compile_rule(rule, named, now=NOW, zone=CHICAGO))
            plan = text(f"EXPLAIN QUERY PLAN {query.compile(connection, compile_kwargs={'literal_binds': True})}")
            scans[rule] = connection.execute(plan).first().detail
    narrow = "SCAN profile USING COVERING INDEX ix_profile_rules"
    assert list(scans.values()) == [narrow, narrow, "SCAN profile"]


@pytest.mark.parametrize(
    ("rule", "few_want_it", "first"),
    [
        ("topic is Parks", False, "SEARCH one"),
        ("topic is Parks and opened within 9 days and not suppressed", False, "SEARCH one"),
        ("district is 4 and topic is Parks", True, "SEARCH one"),
        ("district is 4 and topic is Parks", False, "SCAN profile"),  # most people have it, and the field leaves few
        ("not topic is Parks", True, "SCAN profile"),
        ("topic is Parks or renter", True, "SCAN profile"),
        ("topic in (Parks, Parking)", True, "SEARCH profile"),
    ],
)
def test_people_with_one_topic_are_looked_for_among_those_who_have_it(
    sqlite_store: Store, rule: str, few_want_it: bool, first: str
) -> None:
    people = range(1, 901)
    topics = (Topic(1, "Parks"), Topic(2, "Parking"))
    with sqlite_store.write() as connection:
        connection.execute(insert(tables.topic), [{"id": one.id, "name": one.name, "key": one.name} for one in topics])
        rows = [{"id": n, "address": f"p{n}@mail.example", "attributes": {}, "created_at": NOW} for n in people]
        connection.execute(insert(tables.subscriber), rows)
        profiles = [{"subscriber_id": n, "status": 1, "t1": str(n % 9)} for n in people]
        connection.execute(insert(tables.profile), profiles)
        wants = [n for n in people if n % 4 == 0 or (not few_want_it and n % 3)]
        given = [{"topic_id": 1, "subscriber_id": n, "status": 1, "changed_at": NOW} for n in wants]
        connection.execute(insert(tables.subscription), given)
    with sqlite_store.read() as connection:
        catalogue = replace(load_catalogue(connection, segments={}), topics=topics)
        catalogue = replace(catalogue, fields=catalogue.fields | {"district": Field("district", Type.TEXT, "t1")})
        expression = compile_rule(rule, catalogue, now=NOW, zone=CHICAGO)
        where, test = wanted(connection, expression)
        query = select(func.count()).select_from(where).where(test)
        plan = text(f"EXPLAIN QUERY PLAN {query.compile(connection, compile_kwargs={'literal_binds': True})}")
        assert connection.execute(plan).first().detail.startswith(first)
        ids = connection.execute(select_ids(expression)).scalars().all()
        assert count(connection, expression) == len(ids)


def test_a_large_list_of_people_who_did_not_is_an_anti_join_on_postgresql() -> None:
    """NOT IN would be asked again for every person there, which takes hours."""
    catalogue = Catalogue(topics=(Topic(1, "Parking"),), departments={"Parks": 2})
    for rule in ("not opened from Parks within 9 days", "not clicked at least 2 times within 9 days", "not suppressed"):
        compiled = compile_rule(rule, catalogue, now=NOW, zone=CHICAGO).compile(dialect=postgresql.dialect())
        assert "NOT (EXISTS" in str(compiled)
        assert "NOT IN" not in str(compiled)


def test_many_segments_cannot_multiply() -> None:
    segments = {"s0": "renter"} | {f"s{n}": f"in segment s{n - 1} or not in segment s{n - 1}" for n in range(1, 18)}
    with pytest.raises(RuleError, match="more than 300 conditions"):
        compile_rule("in segment s17", Catalogue(segments=segments), now=NOW, zone=CHICAGO)
