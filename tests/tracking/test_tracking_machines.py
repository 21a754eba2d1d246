"""What one hit says about who made it, and how little of it is kept."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from outreach.errors import ConfigurationError
from outreach.events import Flag, Kind
from outreach.store.events import Verdict
from tracking.machines import (
    DAY_MS,
    KEEP_DAYS,
    Agent,
    DayKeys,
    Network,
    Observer,
    agent_class,
    load_networks,
    read_headers,
)
from tracking.rules import Fact, Reason, at_once

sys.path.insert(0, str(Path(__file__).parent))
from mail_clients import BROWSERS, MAIL_CLIENTS


def fact(kind: Kind = Kind.CLICK, agent: Agent = Agent.BROWSER, network: int = Network.OTHER, flags: int = 0) -> Fact:
    return Fact(kind, 0, 1, 1, agent, network, b"", flags)


@pytest.mark.parametrize(("name", "agent"), [(name, agent) for name, _, agent in MAIL_CLIENTS] + BROWSERS)
def test_the_programs_people_read_with_are_not_machines(name: str, agent: str) -> None:
    opinion = at_once(fact(Kind.OPEN, agent_class(agent.encode())))
    assert opinion is None or opinion.verdict is Verdict.NOT_MEASURABLE, agent_class(agent.encode())


@pytest.mark.parametrize(("name", "agent"), BROWSERS)
def test_a_click_in_a_browser_is_not_a_machines(name: str, agent: str) -> None:
    assert agent_class(agent.encode()) in (Agent.BROWSER, Agent.PHONE_BROWSER)
    assert at_once(fact(agent=agent_class(agent.encode()))) is None


@pytest.mark.parametrize(
    "agent",
    [
        "", "curl/8.5.0", "python-requests/2.32.3", "Go-http-client/2.0", "Java/17.0.2", "Wget/1.21", "Something/1.0",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
        "BarracudaCentral Link Scanner", "Mimecast-URL-Protect/1.0", "Proofpoint URL Defense",
        "facebookexternalhit/1.1", "Slackbot-LinkExpanding 1.0", "WhatsApp/2.23",
        # A browser's name with one word too many.
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0 Safari/537.36 Novelty/1.0",
        "Mozilla/5.0 (X11; Novelty; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0 Safari/537.36",
    ],
)  # fmt: skip
def test_programs_that_read_for_nobody_are_machines(agent: str) -> None:
    for kind in (Kind.OPEN, Kind.CLICK):
        assert at_once(fact(kind, agent_class(agent.encode()))).verdict is Verdict.MACHINE


def test_every_known_crawler_is_a_machine_but_the_picture_proxies(shared: Path) -> None:
    crawlers = json.loads((shared / "corpora/bot-user-agents/crawler-user-agents.json").read_text("utf-8"))
    agents = {agent for crawler in crawlers for agent in crawler.get("instances", [])}
    assert len(agents) > 2000
    proxies = {agent for agent in agents if agent_class(agent.encode()) in (Agent.GOOGLE_PROXY, Agent.YAHOO_PROXY)}
    assert all("Proxy" in agent or "YahooCacheSystem" in agent for agent in proxies)
    for kind in (Kind.OPEN, Kind.CLICK):
        people = {agent for agent in agents - proxies if at_once(fact(kind, agent_class(agent.encode()))) is None}
        assert people == set()


def test_no_name_takes_long_to_read() -> None:
    begun = time.process_time()
    for tail in ("; a" * 130, "(" * 390, " chrome/1" * 40 + "!", "; en" * 90, "mobile " * 55):
        for head in ("Mozilla/5.0 (", "Mozilla/5.0 (Linux; Android 1", "Mozilla/5.0 (X11) ", ""):
            agent_class((head + tail).encode())
    assert time.process_time() - begun < 1.0


@pytest.mark.parametrize(
    ("hit", "reason"),
    [
        (fact(Kind.OPEN, flags=Flag.HEAD), Reason.HEAD),
        (fact(flags=Flag.PREFETCH | Flag.NAVIGATE), Reason.PREFETCH),
        (fact(agent=Agent.NONE), Reason.NO_BROWSER),
        (fact(agent=Agent.OTHER), Reason.NO_BROWSER),
        (fact(network=Network.SCANNER), Reason.SCANNER_NETWORK),
        (fact(network=Network.MICROSOFT), Reason.SCANNER_NETWORK),
        (fact(Kind.OPEN, Agent.GOOGLE_PREFETCH, Network.GOOGLE), Reason.GOOGLE_PREFETCH),
        (fact(Kind.OPEN, Agent.BARE_MOZILLA), Reason.APPLE_PROXY),
    ],
)
def test_what_one_hit_shows_has_a_reason(hit: Fact, reason: Reason) -> None:
    assert at_once(hit).reason is reason


def test_pictures_are_fetched_for_people_from_microsofts_and_scanners_networks() -> None:
    for network in (Network.SCANNER, Network.MICROSOFT, Network.GOOGLE):
        assert at_once(fact(Kind.OPEN, network=network)) is None


def test_headers_become_flags() -> None:
    headers = [
        (b"accept-language", b"es"), (b"sec-fetch-user", b"?1"), (b"sec-fetch-mode", b"navigate"),
        (b"accept", b"image/avif,*/*"), (b"cookie", b"a=b"), (b"referer", b"x"), (b"range", b"bytes=0-"),
        (b"sec-purpose", b"prefetch;prerender"), (b"host", b"t"), (b"user-agent", b"Mozilla/5.0"),
    ]  # fmt: skip
    every = Flag(0)
    for flag in Flag:
        every |= flag
    assert read_headers("GET", headers) == (b"Mozilla/5.0", every & ~(Flag.HEAD | Flag.POST | Flag.ONE_CLICK))
    assert [read_headers(method, [])[1] for method in ("HEAD", "POST", "GET")] == [Flag.HEAD, Flag.POST, 0]


def place(observer: Observer, client: str, *, day: int = 1) -> tuple[int, bytes]:
    seen = observer.observe(method="GET", headers=[], client=client, at_ms=day * DAY_MS)
    return seen.network_class, seen.prefix_hash


def test_one_places_clients_share_a_hash_for_a_day_and_no_longer(tmp_path: Path) -> None:
    observer = Observer(DayKeys(tmp_path))
    first = place(observer, "203.0.113.7")
    assert place(observer, "203.0.113.200") == first
    assert place(observer, "::ffff:203.0.113.9") == first
    assert place(observer, "203.0.114.7") != first
    assert place(observer, "203.0.113.7", day=2)[1] != first[1]
    assert place(observer, "2001:db8:1:2::3") == place(observer, "2001:db8:1:ffff::1")
    assert place(observer, "2001:db8:1::1") != place(observer, "2001:db8:2::1")


def test_another_process_of_the_day_makes_the_same_hash(tmp_path: Path) -> None:
    assert place(Observer(DayKeys(tmp_path)), "203.0.113.7") == place(Observer(DayKeys(tmp_path)), "203.0.113.7")


def test_day_keys_are_the_owners_and_are_forgotten(tmp_path: Path) -> None:
    keys = DayKeys(tmp_path)
    keys.get(100)
    [path] = tmp_path.iterdir()
    assert path.stat().st_mode & 0o077 == 0
    keys.get(100 + KEEP_DAYS)
    assert {path.name for path in tmp_path.iterdir()} == {"100.key", f"{100 + KEEP_DAYS}.key"}
    keys.get(101 + KEEP_DAYS)
    assert "100.key" not in {path.name for path in tmp_path.iterdir()}


def test_a_key_that_cannot_be_kept_still_hides_the_address(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    network, prefix = place(Observer(DayKeys(tmp_path / "file" / "days")), "203.0.113.7")
    assert (network, len(prefix)) == (Network.OTHER, 8)


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("66.249.84.1", Network.GOOGLE), ("17.58.1.1", Network.APPLE), ("40.94.1.1", Network.OTHER),
        ("40.93.1.1", Network.MICROSOFT), ("67.231.144.9", Network.SCANNER), ("not an address", Network.UNKNOWN),
        ("", Network.UNKNOWN),
    ],
)  # fmt: skip
def test_a_network_is_known_by_its_published_ranges(tmp_path: Path, client: str, network: Network) -> None:
    assert place(Observer(DayKeys(tmp_path)), client)[0] == network


def test_a_workspaces_own_networks_are_read_and_the_longest_block_wins(tmp_path: Path) -> None:
    file = tmp_path / "networks.txt"
    file.write_text("# ours\n10.0.0.0/8 apple\n10.1.0.0/16 scanner  # inner\n2001:db8::/32 google\n\n")
    observer = Observer(DayKeys(tmp_path / "days"), networks=load_networks(file))
    seen = [place(observer, client)[0] for client in ("10.2.0.1", "10.1.2.3", "2001:db8:1::1", "192.0.2.1")]
    assert seen == [Network.APPLE, Network.SCANNER, Network.GOOGLE, Network.OTHER]
    for wrong in ("10.0.0.0/8", "10.0.0.0/8 nobody", "10.0.0.1/8 apple", "x apple"):
        file.write_text(f"\n{wrong}\n")
        with pytest.raises(ConfigurationError, match="line 2"):
            load_networks(file)
