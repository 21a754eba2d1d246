"""Signing up under attack: the stated limits hold, nobody else is delayed, and no answer tells who is known."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, insert, select

from outreach.events import Event, Kind
from outreach.store import confirmations, consent, events, preferences, subscribers, suppressions, tables, topics
from outreach.store.database import Store
from outreach.store.dialects import to_ms
from outreach.store.subscribers import Status
from outreach.store.suppressions import Reason
from outreach.tokens import KeyRing, Purpose
from tracking.pages.words import LANGUAGES
from tracking.testing import KEYS, Service, eventually, running, token

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
LIBRARY, HOME = b"library!", b"at home!"


@pytest.fixture
def city(store: Store) -> Store:
    with store.write() as connection:
        topics.ensure(connection, ["Housing", "Parks"])
    return store


class Clock:
    def __init__(self, store: Store) -> None:
        self.store, self.sequence, self.at = store, 0, NOW

    def signs_up(self, address: str, *names: int, network: bytes = HOME) -> None:
        chosen = ",".join(map(str, names or (1,)))
        detail = f'{{"address": "{address}", "topics": [{chosen}], "language": "es", "text": "sign-up 1 es"}}'
        self.happens(Kind.SIGNUP, detail, network=network)

    def happens(
        self, kind: Kind, detail: str = "", *, subject: tuple[int, int] = (0, 0), network: bytes = HOME
    ) -> None:
        self.sequence += 1
        event = Event("s1", self.sequence, kind, to_ms(self.at), *subject, prefix_hash=network, detail=detail)
        with self.store.write() as connection:
            assert events.bind(connection, event)
            assert not events.bind(connection, event)

    def asked(self) -> Counter[str]:
        with self.store.read() as connection:
            return Counter(connection.scalars(select(tables.confirmation.c.address)))


@pytest.fixture
def clock(city: Store) -> Clock:
    return Clock(city)


def test_five_hundred_signups_of_one_address_are_one_mail_a_day(clock: Clock) -> None:
    for number in range(500):
        clock.signs_up("victim@city.example", 1 + number % 2, network=number.to_bytes(8))
    assert clock.asked() == {"victim@city.example": 1}
    clock.at += dt.timedelta(hours=24)
    clock.signs_up("VICTIM@city.example")
    assert clock.asked() == {"victim@city.example": 2}
    with clock.store.read() as connection:
        (first, _) = connection.execute(select(tables.confirmation).order_by(tables.confirmation.c.id)).all()
    assert first.topics == {"1": 0, "2": 0}


def test_one_network_gets_thirty_an_hour_and_others_do_not_wait(clock: Clock) -> None:
    for number in range(500):
        clock.signs_up(f"bot{number}@domain{number}.example", network=LIBRARY)
    assert sum(clock.asked().values()) == confirmations.PER_NETWORK
    clock.signs_up("ada@city.example", network=HOME)
    assert clock.asked()["ada@city.example"] == 1
    clock.at += dt.timedelta(hours=1)
    clock.signs_up("late@city.example", network=LIBRARY)
    assert clock.asked()["late@city.example"] == 1
    with clock.store.read() as connection:
        strangers = connection.scalar(select(func.count()).select_from(tables.subscriber))
    assert strangers == confirmations.PER_NETWORK + 2


def test_one_domain_gets_so_many_an_hour_unless_it_is_a_great_provider(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirmations, "PER_DOMAIN", 5)
    for number in range(9):
        clock.signs_up(f"p{number}@small.example", network=bytes([number]) * 8)
        clock.signs_up(f"p{number}@gmail.com", network=bytes([number]) * 8)
    domains = Counter(address.partition("@")[2] for address in clock.asked().elements())
    assert domains == {"small.example": 5, "gmail.com": 9}


def test_confirming_brings_back_who_had_left_and_nobody_else(clock: Clock) -> None:
    with clock.store.write() as connection:
        person = subscribers.upsert(connection, "ada@city.example", attributes={}, now=NOW)
        consent.unsubscribe(connection, subscriber_id=person, topic_id=1, source="link", at=NOW)
        suppressions.suppress(connection, "ada@city.example", reason=Reason.UNSUBSCRIBE, source="link", at=NOW)
    clock.signs_up("ada@city.example")
    with clock.store.read() as connection:
        (asked,) = confirmations.unsent(connection, now=NOW)
        assert suppressions.is_suppressed(connection, "ada@city.example")
        assert [each.status for each in consent.subscriptions_of(connection, person)] == [2]
    clock.happens(Kind.CONFIRM, subject=(asked.id, person))
    clock.happens(Kind.CONFIRM, subject=(asked.id, person))
    with clock.store.read() as connection:
        assert not suppressions.is_suppressed(connection, "ada@city.example")
        assert [each.status for each in consent.subscriptions_of(connection, person)] == [1]
        given = [line for line in consent.history_of(connection, person) if line.given]
    assert [(line.source, line.topic, line.text_version) for line in given] == [
        ("sign-up, confirmed", "Housing", "sign-up 1 es")
    ]


def test_a_confirmation_is_worth_nothing_after_seven_days(clock: Clock) -> None:
    clock.signs_up("ada@city.example")
    with clock.store.read() as connection:
        (asked,) = confirmations.unsent(connection, now=NOW)
    clock.at += dt.timedelta(days=7, seconds=1)
    clock.happens(Kind.CONFIRM, subject=(asked.id, asked.subscriber_id))
    with clock.store.read() as connection:
        person = subscribers.find(connection, "ada@city.example")
        assert person is not None
        assert person.status is Status.UNCONFIRMED
        assert consent.subscriptions_of(connection, person.id) == []
    clock.at += dt.timedelta(days=30)
    with clock.store.write() as connection:
        assert confirmations.forget_unconfirmed(connection, now=clock.at) == 1


def test_an_address_an_administrator_suppressed_is_never_asked(clock: Clock) -> None:
    with clock.store.write() as connection:
        suppressions.suppress(connection, "no@city.example", reason=Reason.MANUAL, source="a letter", at=NOW)
    clock.signs_up("no@city.example")
    clock.signs_up("not an address")
    assert clock.asked() == {}


def test_a_new_address_counts_once_it_is_confirmed(clock: Clock) -> None:
    with clock.store.write() as connection:
        person = subscribers.upsert(connection, "old@city.example", attributes={}, now=NOW)
    clock.happens(Kind.PREFERENCES, '{"address": "New@City.example", "pause": 30, "tracking": 1}', subject=(0, person))
    with clock.store.read() as connection:
        (asked,) = confirmations.unsent(connection, now=NOW)
        found = subscribers.find(connection, "old@city.example")
        assert found is not None
        assert found.status is Status.PAUSED
    clock.happens(Kind.CONFIRM, subject=(asked.id, person))
    with clock.store.write() as connection:
        assert subscribers.find(connection, "old@city.example") is None
        assert preferences.resume(connection, now=NOW + dt.timedelta(days=29)) == 0
        assert preferences.resume(connection, now=NOW + dt.timedelta(days=30)) == 1
        moved = subscribers.find(connection, "new@city.example")
        assert moved is not None
        assert moved.status is Status.ACTIVE
        assert events.tracking_choices(connection) == [(person, 1)]


# --- through the real service -----------------------------------------------------------------------------------


def form(address: str, *, age: int = 5, **more: str) -> str:
    shown = KeyRing(KEYS).sign(Purpose.FORM, int(time.time()) - age, 0)
    return urlencode({"t1": "1", "email": address, "shown": shown, "lang": "en", **more})


@pytest.fixture
def service(sqlite_store: Store, tmp_path: Path) -> Iterator[Service]:
    with sqlite_store.write() as connection:
        topics.ensure(connection, ["Housing"])
        connection.execute(insert(tables.campaign).values(**CAMPAIGN))
        person = subscribers.upsert(connection, "known@city.example", attributes={}, now=NOW)
        consent.subscribe(connection, subscriber_id=person, topic_id=1, source="test", at=NOW)
    with running(tmp_path, database_url=f"sqlite:///{tmp_path}/data/outreach.db") as found:
        yield found


CAMPAIGN = {
    "id": 1,
    "name": "news-1",
    "file": "news",
    "topic_id": 1,
    "status": "finished",
    "rule": "everyone",
    "plan": {},
    "plan_hash": "",
    "frozen": 1,
    "planned_at": NOW,
}


def test_the_answer_is_the_same_for_known_unknown_and_robots(service: Service, sqlite_store: Store) -> None:
    answers = {
        name: service.post("/signup", form(address, **more)).body
        for name, address, more in (
            ("known", "known@city.example", {}),
            ("unknown", "unknown@city.example", {}),
            ("robot", "robot@city.example", {"website": "https://spam.example"}),
        )
    }
    assert len(set(answers.values())) == 1
    assert LANGUAGES["en"].check_title.encode() in answers["known"]

    def asked() -> set[str]:
        with sqlite_store.read() as connection:
            return set(connection.scalars(select(tables.confirmation.c.address)))

    eventually(lambda: len(asked()) == 2)
    assert asked() == {"known@city.example", "unknown@city.example"}


@pytest.mark.parametrize("age", [0, 86_500])
def test_a_form_sent_too_quickly_or_too_late_comes_back_filled_in(service: Service, age: int) -> None:
    answer = service.post("/signup", form("ada@city.example", age=age)).body.decode()
    assert LANGUAGES["en"].once_more in answer
    assert 'value="ada@city.example"' in answer
    assert 'name="t1" value="1" checked' in answer


def test_five_hundred_signups_do_not_delay_anybody(service: Service, sqlite_store: Store) -> None:
    for number in range(500):
        address = "victim@city.example" if number % 2 else f"p{number}@d{number}.example"
        assert service.post("/signup", form(address)).status == 200
    start = time.monotonic()
    one_click = service.post(f"/u/{token(Purpose.UNSUBSCRIBE, 1)}", "List-Unsubscribe=One-Click")
    assert (one_click.status, time.monotonic() - start < 2) == (200, True)

    def has_left() -> bool:
        with sqlite_store.read() as connection:
            return [each.status for each in consent.subscriptions_of(connection, 1)] == [2]

    eventually(has_left)
    with sqlite_store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.confirmation)) == confirmations.PER_NETWORK


def test_a_scanner_that_gets_and_heads_every_link_changes_nobody(service: Service, sqlite_store: Store) -> None:
    paths = ["/signup", *(f"/{p.value.decode()}/{token(p, 1)}" for p in Purpose if p is not Purpose.FORM)]
    paths += [f"/c/{token(Purpose.CLICK, 1)}/0", f"/o/{token(Purpose.OPEN, 1)}.gif"]
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS"):
            assert service.request(method, path).status < 500
            assert service.request(method, f"{path}?leave=all&undo=1&t1=").status < 500
    time.sleep(0.5)
    with sqlite_store.read() as connection:
        assert connection.execute(select(tables.feedback)).all() == []
        assert connection.execute(select(tables.confirmation)).all() == []
        assert [each.status for each in consent.subscriptions_of(connection, 1)] == [1]
        assert not suppressions.is_suppressed(connection, "known@city.example")
