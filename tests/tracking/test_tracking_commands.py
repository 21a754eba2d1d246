"""`outreach events` and `outreach keys`, as typed."""

from __future__ import annotations

import json
import stat
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, select

from outreach.cli import main
from outreach.cli.init import make_workspace
from outreach.errors import ConfigurationError, TryAgain
from outreach.events import Event, Kind
from outreach.settings import load_settings
from outreach.store import events as store_events
from outreach.store import tables
from outreach.store.database import Store
from outreach.store.events import Verdict
from outreach.tokens import Purpose, load_keys
from tracking import rules
from tracking.machines import Agent, Network
from tracking.webhooks import feedback, outgoing


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "city"
    make_workspace(folder, name="City of Example", domain="city.example")
    monkeypatch.chdir(folder)
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def open_store(city: Path) -> Store:
    return Store.open(load_settings(city).database_url)


def hit(sequence: int, seconds: float, kind: Kind = Kind.CLICK, link: int = 0, person: int = 1) -> Event:
    at_ms = 1_795_000_000_000 + round(seconds * 1000)
    return Event("s", sequence, kind, at_ms, 1, person, link, Agent.BROWSER, Network.OTHER, b"12345678")


def with_hits(city: Path, *hits: Event) -> None:
    store = open_store(city)
    with store.write() as connection:
        at = store_events.from_ms(0)
        connection.execute(
            insert(tables.subscriber).values(id=1, address="ada@example.com", attributes={}, created_at=at)
        )
    with store.write_events() as connection:
        store_events.append(connection, [(event, Verdict.UNJUDGED, 0, 0) for event in hits])
        store_events.event_position(connection, file="s")
        store_events.move_event_position(connection, file="s", sequence=len(hits))
    store.close()


def test_a_rotated_key_signs_and_the_old_links_go_on_working(city: Path) -> None:
    path = city / "keys" / "tokens"
    old = load_keys(path).sign(Purpose.UNSUBSCRIBE, 1, 7)
    assert run("keys", "rotate").exit_code == 0
    ring = load_keys(path)
    assert ring.verify(Purpose.UNSUBSCRIBE, old) == (1, 7)
    assert ring.sign(Purpose.UNSUBSCRIBE, 1, 7) != old
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shown = run("keys", "show").output
    assert shown == "key 1: verifies\nkey 2: signs and verifies\n"
    assert not any(line.split()[1] in shown for line in path.read_text().splitlines())


def test_the_last_key_number_is_said_in_words(city: Path) -> None:
    (city / "keys" / "tokens").write_text("".join(f"{n} {'ab' * 32}\n" for n in (1, 255)))
    result = run("keys", "rotate")
    assert (result.exit_code, "255 keys, the most" in result.output) == (78, True)


def test_reclassify_says_what_moved(city: Path) -> None:
    with_hits(city, *(hit(n, n / 5, link=n) for n in range(1, 5)), hit(5, 9000, Kind.OPEN))
    document = json.loads(run("events", "reclassify", "--json").stdout)
    assert document == {
        "hits": 5, "changed": 5, "rules": rules.VERSION,
        "moved": {"not judged yet -> people": 1, "not judged yet -> machines": 4},
    }  # fmt: skip
    assert "4" in run("events", "summary").output
    assert run("events", "reclassify").output == f"5 hits judged by rules {rules.VERSION}, 0 verdicts changed\n"
    assert run("events", "reclassify", "nobody").exit_code != 0


