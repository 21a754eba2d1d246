"""For every rule and every person: both databases and plain Python choose the same people, and `not` is exact."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import astuple

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import ColumnElement, not_, select

from outreach.segmentation import (
    Catalogue,
    Field,
    Person,
    Rule,
    Topic,
    Type,
    canonical,
    compile_rule,
    count,
    evaluate,
    explain,
    from_json,
    load_person,
    parse,
    to_json,
)
from outreach.segmentation.rules import Node, Not
from outreach.store.database import Store
from outreach.store.subscribers import ACTIVE
from outreach.store.tables import profile
from tests.properties.rules_city import FIELDS, NOW, SEGMENTS, SLOTS, TOPICS, ZONE, build
from tests.properties.rules_trees import trees


def test_the_database_and_the_evaluator_choose_the_same_people(store: Store) -> None:
    with store.write() as connection:
        city = build(connection)
    everybody = set(city.people)

    with store.read() as connection:
        active = set(connection.execute(select(profile.c.subscriber_id).where(profile.c.status == ACTIVE)).scalars())

        def chosen(expression: ColumnElement[bool]) -> set[int]:
            return set(connection.execute(select(profile.c.subscriber_id).where(expression)).scalars())

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
            assert count(connection, expression) == len(plain & active)
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
