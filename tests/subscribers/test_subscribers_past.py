"""What people did with another system's mail, in its own files: folded once, however often it is read."""

from __future__ import annotations

import datetime as dt
import json
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select

from outreach.errors import UsageError
from outreach.segmentation import compile_rule, count, load_catalogue
from outreach.store import campaigns, engagement, engagement_check, past_events, tables, topics
from outreach.store.deliveries import State
from outreach.subscribers import past

ZONE = ZoneInfo("America/Los_Angeles")
PEOPLE = ("ada", "grace", "hedy")

MAILCHIMP = """Email Address,First Name,Action,Timestamp,Campaign Title,URL
ada@example.org,Ada,open,2026-03-02 08:15:00,Street sweeping,
ADA@example.org,Ada,click,2026-03-02 08:16:00,Street sweeping,https://city.example/map
ada@example.org,Ada,open,2026-03-05 10:00:00,Street sweeping,
grace@example.org,Grace,hard bounce,2026-03-02 08:00:00,Street sweeping,
stranger@example.org,,open,2026-03-02 08:00:00,Street sweeping,
hedy@example.org,Hedy,unsubscribe,2026-03-02 08:00:00,Street sweeping,
hedy@example.org,Hedy,open,soon,Street sweeping,
hedy@example.org,Hedy,open,2046-03-02 08:00:00,Street sweeping,
"""
GOVDELIVERY = """Bulletin recipient report
Email,Bulletin Subject,Delivered At,Opened At,Clicked At,Bounced At
ada@example.org,Parking news,03/09/2026 09:00 AM,03/09/2026 07:16 PM,,
grace@example.org,Parking news,03/09/2026 09:00 AM,,,
hedy@example.org,Parking news,,,,03/09/2026 09:01 AM
"""


@pytest.fixture
def town(store, now):
    with store.write() as connection:
        for name in PEOPLE:
            row = {"address": f"{name}@example.org", "attributes": {}, "created_at": now}
            number = connection.execute(insert(tables.subscriber).values(row)).inserted_primary_key[0]
            connection.execute(insert(tables.profile).values(subscriber_id=number, status=1))
    return store


def read(store, path, now, **options):
    found = past.import_file(
        store, path, options=past.Options(zone=ZONE, **options), rejects_folder=path.parent / "rejects", now=now
    )
    (engagement.rebuild if found.refold else engagement.fold)(store, zone=ZONE)
    return found


def figures(store):
    query = select(
        tables.subscriber.c.address, tables.profile.c.received, tables.profile.c.opens, tables.profile.c.clicks
    ).join(tables.profile, tables.profile.c.subscriber_id == tables.subscriber.c.id)
    with store.read() as connection:
        return {address.partition("@")[0]: tuple(rest) for address, *rest in connection.execute(query)}


def write(tmp_path, text, name="activity.csv"):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


IMPORTED = {
    "received before 2026-04-01": 2,
    "received campaign imported-parking-news-1 before 2026-04-01": 2,
    "received at least 2 times between 2026-03-01 and 2026-03-31": 0,
    "opened campaign imported-parking-news-1 before 2026-04-01": 1,
    "opened campaign imported-street-sweeping-1 on 2026-03-05": 1,
    "clicked campaign imported-street-sweeping-1 before 2026-04-01": 1,
    "opened campaign imported-parking-news-1 before 2026-03-09": 0,
}


def test_rules_find_what_was_done_with_another_system_s_mail_before_it_was_imported(town, tmp_path, now):
    read(town, write(tmp_path, MAILCHIMP), now)
    read(town, write(tmp_path, GOVDELIVERY, "bulletins.csv"), now)
    with town.read() as connection:
        catalogue = load_catalogue(connection, segments={})
        found = {rule: count(connection, compile_rule(rule, catalogue, now=now, zone=ZONE)) for rule in IMPORTED}
    assert found == IMPORTED


