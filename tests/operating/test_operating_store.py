"""Items, waiting people and occurrences, on both databases."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import func, insert, select

from outreach.campaigns import difference
from outreach.errors import UsageError
from outreach.store import campaigns, digests, schedule, staff_links, tables, topics
from outreach.store.consent import CONFIRMED, Frequency
from outreach.store.database import Store
from outreach.store.digests import Due, Readers
from outreach.store.schedule import State


def test_an_item_waits_is_carried_and_is_nowhere_else(store, now):
    with store.write() as connection:
        (topic,) = topics.ensure(connection, ["Parking"])
        row = {"address": "ada@example.org", "attributes": {}, "created_at": now}
        (ada,) = connection.execute(insert(tables.subscriber).values(row)).inserted_primary_key
        connection.execute(insert(tables.profile).values(subscriber_id=ada, status=1, locale="es-MX"))
        values = {"topic_id": topic, "subscriber_id": ada, "status": CONFIRMED, "frequency": 1, "changed_at": now}
        connection.execute(insert(tables.subscription).values(values))
        content = {"en": {"title": "Sweeping", "body": "Move your car"}}
        item = digests.add_item(connection, topic_id=topic, content=content, source="feed 1", published_at=now)
        assert item is not None
        assert digests.add_item(connection, topic_id=topic, content=content, source="feed 1") is None
        assert digests.wait(connection, item, digests.subscribers_of(topic), topic_id=topic) == 1
    with store.read() as connection:
        everybody = Readers("", -1)
        assert digests.readers(connection) == [everybody]
        assert digests.waiting(connection) == {(Frequency.DAILY, everybody): 1}
        assert not digests.wanted_at_once(connection)
        due = [Due(Frequency.DAILY, everybody, now)]
        assert digests.due_items(connection, due) == {ada: [item]}
        assert digests.due_items(connection, [Due(Frequency.DAILY, everybody, now - dt.timedelta(seconds=1))]) == {}
        assert digests.entitled(connection, [ada]) == {ada: {topic}}
        assert digests.locales(connection, [ada]) == {ada: "es-MX"}
    with store.write() as connection:
        values = {"message_class": "digest", "rule": "", "plan": {}, "plan_hash": "", "frozen": 1, "planned_at": now}
        campaign = campaigns.add(connection, name="digest-1", file="digest", **values)
        digests.carry(connection, campaign, {ada: [item]}, languages={ada: "es"}, now=now)
        assert digests.due_items(connection, due) == {}
        assert digests.carried(connection, campaign, [ada]) == {ada: {f"item_{item}": True}}
        assert digests.topics_in(connection, campaign, ada) == [topic]
        assert connection.execute(select(func.count()).select_from(tables.pending)).scalar_one() == 0


def test_an_occurrence_belongs_to_one_campaign(store, now):
    with store.write() as connection:
        assert schedule.claim(connection, "parking", now, campaign_id=1, now=now)
        assert schedule.claim(connection, "parking", now, campaign_id=1, now=now)
        assert not schedule.claim(connection, "parking", now, campaign_id=2, now=now)
        schedule.started(connection, 1, now=now)
        assert not schedule.claim(connection, "parking", now, campaign_id=1, now=now)
        later = now + dt.timedelta(days=1)
        assert schedule.note(connection, "parking", [now, later], state=State.MISSED, now=now) == 1
        assert schedule.latest(connection, "parking") == later


def test_the_plan_before_is_found_without_reading_anybody_elses(store, now):
    """Notifications are campaigns too, fifty thousand of them in a year."""
    values = {"message_class": "regular", "rule": "", "plan_hash": "", "frozen": 1, "planned_at": now}
    with store.write() as connection:
        for name in ("tax-1", "receipt-1", "tax-2", "receipt-2", "tax-3"):
            file = name.partition("-")[0]
            campaigns.add(connection, name=name, file=file, plan={"subject": name}, **values)
        mine = tables.campaign.c.file == "receipt"
        connection.execute(tables.campaign.update().where(mine).values(status="unheard of"))
    with store.read() as connection:
        with pytest.raises(ValueError, match="unheard of"):
            campaigns.every(connection)
        first, second, third = (campaigns.find(connection, f"tax-{number}") for number in (1, 2, 3))
        assert difference.last(connection, third) == second
        assert difference.from_last(connection, second) == ["subject: tax-1 then, tax-2 now"]
        assert difference.last(connection, first) is None
        assert [each.name for each in campaigns.of_file(connection, "tax")] == ["tax-3", "tax-2", "tax-1"]


@pytest.mark.parametrize("number", [2**31, 2**32 - 1, 10**19])
def test_a_number_that_nothing_can_have_is_nobodys(store, number):
    with store.read() as connection:
        assert staff_links.find(connection, number) is None
        with pytest.raises(campaigns.UnknownCampaign):
            campaigns.find(connection, str(number))


def test_a_digit_that_is_no_number_is_no_campaign(store):
    with store.read() as connection, pytest.raises(campaigns.UnknownCampaign, match="no campaign is called '²'"):
        campaigns.find(connection, "²")


def test_what_the_database_cannot_hold_is_said_without_what_it_was(postgres_database):
    store = Store.open(postgres_database)
    try:
        with pytest.raises(UsageError) as told, store.write() as connection:
            topics.ensure(connection, ["ada@example.org " * 100])
    finally:
        store.close()
    assert str(told.value) == (
        "a value is longer or larger than the database can hold (value too long for type character varying(200)); "
        "nothing was changed"
    )
