"""Reading in a browser: a signed view, a topic's public archive and its feed; and what Chromium and axe say of it."""

from __future__ import annotations

import datetime as dt
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert

from outreach.rendering.layouts import DEFAULT, layout_names, read_layout
from outreach.rendering.message import Mailbox, Source, compile_message
from outreach.rendering.questions import Question
from outreach.rendering.words import words
from outreach.store import campaigns, tables
from outreach.store.database import Store
from outreach.tokens import Purpose
from tests.conftest import missing
from tests.preflight.test_preflight_axe import NOT_FOR_MAIL
from tracking import copies
from tracking.copies import Copies, Copy, Library
from tracking.copying import Copier
from tracking.links import publish
from tracking.testing import PARKING, Service, running, token

SAID = {language: words(language).view for language in ("ar", "de", "en", "es", "fr", "pt", "vi", "zh")}
LIBRARY = Question("How was your visit to the library?", ("Very good", "Good", "Not good"))
EN = Copy(
    "Street sweeping on Monday",
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sweeping</title></head><body><main>'
    '<h1>Sweeping on Monday</h1><p><a href="https://city.example/map">The map</a></p></main>'
    "<script>document.title='run'</script></body></html>",
)
ES = Copy("Barrido el lunes", '<html lang="es"><head><title>Barrido</title></head><body><h1>Barrido</h1></body></html>')


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("library")) as found:
        links = found.root / "links"
        for number, public, topic in ((1, True, 3), (2, True, 3), (4, False, 3), (5, True, 9)):
            name = "Parking & <sweeping>"
            made = Copies("City of Example", topic, name, 1_795_000_000 + number, public, {"en": EN, "es": ES})
            copies.publish(links, number, made)
        publish(links, 6, replace(PARKING, questions={"en": LIBRARY}))
        yield found


def test_view_in_browser_speaks_the_readers_language_and_needs_its_own_token(library: Service) -> None:
    path = f"/v/{token(Purpose.VIEW, 7, campaign_id=4)}"
    assert b"Sweeping on Monday" in library.get(path).body
    assert b"Barrido" in library.get(path, Accept_Language="es-MX,en;q=0.5").body
    policy = library.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    for purpose in Purpose:
        if purpose is not Purpose.VIEW:
            assert library.get(f"/v/{token(purpose, 7, campaign_id=4)}").status == 404
    public = library.get(f"/v/{token(Purpose.VIEW, 7)}")  # the address to pass on has no token in it
    assert (public.status, public.headers["location"]) == (302, "/archive/3/1")
    assert library.get(f"/v/{token(Purpose.VIEW, 7, campaign_id=99)}").status == 404
    assert list(library.root.glob("spool/*.spool-wal")) == [] or b"Barrido" not in b"".join(
        path.read_bytes() for path in library.root.glob("spool/*")
    )


def test_the_archive_shows_what_is_public_newest_first(library: Service) -> None:
    page = library.get("/archive/3").body.decode()
    assert page.index("/archive/3/2") < page.index("/archive/3/1")
    assert "/archive/3/4" not in page
    assert "Parking &amp; &lt;sweeping&gt;" in page
    assert '>Street sweeping on Monday</a> <time datetime="2026-11-18">November 18, 2026</time>' in page
    spanish = library.get("/archive/3", Accept_Language="es").body.decode()
    assert '<html lang="es"' in spanish
    assert '>Barrido el lunes</a> <time datetime="2026-11-18">18 de noviembre de 2026</time>' in spanish
    german = library.get("/archive/3", Accept_Language="de").body.decode()
    assert '<html lang="de"' in german
    assert 'lang="en" hreflang="en">Street sweeping on Monday</a>' in german
    assert b"Sweeping on Monday" in library.get("/archive/3/1").body
    for path in ("/archive/3/4", "/archive/9/1", "/archive/8", "/archive/", "/archive/3/1/2", "/archive/x",
                 "/archive/3.rss/1", "/archive/3/../1", "/archive/%33.rss%00", "/archive/9999999999999"):  # fmt: skip
        assert library.get(path).status == 404, path
    assert library.post("/archive/3").status == 405


def test_the_feed_is_rss(library: Service) -> None:
    reply = library.get("/archive/3.rss")
    assert reply.headers["content-type"].startswith("application/rss+xml")
    channel = ET.fromstring(reply.body).find("channel")
    assert [item.findtext("title") for item in channel.iter("item")] == ["Street sweeping on Monday"] * 2
    assert channel.findtext("title") == "Parking & <sweeping> – City of Example"


def test_a_damaged_copy_is_no_copy(tmp_path: Path) -> None:
    for number, text in enumerate(("", "[]", "{}", json.dumps({"languages": {}}), '{"languages": {"en": 1}}'), 1):
        (tmp_path / f"{number}{copies.ENDING}").write_text(text)
    library = Library(tmp_path)
    assert [library.get(number) for number in range(1, 7)] == [None] * 6
    assert library.archive(3) == []


