"""What we hold goes to the address itself, by a fresh link, once a day; the link that asked shows nothing."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from outreach.cli.confirming import send_confirmations
from outreach.cli.init import make_workspace
from outreach.cli.workspace import open_workspace
from outreach.events import Event, Kind
from outreach.store import confirmations, events, subscribers, suppressions, topics
from outreach.store.database import Store
from outreach.store.dialects import to_ms
from outreach.store.suppressions import Reason
from outreach.subscribers.showing import story
from outreach.testing import FaultServer
from outreach.tokens import Purpose, load_keys
from tracking import held
from tracking.pages.words import LANGUAGES

ASKED = '{"held": true, "language": "es"}'


def ada(store: Store, now: dt.datetime) -> int:
    with store.write() as connection:
        topics.ensure(connection, ["Housing"])
        return subscribers.upsert(connection, "ada@city.example", attributes={"district": "3"}, now=now)


def asks(store: Store, person: int, *, number: int, at: dt.datetime) -> None:
    with store.write() as connection:
        events.bind(connection, Event("s", number, Kind.PREFERENCES, to_ms(at), 0, person, detail=ASKED))


def test_one_mail_a_day_leads_the_address_itself_to_what_we_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "city"
    with FaultServer() as server:
        relay = f"smtp://127.0.0.1:{server.port}"
        make_workspace(folder, name="City of Testing", domain="city.example", relay=relay)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("OUTREACH_MODE", "live")
        workspace = open_workspace()
        now = workspace.now()
        person = ada(workspace.store, now)
        with workspace.store.write() as connection:  # who left may still ask
            suppressions.suppress(connection, "ada@city.example", reason=Reason.UNSUBSCRIBE, source="link", at=now)
        for number in (1, 2, 3):
            asks(workspace.store, person, number=number, at=now)
        assert send_confirmations(workspace) is None
        (mail,) = server.accepted
    text = mail.content.decode("ascii", "replace").replace("=\r\n", "")
    (token,) = set(re.findall(r"/k/([\w-]{28})", text))
    asked_for = load_keys(workspace.token_keys).verify(Purpose.CONFIRM, token)
    with workspace.store.write() as connection:
        found = confirmations.find(connection, *asked_for)
        assert found is not None
        assert (found.kind, found.address, found.locale) == ("held", "ada@city.example", "es")
        assert found.is_valid(now + dt.timedelta(hours=23))
        assert not found.is_valid(now + dt.timedelta(hours=25))
        # The link shows; a press of a button on it would confirm nothing.
        confirm = Event("s", 9, Kind.CONFIRM, to_ms(now), found.id, person)
        assert confirmations.confirmed(connection, confirm) is False
        assert suppressions.is_suppressed(connection, "ada@city.example")


def test_asking_again_the_next_day_is_answered_again(store: Store, now: dt.datetime) -> None:
    person = ada(store, now)
    for number, hours in enumerate((0, 23, 25)):
        asks(store, person, number=number + 1, at=now + dt.timedelta(hours=hours))
    with store.read() as connection:
        assert len(confirmations.unsent(connection, now=now)) == 2


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_page_shows_everything_in_the_readers_language(store: Store, now: dt.datetime, language: str) -> None:
    ada(store, now)
    told = story(store, "ada@city.example")
    assert told is not None
    html = held.page(told, language=language, organisation="City").html()
    words = LANGUAGES[language]
    for said in ("ada@city.example", "district", ">3<", words.held_title, words.held_values, words.held_joined):
        assert said in html
    assert "<form" not in html
