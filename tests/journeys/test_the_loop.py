"""The main job on real input: five old systems' exports to a report, through a real SMTP server and real HTTP."""

from __future__ import annotations

import csv
import email
import email.policy
import http.client
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dkim
import pytest

from outreach.addresses import BadAddress, normalise
from outreach.rendering.dkim import dns_record
from outreach.testing import Fault, FaultServer

FILES = (
    "mailchimp-audience-export.csv",
    "govdelivery-subscriber-topics.csv",
    "salesforce-contacts-report.csv",
    "listmonk-subscribers.csv",
    "mailchimp-unsubscribed-export.csv",
)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PARTS = ("new", "changed", "unchanged", "duplicates", "rejected", "suppressed")


@contextmanager
def tracking(city) -> Iterator[http.client.HTTPConnection]:
    """`outreach track` for this workspace, and a connection to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = city.start("track", "--port", str(port))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        for _ in range(100):
            try:
                ask(connection, "GET", "/healthz")
                break
            except ConnectionError:
                connection.close()
                time.sleep(0.1)
        yield connection
    finally:
        connection.close()
        process.terminate()
        assert process.wait(60) in (0, -signal.SIGTERM)  # uvicorn ends in good order, then by the signal it got


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None
) -> http.client.HTTPResponse:
    headers = {"User-Agent": BROWSER, "Accept-Language": "en"}
    if body:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    return answer


def who_must_not_be_mailed(data: Path) -> set[str]:
    """Read independently of the product: unsubscribed, opted out, or blocklisted in any of the files."""
    found = set()
    with (data / "mailchimp-unsubscribed-export.csv").open(encoding="utf-8-sig", newline="") as file:
        found |= {row["Email Address"] for row in csv.DictReader(file)}
    with (data / "salesforce-contacts-report.csv").open(encoding="latin-1", newline="") as file:
        found |= {row["E-Mail"] for row in csv.DictReader(file, delimiter=";") if row.get("Email Opt Out") == "1"}
    with (data / "listmonk-subscribers.csv").open(encoding="utf-8", newline="") as file:
        found |= {row["email"] for row in csv.DictReader(file) if row["status"] == "blocklisted"}
    clean = set()
    for address in found:
        try:
            clean.add(normalise(address or ""))
        except BadAddress:
            continue
    assert len(clean) > 1000
    return clean


@pytest.fixture
def everybody(city, shared: Path):
    """A workspace that holds all five exports; also what each import said."""
    counts = {name: city.json("subscribers", "import", str(shared / "data" / name)) for name in FILES}
    return city, counts


def test_from_five_exports_to_a_report(everybody, shared: Path) -> None:
    city, counts = everybody
    for name, count in counts.items():
        assert count["rows"] == sum(count[part] for part in PARTS), name
        if count["rejected"]:
            with Path(count["rejects_file"]).open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
            assert len(rows) == count["rejected"]
            assert all(row["row"] and row["reason"] for row in rows)

    rule = 'topic is "Road works" and district in (3, 4)'
    file = city.campaign("roads", to=rule, topic="Road works", body="Hello.\n\n[Where](https://city.example/roads)")
    plan = city.planned(file)
    assert plan["audience"] > 100
    with FaultServer() as server:
        city.environment["OUTREACH_RELAY_URL"] = f"smtp://127.0.0.1:{server.port}"
        city.run("campaigns", "send", plan["plan"], "--yes")
        sent = server.accepted
    people = [each.recipients for each in sent]
    assert len(people) == plan["audience"]
    assert all(len(each) == 1 for each in people)
    reached = {each[0] for each in people}
    assert len(reached) == len(people)
    assert not reached & who_must_not_be_mailed(shared / "data")

    record = dns_record((city.root / "keys" / "dkim.pem").read_bytes()).encode()
    for envelope in sent:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert dkim.verify(envelope.content, dnsfunc=lambda *_, **__: record)
        assert [part.get_content_type() for part in message.walk()] == [
            "multipart/alternative",
            "text/plain",
            "text/html",
        ]
        assert str(message["To"].addresses[0].addr_spec) == envelope.recipients[0]
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert len({email.message_from_bytes(each.content)["Message-ID"] for each in sent}) == len(sent)

    balance = city.json("report", plan["plan"])["balance"]
    assert balance["frozen"] == balance["accepted"] == plan["audience"]
    assert balance["frozen"] == sum(count for state, count in balance.items() if state != "frozen")


def test_a_click_redirects_an_open_is_a_pixel_and_an_unsubscribe_binds(city, export) -> None:
    export([f"resident{number}@mail.example" for number in range(5)])
    file = city.campaign("news", to="everyone", topic="City news", body="[Read](https://city.example/news?a=1&b=2)")
    with FaultServer() as server, tracking(city) as service:
        city.environment["OUTREACH_RELAY_URL"] = f"smtp://127.0.0.1:{server.port}"
        city.run("campaigns", "send", city.planned(file)["plan"], "--yes")
        mail = email.message_from_bytes(server.accepted[0].content, policy=email.policy.default)
        person = server.accepted[0].recipients[0]
        html = mail.get_body(("html",)).get_content()
        paths = {kind: html.partition(f"http://127.0.0.1:8400/{kind}/")[2].partition('"')[0] for kind in "oc"}
        leave = "".join(mail["List-Unsubscribe"].split()).partition("/u/")[2].partition(">")[0]

        pixel = ask(service, "GET", f"/o/{paths['o']}")
        assert (pixel.status, pixel.headers["Content-Type"]) == (200, "image/gif")
        click = ask(service, "GET", f"/c/{paths['c']}")
        assert (click.status, click.headers["Location"]) == (302, "https://city.example/news?a=1&b=2")
        forged = ("A" if leave[-1] != "A" else "B").join([leave[:-1], ""])
        assert ask(service, "GET", f"/c/{forged}/0").headers["Location"] is None
        assert ask(service, "POST", f"/u/{forged}", "List-Unsubscribe=One-Click").status == 404
        assert ask(service, "POST", f"/u/{paths['o'][:28]}", "List-Unsubscribe=One-Click").status == 404
        page = ask(service, "GET", f"/u/{leave}")
        assert page.status == 200
        assert person.encode() not in page.body
        time.sleep(1)
        assert city.json("segments", "count", 'topic is "City news"')["count"] == 5

        assert ask(service, "POST", f"/u/{leave}", "List-Unsubscribe=One-Click").status == 200
        for _ in range(50):
            if city.json("segments", "count", 'topic is "City news"')["count"] == 4:
                break
        again = city.json("campaigns", "plan", file)
        assert (again["audience"], again["excluded"]) == (4, {"not subscribed to the topic": 1})
    # Cron folds what is ten minutes old, when its neighbours are known; a rebuild counts all there is.
    city.run("store", "rebuild-engagement")
    report = city.json("report", "news-1")
    assert report["balance"]["accepted"] == 5
    assert city.json("segments", "count", "clicked within 1 day")["count"] == 1


def test_a_killed_send_run_again_reaches_everybody_and_nobody_twice(city, export) -> None:
    people = 150
    export([f"{'slow' if number % 3 else 'resident'}{number}@mail.example" for number in range(people)])
    plan = city.planned(city.campaign("news", to="everyone", topic="City news"))
    lanes = 4
    city.environment["OUTREACH_RELAY_CONNECTIONS"] = str(lanes)
    with FaultServer([Fault("DOT", delay=0.03, times=None)]) as server:
        city.environment["OUTREACH_RELAY_URL"] = f"smtp://127.0.0.1:{server.port}"
        kills = 0
        for limit in (20, 60, 100):
            process = city.start("campaigns", "send", plan["plan"], "--yes")
            while len(server.accepted) < limit and process.poll() is None:
                time.sleep(0.005)
            os.killpg(process.pid, signal.SIGKILL)  # the command and its workers, at once
            process.wait()
            kills += 1
        end = city.json("campaigns", "send", plan["plan"], "--yes", code=5)
        taken = server.accepted_ids
    doubts = city.json("campaigns", "doubts", plan["plan"])["in_doubt"]
    assert end["accepted"] + end["in_doubt"] == people
    assert end["in_doubt"] == len(doubts) <= kills * lanes
    assert len(taken) == len(set(taken))
    assert people - len(doubts) <= len(taken) <= people
    balance = city.json("report", plan["plan"])["balance"]
    assert (balance["accepted"], balance["in_doubt"]) == (end["accepted"], end["in_doubt"])