@pytest.mark.browser
def test_chromium_reads_it_and_axe_finds_nothing(library: Service) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("browser: /usr/bin/chromium is not installed")
    base = f"http://127.0.0.1:{library.port}"
    leave = f"/u/{token(Purpose.UNSUBSCRIBE, 7)}"
    asked = f"/s/{token(Purpose.ANSWER, 7, campaign_id=6)}/1"
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            context = browser.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 360, "height": 740})
            page = context.new_page()
            for path in ("/archive/3", leave, "/u/nonsense", asked):
                page.goto(base + path)
                found = axe.Axe().run(page)
                assert found.violations_count == 0, (path, found.generate_report())
                assert page.evaluate("document.documentElement.scrollWidth") <= 360
            context.close()
        page = browser.new_context().new_page()
        page.goto(f"{base}/v/{token(Purpose.VIEW, 7)}")
        assert page.url == f"{base}/archive/3/1"
        assert (page.title(), page.locator("h1").inner_text()) == ("Sweeping", "Sweeping on Monday")  # nothing ran
        page.goto(base + asked)
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=You answered: Not good")
        page.goto(base + leave)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=You are unsubscribed")
        browser.close()


@pytest.mark.browser
def test_a_mail_of_each_shipped_layout_read_in_chromium_has_nothing_for_axe(
    sqlite_store: Store, tmp_path: Path
) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    if not Path("/usr/bin/chromium").exists():
        missing("browser", "/usr/bin/chromium is not installed")
    numbers = dict(enumerate(layout_names(), 11))
    for number, name in numbers.items():
        body = "Hello {{ first_name | default('neighbour') }}, see [the map](https://city.example/map)."
        campaign_of(sqlite_store, tmp_path / "links", body, number=number, layout=name)
    assert Copier(sqlite_store, tmp_path / "links", archive=True).run_once() == len(numbers)
    off = {rule: {"enabled": False} for rule in NOT_FOR_MAIL}
    with running(tmp_path) as service, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            context = browser.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 360, "height": 740})
            page = context.new_page()
            for number, name in numbers.items():
                page.goto(f"http://127.0.0.1:{service.port}/v/{token(Purpose.VIEW, 7, campaign_id=number)}")
                assert "see the map" in page.inner_text("body")
                found = axe.Axe().run(page, options={"rules": off})
                assert found.violations_count == 0, (name, scheme, found.generate_report())
                assert page.evaluate("document.documentElement.scrollWidth") <= 360
        browser.close()


def source(layout: str, body: str, *, language: str = "en") -> Source:
    return Source(
        subject="Sweeping",
        body=body,
        sender=Mailbox("Public Works", "works@city.example"),
        language=language,
        layout=layout,
        organisation="City of Example",
        postal_address="1 Main Street",
        topic="Parking",
        place="campaigns/sweeping.md",
    )


def campaign_of(store: Store, folder: Path, body: str, *, number: int, layout: str = DEFAULT) -> None:
    written = replace(
        source(read_layout(layout), body), subject="Sweeping in district {{ district | default('yours') }}"
    )
    compiled = compile_message(written, known_fields=("email", "first_name", "district"))
    at = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    with store.write() as connection:
        connection.execute(
            insert(tables.campaign).values(
                id=number,
                name=f"sweeping-{number}",
                file="x",
                status="sending",
                rule="",
                plan={},
                plan_hash="",
                frozen=1,
                planned_at=at,
                started_at=at,
            )
        )
        campaigns.add_message(connection, number, "en", compiled=compiled.to_document(), hash=compiled.hash)
    publish(folder, number, replace(PARKING, links=compiled.links))


def test_a_copy_is_rendered_for_nobody_and_leads_where_the_mail_leads(sqlite_store: Store, tmp_path: Path) -> None:
    links = tmp_path / "links"
    body = (
        "Hello {{ first_name | default('neighbour') }}, see [the map](https://city.example/map) [here]({{ view_url }})"
        "\n\n[Your street](https://city.example/street?d={{ district }})\n\n::: question Why?\n- a\n- b\n:::"
    )
    campaign_of(sqlite_store, links, body, number=1)
    campaign_of(
        sqlite_store, links, "Hello {{ first_name }} in {{ district }}{% if email %} ({{ email }}){% endif %}", number=2
    )
    copier = Copier(sqlite_store, links, archive=True)
    assert copier.run_once() == 2
    assert copier.run_once() == 0
    library = Library(links)
    copy = library.get(1).languages["en"]
    assert (copy.subject, library.get(1).public) == ("Sweeping in district yours", True)
    assert "Hello neighbour" in copy.html
    for place in ("https://city.example/map", "https://city.example/street?d=", "/archive/3/1", "/s/copy/1", "/u/copy"):
        assert f'href="{place}"' in copy.html
    for word in ("/c/", "/x/", "/v/", "/o/"):
        assert word not in copy.html
    assert "Hello … in …<" in library.get(2).languages["en"].html  # and no address of anybody's


def test_every_shipped_layout_leads_to_the_browser_in_every_language() -> None:
    for name in layout_names():
        for language, word in SAID.items():
            compiled = compile_message(source(read_layout(name), "Hello.", language=language), known_fields=())
            assert "{{ view_url }}" in compiled.html
            assert "{{ view_url }}" in compiled.text
            assert compiled.constants["view"] == word
    assert len(set(SAID.values())) == len(SAID)
