"""The page: self-contained, said in words as well as in colours, and deaf to what strangers wrote."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from outreach.reports.document import Report, build
from outreach.reports.page import page
from outreach.store import campaigns
from outreach.store.campaigns import Campaign
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.tables import campaign, delivery

CITY = ZoneInfo("America/Los_Angeles")
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<svg/onload=alert(1)>",
    "</style><script>alert(1)</script>",
    "{{ 7 * 7 }}{% for %}",
    "]]><!--",
]


class Elements(HTMLParser):
    """Every element with its attributes, and the text in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture
def shown(store: Store, sweeping: tuple, report_of: Callable[..., Report]) -> str:
    return page(report_of(sweeping[0]))


def test_the_file_asks_nothing_of_the_network(shown: str) -> None:
    found = Elements(shown)
    assert not {"script", "link", "img", "iframe", "object", "a", "form"} & {tag for tag, _ in found.found}
    attributes = {name for _, given in found.found for name in given}
    assert not {name for name in attributes if name.startswith("on")} | (attributes & {"src", "href", "style"})
    assert "url(" not in shown
    assert "@import" not in shown


def test_every_chart_has_a_name_and_says_in_words_what_it_shows(shown: str) -> None:
    drawings = re.findall(r"<svg role=.*?</svg>", shown, re.DOTALL)
    assert len(drawings) == 6
    for drawing in drawings:
        tree = ElementTree.fromstring(drawing)
        title, description = (tree.find(name) for name in ("title", "desc"))
        assert title is not None
        assert description is not None
        assert tree.get("role") == "img"
        assert tree.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
        assert len(title.text or "") > 5
        assert re.search(r"\d", description.text or "")
    ids = [value for _, given in Elements(shown).found for name, value in given.items() if name == "id"]
    assert len(ids) == len(set(ids))


def test_the_numbers_are_in_tables_with_headings(shown: str) -> None:
    found = Elements(shown)
    assert len(found.named("table")) == 5
    assert all(cell.get("scope") in ("col", "row") for cell in found.named("th"))
    for text in ("1,960", "26", "2,000", "16 × no such address", "https://city.example/report-a-problem", "Nobody"):
        assert text in found.text


def test_it_begins_with_what_happened(shown: str) -> None:
    text = " ".join(Elements(shown).text.split())
    start = text.index("On Thursday, 19 November 2026, City of Example wrote to an audience of 2,000 people")
    assert start < text.index("Everybody, accounted for") < text.index("Accepted over time")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_strangers_words_are_shown_and_not_obeyed(
    store: Store, small_sweeping: Callable[..., Campaign], hostile: str
) -> None:
    small_sweeping(60)
    with store.write() as connection:
        connection.execute(update(campaign).values(plan={"subject": hostile}, rule=hostile, approved_by=hostile))
        connection.execute(
            update(delivery).where(delivery.c.subscriber_id <= 9).values(state=State.EXCLUDED.value, reason=hostile)
        )
        found = campaigns.get(connection, 1)
    report = build(
        store,
        found,
        links=[hostile, "javascript:alert(1)"],
        organisation=hostile,
        zone=CITY,
        now=found.planned_at,
    )
    harmless = _skeleton(page(_plain(store, found)))
    assert _skeleton(page(report)) == harmless
    assert hostile in Elements(page(report)).text


def test_text_and_colours_can_be_told_apart_in_light_and_in_dark() -> None:
    css = (files("outreach.reports") / "page.css").read_text("utf-8")
    light, dark, paper = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    )
    for colours in (light, dark, paper):
        ground = [colours["paper"], colours["card"]]
        for name in ("ink", "soft", "accent"):
            assert min(contrast(colours[name], under) for under in ground) >= 4.5, name
        for name in (*(state.word.replace("_", "-") for state in State), "opened"):
            assert contrast(colours[name], colours["paper"]) >= 3, name


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2, success criterion 1.4.3."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _skeleton(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Which elements with which attributes, whatever they say."""
    return [(tag, tuple(attributes)) for tag, attributes in Elements(text).found]


def _plain(store: Store, found: Campaign) -> Report:
    """The same report with harmless words in the same places."""
    with store.write() as connection:
        connection.execute(update(campaign).values(plan={"subject": "Sweeping"}, rule="everybody", approved_by="Maria"))
        connection.execute(
            update(delivery).where(delivery.c.state == State.EXCLUDED.value, delivery.c.subscriber_id <= 9)
            .values(reason="left")
        )  # fmt: skip
        found = campaigns.get(connection, 1)
    return build(
        store, found, links=["https://city.example", "https://x.example"], organisation="City", zone=CITY,
        now=found.planned_at,
    )  # fmt: skip
