"""A campaign as a record: the exact words, who got them, and each mail made again byte for byte."""

from __future__ import annotations

import csv
import json
import sqlite3

import pytest

from outreach.testing import FaultServer
from tests.campaigns.conftest import GOOD

EVENT = "event: Open day; 2026-12-05 10:00 to 16:00 UTC; Town Hall\nfrom:"


@pytest.fixture
def sent(city):
    """Sixty people's mail, as it arrived: by address."""
    city.people(["zoe@example.com,Zoë „Zo“ <b>,4"])
    city.write(
        "---\nsubject: Barrido {{ first_name | default('x') }}\n---\nHola {{ first_name | default('vecino') }}.\n",
        "sweeping.es",
    )
    plan = city.json("campaigns", "plan", city.write(GOOD.replace("from:", EVENT)))["plan"]
    city.run("campaigns", "approve", plan, "--by", "Dana Lee")
    with FaultServer() as server:
        city.run("campaigns", "send", plan, "--yes", OUTREACH_RELAY_URL=f"smtp://127.0.0.1:{server.port}")
        return {envelope.recipients[0]: envelope.content for envelope in server.accepted}


def mail(city, address: str, code: int = 0) -> bytes:
    shown = city.run("campaigns", "archive", "sweeping-1", "--mail", address, code=code)
    return shown.stdout_bytes if code == 0 else shown.stderr_bytes


def test_each_mail_is_made_again_byte_for_byte(city, sent):
    assert len(sent) == 61
    for address in ("zoe@example.com", "p0@example.com", "p59@example.com"):
        assert mail(city, address) == sent[address]


def test_a_line_that_a_crash_cut_within_a_letter_is_left_out(city, sent):
    (file,) = (city.root / "data" / "archive").glob("*/*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    (zoe,) = [line for line in lines if "Zoë".encode() in line]
    torn = zoe[: zoe.index("Zoë".encode()) + 3]
    file.write_bytes(b"".join(line for line in lines if line != zoe) + torn)
    assert mail(city, "p0@example.com") == sent["p0@example.com"]
    assert b"was never made for zoe@example.com" in mail(city, "zoe@example.com", code=1)


def test_what_has_changed_since_changes_nothing(city, sent):
    city.people(["zoe@example.com,Zora,7"])
    city.write(GOOD.replace("Monday", "Tuesday"))
    city.run("keys", "rotate")
    city.run("dkim", "new", "--selector", "o2027")
    (city.root / "keys" / "dkim.pem").rename(city.root / "keys" / "dkim-outreach.pem")
    with (city.root / "outreach.toml").open("a") as settings:
        settings.write(
            'dkim_selector = "o2027"\ndkim_key = "keys/dkim-o2027.pem"\nunsubscribe_mailbox = "leave@city.example"\n'
        )
    assert mail(city, "zoe@example.com") == sent["zoe@example.com"]


def test_who_was_not_written_to_has_no_mail(city, sent):
    city.people(["new@example.com,New,1"])
    assert b"was never made for new@example.com" in mail(city, "new@example.com", code=1)
    assert b"nobody has the address" in mail(city, "stranger@example.com", code=1)


def test_the_record_says_what_was_approved_and_who_got_it(city, sent):
    city.run("campaigns", "archive", "sweeping-1", "--out", "record")
    record = city.root / "record"
    plan = json.loads((record / "plan.json").read_text("utf-8"))
    assert (plan["campaign"], plan["audience"]) == ("sweeping-1", 61)
    assert "Dana Lee" in json.loads((record / "approval.json").read_text("utf-8"))["approved_by"]
    for language, words in (("en", "sweeping starts on Monday"), ("es", "Hola Ada.")):
        kept = json.loads((record / f"message.{language}.json").read_text("utf-8"))
        assert kept["hash"] == plan["messages"][language]
        assert words in (record / f"message.{language}.txt").read_text("utf-8")
        assert words in (record / f"message.{language}.html").read_text("utf-8")
    with (record / "people.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["state"] for row in rows} == {"accepted"}
    assert len({row["subscriber"] for row in rows}) == 61
    assert "@" not in "".join(row["subscriber"] for row in rows)


def test_who_is_erased_is_in_no_record_any_more(city, sent):
    city.run("subscribers", "erase", "zoe@example.com")
    kept = b"".join(path.read_bytes() for path in (city.root / "data" / "archive").rglob("*.jsonl"))
    assert b"zoe@example.com" not in kept
    assert b"p0@example.com" in kept
    assert mail(city, "p0@example.com") == sent["p0@example.com"]


def test_words_that_were_removed_make_no_mail_and_stop_no_approval(city, sent):
    """Retention takes the text of campaigns that ended; the next plan of the file has nothing to be compared with."""
    with sqlite3.connect(city.root / "data" / "outreach.db") as connection:
        assert connection.execute("DELETE FROM message").rowcount == 2
    connection.close()
    assert b"the words of sweeping-1 are not kept any more" in mail(city, "zoe@example.com", code=1)
    token = city.user("Dana Lee")
    city.verify("Dana Lee")
    city.write(GOOD.replace("Monday", "Tuesday"))
    plan = city.json("campaigns", "plan", "campaigns/sweeping.md", token=token)["plan"]
    with FaultServer() as server:
        relay = f"smtp://127.0.0.1:{server.port}"
        city.run("campaigns", "ask", plan, token=token, OUTREACH_RELAY_URL=relay)
        (asked,) = server.accepted
    assert b"the message in en is another" in asked.content


def test_what_cannot_be_kept_is_not_sent(city):
    plan = city.json("campaigns", "plan", city.write(GOOD))["plan"]
    city.run("campaigns", "approve", plan, "--by", "Dana Lee")
    (city.root / "data" / "archive").write_text("in the way", "utf-8")
    with FaultServer() as server:
        relay = f"smtp://127.0.0.1:{server.port}"
        assert city.run("campaigns", "send", plan, "--yes", code=None, OUTREACH_RELAY_URL=relay).exit_code != 0
        assert server.accepted == []
        (city.root / "data" / "archive").unlink()
        city.run("campaigns", "send", plan, "--yes", OUTREACH_RELAY_URL=relay)
        assert len(server.accepted) == 60
