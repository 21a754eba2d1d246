"""A language written from right to left is one more catalogue: the same pages, mirrored."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from outreach.events import Choice
from outreach.store.consent import SubscriptionStatus
from outreach.store.preferences import OfferedTopic, Standing
from tests.conftest import missing
from tracking import pages, preferences
from tracking.pages.words import LANGUAGES, catalogue

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARABIC = """\
msgid ""
msgstr ""
"Language: ar\\n"
"Content-Type: text/plain; charset=UTF-8\\n"

msgctxt "topics_label"
msgid "Topics"
msgstr "المواضيع"

msgctxt "leave_title"
msgid "Unsubscribe"
msgstr "إلغاء الاشتراك"
"""
STANDING = Standing(
    topics=(
        OfferedTopic(3, "Parking", {"ar": "مواقف السيارات"}, "regular", status=SubscriptionStatus.CONFIRMED),
        OfferedTopic(4, "Road works", {"ar": "أعمال الطرق"}, "regular", "Streets", {"ar": "الشوارع"}),
    ),
    language="ar",
    is_paused=False,
    tracking=None,
    has_left=False,
)


@pytest.fixture
def arabic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "ar.po").write_text(ARABIC, "utf-8")
    monkeypatch.setitem(LANGUAGES, "ar", catalogue(tmp_path / "ar.po"))
    return "ar"


def choices(language: str) -> str:
    shown = preferences.show(STANDING, language=language, organisation="City", default=Choice.INDIVIDUAL)
    return shown.html()


def test_every_page_says_which_way_it_is_read(arabic: str) -> None:
    assert '<html lang="ar" dir="rtl">' in choices(arabic)
    assert '<html lang="en" dir="ltr">' in choices("en")
    assert '<html lang="ar" dir="rtl">' in pages.leave(pages.Reader(arabic))
    assert "المواضيع" in choices(arabic)
    assert "Save" in choices(arabic), "what the catalogue lacks stays English"


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_in_a_browser_the_page_is_mirrored_and_nothing_is_cut_off(arabic: str) -> None:
    if not CHROMIUM.exists():
        missing("browser", f"{CHROMIUM} is not there")
    try:
        from axe_playwright_python.sync_playwright import Axe
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("browser", "playwright is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-quic"])
        page = browser.new_page(viewport={"width": 360, "height": 800})
        page.set_content(choices(arabic))
        ticks, names = (page.locator(f".tick {each}").all() for each in ("input", "span"))
        assert [_left(tick) > _left(name) for tick, name in zip(ticks, names, strict=True)] == [True, True]
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert [each["id"] for each in Axe().run(page).response["violations"]] == []
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/choices-ar-360.png", full_page=True)
        browser.close()


def _left(element: Any) -> float:
    box = element.bounding_box()
    assert box is not None
    return float(box["x"])
