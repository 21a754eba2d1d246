"""Who made a hit: small stories, and what must hold for all of them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from outreach.events import Event, Kind
from outreach.store import events as store_events
from outreach.store import tables
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.dialects import to_ms
from outreach.store.engagement import fold
from outreach.store.events import Verdict
from tracking import rules
from tracking.judging import judge_due, reclassify
from tracking.machines import Agent, Network
from tracking.rules import Fact, Reason, judge

HOME, OFFICE, SCANNER = b"home....", b"office..", b"scanner."
NINE = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)


def click(seconds: float, link: int, *, person: int = 1, place: bytes = HOME) -> Fact:
    return Fact(Kind.CLICK, round(seconds * 1000), person, link, Agent.BROWSER, Network.OTHER, place, 0)


def opened(seconds: float, *, person: int = 1, place: bytes = HOME, agent: Agent = Agent.BROWSER) -> Fact:
    return Fact(Kind.OPEN, round(seconds * 1000), person, 0, agent, Network.OTHER, place, 0)


def reasons(*facts: Fact, links: int = 5, **others: object) -> list[Reason]:
    return [opinion.reason for opinion in judge(facts, links=links, **others)]


def test_all_links_in_a_second_are_a_scanners_and_so_is_the_picture_before_them() -> None:
    story = [opened(34, place=b"elsewher"), *(click(43 + n / 5, n, place=SCANNER) for n in range(5))]
    assert reasons(*story) == [Reason.BESIDE_BURST, *[Reason.BURST] * 5]


def test_a_person_whose_mail_was_scanned_still_counts() -> None:
    story = [*(click(43 + n / 5, n, place=SCANNER) for n in range(5)), opened(3000), click(3050, 2)]
    assert reasons(*story)[5:] == [Reason.NOTHING_ODD, Reason.NOTHING_ODD]


def test_a_later_single_click_from_the_scanners_own_place_is_a_persons_too() -> None:
    """Some scanners run on the person's own computer, or show them the page: much later it is them."""
    story = [click(n / 5, n) for n in range(5)]
    assert reasons(*story, click(300, 1), click(900, 1))[5:] == [Reason.BESIDE_BURST, Reason.NOTHING_ODD]


def test_what_comes_before_the_mail_was_there_is_no_persons() -> None:
    taken = {1: 100_000}
    story = [click(99, 1), opened(99.5, agent=Agent.MAIL_CLIENT), click(104.9, 2), opened(104), click(105, 3)]
    assert reasons(*story, accepted=taken) == [*[Reason.TOO_SOON] * 4, Reason.NOTHING_ODD]
    assert reasons(opened(100.5, agent=Agent.MAIL_CLIENT), accepted=taken) == [Reason.NOTHING_ODD]  # it stood open
    assert reasons(click(101, 1, person=2), accepted=taken) == [Reason.NOTHING_ODD]  # not known when
    assert reasons(click(30, 1), accepted=taken) == [Reason.NOTHING_ODD]  # two clocks that differ, rather


def test_people_click_two_links_and_the_same_link_twice() -> None:
    assert reasons(click(0, 1), click(1.4, 2), click(1.6, 2), click(1.7, 2), click(9, 4)) == [Reason.NOTHING_ODD] * 5


def test_a_message_of_two_links_has_bursts_of_two_and_one_of_a_single_link_none() -> None:
    assert reasons(click(0, 0), click(0.5, 1), links=2) == [Reason.BURST] * 2
    assert reasons(click(0, 0), click(0.5, 0), links=1) == [Reason.NOTHING_ODD] * 2


def test_a_slower_scanner_follows_many_links_within_seconds() -> None:
    assert reasons(*(click(n, n) for n in range(5)), links=9) == [Reason.BURST] * 5
    assert reasons(*(click(3 * n, n) for n in range(5)), links=9) == [Reason.NOTHING_ODD] * 5


def test_a_place_of_several_bursts_is_a_scanners_for_a_while() -> None:
    bursts = [click(person + n / 5, n, person=person, place=SCANNER) for person in (1, 2, 3) for n in range(4)]
    others = [click(300, 0, person=9, place=SCANNER), click(5000, 0, person=8, place=SCANNER), click(300, 0, person=7)]
    assert reasons(*bursts, *others)[12:] == [Reason.SCANNER_PLACE, Reason.NOTHING_ODD, Reason.NOTHING_ODD]


def test_many_people_of_one_office_at_once_are_its_filter_but_not_of_a_public_provider() -> None:
    crowd = [click(person * 2, 0, person=person, place=OFFICE) for person in range(1, 11)]
    office = dict.fromkeys(range(1, 11), "works.example")
    assert set(reasons(*crowd, domains=office)) == {Reason.ONE_DOMAIN}
    assert set(reasons(*crowd, domains=dict.fromkeys(range(1, 11), "gmail.com"))) == {Reason.NOTHING_ODD}
    slowly = [click(person * 20, 0, person=person, place=OFFICE) for person in range(1, 11)]
    assert set(reasons(*slowly, domains=office)) == {Reason.NOTHING_ODD}


facts = st.lists(
    st.builds(
        Fact,
        st.sampled_from([int(Kind.OPEN), int(Kind.CLICK)]), st.integers(0, 900_000), st.integers(0, 4),
        st.integers(0, 5), st.sampled_from([int(agent) for agent in Agent]),
        st.sampled_from([int(network) for network in Network]), st.sampled_from([HOME, OFFICE, b""]),
        st.sampled_from([0, 1, 32]),
    ),
    max_size=40,
)  # fmt: skip