def test_tail_gives_each_event_once_and_goes_on_where_it_was(city: Path) -> None:
    with_hits(city, *(hit(n, n, link=n) for n in range(1, 4)))
    store = open_store(city)
    with store.write() as connection:
        store_events.bind(connection, hit(9, 5, Kind.UNSUBSCRIBE))
    store.close()
    lines = [json.loads(line) for line in run("events", "tail", "--json").stdout.splitlines()]
    assert [(line["kind"], line["subscriber"]) for line in lines] == [
        ("unsubscribe", "ada@example.com"), *[("click", "ada@example.com")] * 3,
    ]  # fmt: skip
    assert len({line["id"] for line in lines}) == 4
    rest = run("events", "tail", "--json", "--after", lines[1]["position"]).stdout.splitlines()
    assert [json.loads(line)["id"] for line in rest] == ["s-2", "s-3"]
    assert run("events", "tail", "--after", lines[-1]["position"]).stdout == ""
    assert run("events", "tail", "--after", "nonsense").exit_code == 2


def test_held_unsubscribes_are_listed_accepted_and_dismissed(city: Path) -> None:
    with_hits(city)
    store = open_store(city)
    with store.write() as connection:
        for number in (1, 2):
            assert store_events.bind(connection, hit(number, number, Kind.UNSUBSCRIBE), hold=True)
    listed = json.loads(run("events", "held", "--json").stdout)
    assert [one["address"] for one in listed] == ["ada@example.com"] * 2
    suppressed = select(tables.suppression.c.address)
    with store.read() as connection:
        assert list(connection.execute(suppressed).scalars()) == []
    assert run("events", "dismiss", str(listed[0]["id"])).exit_code == 0
    assert run("events", "accept", str(listed[1]["id"])).exit_code == 0
    with store.read() as connection:
        assert list(connection.execute(suppressed).scalars()) == ["ada@example.com"]
    store.close()
    assert run("events", "accept", str(listed[1]["id"])).exit_code == 2


def test_cron_lets_a_held_unsubscribe_take_effect_after_three_days(city: Path) -> None:
    with_hits(city)
    store = open_store(city)
    with store.write() as connection:
        store_events.bind(connection, hit(1, -1_000_000_000, Kind.UNSUBSCRIBE), hold=True)
    result = run("cron")
    assert (result.exit_code, result.output) == (0, "")
    with store.read() as connection:
        assert list(connection.execute(select(tables.suppression.c.address)).scalars()) == ["ada@example.com"]
    store.close()


def test_events_are_posted_signed_in_order_and_again_until_they_are_taken(city: Path) -> None:
    with_hits(city, *(hit(n, n, link=n) for n in range(1, 4)))
    store, state = open_store(city), city / "data" / "push.position"
    posted: list[tuple[bytes, str]] = []
    answers = [500, 200]

    def post(url: str, body: bytes, headers: dict[str, str]) -> int:
        posted.append((body, headers["Outreach-Signature"]))
        return answers.pop(0)

    url = "https://city.example/events"
    with pytest.raises(TryAgain, match="answered 500"):
        outgoing.deliver(store, url, secret=b"s" * 32, state=state, at=100, post=post)
    assert outgoing.deliver(store, url, secret=b"s" * 32, state=state, at=100, post=post) == 3
    assert outgoing.deliver(store, url, secret=b"s" * 32, state=state, at=100, post=post) == 0
    store.close()
    assert posted[0] == posted[1]
    body, signature = posted[1]
    assert feedback.is_signed(body, signature, secret=b"s" * 32, now=101)
    assert [event["id"] for event in json.loads(body)["events"]] == ["s-1", "s-2", "s-3"]


@pytest.mark.parametrize("url", ["http://city.example/x", "https://a@city.example/", "file:///etc/passwd", "nonsense"])
def test_events_are_not_posted_in_the_clear(url: str) -> None:
    with pytest.raises(ConfigurationError):
        outgoing.check(url)


def test_events_really_travel_over_http(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with_hits(city, hit(1, 1))
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("OUTREACH_TRACKING_PUSH_URL", f"http://127.0.0.1:{server.server_port}/in?x=1")
        assert run("events", "push").output == "1 events posted\n"
        server.shutdown()
        thread.join()
    assert json.loads(got[0])["events"][0]["subscriber"] == "ada@example.com"
    assert run("cron").exit_code == 0
