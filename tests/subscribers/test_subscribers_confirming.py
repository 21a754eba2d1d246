"""The mail that asks "is it really you?": to strangers, to people who left, to a new address; once each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from outreach.cli import confirming
from outreach.cli.confirming import send_confirmations
from outreach.cli.init import make_workspace
from outreach.cli.workspace import Workspace, open_workspace
from outreach.events import Event, Kind
from outreach.store import confirmations, events, subscribers, suppressions, topics
from outreach.store.dialects import to_ms
from outreach.store.suppressions import Reason
from outreach.testing import FaultServer
from outreach.tokens import Purpose, load_keys


def test_each_wish_is_asked_about_once_and_the_link_proves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "city"
    with FaultServer() as server:
        relay = f"smtp://127.0.0.1:{server.port}"
        make_workspace(folder, name="City of Testing", domain="city.example", relay=relay)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("OUTREACH_MODE", "live")
        workspace = open_workspace()
        now = workspace.now()
        with workspace.store.write() as connection:
            topics.ensure(connection, ["Housing"])
            for name, reason in (("left", Reason.UNSUBSCRIBE), ("never", Reason.MANUAL)):
                subscribers.upsert(connection, f"{name}@city.example", attributes={}, now=now)
                suppressions.suppress(connection, f"{name}@city.example", reason=reason, source="test", at=now)
            person = subscribers.upsert(connection, "old@city.example", attributes={}, now=now)
            details = [
                f'{{"address": "{name}@city.example", "topics": [1], "language": "es"}}'
                for name in ("new", "left", "never")
            ]
            for number, detail in enumerate(details, 1):
                events.bind(connection, Event("s", number, Kind.SIGNUP, to_ms(now), 0, 0, detail=detail))
            moving = '{"address": "moved@city.example"}'
            events.bind(connection, Event("s", 9, Kind.PREFERENCES, to_ms(now), 0, person, detail=moving))
        assert send_confirmations(workspace) is None
        assert send_confirmations(workspace) is None
        mails = list(server.accepted)
    assert len(mails) == 3
    keys = load_keys(workspace.token_keys)
    with workspace.store.read() as connection:
        assert confirmations.unsent(connection, now=now) == []
    tokens = {
        found
        for mail in mails
        for found in re.findall(r"/k/([\w-]{28})", mail.content.decode("ascii", "replace").replace("=\r\n", ""))
    }
    assert {keys.verify(Purpose.CONFIRM, token).campaign_id for token in tokens} == {1, 2, 3}


def test_runs_that_overlap_write_into_nobody_elses_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_workspace(tmp_path / "city", name="City of Testing", domain="city.example")
    monkeypatch.chdir(tmp_path / "city")
    monkeypatch.setenv("OUTREACH_MODE", "live")
    workspace = open_workspace()
    with workspace.store.write() as connection:
        topics.ensure(connection, ["Housing", "Parks"])
        for number, name in ((1, "ada"), (2, "grace")):
            detail = f'{{"address": "{name}@city.example", "topics": [{number}], "language": "en"}}'
            events.bind(connection, Event("s", number, Kind.SIGNUP, to_ms(workspace.now()), 0, 0, detail=detail))
    read: list[tuple[str, str]] = []

    def deliver(_: Workspace, path: Path, address: str, **__: object) -> None:
        with path.open(encoding="utf-8") as text:  # while it is open, everything else is written
            if not read:
                read.append(("", ""))
                send_confirmations(workspace)
            read.append((address, text.read().partition("topic: ")[2].partition("\n")[0]))

    monkeypatch.setattr(confirming, "deliver", deliver)
    send_confirmations(workspace)
    assert set(read[1:]) == {("ada@city.example", "Housing"), ("grace@city.example", "Parks")}
    assert not list(workspace.settings.data.glob("confirmations/**/.*"))