@given(facts, st.randoms())
def test_an_opinion_does_not_depend_on_the_order_of_arrival(found: list[Fact], dice: object) -> None:
    opinions = dict(zip(map(id, found), judge(found), strict=True))
    shuffled = list(found)
    dice.shuffle(shuffled)
    again = dict(zip(map(id, shuffled), judge(shuffled), strict=True))
    assert {key: opinion.verdict for key, opinion in opinions.items()} == {
        key: opinion.verdict for key, opinion in again.items()
    }


@given(facts)
def test_a_hit_counted_without_a_person_is_judged_by_itself_alone(found: list[Fact]) -> None:
    nobody = [fact._replace(subscriber_id=0) for fact in found]
    alone = [rules.at_once(fact) or rules.PERSON for fact in nobody]
    assert judge(nobody) == alone


# --- in the store -----------------------------------------------------------------------------------------------


def store_hits(store: Store, *found: tuple[Kind, float, int, bytes], person: int = 1, after: int = 0) -> None:
    events = [
        Event("s", after + number, kind, round((NINE.timestamp() + seconds) * 1000), 1, person, link,
              agent_class=Agent.BROWSER, network_class=Network.OTHER, prefix_hash=place)
        for number, (kind, seconds, link, place) in enumerate(found, 1)
    ]  # fmt: skip
    with store.write_events() as connection:
        store_events.append(connection, [(event, Verdict.UNJUDGED, 0, 0) for event in events])
        store_events.event_position(connection, file="s")
        store_events.move_event_position(connection, file="s", sequence=after + len(events))


def verdicts(store: Store) -> list[tuple[int, int, int]]:
    with store.read_events() as connection:
        columns = (tables.event.c.verdict, tables.event.c.reason, tables.event.c.rules)
        return [tuple(row) for row in connection.execute(select(*columns).order_by(tables.event.c.sequence))]


BURST = [(Kind.CLICK, 43 + link / 5, link, SCANNER) for link in range(3)]


def test_hits_are_judged_once_their_neighbours_are_known(store: Store) -> None:
    store_hits(store, *BURST, (Kind.CLICK, 2000, 1, HOME))
    assert judge_due(store, now=NINE + dt.timedelta(minutes=9)) == 0
    assert judge_due(store, now=NINE + dt.timedelta(minutes=12)) == 3
    assert judge_due(store, now=NINE + dt.timedelta(minutes=12)) == 0
    assert judge_due(store, now=NINE + dt.timedelta(hours=2)) == 1
    machine = (Verdict.MACHINE, Reason.BURST, rules.VERSION)
    assert verdicts(store) == [machine] * 3 + [(Verdict.PERSON, Reason.NOTHING_ODD, rules.VERSION)]


def test_an_old_verdict_is_judged_again_and_nothing_is_deleted(store: Store) -> None:
    store_hits(store, *BURST)
    with store.write_events() as connection:
        connection.execute(tables.event.update().values(verdict=Verdict.PERSON.value, rules=0))
    result = reclassify(store)
    assert (result.hits, result.changed, dict(result.moved)) == (3, 3, {(Verdict.PERSON, Verdict.MACHINE): 3})
    assert [verdict for verdict, _, _ in verdicts(store)] == [Verdict.MACHINE] * 3
    assert reclassify(store).changed == 0


def test_engagement_waits_for_verdicts(city: Store) -> None:
    zone = dt.UTC
    with city.write() as connection:
        connection.execute(insert(tables.profile), [{"subscriber_id": n, "status": 1} for n in (1, 2)])
    store_hits(city, *BURST)
    store_hits(city, (Kind.CLICK, 50, 1, HOME), person=2, after=3)
    assert fold(city, zone=zone, judged_only=True).events == 0
    judge_due(city, now=NINE + dt.timedelta(hours=1))
    assert fold(city, zone=zone, judged_only=True).events == 1
    with city.read() as connection:
        query = select(tables.profile.c.clicks).order_by(tables.profile.c.subscriber_id)
        assert list(connection.execute(query).scalars()) == [0, 1]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_fits_its_column(reason: Reason) -> None:
    assert 0 <= reason < 2**15


def test_judging_counts_from_acceptance(store: Store) -> None:
    sent = NINE + dt.timedelta(seconds=5)
    outcomes = [
        (State.ACCEPTED, "250 2.0.0 ok"),
        (State.BOUNCED, "550 5.1.1 no such user"),
        (State.ACCEPTED, "it was answered later"),  # a doubt, settled by what is judged here
    ]
    with store.write() as connection:
        connection.execute(
            insert(tables.delivery),
            [
                {"campaign_id": 1, "subscriber_id": person, "state": state.value, "at": sent, "reason": reason}
                for person, (state, reason) in enumerate(outcomes, 1)
            ],
        )
    hits = [(1, 6), (2, 7), (1, 90), (3, 4)]
    with store.write_events() as connection:
        for number, (person, seconds) in enumerate(hits, 1):
            at_ms = to_ms(NINE) + seconds * 1000
            event = Event("s", number, Kind.CLICK, at_ms, 1, person, 0, Agent.BROWSER, Network.OTHER, HOME)
            store_events.append(connection, [(event, Verdict.UNJUDGED, 0, 0)])
    judge_due(store, now=NINE + dt.timedelta(hours=1))
    found = [(verdict, reason) for verdict, reason, _ in verdicts(store)]
    person = (Verdict.PERSON, Reason.NOTHING_ODD)
    assert found == [(Verdict.MACHINE, Reason.TOO_SOON), person, person, person]
