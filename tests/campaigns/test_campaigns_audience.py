"""Whom a plan leaves out, each under one name, on both databases."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import false, insert, select, true

from outreach.campaigns.audience import Audience, Purpose, choose, held_out
from outreach.campaigns.frequency import Cap, Frequency, frequency
from outreach.errors import ConfigurationError
from outreach.settings import Settings, Value
from outreach.store.database import Store
from outreach.store.deliveries import State, freeze
from outreach.store.tables import campaign, consent, delivery, profile, subscriber, subscription, suppression, topic

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
PARKING, TREES = 1, 2
ADA, BEN, CY, DOT, EVE, FAY, GUS, HAL = range(1, 9)
NAMES = ("ada", "ben", "cy", "dot", "eve", "fay", "gus", "hal")


def ago(days: float) -> dt.datetime:
    return NOW - dt.timedelta(days=days)


@pytest.fixture
def city(store: Store) -> Store:
    """Eight people subscribed to Parking, but Ben left; Hal is paused; Cy is suppressed by address alone."""
    with store.write() as connection:
        connection.execute(
            insert(topic),
            [{"id": number, "name": name, "key": name} for number, name in ((PARKING, "parking"), (TREES, "trees"))],
        )
        for number, name in enumerate(NAMES, 1):
            address = f"{name}@city.example"
            connection.execute(insert(subscriber).values(id=number, address=address, attributes={}, created_at=ago(9)))
            connection.execute(insert(profile).values(subscriber_id=number, status=2 if number == HAL else 1))
            status = 2 if number == BEN else 1
            connection.execute(
                insert(subscription).values(topic_id=PARKING, subscriber_id=number, status=status, changed_at=ago(9))
            )
            agree(connection, number, "mail")
        connection.execute(
            insert(suppression).values(address="cy@city.example", reason="bounce", source="test", at=ago(1))
        )
    return store


def agree(connection, person: int, purpose: str) -> None:  # type: ignore[no-untyped-def]
    row = {"subscriber_id": person, "topic_id": PARKING, "purpose": purpose, "given": True, "source": "form"}
    connection.execute(insert(consent).values(**row, at=ago(9)))


def sent(store: Store, number: int, people: list[int], *, days: float, status: str = "finished", file: str = "other",
         kind: str = "regular", state: State = State.ACCEPTED) -> None:  # fmt: skip
    with store.write() as connection:
        connection.execute(
            insert(campaign).values(
                id=number, name=f"{file}-{number}", file=file, topic_id=TREES, message_class=kind, status=status,
                rule="", plan={}, plan_hash="", frozen=len(people), planned_at=ago(days), started_at=ago(days),
                finished_at=ago(days) if status == "finished" else None,
            )
        )  # fmt: skip
        for person in people:
            row = {"campaign_id": number, "subscriber_id": person, "state": state.value, "at": ago(days)}
            connection.execute(insert(delivery).values(**row))


def chosen(store: Store, kind: str = "regular", frequency: Frequency | None = None) -> tuple[set[int], dict[str, int]]:
    with store.read() as connection:
        found: Audience = choose(
            connection, true(), purpose=Purpose(PARKING, kind, file="sweeping", name="sweeping-1"),
            frequency=frequency, now=NOW,
        )  # fmt: skip
        return set(connection.execute(found.people).scalars()), found.excluded


def test_suppressed_and_unsubscribed_people_are_left_out_by_name(city: Store) -> None:
    people, excluded = chosen(city)
    assert people == {ADA, DOT, EVE, FAY, GUS}
    assert excluded == {"suppressed": 1, "not subscribed to the topic": 1}


def test_the_first_reason_counts_and_nobody_is_counted_twice(city: Store) -> None:
    with city.write() as connection:
        connection.execute(
            insert(suppression).values(address="ben@city.example", reason="manual", source="test", at=ago(1))
        )
    assert chosen(city)[1] == {"suppressed": 2}


def test_an_emergency_reaches_everybody_active_but_the_suppressed(city: Store) -> None:
    sent(city, 7, [ADA, BEN], days=0.5, kind="emergency")
    strict = Frequency({"regular": Cap(1, 30), "statutory": Cap(1, 30)}, quiet_days=9, holdout_percent=50)
    assert chosen(city, "emergency", strict) == ({ADA, BEN, DOT, EVE, FAY, GUS}, {"suppressed": 1})


def test_consent_for_another_purpose_is_not_consent_to_ordinary_mail(city: Store) -> None:
    with city.write() as connection:
        connection.execute(consent.delete().where(consent.c.subscriber_id == DOT))
        agree(connection, DOT, "emergency")
        agree(connection, EVE, "emergency")  # and to ordinary mail before
    people, excluded = chosen(city)
    assert (DOT in people, EVE in people, excluded["consent for another purpose"]) == (False, True, 1)
    assert DOT in chosen(city, "emergency")[0]


def test_a_cap_counts_messages_of_all_departments_and_of_its_class_only(city: Store) -> None:
    sent(city, 1, [ADA, DOT], days=2)
    sent(city, 2, [ADA], days=5)
    sent(city, 3, [DOT], days=5, kind="statutory")
    sent(city, 4, [EVE], days=8)
    sent(city, 5, [EVE], days=1)
    sent(city, 6, [FAY], days=1, state=State.BOUNCED)
    people, excluded = chosen(city, frequency=Frequency({"regular": Cap(2, 7)}))
    assert (people & {ADA, DOT, EVE, FAY}, excluded["over the cap of 2 in 7 days"]) == ({DOT, EVE, FAY}, 1)


def test_what_is_approved_and_waiting_counts_towards_the_cap_already(city: Store) -> None:
    sent(city, 1, [ADA], days=1, status="approved", state=State.WAITING)
    sent(city, 2, [DOT], days=1, status="planned", state=State.WAITING)
    people, _ = chosen(city, frequency=Frequency({"regular": Cap(1, 7)}))
    assert people & {ADA, DOT} == {DOT}


def test_quiet_days_and_another_wave(city: Store) -> None:
    sent(city, 1, [ADA], days=1.5)
    sent(city, 2, [DOT], days=2.5)
    sent(city, 3, [EVE], days=9, file="sweeping", status="sending", state=State.WAITING)
    sent(city, 4, [FAY], days=9, file="sweeping")  # finished: the next issue of the same file
    sent(city, 5, [GUS], days=9, file="sweeping", status="planned", state=State.WAITING)  # nobody approved it
    people, excluded = chosen(city, frequency=Frequency(quiet_days=2))
    assert people == {DOT, FAY, GUS}
    assert (excluded["within 2 quiet days"], excluded["in another wave"]) == (1, 1)


def test_about_the_held_out_share_is_held_out_and_always_the_same_people(store: Store) -> None:
    with store.write() as connection:
        people = [{"id": n, "address": f"p{n}@city.example", "attributes": {}} for n in range(1, 2001)]
        connection.execute(insert(subscriber).values(created_at=NOW), people)
        connection.execute(insert(profile), [{"subscriber_id": n, "status": 1} for n in range(1, 2001)])

        def held(name: str, percent: int) -> set[int]:
            return set(connection.execute(select(profile.c.subscriber_id).where(held_out(name, percent))).scalars())

        ten, other = held("sweeping-1", 10), held("sweeping-2", 10)
        assert 140 < len(ten) < 260
        assert (held("sweeping-1", 10), held("sweeping-1", 0)) == (ten, set())
        assert ten < held("sweeping-1", 20)
        assert len(ten & other) < len(ten) / 2


def test_the_frozen_rows_are_the_chosen_people(city: Store) -> None:
    with city.write() as connection:
        found = choose(connection, true(), purpose=Purpose(PARKING, "regular"), now=NOW)
        frozen = freeze(connection, 9, found.people, languages={}, default_language="en", now=NOW)
        rows = connection.execute(select(delivery.c.subscriber_id).where(delivery.c.campaign_id == 9)).scalars().all()
    assert (frozen, list(rows)) == (5, [ADA, DOT, EVE, FAY, GUS])


def test_each_audience_is_its_own_however_many_are_chosen_in_one_transaction(city: Store) -> None:
    sent(city, 7, [DOT], days=1)
    capped = Frequency({"regular": Cap(1, 30)})
    found = []
    with city.write() as connection:
        for rule, frequency in ((true(), None), (profile.c.subscriber_id <= EVE, capped), (false(), capped)):
            purpose = Purpose(PARKING, "regular")
            audience = choose(connection, rule, purpose=purpose, frequency=frequency, now=NOW)
            found.append((set(connection.execute(audience.people).scalars()), sum(audience.excluded.values())))
    assert found == [({ADA, DOT, EVE, FAY, GUS}, 2), ({ADA, EVE}, 3), (set(), 0)]


@pytest.mark.parametrize("cap", ["4 per week", "0 in 7 days", "4 in 0 days", "many"])
def test_a_cap_that_cannot_be_meant_is_refused(cap: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigurationError, match="write it like"):
        frequency(settings(tmp_path, **{"policy.cap_regular": cap}))


def test_the_settings_say_how_often(tmp_path) -> None:  # type: ignore[no-untyped-def]
    found = frequency(settings(tmp_path, **{"policy.cap_regular": "4 in 7 days", "policy.holdout_percent": 5}))
    assert found == Frequency({"regular": Cap(4, 7)}, quiet_days=0, holdout_percent=5)
    with pytest.raises(ConfigurationError, match="0 to 50"):
        frequency(settings(tmp_path, **{"policy.holdout_percent": 90}))


def settings(root, **changed: str | int) -> Settings:  # type: ignore[no-untyped-def]
    from outreach.settings import DEFAULTS

    return Settings(root, {name: Value(value, "test") for name, value in {**DEFAULTS, **changed}.items()})
