"""The whole way: a real send to a server that takes everything, and bounces some of it by mail afterwards."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import select

from outreach.store import tables
from outreach.store.database import Store
from outreach.testing import FaultServer
from tests.bounces.returned_mail import dsn
from tests.journeys.conftest import City

PEOPLE = 60
FATES = {
    0: ("550 5.1.1 The email account that you tried to reach does not exist - gsmtp", "5.1.1", "failed"),
    1: ("552 5.2.2 mailbox full", "5.2.2", "failed"),
    2: ("550 5.7.1 Service unavailable; client host [192.0.2.1] blocked using zen.spamhaus.org", "5.7.1", "failed"),
    3: ("451 4.4.1 connect to mx: Connection timed out", "4.4.1", "delayed"),
}
"""What becomes of the mail to resident n, by n % 6; the others' stays."""


@pytest.fixture
def city(tmp_path: Path) -> City:
    City(tmp_path).run("init", "city", "--name", "City of Testing")
    return City(tmp_path / "city")


def test_what_comes_back_later_is_right_to_the_person(city: City) -> None:
    domains = ("gmail.com", "hill.example", "yahoo.com")
    addresses = [f"resident{n}@{domains[n % 3]}" for n in range(PEOPLE)]
    rows = "".join(f"{address},Resident {n},{n % 9}\n" for n, address in enumerate(addresses))
    (city.root / "people.csv").write_text("email,first_name,district\n" + rows)
    city.run("subscribers", "import", "people.csv", "--topic", "City news", "--source", "town hall form")
    file = city.campaign("news", to='topic is "City news"', topic="City news")
    with FaultServer() as server:
        city.environment["OUTREACH_RELAY_URL"] = f"smtp://127.0.0.1:{server.port}"
        plan = city.planned(file)
        city.run("campaigns", "send", plan["plan"], "--yes")
        accepted = server.accepted
    assert len(accepted) == PEOPLE
    box = city.root / "box"
    for name in ("new", "cur", "tmp"):
        (box / name).mkdir(parents=True)
    expected: dict[int, set[str]] = {fate: set() for fate in FATES}
    for envelope in accepted:
        (address,) = envelope.recipients
        number = int(re.findall(r"\d+", address)[0])
        if number % 6 in FATES:
            text, status, action = FATES[number % 6]
            raw = dsn(
                address,
                to=envelope.sender,
                diagnostic=text,
                status=status,
                action=action,
                message_id=f"<{number}@mx.example.com>",
            )
            expected[number % 6].add(address)
            (box / "new" / f"{number}.mx").write_bytes(raw)
    forged = dsn("resident59@yahoo.com", to="bounces@city.example", message_id="<forged@example>")
    (box / "new" / "forged.mx").write_bytes(forged)
    # Two runs at once, and a third: cron does not wait for its own last run.
    first = city.start("bounces", "collect", "--maildir", "box")
    tally = city.json("bounces", "collect", "--maildir", "box")
    assert first.wait(60) == 0
    city.run("bounces", "collect", "--maildir", "box")
    assert set(tally) <= {"recorded", "known", "kept", "effect suppress", "effect count", "effect pause", "effect note"}

    report = city.json("report", plan["plan"])
    bounced = sum(len(expected[fate]) for fate in (0, 1, 2))
    assert report["balance"]["frozen"] == PEOPLE
    assert (report["balance"]["bounced"], report["balance"]["accepted"]) == (bounced, PEOPLE - bounced)
    assert _suppressed(city) == expected[0]
    health = city.json("deliverability")
    told = {each["name"]: (each["accepted"], each["refused"], each["reasons"]) for each in health["providers"]}
    for name, domain in (("google", "gmail.com"), ("yahoo", "yahoo.com"), ("hill.example", "hill.example")):
        mine = {fate: sum(each.endswith(domain) for each in expected[fate]) for fate in (0, 1, 2)}
        reasons = {
            reason: count
            for reason, count in zip(("userunknown", "mailboxfull", "blocked"), mine.values(), strict=True)
            if count
        }
        assert told[name] == (PEOPLE // 3 - sum(mine.values()), sum(mine.values()), reasons)
    assert len(city.json("bounces", "kept")) == 1
    pauses = city.run("bounces", "pauses").stdout
    assert "rests at" in pauses
    assert health["pauses"]


def _suppressed(city: City) -> set[str]:
    store = Store.open(f"sqlite:///{city.root}/data/outreach.db")
    with store.read() as connection:
        found = set(connection.scalars(select(tables.suppression.c.address)))
    store.close()
    return found
