"""The roll-up against a plain count of everything that happened, on both databases, however the folding went."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, select, update

from outreach.events import Kind
from outreach.store import receipts
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.dialects import EPOCH
from outreach.store.engagement import fold, rebuild
from outreach.store.events import Verdict
from outreach.store.tables import (
    campaign,
    checkpoint,
    delivery,
    department,
    engagement,
    engagement_day,
    event,
    event_position,
    profile,
    subscriber,
    topic,
)

CITY = ZoneInfo("America/Los_Angeles")
NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
ADA, LIN, TOMAS = 1, 2, 3
PARKS, WORKS = 1, 2
PARKING, TREES = 1, 2


def hours(number: float) -> dt.datetime:
    return NOON + dt.timedelta(hours=number)


def seed(store: Store) -> None:
    """Three people; four campaigns (the last of no topic and no department), one a day, not ended yet."""
    with store.write() as connection:
        connection.execute(insert(department), [{"id": PARKS, "name": "Parks"}, {"id": WORKS, "name": "Public Works"}])
        connection.execute(
            insert(topic),
            [
                {"id": PARKING, "name": "Parking", "key": "parking", "department_id": WORKS},
                {"id": TREES, "name": "Trees", "key": "trees", "department_id": PARKS},
            ],
        )
        for person, name in ((ADA, "ada"), (LIN, "lin"), (TOMAS, "tomas")):
            connection.execute(
                insert(subscriber).values(id=person, address=f"{name}@city.example", attributes={}, created_at=NOON)
            )
            connection.execute(insert(profile).values(subscriber_id=person, status=1))
        for number, (topic_id, department_id) in enumerate(
            [(PARKING, WORKS), (TREES, PARKS), (PARKING, WORKS), (None, None)], start=1
        ):
            connection.execute(
                insert(campaign).values(
                    id=number,
                    name=f"news-{number}",
                    file="campaigns/news.md",
                    topic_id=topic_id,
                    department_id=department_id,
                    status="sending",
                    rule="",
                    plan={},
                    plan_hash="",
                    frozen=3,
                    planned_at=NOON,
                )
            )


def send(store: Store, campaign_id: int, at: dt.datetime, people: dict[int, State]) -> None:
    with store.write() as connection:
        for person, state in people.items():
            connection.execute(
                insert(delivery).values(campaign_id=campaign_id, subscriber_id=person, state=state, at=at)
            )
        connection.execute(update(campaign).where(campaign.c.id == campaign_id).values(finished_at=at))


def happen(
    connection: Connection, spool: str, sequence: int, kind: Kind, campaign_id: int, person: int, at: dt.datetime,
    link: int = 0, verdict: Verdict = Verdict.UNJUDGED,
) -> None:  # fmt: skip
    connection.execute(
        insert(event).values(
            spool=spool, sequence=sequence, kind=kind, campaign_id=campaign_id, subscriber_id=person, at=at, link=link,
            flags=0, agent_class=7, network_class=1, verdict=verdict.value,
        )
    )  # fmt: skip
    connection.execute(delete(event_position).where(event_position.c.spool == spool))
    connection.execute(insert(event_position).values(spool=spool, sequence=sequence))


def happened(store: Store, *events: tuple[Kind, int, int, dt.datetime, int], spool: str = "a", start: int = 1) -> None:
    with store.write_events() as connection:
        for sequence, (kind, campaign_id, person, at, link) in enumerate(events, start):
            happen(connection, spool, sequence, kind, campaign_id, person, at, link)


def figures(store: Store) -> tuple[dict, dict, dict]:
    """Everything rolled up, without rows that say nothing."""
    names = ("received", "opens", "clicks", "unopened", "last_sent_at", "last_open_at", "last_click_at")
    with store.read() as connection:
        people = {row.subscriber_id: tuple(row._mapping[name] for name in names) for row in connection.execute(
            select(profile))}  # fmt: skip
        scoped = {
            (row.scope_kind, row.scope_id, row.subscriber_id): tuple(row._mapping[name] for name in names)
            for row in connection.execute(select(engagement))
        }
        days = {tuple(row[:6]): row.count for row in connection.execute(select(engagement_day))}
    return people, scoped, days


def test_a_campaign_opened_twice_is_one_open_and_two_links_are_two_clicks(store: Store) -> None:
    seed(store)
    send(store, 1, hours(0), {ADA: State.ACCEPTED, LIN: State.BOUNCED})
    happened(
        store,
        (Kind.OPEN, 1, ADA, hours(1), 0),
        (Kind.OPEN, 1, ADA, hours(2), 0),
        (Kind.CLICK, 1, ADA, hours(2), 0),
        (Kind.CLICK, 1, ADA, hours(2), 1),
        (Kind.CLICK, 1, ADA, hours(3), 1),
    )
    fold(store, zone=CITY)
    people, scoped, _ = figures(store)
    ada = (1, 1, 2, 0, hours(0), hours(2), hours(3))
    nothing = (0, 0, 0, 0, None, None, None)
    assert people == {ADA: ada, LIN: nothing, TOMAS: nothing}
    of_campaign = (0, 1, 2, 0, None, hours(2), hours(3))
    assert scoped == {
        (receipts.DEPARTMENT, WORKS, ADA): ada,
        (receipts.TOPIC, PARKING, ADA): ada,
        (receipts.CAMPAIGN, 1, ADA): of_campaign,
    }


def test_a_campaign_read_again_on_another_day_is_on_both_days_of_the_citys_calendar(store: Store) -> None:
    seed(store)
    evening = dt.datetime(2026, 11, 22, 7, 30, tzinfo=dt.UTC)  # still the 21st in Los Angeles
    happened(store, (Kind.OPEN, 1, ADA, evening, 0), (Kind.OPEN, 1, ADA, evening + dt.timedelta(hours=1), 0))
    fold(store, zone=CITY)
    people, _, days = figures(store)
    day = (dt.date(2026, 11, 21) - EPOCH.date()).days
    assert people[ADA][1] == 1
    assert days == {
        (Kind.OPEN, day, ADA, 1, WORKS, PARKING): 1,
        (Kind.OPEN, day + 1, ADA, 1, WORKS, PARKING): 1,
    }


def test_unopened_counts_what_came_after_the_last_open_even_when_the_open_is_heard_of_late(store: Store) -> None:
    seed(store)
    for number in (1, 2, 3):
        send(store, number, hours(24 * number), {ADA: State.ACCEPTED})
    fold(store, zone=CITY)
    assert figures(store)[0][ADA][3] == 3
    happened(store, (Kind.OPEN, 1, ADA, hours(30), 0))
    fold(store, zone=CITY)
    people, scoped, _ = figures(store)
    assert people[ADA][3] == 2
    assert scoped[receipts.TOPIC, PARKING, ADA][3] == 1
    assert scoped[receipts.TOPIC, TREES, ADA][3] == 1


def test_who_was_erased_is_counted_nowhere(store: Store) -> None:
    seed(store)
    send(store, 1, hours(0), {ADA: State.ACCEPTED})
    happened(store, (Kind.OPEN, 1, ADA, hours(1), 0))
    with store.write() as connection:
        connection.execute(delete(subscriber).where(subscriber.c.id == ADA))
    fold(store, zone=CITY)
    _, scoped, days = figures(store)
    assert (scoped, days) == ({}, {})


def test_a_fold_killed_before_its_commit_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(store)
    happened(store, (Kind.OPEN, 1, ADA, hours(1), 0))
    with monkeypatch.context() as patched:
        patched.setattr("outreach.store.engagement.next_generation", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fold(store, zone=CITY)
    assert figures(store)[0][ADA][1] == 0
    fold(store, zone=CITY)
    fold(store, zone=CITY)
    assert figures(store)[0][ADA][1] == 1


def test_a_batch_read_before_another_folder_wrote_is_thrown_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(store)
    happened(store, (Kind.OPEN, 1, ADA, hours(1), 0))
    import outreach.store.engagement as module

    read = module._read

    def slow_read(*arguments: object, **options: object) -> object:
        found = read(*arguments, **options)  # type: ignore[arg-type]  # the same arguments, handed on
        monkeypatch.setattr(module, "_read", read)
        fold(store, zone=CITY)  # somebody else is faster
        return found

    monkeypatch.setattr(module, "_read", slow_read)
    fold(store, zone=CITY)
    assert figures(store)[0][ADA][1] == 1


def test_two_folders_at_once_count_everything_once(store: Store) -> None:
    seed(store)
    happened(store, *((Kind.CLICK, 1, ADA, hours(number / 60), number) for number in range(60)))
    with ThreadPoolExecutor(2) as folders:
        done = list(folders.map(lambda _: fold(store, zone=CITY, batch=7), range(2)))
    assert figures(store)[0][ADA][2] == 60
    assert sum(folded.events for folded in done) == 60


def test_a_spool_that_went_on_in_a_second_file_is_read_on(store: Store) -> None:
    seed(store)
    happened(store, (Kind.OPEN, 1, ADA, hours(1), 0), spool="19a")
    fold(store, zone=CITY)
    with store.write_events() as connection:
        happen(connection, "19a", 2, Kind.CLICK, 1, ADA, hours(2))
        connection.execute(update(event_position).values(sequence=1))
        connection.execute(insert(event_position).values(spool="19a.1", sequence=2))
    fold(store, zone=CITY)
    assert figures(store)[0][ADA][1:3] == (1, 1)


# --- against a plain count --------------------------------------------------------------------------------------

things = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from([Kind.OPEN, Kind.OPEN, Kind.CLICK]),
        st.integers(1, 4),  # campaign
        st.sampled_from([ADA, LIN]),
        st.integers(0, 120),  # hours after noon
        st.integers(0, 2),  # link
        st.sampled_from([Verdict.UNJUDGED, Verdict.UNJUDGED, Verdict.PERSON, Verdict.MACHINE]),
    ),
    max_size=14,
)
sends = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 100)), max_size=4, unique_by=lambda pair: pair[0])
steps = st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=4)


def plainly_counted(done: list, sent: list) -> tuple[dict, dict, dict]:
    """What the roll-up must say, from everything that happened, in the plainest way."""
    of = {1: (WORKS, PARKING), 2: (PARKS, TREES), 3: (WORKS, PARKING), 4: (None, None)}
    human = [thing for thing in done if thing[6] is not Verdict.MACHINE]

    def person_in(person: int, campaigns: set[int]) -> tuple:
        opens = [(c, hours(at)) for _, kind, c, who, at, _, _ in human if kind is Kind.OPEN and who == person]
        clicks = [
            (c, link, hours(at)) for _, kind, c, who, at, link, _ in human if kind is Kind.CLICK and who == person
        ]
        opens = [item for item in opens if item[0] in campaigns]
        clicks = [item for item in clicks if item[0] in campaigns]
        got = [hours(at) for c, at in sent if c in campaigns] if person == ADA else []
        last = max((at for _, at in opens), default=None)
        return (
            len(got),
            len({c for c, _ in opens}),
            len({(c, link) for c, link, _ in clicks}),
            sum(last is None or at > last for at in got),
            max(got, default=None),
            last,
            max((at for _, _, at in clicks), default=None),
        )

    nothing = (0, 0, 0, 0, None, None, None)
    people = {person: person_in(person, {1, 2, 3, 4}) for person in (ADA, LIN, TOMAS)}
    scoped = {
        (kind, number, person): person_in(person, {c for c, pair in of.items() if pair[kind - 1] == number})
        for kind, number in ((1, PARKS), (1, WORKS), (2, PARKING), (2, TREES))
        for person in (ADA, LIN, TOMAS)
    }
    for number in of:
        for person in (ADA, LIN, TOMAS):
            _, opens, clicks, _, _, opened, clicked = person_in(person, {number})
            scoped[3, number, person] = (0, opens, clicks, 0, None, opened, clicked)
    seen = {
        (kind, (hours(at).astimezone(CITY).date() - EPOCH.date()).days, who, c, link if kind is Kind.CLICK else 0)
        for _, kind, c, who, at, link, _ in human
    }
    days = Counter((kind, day, who, c, of[c][0] or 0, of[c][1] or 0) for kind, day, who, c, _ in seen)
    return people, {key: value for key, value in scoped.items() if value != nothing}, dict(days)


@given(done=things, sent=sends, cuts=steps)
def test_folding_in_any_portions_and_rebuilding_both_equal_a_plain_count(
    store: Store, done: list, sent: list, cuts: list
) -> None:
    with store.write() as connection:
        for table in (
            engagement_day,
            engagement,
            checkpoint,
            delivery,
            campaign,
            profile,
            subscriber,
            topic,
            department,
        ):
            connection.execute(delete(table))
    with store.write_events() as connection:
        connection.execute(delete(event))
        connection.execute(delete(event_position))
    seed(store)
    sequences: Counter[str] = Counter()
    waiting, unsent = list(done), list(sent)
    for portion, sends_now in [*cuts, (len(done), True), (0, True), (0, True), (0, True)]:
        with store.write_events() as connection:
            for spool, kind, campaign_id, person, at, link, verdict in waiting[:portion]:
                sequences[spool] += 2  # the other numbers went to kinds that live elsewhere
                happen(connection, spool, sequences[spool], kind, campaign_id, person, hours(at), link, verdict)
        waiting = waiting[portion:]
        if sends_now and unsent:
            number, at = unsent.pop()
            send(store, number, hours(at), {ADA: State.ACCEPTED, LIN: State.BOUNCED, TOMAS: State.IN_DOUBT})
        fold(store, zone=CITY, batch=3)
    expected = plainly_counted(done, sent)
    assert figures(store) == expected
    rebuild(store, zone=CITY)
    assert figures(store) == expected
