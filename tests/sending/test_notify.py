"""One message to one person: the same key never sends twice, from a command or by HTTP."""

import datetime as dt
import http.client
import json
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from outreach.campaigns.notifying import UnknownPerson
from outreach.cli import notify
from outreach.cli.init import make_workspace
from outreach.cli.workspace import Workspace, open_workspace
from outreach.errors import Blocked, UsageError
from outreach.store import campaigns, deliveries, subscribers, topics
from outreach.store.deliveries import State
from outreach.subscribers import erasing
from outreach.testing import FaultServer

TOKEN = "a-secret-that-is-long-enough"
FILE = """---
subject: Permit {{ number }} is ready, {{ first_name }}
to: email is "nobody@mail.example"
topic: Permits
from: Permits <permits@city.example>
---
Hello {{ first_name }}, your permit {{ number }} is ready.
"""


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


@pytest.fixture
def workspace(tmp_path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    folder = tmp_path / "city"
    make_workspace(
        folder,
        name="City of Testing",
        domain="city.example",
        timezone="UTC",
        relay=f"smtp://127.0.0.1:{server.port}",
        tracking="https://track.city.example",
    )
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OUTREACH_MODE", "live")
    (folder / "campaigns").mkdir(exist_ok=True)
    (folder / "campaigns" / "permit.md").write_text(FILE)
    opened = open_workspace()
    with opened.store.write() as connection:
        topics.ensure(connection, ["Permits"])
        for name in ("Ada", "Bo"):
            subscribers.upsert(
                connection, f"{name.lower()}@mail.example", attributes={"first_name": name}, now=dt.datetime.now(dt.UTC)
            )
    return opened


def send(workspace: Workspace, address: str, key: str) -> dict:
    return notify.deliver(workspace, Path("campaigns/permit.md"), address, key=key, values={"number": "4711"})


def test_the_same_key_sends_once_and_tells_how_it_ended(workspace, server) -> None:
    first = send(workspace, "Ada@mail.example", "permit-4711")
    again = send(workspace, "ada@mail.example", "permit-4711")
    assert first == again == {"campaign": "notify-permit-4711", "state": "accepted", "why": ""}
    assert [each.recipients for each in server.accepted] == [("ada@mail.example",)]
    assert b"4711 is ready, Ada" in server.accepted[0].content


def test_another_key_is_another_message_and_a_used_key_is_nobody_elses(workspace, server) -> None:
    send(workspace, "ada@mail.example", "one")
    send(workspace, "ada@mail.example", "two")
    with pytest.raises(Blocked, match="somebody else"):
        send(workspace, "bo@mail.example", "one")
    assert len(server.accepted) == 2


def test_what_was_written_to_somebody_who_is_erased_is_forgotten(
    workspace, server, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(workspace, "ada@mail.example", "sent")
    monkeypatch.setenv("OUTREACH_RELAY_URL", "smtp://127.0.0.1:1")
    assert send(open_workspace(), "ada@mail.example", "waiting")["state"] == "waiting"
    send(open_workspace(), "bo@mail.example", "bo")
    data, now = workspace.settings.data, dt.datetime.now(dt.UTC)
    erasing.erase(workspace.store, data, "ada@mail.example", key=b"k" * 32, now=now)
    assert erasing.verify(workspace.store, data, "ada@mail.example") == []
    with workspace.store.read() as connection:
        left = {
            each.name.removeprefix("notify-"): (each.rule, each.plan["values"], each.status.value)
            for each in campaigns.every(connection)
        }
        counts = [deliveries.counts(connection, number)[State.CANCELLED] for number in (1, 2, 3)]
    assert left == {
        "sent": ("", {}, "finished"),
        "waiting": ("", {}, "stopped"),
        "bo": ("", {"number": "4711"}, "sending"),
    }
    assert counts == [0, 1, 0]


def test_who_is_not_known_and_what_is_no_key(workspace) -> None:
    with pytest.raises(UnknownPerson):
        send(workspace, "eve@mail.example", "three")
    with pytest.raises(UsageError, match="key"):
        send(workspace, "ada@mail.example", "a key")


def test_a_relay_that_is_down_leaves_it_waiting_for_the_next_call(
    workspace, server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTREACH_RELAY_URL", "smtp://127.0.0.1:1")
    down = send(open_workspace(), "ada@mail.example", "four")
    assert (down["state"], "relay" in down["why"]) == ("waiting", True)
    assert send(workspace, "ada@mail.example", "four")["state"] == "accepted"
    assert len(server.accepted) == 1


def test_the_endpoint_wants_its_token_and_a_file_of_the_workspace(workspace, server) -> None:
    service = ThreadingHTTPServer(("127.0.0.1", 0), notify._handler(workspace, TOKEN))
    threading.Thread(target=service.serve_forever, daemon=True).start()

    def ask(token: str = TOKEN, **changes: str) -> tuple[int, dict]:
        document = {
            "file": "campaigns/permit.md",
            "address": "bo@mail.example",
            "key": "five",
            "values": {"number": "5"},
        }
        connection = http.client.HTTPConnection("127.0.0.1", service.server_port, timeout=30)
        body = json.dumps(document | {"values": {"number": "5"}} | changes)
        connection.request("POST", "/notify", body, {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read())
        connection.close()
        return found

    assert ask("wrong")[0] == 401
    assert ask(file="../../etc/passwd")[0] == 400
    assert ask(address="eve@mail.example")[0] == 422
    assert ask() == (200, {"campaign": "notify-five", "state": "accepted", "why": ""})
    assert ask() == (200, {"campaign": "notify-five", "state": "accepted", "why": ""})
    assert len(server.accepted) == 1
    service.shutdown()
    service.server_close()
