"""A wrong link in mail that has been sent, led elsewhere."""

from __future__ import annotations

import pytest

from outreach.store import campaigns
from outreach.store.database import Store
from tracking.links import LinkTable, LinkTables, publish

OLD, STREET = "https://city.example/swepping", "https://city.example/street?zip={zip}"
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
    store = Store.open(f"sqlite:///{city.root}/data/outreach.db")
    with store.read() as connection:
        number = campaigns.find(connection, name).id
    store.close()
    assert "has not been sent yet" in city.run("campaigns", "relink", name, OLD, OLD, code=2).output
    publish(city.root / "data" / "links", number, LinkTable((OLD, STREET), 3, "Street sweeping", "City of Example"))
    return city, name, number


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
    city.run("campaigns", "relink", name, OLD, "https://city.example/sweeping")
    city.run("campaigns", "relink", name, STREET, "https://city.example/{zip}")
    assert links(city, number) == ("https://city.example/sweeping", "https://city.example/{zip}")
