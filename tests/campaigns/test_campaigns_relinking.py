"""A wrong link in mail that has been sent, led elsewhere."""

from __future__ import annotations

import datetime as dt

import pytest

from outreach.campaigns.relinking import published
from outreach.store import campaigns, tables
from outreach.store.database import Store
from outreach.testing import Fault, FaultServer
from tracking.links import LinkTable, LinkTables, publish

OLD, NEW = "https://city.example/swepping", "https://city.example/sweeping"
STREET = "https://city.example/street?zip={zip}"
SENT = """---
subject: Street sweeping starts on Monday
preheader: Please move your car by eight
to: topic is "Street sweeping"
topic: Street sweeping
from: Public Works <works@city.example>
---
Sweeping starts on Monday. Please move your car by eight.

**[See your street](https://city.example/swepping)**
"""


@pytest.fixture
def sent(city):
    """A campaign whose links are published, as `send` does before the first mail."""
    name = city.json("campaigns", "plan", city.write(SENT))["plan"]
    number, plan = known(city, name)
    assert "has not been sent yet" in city.run("campaigns", "relink", name, OLD, OLD, code=2).output
    publish(
        city.root / "data" / "links", number, LinkTable((OLD,), 3, plan="of a campaign that had this number before")
    )
    assert "has not been sent yet" in city.run("campaigns", "relink", name, OLD, OLD, code=2).output
    publish(city.root / "data" / "links", number, LinkTable((OLD, STREET), 3, plan=plan))
    return city, name, number


def known(city, name: str) -> tuple[int, str]:
    """A campaign's number and its plan's hash."""
    store = Store.open(f"sqlite:///{city.root}/data/outreach.db")
    with store.read() as connection:
        campaign = campaigns.find(connection, name)
    store.close()
    return campaign.id, campaign.plan_hash


def links(city, number: int) -> tuple[str, ...]:
    return LinkTables(city.root / "data" / "links").get(number).table.links


REFUSED = [
    ("https://city.example/other", "https://city.example/", 2, f"it has {OLD}"),
    (OLD, "javascript:alert(1)", 78, "must begin with https://"),
    (OLD, "https://{zip}.example/", 78, "leaves its host open"),
    (OLD, "https://city.example/{zip}", 2, "does not carry {zip}; this link carries no field"),
    (STREET, "https://city.example/{district}", 2, "does not carry {district}; this link carries {zip}"),
    (OLD, "https://evil.example/", 6, "not among the hosts"),
]


def test_a_wrong_link_leads_elsewhere_from_then_on(sent) -> None:
    city, name, number = sent
    with (city.root / "outreach.toml").open("a") as file:
        file.write('\n[gate]\nlink_hosts = "city.example"\n')
    for old, new, code, words in REFUSED:
        assert words in city.run("campaigns", "relink", name, old, new, code=code).output
    assert links(city, number) == (OLD, STREET)
    city.run("campaigns", "relink", name, OLD, NEW)
    city.run("campaigns", "relink", name, STREET, "https://city.example/{zip}")
    assert links(city, number) == (NEW, "https://city.example/{zip}")


def test_a_file_of_the_first_release_which_names_no_plan_is_of_the_campaign_that_has_begun(sent) -> None:
    city, name, number = sent
    folder = city.root / "data" / "links"
    publish(folder, number, LinkTable((OLD, STREET), 3))
    assert "has not been sent yet" in city.run("campaigns", "relink", name, OLD, NEW, code=2).output
    store = Store.open(f"sqlite:///{city.root}/data/outreach.db")
    with store.write() as connection:
        connection.execute(tables.campaign.update().values(started_at=dt.datetime(2026, 11, 21, tzinfo=dt.UTC)))
    city.run("campaigns", "relink", name, OLD, NEW)
    with store.read() as connection:
        campaign = campaigns.find(connection, name)
    store.close()
    assert LinkTables(folder).get(number).table == LinkTable((NEW, STREET), 3, plan=campaign.plan_hash)
    publish(folder, number, LinkTable((NEW, STREET), 3))  # relinked by the first release
    assert published(folder, campaign) == LinkTable((NEW, STREET), 3)  # so a send that goes on leaves it as it is


def test_it_leads_there_whatever_becomes_of_the_send(city) -> None:
    """Retries, cron, a pause: each calls `send` again. Only a file that is gone is written from the plan."""
    file = city.write(SENT.replace('topic is "Street sweeping"', 'email is "p1@example.com"'))
    name = city.json("campaigns", "plan", file)["plan"]
    city.run("campaigns", "approve", name, "--by", "Dana Lee")
    number, _ = known(city, name)
    with FaultServer([Fault("RCPT", reply="451 4.3.0 later", times=None)]) as server:
        relay = {"OUTREACH_RELAY_URL": f"smtp://127.0.0.1:{server.port}"}
        again = ("campaigns", "send", name, "--yes", "--patience", "0", "--workers", "1")
        city.run(*again, **relay)
        city.run("campaigns", "relink", name, OLD, NEW)
        city.run(*again, **relay)
        assert links(city, number) == (NEW,)
        city.run("campaigns", "pause", name)
        city.run("campaigns", "resume", name)
        city.run("cron", **relay)
        assert links(city, number) == (NEW,)
        (city.root / "data" / "links" / f"{number}.json").unlink()
        city.run(*again, **relay)
    assert links(city, number) == (OLD,)
