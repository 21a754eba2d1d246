"""Digests: at each person's hour, in their language, one a person, nothing twice, nothing lost."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import zlib

import pytest
from sqlalchemy import func, select, update

from outreach.campaigns.approval import approve
from outreach.campaigns.plan import plan
from outreach.events import Choice, Event, Kind
from outreach.practice.postman import deliver
from outreach.rendering import expressions
from outreach.rendering.errors import TemplateError
from outreach.rendering.images import examine
from outreach.rendering.message import Message
from outreach.scheduling import digesting
from outreach.store import campaigns, deliveries, digests, preferences
from outreach.store.events import bind
from outreach.store.tables import item, pending, profile, subscription
from tracking import preferences as page


def send(town, name: str, *, now: dt.datetime) -> list[Message]:
    return deliver(town.store, town.settings, name, now=now)


def publish(town, name: str, *, topic: str, now: dt.datetime, **fields: str) -> list[Message]:
    planned = plan(town.store, town.settings, town.campaign(name, topic=topic, **fields), segments={}, now=now)
    approve(town.store, planned.name, by="Dana Lee", now=now)
    return send(town, planned.name, now=now)


def gathered(town, now: dt.datetime, troubles: list[str] | None = None) -> dict[str, str]:
    """Gather and send what is due: each address with the text of its digest."""
    found: dict[str, str] = {}
    for name in digesting.gather(town.store, town.settings, now=now, troubles=troubles):
        for message in send(town, name, now=now):
            parsed = email.message_from_bytes(message.data, policy=email.policy.default)
            body = parsed.get_body(("plain",))
            assert body is not None
            assert message.recipient not in found
            found[message.recipient] = f"{parsed['subject']}\n{body.get_content()}"
    return found


def test_who_asked_for_a_digest_gets_one_at_their_hour_and_the_others_get_it_now(town, at):
    town.set(digests_at="08:00")
    parking, parks = town.topic("Parking"), town.topic("Parks")
    town.people(["ada"], [parking, parks], at=at("2027-01-01 00:00"))
    town.people(["grace"], [parking, parks], frequency=1, at=at("2027-01-01 00:00"))
    town.people(["lena"], [parking], frequency=1, zone="Europe/Berlin", locale="de-DE", at=at("2027-01-01 00:00"))
    town.people(["hedy"], [parking, parks], frequency=2, at=at("2027-01-01 00:00"))
    assert gathered(town, at("2027-03-09 20:00")) == {}
    sent = publish(
        town, "sweeping", topic="Parking", now=at("2027-03-10 00:00"), body="Move your car, {{ first_name }}."
    )
    assert [each.recipient for each in sent] == ["ada@example.org"]
    publish(town, "picnic", topic="Parks", now=at("2027-03-10 01:00"))

    berlin = gathered(town, at("2027-03-10 07:01"))  # eight in Berlin, eleven at night in Los Angeles
    assert list(berlin) == ["lena@example.org"]
    assert berlin["lena@example.org"].startswith("City of Testing: Ihre Neuigkeiten")
    assert "Move your car, Lena." in berlin["lena@example.org"]

    morning = gathered(town, at("2027-03-10 16:00"))
    assert list(morning) == ["grace@example.org"]
    assert "About sweeping" in morning["grace@example.org"]
    assert "About picnic" in morning["grace@example.org"]
    assert gathered(town, at("2027-03-10 16:01")) == {}

    monday = gathered(town, at("2027-03-15 15:00"))  # summer time has begun: eight is an hour earlier
    assert list(monday) == ["hedy@example.org"]
    assert gathered(town, at("2027-03-22 15:00")) == {}


def test_three_days_without_cron_become_one_digest_and_lose_nothing(town, at):
    town.set(digests_at="08:00")
    topic = town.topic("Parking")
    town.people(["grace"], [topic], frequency=1, at=at("2027-01-01 00:00"))
    assert gathered(town, at("2027-03-09 17:00")) == {}
    for day in (10, 11, 12):
        publish(town, f"day{day}", topic="Parking", now=at(f"2027-03-{day} 01:00"))
    found = gathered(town, at("2027-03-12 20:00"))
    assert [name in found["grace@example.org"] for name in ("day10", "day11", "day12")] == [True] * 3


def test_what_the_law_or_safety_asks_for_is_never_delayed(town, at):
    town.set(digests_at="08:00")
    for name, message_class in (("Notices", "statutory"), ("Alerts", "emergency")):
        topic = town.topic(name, message_class)
        town.people([f"grace-{message_class}"], [topic], frequency=2, at=at("2027-01-01 00:00"))
        sent = publish(town, message_class, topic=name, now=at("2027-03-10 00:00"))
        assert f"grace-{message_class}@example.org" in [each.recipient for each in sent]
    with town.store.read() as connection:
        assert connection.execute(select(func.count()).select_from(pending)).scalar_one() == 0


def test_an_hour_of_their_own_by_their_own_clock_also_when_the_clocks_change(town, at):
    parking = town.topic("Parking")
    (ada,) = town.people(["ada"], [parking], frequency=1, zone="Europe/Berlin", at=at("2027-01-01 00:00"))
    town.people(["grace"], [parking], frequency=1, zone="Europe/Berlin", at=at("2027-01-01 00:00"))
    with town.store.write() as connection:
        connection.execute(profile.update().where(profile.c.subscriber_id == ada).values(digest_hour=18))
    assert gathered(town, at("2027-03-27 20:00")) == {}
    publish(town, "sweeping", topic="Parking", now=at("2027-03-27 21:00"))
    coming = digesting.coming(town.store, town.settings, now=at("2027-03-27 21:00"))
    assert coming == [  # Berlin's clocks go forward in that night
        (at("2027-03-28 06:00"), "daily digests in Europe/Berlin: 1 people wait"),
        (at("2027-03-28 16:00"), "daily digests in Europe/Berlin: 1 people wait"),
    ]
    assert list(gathered(town, at("2027-03-28 06:00"))) == ["grace@example.org"]
    assert gathered(town, at("2027-03-28 15:59")) == {}
    assert list(gathered(town, at("2027-03-28 16:00"))) == ["ada@example.org"]
    assert digesting.coming(town.store, town.settings, now=at("2027-03-28 16:01")) == []


def test_the_hour_is_chosen_on_the_preference_page_and_taken_back_there(town, at):
    (ada,) = town.people(["ada"], [town.topic("Parking")], frequency=1, at=at("2027-01-01 00:00"))
    for number, (posted, wish, hour) in enumerate(
        [("18", 18, 18), ("18", None, 18), ("24", None, 18), ("no", None, 18), ("", -1, None)], 1
    ):
        with town.store.write() as connection:
            standing = preferences.standing(connection, ada)
            assert standing is not None
            shown = page.show(standing, language="en", organisation="City", default=Choice.INDIVIDUAL).html()
            assert f'value="{"" if standing.hour is None else standing.hour}" selected' in shown
            fields = {f"t{topic.id}": "1" for topic in standing.topics} | {"hour": posted}
            found = page.detail(fields, standing, default=Choice.INDIVIDUAL, language="en")
            assert found.get("hour") == wish
            event = Event("s", number, Kind.PREFERENCES, 1_800_000_000_000, 0, ada, detail=page.written(found))
            bind(connection, event)
            chosen = connection.execute(select(profile.c.digest_hour)).scalar_one()
        assert chosen == hour


def test_without_an_hour_for_digests_everybody_gets_it_now(town, at):
    town.set(digests_at="")
    town.people(["grace"], [town.topic("Parking")], frequency=2, at=at("2027-01-01 00:00"))
    sent = publish(town, "sweeping", topic="Parking", now=at("2027-03-10 00:00"))
    assert [each.recipient for each in sent] == ["grace@example.org"]


def test_whoever_leaves_a_topic_before_the_digest_leaves_is_not_told_about_it(town, at):
    town.set(digests_at="08:00")
    parking, parks = town.topic("Parking"), town.topic("Parks")
    people = town.people(["grace", "hedy"], [parking, parks], frequency=1, at=at("2027-01-01 00:00"))
    publish(town, "sweeping", topic="Parking", now=at("2027-03-10 00:00"))
    publish(town, "picnic", topic="Parks", now=at("2027-03-10 01:00"))
    _leave(town, people[0], parking)
    (name,) = digesting.gather(town.store, town.settings, now=at("2027-03-10 16:00"))
    _leave(town, people[1], parking)  # between gathering and sending
    bodies = [each.data.decode() for each in send(town, name, now=at("2027-03-10 16:00"))]
    assert len(bodies) == 2
    assert all("About picnic" in each and "About sweeping" not in each for each in bodies)


def test_the_unsubscribe_link_of_a_digest_leaves_its_topics_and_no_others(town, at):
    town.set(digests_at="08:00")
    parking, parks = town.topic("Parking"), town.topic("Parks")
    (grace,) = town.people(["grace"], [parking, parks], frequency=1, at=at("2027-01-01 00:00"))
    publish(town, "sweeping", topic="Parking", now=at("2027-03-10 00:00"))
    (name,) = digesting.gather(town.store, town.settings, now=at("2027-03-10 16:00"))
    with town.store.write() as connection:
        campaign = campaigns.find(connection, name)
        moment = at("2027-03-10 17:00")
        event = Event("spool", 1, Kind.UNSUBSCRIBE, int(moment.timestamp() * 1000), campaign.id, grace)
        bind(connection, event)
        left = connection.execute(select(subscription.c.topic_id).where(subscription.c.status == 2)).scalars().all()
    assert left == [parking]


def test_a_stopped_campaign_is_in_nobody_s_digest(town, at):
    town.set(digests_at="08:00")
    town.people(["grace"], [town.topic("Parking")], frequency=1, at=at("2027-01-01 00:00"))
    path = town.campaign("sweeping", topic="Parking")
    planned = plan(town.store, town.settings, path, segments={}, now=at("2027-03-10 00:00"))
    assert (planned.audience, planned.in_digests) == (0, 1)
    assert gathered(town, at("2027-03-10 16:00")) == {}  # nobody has started it


def test_a_digest_balances_like_any_campaign(town, at):
    town.set(digests_at="08:00")
    town.people(["grace", "hedy"], [town.topic("Parking")], frequency=1, at=at("2027-01-01 00:00"))
    publish(town, "sweeping", topic="Parking", now=at("2027-03-10 00:00"))
    gathered(town, at("2027-03-10 16:00"))
    with town.store.read() as connection:
        digest = campaigns.find(connection, "digest-2027-03-10-1")
        counts = deliveries.counts(connection, digest.id)
    assert digest.frozen == 2
    assert counts == {deliveries.State.ACCEPTED: 2}


def test_no_item_reaches_into_the_next_one(town, at):
    town.set(digests_at="08:00")
    town.people(["grace"], [town.topic("Parking")], frequency=1, at=at("2027-01-01 00:00"))
    for name, end in (("one", "```\nleft open"), ("two", "Good bye.")):
        body = f"Story {name}: [read more][more].\n\n[more]: https://city.example/{name}\n\n{end}"
        publish(town, name, topic="Parking", now=at("2027-03-10 00:00"), body=body)
    digest = gathered(town, at("2027-03-10 16:00"))["grace@example.org"]
    with town.store.read() as connection:
        links = campaigns.find(connection, "digest-2027-03-10-1").plan["links"]
    assert links == ["https://city.example/one", "https://city.example/two"]
    first, second = digest.split("About two")
    assert ["/0>" in first, "/1>" in first, "/0>" in second, "/1>" in second] == [True, False, False, True]
    assert "    left open" in first
    assert second.split()[:2] == ["---------", "Parking"]


def test_an_item_shows_its_images_as_they_were_when_it_was_planned(town, at):
    town.set(digests_at="08:00")
    town.people(["grace"], [town.topic("Parking")], frequency=1, at=at("2027-01-01 00:00"))
    (town.root / "images").mkdir(exist_ok=True)
    shown = []
    for name in ("one", "two"):
        picture = _png(len(name) + len(shown))
        (town.root / "images" / "map.png").write_bytes(picture)
        shown.append(f"/i/{examine(picture).name}")
        body = "Look:\n\n![A map](images/map.png)"
        publish(town, name, topic="Parking", now=at("2027-03-10 00:00"), body=body)
    (town.root / "images" / "map.png").unlink()
    (digest,) = digesting.gather(town.store, town.settings, now=at("2027-03-10 16:00"))
    (message,) = send(town, digest, now=at("2027-03-10 16:00"))
    html = email.message_from_bytes(message.data, policy=email.policy.default).get_body(("html",))
    assert html is not None
    assert [address in html.get_content() for address in shown] == [True, True]
    assert all((town.settings.data / "images" / each.rpartition("/")[2]).is_file() for each in shown)


def test_what_could_not_be_shown_in_a_digest_is_refused_when_it_is_planned(town, at):
    town.set(digests_at="08:00")
    town.people(["grace"], [town.topic("Parking")], frequency=1, at=at("2027-01-01 00:00"))
    nested = "{% if phone %}" * 10 + "deep" + "{% endif %}" * 10  # a digest has one more around each item
    path = town.campaign("deep", topic="Parking", body=nested)
    with pytest.raises(TemplateError, match=r"deep.md, line 7: it cannot be shown in a digest: .*nested"):
        plan(town.store, town.settings, path, segments={}, now=at("2027-03-10 00:00"))
    town.set(digests_at="")
    plan(town.store, town.settings, path, segments={}, now=at("2027-03-10 00:00"))


def test_a_drill_is_one_in_a_digest_too(town, at):
    town.set(digests_at="08:00")
    town.people(["grace"], [town.topic("Parking")], frequency=1, at=at("2027-01-01 00:00"))
    publish(town, "flood", topic="Parking", now=at("2027-03-10 00:00"), drill="yes", body="Leave now.")
    assert "DRILL, not a real alarm: About flood" in gathered(town, at("2027-03-10 16:00"))["grace@example.org"]


def test_an_item_that_cannot_be_shown_stops_nobody_s_digest_and_is_told_once(town, at):
    town.set(digests_at="08:00")
    parking, parks = town.topic("Parking"), town.topic("Parks")
    town.people(["ada"], [parking], frequency=1, at=at("2027-01-01 00:00"))
    town.people(["grace"], [parking, parks], frequency=1, at=at("2027-01-01 00:00"))
    assert gathered(town, at("2027-03-09 17:00")) == {}
    bad = {"en": {"title": "A map", "body": "![A map](images/map.png)"}}
    with town.store.write() as connection:
        now = at("2027-03-10 00:00")
        item_id = digests.add_item(connection, topic_id=parking, content=bad, source="x", published_at=now)
        digests.wait(connection, item_id, digests.subscribers_of(parking), topic_id=parking)
    publish(town, "picnic", topic="Parks", now=at("2027-03-10 01:00"))
    told: list[str] = []
    first = gathered(town, at("2027-03-10 16:00"), told)
    assert list(first) == ["grace@example.org"]
    assert "About picnic" in first["grace@example.org"]
    assert told == [
        "digests: an entry of a feed about Parking is left out, and all else goes out: the image images/map.png was "
        "not published with it. 2 people wait for it; they get it once that is mended. Mend it"
    ]
    assert gathered(town, at("2027-03-11 16:00"), told) == {}
    assert len(told) == 1
    good = {"en": {"title": "A map", "body": "Look at our site."}}
    with town.store.write() as connection:
        connection.execute(item.update().values(content=good))
    assert sorted(gathered(town, at("2027-03-12 16:00"), told)) == ["ada@example.org", "grace@example.org"]


def test_what_is_too_long_for_one_digest_is_divided_and_nothing_is_lost(town, at, monkeypatch):
    town.set(digests_at="08:00")
    topic = town.topic("Parking")
    town.people(["ada", "grace"], [topic], frequency=1, at=at("2027-01-01 00:00"))
    assert gathered(town, at("2027-03-09 17:00")) == {}
    for name in ("one", "two", "three"):
        publish(town, name, topic="Parking", now=at("2027-03-10 00:00"), body="Very long. " * 2_000)
    monkeypatch.setattr(expressions, "MAX_SOURCE", 60_000)
    told: list[str] = []
    days = [gathered(town, at(f"2027-03-{day} 16:00"), told) for day in (10, 11, 12)]
    for person in ("ada@example.org", "grace@example.org"):
        read = "".join(day.get(person, "") for day in days)
        assert [read.count(f"About {name}") for name in ("one", "two", "three")] == [1, 1, 1]
    assert told == []


def _png(shade: int) -> bytes:
    """A picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = chunk(b"IHDR", (1).to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00")
    pixel = chunk(b"IDAT", zlib.compress(bytes([0, shade])))
    return b"\x89PNG\r\n\x1a\n" + header + pixel + chunk(b"IEND", b"")


def _leave(town, person: int, topic_id: int) -> None:
    with town.store.write() as connection:
        mine = (subscription.c.subscriber_id == person) & (subscription.c.topic_id == topic_id)
        connection.execute(update(subscription).where(mine).values(status=2))
