"""What is kept for how long: removed when its time has come, written down, and figures stay as they were."""

from __future__ import annotations

import datetime as dt
import os
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select

from outreach.events import Event, Kind
from outreach.store import audit, bounces, campaigns, engagement, engagement_check, events, retention, tables
from outreach.store.dialects import to_ms
from outreach.store.events import Verdict
from tracking.judging import reclassify

ZONE = ZoneInfo("UTC")
DAYS = {"traces": 180, "returned": 90, "rejects": 30, "messages": 365}


@pytest.fixture
def kept(store, tmp_path, now):
    """Things of each kind, 400 days old and a day old; returns the state folder."""
    data = tmp_path / "state"
    for folder in ("rejects", "links"):
        (data / folder).mkdir(parents=True)
    with store.write() as connection, store.write_events() as raw:
        row = {"address": "ada@example.org", "attributes": {}, "created_at": now}
        person = connection.execute(insert(tables.subscriber).values(row)).inserted_primary_key[0]
        connection.execute(insert(tables.profile).values(subscriber_id=person, status=1))
        for number, age in enumerate((400, 1), 1):
            at = now - dt.timedelta(days=age)
            values = {
                "message_class": "regular",
                "rule": "",
                "plan": {},
                "plan_hash": "",
                "frozen": 0,
                "planned_at": at,
            }
            name = {"name": f"news-{number}", "file": "news", "finished_at": at}
            campaign = campaigns.add(connection, **name, **values)
            campaigns.add_message(connection, campaign, "en", compiled={"subject": "News"}, hash="x")
            (data / "links" / f"{campaign}.copy.json").write_text("{}", "utf-8")
            traces = {"agent_class": 3, "network_class": 2, "prefix_hash": b"12345678", "flags": 4}
            hit = Event("s", number, Kind.OPEN, to_ms(at), campaign, person, **traces)
            events.append(raw, [(hit, Verdict.PERSON, 1, 1)])
            events.bind(connection, Event("s", 10 + number, Kind.COMPLAINT, to_ms(at), campaign, person, **traces))
            mail = data / f"returned-{number}.eml"
            mail.write_text("From: somebody", "utf-8")
            about = {"kind": "odd", "sender": "a@example.org", "subject": "Hi", "why": "?", "file": str(mail)}
            bounces.keep(connection, key=number, now=at, **about)
            rejected = data / "rejects" / f"{number}.csv"
            rejected.write_text("row", "utf-8")
            os.utime(rejected, (at.timestamp(), at.timestamp()))
        events.event_position(raw, file="s")
        events.move_event_position(raw, file="s", sequence=2)
    engagement.fold(store, zone=ZONE)
    return data


def test_a_dry_run_counts_and_removes_nothing(store, kept, now):
    found = retention.apply(store, kept, DAYS, now=now, dry_run=True)
    assert [(each.kind, each.count) for each in found] == [
        ("traces", 2), ("returned", 1), ("rejects", 1), ("messages", 1)
    ]  # fmt: skip
    again = retention.apply(store, kept, DAYS, now=now, dry_run=True)
    assert found == again
    with store.read() as connection:
        assert audit.entries(connection) == []


def test_what_is_too_old_goes_and_each_removal_is_in_the_audit_log(store, kept, now):
    retention.apply(store, kept, DAYS, now=now, dry_run=False)
    with store.read() as connection, store.read_events() as raw:
        seen = select(tables.event.c.prefix_hash, tables.event.c.agent_class, tables.event.c.verdict)
        hits = raw.execute(seen.order_by(tables.event.c.at)).all()
        told = select(tables.feedback.c.prefix_hash).order_by(tables.feedback.c.at)
        complaints = list(connection.execute(told).scalars())
        texts = list(connection.execute(select(tables.message.c.campaign_id)).scalars())
        mails = [each.id for each in bounces.kept(connection)]
        noted = [(each.object, each.detail["removed"]) for each in audit.entries(connection)]
        assert list(audit.breaks(connection)) == []
    assert [tuple(hit) for hit in hits] == [(None, 0, 1), (b"12345678", 3, 1)]
    assert complaints == [None, b"12345678"]
    assert (texts, len(mails)) == ([2], 1)
    assert noted == [("traces", 2), ("returned", 1), ("rejects", 1), ("messages", 1)]
    left = sorted(path.name for path in kept.rglob("*") if path.is_file())
    assert left == ["2.copy.json", "2.csv", "returned-2.eml"]
    assert all(each.count == 0 for each in retention.apply(store, kept, DAYS, now=now, dry_run=False))


def test_figures_and_verdicts_stay_as_they_were(store, kept, now):
    retention.apply(store, kept, DAYS, now=now, dry_run=False)
    assert engagement_check.compare(store, zone=ZONE, people=5).different == ()
    before = engagement.rebuild(store, zone=ZONE).events
    assert before == 2
    with store.read() as connection:
        assert connection.execute(select(tables.profile.c.opens)).scalar_one() == 2
    reclassify(store)
    with store.read_events() as raw:
        old = raw.execute(
            select(tables.event.c.verdict, tables.event.c.rules).where(tables.event.c.sequence == 1)
        ).one()
    assert tuple(old) == (Verdict.PERSON, 1)  # judged when it could still be seen


def test_nothing_goes_where_the_policy_is_nought(store, kept, now):
    assert retention.apply(store, kept, dict.fromkeys(DAYS, 0), now=now, dry_run=False) == []
    assert len(list(kept.rglob("*.eml"))) == 2


def test_the_command_says_what_it_would_do_and_what_is_kept(command, tmp_path):
    command(tmp_path).run("init", "city", "--name", "City of Testing")
    said = command(tmp_path / "city", {"OUTREACH_RETENTION_TRACES_DAYS": "7"}).run("retention", "--dry-run").stdout
    assert "kept:  campaigns' texts" in said
    assert said.endswith("nothing was removed\n")