def test_mailchimp_s_activity_is_counted_once_however_often_it_is_read(town, tmp_path, now):
    path = write(tmp_path, MAILCHIMP)
    first = read(town, path, now)
    assert first.as_json() | {"rejects_file": None} == {
        "rows": 8, "new": 4, "sent": 0, "open": 2, "click": 1, "bounce": 1, "known": 0, "passed_over": 1,
        "rejected": 3, "campaigns": ["imported-street-sweeping-1"], "rejects_file": None,
    }  # fmt: skip
    rejects = (tmp_path / "rejects" / "activity-20261121-120000.csv").read_text("utf-8-sig")
    assert "nobody of this address is known here" in rejects
    assert "in the future" in rejects
    assert figures(town) == {"ada": (0, 1, 1), "grace": (0, 0, 0), "hedy": (0, 0, 0)}
    again = read(town, path, now + dt.timedelta(minutes=1))
    assert (sum(again.events.values()), again.known) == (0, 4)
    longer = write(
        tmp_path, MAILCHIMP + "hedy@example.org,Hedy,open,2026-03-06 08:00:00,Street sweeping,\n", "later.csv"
    )
    assert read(town, longer, now).events == {"open": 1}
    assert figures(town) == {"ada": (0, 1, 1), "grace": (0, 0, 0), "hedy": (0, 1, 0)}
    assert engagement_check.compare(town, zone=ZONE, people=10).different == ()


def test_a_row_for_each_person_with_a_column_for_each_moment(town, tmp_path, now):
    with town.write() as connection:
        (topic,) = topics.ensure(connection, ["Parking"])
    found = read(town, write(tmp_path, GOVDELIVERY), now, topic_id=topic)
    assert found.events == {"sent": 2, "open": 1, "bounce": 1}
    assert figures(town) == {"ada": (1, 1, 0), "grace": (1, 0, 0), "hedy": (0, 0, 0)}
    with town.read() as connection:
        campaign = campaigns.find(connection, found.campaigns[0])
        states = dict(connection.execute(select(tables.delivery.c.subscriber_id, tables.delivery.c.state)).all())
    assert (campaign.frozen, campaign.topic_id, campaign.plan["subject"]) == (3, topic, "Parking news")
    assert sorted(states.values()) == [State.ACCEPTED, State.ACCEPTED, State.BOUNCED]
    late = "Email,Bulletin Subject,Delivered At\nhedy@example.org,Parking news,2026-03-09T10:00:00Z\n"
    assert read(town, write(tmp_path, late, "late.csv"), now).events == {}  # whoever bounced did not get it


def test_receipts_that_come_after_the_count_are_counted_too(town, tmp_path, now):
    head = "email,event,time,campaign\n"
    read(town, write(tmp_path, head + "ada@example.org,sent,2026-03-09T10:00:00Z,News\n"), now)
    more = head + "ada@example.org,sent,2026-03-09T10:00:00Z,News\ngrace@example.org,sent,2026-03-09T10:00:00Z,News\n"
    found = read(town, write(tmp_path, more, "more.csv"), now)
    assert (found.events, found.known, found.refold) == ({"sent": 1}, 1, True)
    assert figures(town) == {"ada": (1, 0, 0), "grace": (1, 0, 0), "hedy": (0, 0, 0)}


def test_mailchimp_s_email_activity_as_json_lines(town, tmp_path, now):
    rows = [
        {
            "campaign_id": "42694e9e57",
            "email_address": "grace@example.org",
            "activity": [
                {"action": "open", "timestamp": "2026-03-02T08:15:00+00:00", "ip": "192.0.2.1"},
                {"action": "click", "timestamp": "2026-03-02T08:16:00+00:00", "url": "https://city.example/"},
            ],
        },
        {"campaign_id": "42694e9e57", "email_address": "hedy@example.org", "activity": []},
    ]
    path = write(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "activity.jsonl")
    found = read(town, path, now)
    assert found.events == {"open": 1, "click": 1}, found.reasons
    assert found.rejected == 0


def test_a_file_of_opens_alone_and_a_file_that_cannot_be_understood(town, tmp_path, now):
    opens = write(tmp_path, "Email,Timestamp\nada@example.org,2026-03-02 08:15:00\n", "opens.csv")
    assert read(town, opens, now, event="open", campaign="News").events == {"open": 1}
    with pytest.raises(UsageError, match=r"no column for event \(or --event open\), campaign"):
        read(town, opens, now)
    with pytest.raises(UsageError, match="no column 'Mail'; there are Email, Timestamp"):
        read(town, opens, now, event="open", campaign="News", columns=(("address", "Mail"),))


def test_killed_between_the_two_databases_the_next_run_adds_what_is_missing(town, tmp_path, now, monkeypatch):
    path = write(tmp_path, GOVDELIVERY)
    with monkeypatch.context() as patch:
        patch.setattr(past_events, "_append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            read(town, path, now)
    assert read(town, path, now).events == {"open": 1}
    assert figures(town) == {"ada": (1, 1, 0), "grace": (1, 0, 0), "hedy": (0, 0, 0)}
