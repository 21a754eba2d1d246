"""Logs: lines of JSON, nobody's address in them, and a rotated file is begun anew."""

from __future__ import annotations

import json
import logging
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from outreach import logs
from outreach.testing import Fault, FaultServer

CANARY = "canary.lastname+tag"


@pytest.fixture
def log(tmp_path):
    """A log of this process; returns its file and what was written to it so far."""
    root = logging.getLogger()
    before = root.level
    path = tmp_path / "log" / "outreach.log"
    logs.begin("a test", file=path, level="info")
    yield path, lambda: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for handler in root.handlers[:]:
        if isinstance(handler.formatter, logs.JsonLines):
            root.removeHandler(handler)
            handler.close()
    root.setLevel(before)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("550 5.1.1 <ada@example.org>: no such user", "550 5.1.1 <<address>>: no such user"),
        ("mailto:Ada%40example.org?x=1", "mailto:<address>"),
        ("bounce+ada=40example.org@city.example", "<address>"),
        ("ада@пример.рф left", "<address> left"),
        ("GET /u/AbCdEfGhIjKlMnOpQrStUvWxYz01 HTTP/1.1", "GET /u/<token> HTTP/1.1"),
        ("from 203.0.113.9 and 2001:db8::1", "from <network> and <network>"),
        ("at 12:00:00.123, 550 5.7.1, plan parking-1", "at 12:00:00.123, 550 5.7.1, plan parking-1"),
        ("ssh://relay.example:25 is away", "ssh://relay.example:25 is away"),
    ],
)
def test_what_could_name_a_person_is_taken_out(text, instead):
    assert logs.redact(text) == instead


def test_a_line_is_one_json_object_and_an_error_keeps_its_place_but_not_its_words(log):
    path, lines = log
    logger = logging.getLogger("outreach.somewhere")
    logs.note(logger, "sent", campaign="parking-1", accepted=3, to=f"{CANARY}@example.org")
    try:
        int(f"cannot write\nto {CANARY}@example.org")
    except ValueError:
        logger.exception("it failed for %s", f"{CANARY}@example.org")
    sent, failed = lines()
    assert {name: sent[name] for name in ("level", "process", "says", "campaign", "accepted", "to")} == {
        "level": "info", "process": "a test", "says": "sent", "campaign": "parking-1", "accepted": 3, "to": "<address>",
    }  # fmt: skip
    assert (failed["error"], failed["says"]) == ("ValueError", "it failed for <address>")
    assert "test_operating_logs.py" in failed["trace"]
    assert "canary" not in path.read_text("utf-8")


def test_a_renamed_or_removed_file_is_begun_anew_and_no_line_is_lost(log):
    path, lines = log
    logger = logging.getLogger("outreach.somewhere")
    for number in range(3):
        logs.note(logger, "line", number=number)
        path.rename(path.with_name(f"outreach.log.{number}"))
    logs.note(logger, "line", number=3)
    path.unlink()
    logs.note(logger, "line", number=4)
    assert [line["number"] for line in lines()] == [4]
    kept = [json.loads(path.with_name(f"outreach.log.{number}").read_text("utf-8"))["number"] for number in range(3)]
    assert kept == [0, 1, 2]


def test_no_address_is_in_the_log_of_a_day(command, tmp_path):
    """Import, refusal by name at the relay, cron, a question about a person, a hit on the service: then a search."""
    command(tmp_path).run("init", "city", "--name", "City of Testing")
    reply = f"550 5.7.1 mail to <{CANARY}@example.org> is refused by policy"
    with FaultServer([Fault("DOT", reply, times=None)]) as server:
        environment = {
            "OUTREACH_RELAY_URL": f"smtp://127.0.0.1:{server.port}",
            "OUTREACH_MODE": "live",
            "OUTREACH_LOG_FILE": "data/logs/outreach.log",
        }
        city = command(tmp_path / "city", environment)
        others = "".join(f"{CANARY}.{number}@example.org\n" for number in range(40))
        (city.root / "people.csv").write_text(f"email\n{others}{CANARY}@@example\n", "utf-8")
        city.run("subscribers", "import", "people.csv", "--topic", "City news", "--source", "form")
        city.run("segments", "explain", "everyone", f"not-{CANARY}@example.org", code=1)
        city.run("campaigns", "plan", "campaigns/welcome.md")
        city.run("campaigns", "approve", "welcome-1", "--by", "Dana Lee")
        city.run("campaigns", "send", "welcome-1", "--yes", "--patience", "0", code=6)
        cron = city.run("cron").stderr
    service = city.start("track", "--port", "0")
    try:
        _hit(city.root / "started.log", f"/c/AbCdEfGhIjKlMnOpQrStUvWxYz01/0?who={CANARY}@example.org")
    finally:
        service.terminate()
        service.wait(60)
    text = (city.root / "data" / "logs" / "outreach.log").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    ended = {line["command"]: line["code"] for line in lines if line["says"] == "ended"}
    assert ended == {"subscribers": 0, "segments": 1, "campaigns": 6, "cron": 0, "track": 0}
    assert any(line["says"] == "sent" and line["campaign"] == "welcome-1" for line in lines)
    for said in (text, cron, (city.root / "started.log").read_text("utf-8")):
        assert "canary" not in said.lower()


def _hit(log: Path, path: str) -> None:
    """Ask the service as soon as it answers; it knows no such link."""
    until = time.monotonic() + 60
    while True:
        text = log.read_text("utf-8") if log.exists() else ""
        url = text.partition("tracking at ")[2].partition(",")[0]
        try:
            if url:
                urllib.request.urlopen(url + path, timeout=20)
        except urllib.error.HTTPError as error:
            error.close()
            return
        except urllib.error.URLError:
            pass  # it does not listen yet
        assert time.monotonic() < until, text
        time.sleep(0.05)
