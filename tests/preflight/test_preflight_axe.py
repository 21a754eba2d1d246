"""Our static rules and axe-core agree: the starters are clean, and five broken twins are not."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from outreach.preflight import accessibility
from outreach.rendering.layouts import content_folder, layout_names, read_layout
from tests.conftest import missing

NOT_FOR_MAIL = ("region", "landmark-one-main", "page-has-heading-one")
"""Rules about pages; a mail is a part of one."""

TWINS = {
    "color-contrast": ("#1c2733", "#9aa5b1"),
    "html-has-lang": ('lang="{{ language }}" ', 'lang="und" '),
    "document-title": ("<mj-title>{{ subject }}</mj-title>", ""),
    "image-alt": ('alt="" style="display: block', 'style="display: block'),
    "link-name": ("{{ leave }}</a>", "</a>"),
}
"""What axe calls the fault, and how to make it."""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def axe() -> Iterator[Callable[..., list[str]]]:
    """The rules of axe-core that a page violates, in a real Chromium."""
    if not Path("/usr/bin/chromium").exists():
        missing("browser", "/usr/bin/chromium is not there")
    axe_playwright = pytest.importorskip("axe_playwright_python.sync_playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])

        def violated(html: str, *, width: int, scheme: str) -> list[str]:
            page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
            page.set_content(html)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"
            off = {rule: {"enabled": False} for rule in NOT_FOR_MAIL}
            found = axe_playwright.Axe().run(page, options={"rules": off}).response["violations"]
            page.close()
            return sorted(violation["id"] for violation in found)

        yield violated
        browser.close()


SCREENS = [(360, "light"), (640, "dark")]
if os.environ.get("CI"):
    SCREENS += [(360, "dark"), (640, "light")]


@pytest.mark.parametrize("name", layout_names())
def test_starters_are_clean_on_every_screen(name, axe, draft, city):
    starter = draft(layout=read_layout(name), body=(content_folder() / name / "starter.md").read_text("utf-8"))
    assert list(accessibility.check(starter, city())) == []
    assert [axe(starter.html, width=width, scheme=scheme) for width, scheme in SCREENS] == [[]] * len(SCREENS)


@pytest.mark.parametrize("rule", TWINS)
def test_a_broken_twin_is_found_by_both(rule, axe, draft, city):
    layout = read_layout().replace(*TWINS[rule])
    twin = draft(layout=layout)
    found = axe(twin.html, width=640, scheme="light")
    ours = list(accessibility.check(twin, city()))
    assert found == [rule]
    assert ours
    assert all(finding.blocks for finding in ours)


@pytest.mark.parametrize(
    "language", ["", 'lang=""', 'lang="und"', 'lang="xx-nonsense-"', 'lang="en"', 'lang="zh-Hant"']
)
def test_both_say_the_same_of_a_language(language, axe, draft, city):
    """However it is written, or not written, in the HTML that arrives."""
    said = replace(draft(), html=re.sub(r'(<html[^>]*) lang="en"', rf"\1 {language}", draft().html))
    theirs = [rule for rule in axe(said.html, width=640, scheme="light") if "lang" in rule]
    ours = [finding for finding in accessibility.check(said, city()) if "language" in finding.problem]
    assert bool(theirs) == bool(ours)
