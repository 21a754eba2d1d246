"""Feeds: entries once each; and nobody can send us anywhere else."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import threading

import pytest
from sqlalchemy import func, select

from outreach.errors import UsageError
from outreach.practice.postman import deliver
from outreach.scheduling import digesting, feeds, fetching
from outreach.scheduling.fetching import Fetched, FetchRefused, fetch, is_public, public_address
from outreach.store.tables import item, pending

RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>City</title><link>https://city.example</link>
{}</channel></rss>"""
ITEM = """<item><title>{0}</title><link>https://city.example/{0}</link><guid>{0}</guid>
<description>&lt;p&gt;About {0} {{{{ first_name }}}} &lt;img src=x&gt;&lt;/p&gt;</description></item>"""


def rss(*names: str) -> bytes:
    return RSS.format("".join(ITEM.format(name) for name in names)).encode()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "100.64.1.1", "fd00::1", "fe80::1%eth0",
     "0.0.0.0", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "192.168.1.1", "127.1", "0x7f000001"],
)  # fmt: skip
def test_addresses_inside_are_no_public_ones(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_addresses_outside_are(address):
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///etc/passwd", "no plain web address"),
        ("gopher://city.example/", "no plain web address"),
        ("http://user@city.example/", "no plain web address"),
        ("http://elsewhere.example/", "not in feeds.hosts"),
        ("http://city.example.evil.example/", "not in feeds.hosts"),
        ("http://city.example:22/", "only 80 and 443"),
        ("http://city.example/", "not on the public internet"),
    ],
)
def test_where_we_do_not_go(url, said):
    with pytest.raises(FetchRefused, match=said):
        fetch(url, hosts=["city.example"], resolve=lambda host, port: ["93.184.215.14", "169.254.169.254"])


def test_one_address_inside_is_enough_to_refuse_the_name():
    with pytest.raises(FetchRefused, match=r"10\.0\.0\.1"):
        public_address("city.example", 443, resolve=lambda host, port: ["93.184.215.14", "10.0.0.1"])


def test_a_server_that_drips_its_headers_is_left_in_time(monkeypatch):
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        with listener, listener.accept()[0] as client, contextlib.suppress(OSError):
            client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not over.wait(0.02):
                client.sendall(b".")

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = threading.Thread(target=drip, args=(listener,))
    server.start()
    monkeypatch.setattr(fetching, "SECONDS", 0.4)
    monkeypatch.setattr(fetching, "PORTS", {"http": port})
    monkeypatch.setattr(fetching, "is_public", lambda address: True)
    try:
        with pytest.raises(FetchRefused, match=r"city\.example (took longer|could not be read)"):
            fetch("http://city.example/", hosts=["city.example"], resolve=lambda host, port: ["127.0.0.1"])
    finally:
        over.set()
        server.join()


@pytest.mark.parametrize(
    "document",
    [
        b"", b"<html>", b'<!DOCTYPE a [<!ENTITY b "cccc">]><rss><item><title>&b;</title></item></rss>',
        b"<a>" * 100_000, b'<?xml version="1.0" encoding="gbk"?><rss/>',
        b'<?xml version="1.0" encoding="klingon"?><rss/>',
    ],
)  # fmt: skip
def test_what_is_no_feed_is_refused(document):
    with pytest.raises(FetchRefused):
        list(feeds.parse(document))


def test_atom_is_read_too():
    atom = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><entry><id>urn:1</id><title>Road works</title>'
        b'<link rel="self" href="https://city.example/self"/><link href="https://city.example/1"/>'
        b"<summary>Soon</summary></entry></feed>"
    )
    assert list(feeds.parse(atom)) == [feeds.Entry("urn:1", "Road works", "https://city.example/1", "Soon")]


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "http://[x", "https://ada@city.example/", "https:///a", "https://city.example:99999/",
     "https://b\u00fccherei..example/", "mailto:ada@city.example", "https://city.example/(a)"],
)  # fmt: skip
def test_links_that_lead_nowhere_are_left_out(link):
    (entry,) = feeds.parse(rss("a").replace(b"https://city.example/a", link.encode()))
    assert entry.link == ""


def test_a_feed_of_no_topic_is_said_once_and_stops_no_other(town, at, monkeypatch):
    town.set(digests_at="08:00", feeds_hosts="city.example")
    town.topic("Parking")
    (town.root / "feeds").mkdir()
    (town.root / "feeds" / "a.feed").write_text("url: https://city.example/a\ntopic: Parkin\n", "utf-8")
    (town.root / "feeds" / "b.feed").write_text("url: https://city.example/b\ntopic: Parking\n", "utf-8")
    fetched: list[str] = []
    monkeypatch.setattr(feeds, "fetch", lambda url, **_: (fetched.append(url), Fetched(rss("old"), '"e"', ""))[1])
    said = [
        feeds.collect(town.store, town.settings, now=at("2027-03-10 12:00") + dt.timedelta(minutes=minutes))
        for minutes in (0, 1, 20)
    ]
    assert said == [["a.feed: no topic is called 'Parkin'; correct the line `topic:`"], [], []]
    assert fetched == ["https://city.example/b"] * 2


def test_a_feed_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "city.feed").write_bytes(b"url: https://city.example/\ntopic: Stra\xdfe\n")
    with pytest.raises(UsageError, match=r"city\.feed cannot be read as UTF-8 text"):
        feeds.load(tmp_path)


def test_an_entry_reaches_everybody_who_wants_the_topic_once(town, at, monkeypatch):
    town.set(digests_at="08:00", feeds_hosts="city.example")
    topic = town.topic("Parking")
    town.people(["ada"], [topic], at=at("2027-01-01 00:00"))
    town.people(["grace"], [topic], frequency=1, at=at("2027-01-01 00:00"))
    (town.root / "feeds").mkdir()
    (town.root / "feeds" / "city.feed").write_text("url: https://city.example/rss\ntopic: Parking\n", "utf-8")
    documents = [rss("old"), rss("new", "old"), rss("new", "old")]
    monkeypatch.setattr(feeds, "fetch", lambda url, **_: Fetched(documents.pop(0), '"e"', ""))
    got: list[tuple[str, bool]] = []
    for hour in range(3):
        now = at("2027-03-10 12:00") + dt.timedelta(hours=hour)
        assert feeds.collect(town.store, town.settings, now=now) == []
        for name in digesting.gather(town.store, town.settings, now=now):
            messages = deliver(town.store, town.settings, name, now=now)
            got.extend((each.recipient, b"About new (( first_name ))" in each.data) for each in messages)
    assert got == [("ada@example.org", True)]  # at once; what was there before is history
    tomorrow = at("2027-03-11 16:00")
    for name in digesting.gather(town.store, town.settings, now=tomorrow):
        got += [(message.recipient, True) for message in deliver(town.store, town.settings, name, now=tomorrow)]
    assert [who for who, _ in got] == ["ada@example.org", "grace@example.org"]
    with town.store.read() as connection:
        assert connection.execute(select(func.count()).select_from(item)).scalar_one() == 2
        assert connection.execute(select(func.count()).select_from(pending)).scalar_one() == 0
