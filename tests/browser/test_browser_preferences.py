"""Residents at the preference centre, in a real Chromium, with the keyboard alone, in every language.

Signing up, confirming, changing topics, leaving and undoing take at most three steps each: a step is a page
that is sent. axe-core looks at every page, at the width of a phone and of a desk.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from outreach.store import consent, subscribers, suppressions, tables
from outreach.store.consent import Frequency, SubscriptionStatus
from outreach.store.database import Store
from outreach.store.subscribers import Status
from outreach.tokens import Purpose
from tests.conftest import missing
from tracking.pages.words import LANGUAGES
from tracking.testing import Service, eventually, running, token

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
pytestmark = [
    pytest.mark.browser,
    # playwright's own event loop, closed by it at the end
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
NAMES = {"es": "Obras en la calle", "de": "Straßenarbeiten", "zh": "道路工程", "vi": "Công trình đường"}
STREETS = {"group": "Streets", "group_names": {"de": "Straßen", "es": "Calles", "zh": "街道", "vi": "Đường phố"}}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if not CHROMIUM.exists():
        missing("browser", f"{CHROMIUM} is not there")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("browser", "playwright is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-quic"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def city(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Service]]:
    folder = tmp_path_factory.mktemp("choices")
    for file in sqlite_template.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    url = f"sqlite:///{folder}/outreach.db"
    store = Store.open(url)
    with store.write() as connection:
        rows = [
            {"id": 3, "name": "Parking & street sweeping", "message_class": "regular", "document": {"names": {}}},
            {"id": 4, "name": "Road works", "message_class": "regular", "document": {"names": NAMES, **STREETS}},
            {"id": 5, "name": "Property tax notices", "message_class": "statutory", "document": {"names": {}}},
        ]
        connection.execute(insert(tables.topic), [{**row, "key": row["name"].lower()} for row in rows])
    with running(folder, database_url=url) as service:
        yield store, service
    store.close()


WIDTHS = [360, 1280] if os.environ.get("SCREENSHOTS") else [360]
LOOKS = [(code, width) for code in sorted(LANGUAGES) for width in WIDTHS] + [("en", 1280)] * (len(WIDTHS) == 1)


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def look(request: pytest.FixtureRequest) -> tuple[str, int]:
    """A language and a width; every language on a phone, and all of them on a desk when screenshots are kept."""
    found: tuple[str, int] = request.param
    return found


@pytest.fixture
def language(look: tuple[str, int]) -> str:
    return look[0]


class Resident:
    """Somebody at a keyboard. `steps` counts the pages that were sent."""

    def __init__(self, browser: Any, service: Service, *, width: int) -> None:
        self.base = f"http://127.0.0.1:{service.port}"
        self.context = browser.new_context(viewport={"width": width, "height": 800}, java_script_enabled=True)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.steps = 0

    def opens(self, path: str) -> None:
        self.page.goto(self.base + path)
        self.looks()

    def tab_to(self, selector: str) -> None:
        """Reach something with the Tab key alone."""
        for _ in range(60):
            if self.page.evaluate(f"document.activeElement.matches({selector!r})"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the Tab key does not reach {selector}")

    def presses(self, selector: str) -> None:
        self.tab_to(selector)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")
        self.steps += 1
        self.looks()

    def looks(self) -> None:
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
        # Nothing is cut off at this width.
        assert self.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    def keeps(self, name: str) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            self.page.screenshot(path=f"{folder}/{name}.png", full_page=True)

    def closes(self) -> None:
        self.context.close()


@pytest.fixture
def resident(look: tuple[str, int], chromium: Any, city: tuple[Store, Service]) -> Iterator[Resident]:
    found = Resident(chromium, city[1], width=look[1])
    yield found
    found.closes()


def known(store: Store, address: str) -> int:
    """Somebody who gets mail about parking."""
    with store.write() as connection:
        person = subscribers.upsert(connection, address, attributes={}, now=NOW)
        consent.subscribe(connection, subscriber_id=person, topic_id=3, source="test", at=NOW)
    return person


def topics(store: Store, person: int) -> dict[str, tuple[SubscriptionStatus, Frequency]]:
    with store.read() as connection:
        return {each.topic: (each.status, each.frequency) for each in consent.subscriptions_of(connection, person)}


def test_signing_up_and_confirming(resident: Resident, city: tuple[Store, Service], language: str) -> None:
    store, _ = city
    words, width = LANGUAGES[language], resident.page.viewport_size["width"]
    address = f"new-{language}-{width}@{language}{width}.example"
    resident.opens(f"/signup?lang={language}")
    assert resident.page.locator("html").get_attribute("lang") == language
    resident.tab_to('input[name="t4"]')
    resident.page.keyboard.press("Space")
    resident.tab_to('input[name="email"]')
    resident.page.keyboard.type(address)
    resident.keeps(f"signup-{language}-{width}")
    resident.page.wait_for_timeout(2100)  # as long as a person takes at least
    resident.presses("form button")
    assert resident.page.locator("h1").inner_text().endswith(words.check_title)
    resident.keeps(f"check-{language}-{width}")

    def asked() -> Any:
        with store.read() as connection:
            table = tables.confirmation
            return connection.execute(select(table).where(table.c.address == address)).one_or_none()

    eventually(lambda: asked() is not None)
    row = asked()
    resident.opens(f"/k/{token(Purpose.CONFIRM, row.subscriber_id, campaign_id=row.id)}")
    resident.keeps(f"confirm-{language}-{width}")
    with store.read() as connection:
        person = subscribers.find(connection, address)
        assert person is not None
        assert person.status is Status.UNCONFIRMED
    resident.presses("form button")
    assert resident.page.locator("h1").inner_text().endswith(words.confirmed_title)
    eventually(
        lambda: topics(store, row.subscriber_id) == {"Road works": (SubscriptionStatus.CONFIRMED, Frequency.AT_ONCE)}
    )
    with store.read() as connection:
        person = subscribers.find(connection, address)
        assert person is not None
        assert (person.status, person.locale) == (Status.ACTIVE, language)
    assert resident.steps == 2
    assert all(address not in url for url in resident.requests)


def test_changing_topics_and_undoing_that(resident: Resident, city: tuple[Store, Service], language: str) -> None:
    store, _ = city
    words, width = LANGUAGES[language], resident.page.viewport_size["width"]
    person = known(store, f"change-{language}-{width}@city.example")
    resident.opens(f"/p/{token(Purpose.PREFERENCES, person)}?lang={language}")
    assert "@" not in resident.page.locator("main").inner_text()
    resident.keeps(f"choices-{language}-{width}")
    resident.tab_to('input[name="t3"]')
    resident.page.keyboard.press("Space")
    resident.tab_to('input[name="t4"]')
    resident.page.keyboard.press("Space")
    resident.tab_to('select[name="f4"]')
    resident.page.keyboard.press("End")
    resident.presses("form:first-of-type button")
    assert resident.page.locator("h1").inner_text().endswith(words.saved_title)
    resident.keeps(f"saved-{language}-{width}")
    eventually(
        lambda: (
            topics(store, person)
            == {
                "Parking & street sweeping": (SubscriptionStatus.UNSUBSCRIBED, Frequency.AT_ONCE),
                "Road works": (SubscriptionStatus.CONFIRMED, Frequency.WEEKLY),
            }
        )
    )
    resident.presses("form button")
    eventually(
        lambda: (
            topics(store, person)
            == {
                "Parking & street sweeping": (SubscriptionStatus.CONFIRMED, Frequency.AT_ONCE),
                "Road works": (SubscriptionStatus.UNSUBSCRIBED, Frequency.WEEKLY),
            }
        )
    )
    assert resident.steps == 2


def test_leaving_with_one_button_and_undoing_that(
    resident: Resident, city: tuple[Store, Service], language: str
) -> None:
    store, _ = city
    words, width = LANGUAGES[language], resident.page.viewport_size["width"]
    address = f"leave-{language}-{width}@city.example"
    person = known(store, address)

    def is_left() -> bool:
        with store.read() as connection:
            return suppressions.is_suppressed(connection, address)

    resident.opens(f"/p/{token(Purpose.PREFERENCES, person)}?lang={language}")
    resident.presses('form:has([name="leave"]) button')
    assert resident.page.locator("h1").inner_text().endswith(words.left_title)
    eventually(is_left)
    resident.keeps(f"left-{language}-{width}")
    resident.presses("form button")
    assert resident.page.locator("h1").inner_text().endswith(words.undone_title)
    eventually(lambda: not is_left())
    assert resident.steps == 2
    assert topics(store, person)["Parking & street sweeping"][0] is SubscriptionStatus.CONFIRMED


def test_what_we_hold_is_shown_by_a_link_sent_to_the_address_itself(
    resident: Resident, city: tuple[Store, Service], language: str
) -> None:
    store, _ = city
    words, width = LANGUAGES[language], resident.page.viewport_size["width"]
    address = f"held-{language}-{width}@city.example"
    person = known(store, address)
    resident.opens(f"/p/{token(Purpose.PREFERENCES, person)}?lang={language}")
    resident.presses('form:has([name="held"]) button')
    assert resident.page.locator("h1").inner_text().endswith(words.held_sent_title)
    assert address not in resident.page.content()

    def asked() -> Any:
        with store.read() as connection:
            table = tables.confirmation
            return connection.execute(select(table).where(table.c.address == address)).one_or_none()

    eventually(lambda: asked() is not None)
    resident.opens(f"/k/{token(Purpose.CONFIRM, person, campaign_id=asked().id)}")
    resident.keeps(f"held-{language}-{width}")
    shown = resident.page.locator("main").inner_text()
    assert all(each in shown for each in (words.held_title, address, "Parking & street sweeping", words.held_given))
    assert resident.steps == 1
    assert all(address not in url for url in resident.requests)


def test_without_scripts_everything_works(chromium: Any, city: tuple[Store, Service]) -> None:
    store, service = city
    person = known(store, "noscript@city.example")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{service.port}/p/{token(Purpose.PREFERENCES, person)}")
    page.locator('input[name="t4"]').check()
    page.locator("form button").first.click()
    eventually(lambda: topics(store, person).get("Road works") == (SubscriptionStatus.CONFIRMED, Frequency.AT_ONCE))
    assert len(page.content()) < 12_000
    context.close()


def test_a_scanner_that_runs_scripts_and_clicks_nothing_changes_nobody(
    chromium: Any, city: tuple[Store, Service]
) -> None:
    store, service = city
    person = known(store, "scanned@city.example")
    before = topics(store, person)
    page = chromium.new_page()
    for purpose in (Purpose.PREFERENCES, Purpose.UNSUBSCRIBE, Purpose.CONFIRM):
        page.goto(f"http://127.0.0.1:{service.port}/{purpose.value.decode()}/{token(purpose, person)}")
        for link in page.eval_on_selector_all("a[href]", "all => all.map(each => each.href)"):
            page.goto(link)
        page.wait_for_timeout(300)
    page.close()
    assert topics(store, person) == before
    with store.read() as connection:
        assert not suppressions.is_suppressed(connection, "scanned@city.example")
        mine = select(tables.feedback.c.kind).where(tables.feedback.c.subscriber_id == person)
        assert connection.scalars(mine).all() == []
