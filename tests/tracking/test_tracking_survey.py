"""The question in a message: looking at it records nothing, sending an answer is durable; and links of one's own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select

from outreach.events import Choice, Kind
from outreach.rendering.personal import packed
from outreach.rendering.questions import Question
from outreach.store import tables
from outreach.store.database import Store
from outreach.store.events import Verdict
from outreach.tokens import KeyRing, Purpose
from tracking import choices
from tracking.links import BadDestination, LinkTables, publish
from tracking.loader import Loader
from tracking.machines import Agent, Network
from tracking.rules import Fact, Reason, judge
from tracking.testing import KEYS, PARKING, Service, running, token

LIBRARY = Question("How was your visit?", ("Very good", "Good", "<b>Not</b> good"))
BIBLIOTECA = Question("¿Qué tal su visita?", ("Muy bien", "Bien", "No muy bien"))
STREET = "https://city.example/street?zip={zip}&d={district}"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("survey")) as found:
        table = replace(PARKING, links=(STREET,), questions={"en": LIBRARY, "es": BIBLIOTECA})
        publish(found.root / "links", 2, table)
        choices.publish(found.root / "links", [(90, Choice.NONE), (91, Choice.AGGREGATE)])
        yield found


def asking(person: int, number: object = 1) -> str:
    return f"/s/{token(Purpose.ANSWER, person, campaign_id=2)}/{number}"


def rows(service: Service) -> list[tuple[int, int, int]]:
    found = []
    for path in service.root.glob("spool/*.spool"):
        connection = sqlite3.connect(path)
        found += connection.execute("SELECT kind, subscriber_id, link FROM hit ORDER BY sequence").fetchall()
        connection.close()
    return found


def test_looking_shows_the_answer_chosen_and_records_nothing(library: Service) -> None:
    before = rows(library)
    reply = library.get(asking(7))
    page = reply.body.decode()
    assert reply.status == 200
    assert "How was your visit?" in page
    assert 'name="answer" value="1" required checked>' in page
    assert page.count("checked>") == 1
    assert "&lt;b&gt;Not&lt;/b&gt; good" in page
    assert library.request("HEAD", asking(7)).status == 200
    assert rows(library) == before


def test_an_answer_is_recorded_once_it_is_sent(library: Service) -> None:
    before = rows(library)
    reply = library.post(asking(8), "answer=2")
    assert reply.status == 200
    assert b"You answered: &lt;b&gt;Not&lt;/b&gt; good" in reply.body
    assert library.post(asking(8), "answer=0").status == 200
    assert rows(library)[len(before) :] == [(Kind.ANSWER, 8, 2), (Kind.ANSWER, 8, 0)]


@pytest.mark.parametrize(
    "body", ["", "answer=", "answer=3", "answer=-1", "answer=%D9%A1", "List-Unsubscribe=One-Click"]
)
def test_a_post_without_an_answer_asks_again(library: Service, body: str) -> None:
    before = rows(library)
    assert b"Nothing has been sent yet" in library.post(asking(9), body).body
    assert rows(library) == before


def test_what_was_not_asked_cannot_be_answered(library: Service) -> None:
    before = rows(library)
    other = token(Purpose.ANSWER, 9, campaign_id=1)  # a message without a question
    forged = [f"/s/{token(each, 9, campaign_id=2)}/1" for each in Purpose if each is not Purpose.ANSWER]
    for path in (
        asking(9, 3),
        asking(9, ""),
        asking(9, "1/2"),
        asking(9, "x"),
        f"/s/{other}/0",
        "/s/",
        "/s/copy/0",
        *forged,
    ):
        assert library.get(path).status == 404, path
        assert library.post(path, "answer=0").status == 404, path
    assert rows(library) == before


def test_a_question_whose_file_is_not_here_yet_is_put_off_not_denied(library: Service) -> None:
    late = f"/s/{token(Purpose.ANSWER, 9, campaign_id=99)}/0"
    for reply in (library.get(late), library.post(late, "answer=0")):
        assert (reply.status, reply.headers["retry-after"]) == (503, "30")
    assert b"<h1" in reply.body


def test_the_page_and_the_question_speak_the_readers_language(library: Service) -> None:
    spanish = library.get(asking(7), Accept_Language="es-MX").body.decode()
    assert "¿Qué tal su visita?" in spanish
    assert "Enviar mi respuesta" in spanish
    german = library.get(asking(7), Accept_Language="de").body.decode()
    assert '<html lang="de"' in german
    assert '<span lang="en" dir="auto">How was your visit?</span>' in german


@pytest.mark.parametrize("person", [90, 91])
def test_whoever_does_not_want_to_be_followed_is_counted_without_a_name(library: Service, person: int) -> None:
    assert library.post(asking(person), "answer=1").status == 200
    assert rows(library)[-1] == (Kind.ANSWER, 0, 1)


def test_answers_reach_the_store_and_are_judged(library: Service, store: Store) -> None:
    before = rows(library).count((Kind.ANSWER, 12, 1))
    assert library.post(asking(12), "answer=1").status == 200
    loaded = Loader(store, library.root / "spool").run_once(last=True)
    assert (loaded.binding, loaded.events) == (0, len(rows(library)))
    with store.read_events() as connection:
        found = connection.execute(
            select(tables.event.c.kind, tables.event.c.link, tables.event.c.verdict).where(
                tables.event.c.subscriber_id == 12
            )
        ).all()
    # No browser's name: it was this test.
    assert found == [(Kind.ANSWER, 1, Verdict.MACHINE)] * (before + 1)


def test_a_scanner_that_sends_every_form_it_finds_answers_nothing() -> None:
    def hit(kind: Kind, at_ms: int, link: int, place: bytes) -> Fact:
        return Fact(kind, at_ms, 7, link, Agent.BROWSER, Network.OTHER, place, 0)

    burst = [hit(Kind.CLICK, 1_000 + link, link, b"scanner") for link in range(4)]
    found = judge([*burst, hit(Kind.ANSWER, 2_500, 0, b"scanner"), hit(Kind.ANSWER, 90_000, 1, b"at home")])
    assert found[4].reason is Reason.BESIDE_BURST
    assert found[5].verdict is Verdict.PERSON


# --- links of one's own -----------------------------------------------------------------------------------------


def own(content: str, *, person: int = 20, campaign_id: int = 2) -> str:
    return f"/x/{KeyRing(KEYS).sign(Purpose.LINK, campaign_id, person, content.encode())}/{content}"


def test_a_link_of_ones_own_leads_to_the_authors_site_with_the_persons_values(library: Service) -> None:
    reply = library.get(own(packed(0, {"zip": "95814", "district": "//evil.example/?a=b"})))
    assert reply.status == 302
    assert reply.headers["location"] == "https://city.example/street?zip=95814&d=%2F%2Fevil.example%2F%3Fa%3Db"
    assert rows(library)[-1] == (Kind.CLICK, 20, 0)
    for strange in ("\r\nLocation: https://evil.example", "\x00", "../..", "ä🦆", "{zip}", "%2f"):
        place = library.get(own(packed(0, {"zip": strange}))).headers["location"]
        assert place.startswith("https://city.example/street?zip=")
        assert place.isascii()


def test_a_link_of_ones_own_cannot_be_changed(library: Service) -> None:
    content = packed(0, {"zip": "95814"})
    path = own(content)
    before = rows(library)
    forged = [
        path.replace(content, packed(0, {"zip": "95815"})),
        path.replace(content, packed(1, {"zip": "95814"})),
        path.rpartition("/")[0],
        f"{path}/",
        f"{path}A",
        path.replace("/x/", "/c/"),
        f"/x/{token(Purpose.LINK, 20, campaign_id=2)}/{content}",
        f"/x/{token(Purpose.CLICK, 20, campaign_id=2)}/{content}",
        own(packed(7, {})),
    ]
    for each in forged:
        reply = library.get(each)
        assert (reply.status, reply.headers.get("location")) == (404, None), each
    assert rows(library) == before
    assert library.get(own(packed(0, {}), campaign_id=99)).status == 503


def test_without_values_such_a_link_leads_to_the_page_with_nothing_filled_in(library: Service) -> None:
    reply = library.get(f"/c/{token(Purpose.CLICK, 21, campaign_id=2)}/0")
    assert reply.headers["location"] == "https://city.example/street?zip=&d="


def test_a_table_whose_host_is_open_is_not_published(tmp_path) -> None:
    for url in ("https://{zip}/", "https://city.example{zip}/", "https://{zip}.example/", "{zip}://city.example/"):
        with pytest.raises(BadDestination):
            publish(tmp_path, 1, replace(PARKING, links=(url,)))
    publish(tmp_path, 1, replace(PARKING, links=(STREET,), questions={"en": LIBRARY}))
    assert LinkTables(tmp_path).get(1).table.questions == {"en": LIBRARY}
