"""People, topics, consent and suppressions, one at a time, on both databases."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from outreach.store import consent, subscribers, suppressions, tables, topics
from outreach.store.consent import SubscriptionStatus
from outreach.store.database import Store
from outreach.store.suppressions import Reason

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=1)


def test_attributes_that_rules_use_are_in_their_slots(store: Store) -> None:
    with store.write() as connection:
        first = {"district": "3", "renter": True, "dogs": 2}
        ada = subscribers.upsert(connection, "ada@city.example", attributes=first, now=NOW, locale="en")
        assert subscribers.upsert(connection, "ada@city.example", attributes={"zip": "95814"}, now=LATER) == ada
        found = subscribers.find(connection, "ada@city.example")
        profile = connection.execute(select(tables.profile).where(tables.profile.c.subscriber_id == ada)).one()
    assert found is not None
    assert found.attributes == {"district": "3", "renter": True, "dogs": 2, "zip": "95814"}
    assert (profile.t1, profile.t2, profile.n1, profile.locale, profile.status) == ("3", "95814", 1.0, "en", 1)


def test_a_slot_holds_what_it_can() -> None:
    assert subscribers.as_slot("t1", 3) == "3"
    assert subscribers.as_slot("t1", True) == "true"
    assert subscribers.as_slot("n1", False) == 0.0
    assert subscribers.as_slot("n1", "many") is None
    assert subscribers.as_slot("d1", "1970-01-02") == 86_400_000
    assert subscribers.as_slot("d1", "soon") is None
    assert subscribers.as_slot("t1", None) is None


def test_a_person_who_was_suppressed_as_a_stranger_stays_suppressed(store: Store) -> None:
    with store.write() as connection:
        suppressions.suppress(connection, "ada@city.example", reason=Reason.MANUAL, source="phone", at=NOW)
        ada = subscribers.upsert(connection, "ada@city.example", attributes={}, now=NOW)
        found = suppressions.find(connection, "ada@city.example")
    assert found is not None
    assert found.subscriber_id == ada


def test_suppressing_twice_keeps_the_graver_reason(store: Store) -> None:
    with store.write() as connection:

        def suppress(reason: Reason) -> bool:
            return suppressions.suppress(connection, "ada@city.example", reason=reason, source="x", at=NOW)

        changed = [suppress(reason) for reason in (Reason.BOUNCE, Reason.BOUNCE, Reason.COMPLAINT, Reason.MANUAL)]
        assert changed == [True, False, True, False]
        assert suppressions.suppressed_among(connection, ["ada@city.example", "bob@city.example"]) == {
            "ada@city.example"
        }
        assert suppressions.release(connection, "ada@city.example")
        assert not suppressions.is_suppressed(connection, "ada@city.example")
        assert not suppressions.release(connection, "ada@city.example")


def test_topics_are_found_whatever_their_spelling_and_made_once(store: Store) -> None:
    with store.write() as connection:
        ids = topics.ensure(connection, ["Parking & street sweeping", "Housing", "parking  & STREET sweeping"])
        assert ids[0] == ids[2] != ids[1]
        assert topics.ensure(connection, ["HOUSING"]) == [ids[1]]
        assert [topic.name for topic in topics.everyone(connection)] == ["Housing", "Parking & street sweeping"]
        assert topics.find(connection, "nothing") is None


def test_leaving_a_topic_and_coming_back_is_the_persons_own_act(store: Store) -> None:
    with store.write() as connection:
        ada = subscribers.upsert(connection, "ada@city.example", attributes={}, now=NOW)
        (housing,) = topics.ensure(connection, ["Housing"])
        who = {"subscriber_id": ada, "topic_id": housing}
        assert consent.subscribe(connection, **who, source="form", at=NOW)
        assert not consent.subscribe(connection, **who, source="form", at=NOW)
        assert consent.unsubscribe(connection, **who, source="link", at=LATER)
        assert not consent.unsubscribe(connection, **who, source="link", at=LATER)
        assert not consent.subscribe(connection, **who, source="import", at=LATER)
        (left,) = consent.subscriptions_of(connection, ada)
        assert (left.status, left.changed_at) == (SubscriptionStatus.UNSUBSCRIBED, LATER)
        assert consent.subscribe(connection, **who, source="confirmation", at=LATER, revive=True)
        log = [(line.given, line.source) for line in consent.history_of(connection, ada)]
    assert log == [(True, "form"), (False, "link"), (True, "confirmation")]
