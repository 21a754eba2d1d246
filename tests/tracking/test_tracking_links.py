"""Link files: whole or absent, corrected while running, and only to places a city may send people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tracking.links import RECHECK_SECONDS, BadDestination, LinkTable, LinkTables, destination, publish

SWEEPING = LinkTable(("https://city.example/sweeping",), 3, "Parking & street sweeping", "City of Example", "en")


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://city.example/a?b=c&d=%20#e", b"https://city.example/a?b=c&d=%20#e"),
        ("http://city.example:8080/", b"http://city.example:8080/"),
        ("https://city.example/straße?ort=Köln", b"https://city.example/stra%C3%9Fe?ort=K%C3%B6ln"),
        ("https://münchen.example/rathaus", b"https://xn--mnchen-3ya.example/rathaus"),
        ("https://city.example/it's(fine),really!", b"https://city.example/it's(fine),really!"),
        ("mailto:works@city.example?subject=Bin%20%233", b"mailto:works@city.example?subject=Bin%20%233"),
        ("tel:+1-555-0100", b"tel:+1-555-0100"),
    ],
)  # fmt: skip
def test_a_destination_goes_into_the_header_as_ascii(url: str, location: bytes) -> None:
    assert destination(url) == location


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://city.example/x",
        "//evil.example", "/relative", "", "https:///path", "https:evil.example", "http://", "https://\\evil.example",
        "https://city.example@evil.example/", "https://a:b@city.example/", "https://city.example/\r\nX: y",
        "https://city.example/\x00", "https://city.example/a b", " https://city.example/", "https://[::1/",
        "https://city.example:99999/", "mailto://works@city.example", "vbscript:x", "java\tscript:alert(1)",
    ],
)  # fmt: skip
def test_a_destination_we_would_be_ashamed_of_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadDestination):
        publish(tmp_path / "links", 1, LinkTable((SWEEPING.links[0], url)))
    assert not (tmp_path / "links").exists()


def test_what_is_published_is_found(tmp_path: Path) -> None:
    publish(tmp_path, 7, SWEEPING)
    found = LinkTables(tmp_path).get(7)
    assert found is not None
    assert (found.table, found.locations) == (SWEEPING, (b"https://city.example/sweeping",))
    assert LinkTables(tmp_path).get(8) is None
    assert [path.name for path in tmp_path.iterdir()] == ["7.json"]


def test_a_wrong_link_is_corrected_while_the_service_runs(tmp_path: Path) -> None:
    seconds = 0.0
    tables = LinkTables(tmp_path, clock=lambda: seconds)
    publish(tmp_path, 7, SWEEPING)
    first = tables.get(7)
    publish(tmp_path, 7, LinkTable(("https://city.example/the-right-page",), 3))
    assert tables.get(7) is first
    seconds += RECHECK_SECONDS
    second = tables.get(7)
    assert second is not None
    assert second.locations == (b"https://city.example/the-right-page",)


def test_a_file_written_by_hand_cannot_send_people_anywhere_else(tmp_path: Path) -> None:
    (tmp_path / "7.json").write_text(json.dumps({"links": ["javascript:alert(1)", "https://city.example/"]}))
    found = LinkTables(tmp_path).get(7)
    assert found is not None
    assert found.locations == (None, b"https://city.example/")


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"links": 3}', '{"links": [3]}', '"x"'])
def test_a_damaged_file_is_no_file_and_the_last_good_one_stays(tmp_path: Path, damage: str) -> None:
    seconds = 0.0
    tables = LinkTables(tmp_path, clock=lambda: seconds)
    (tmp_path / "8.json").write_text(damage)
    assert tables.get(8) is None
    publish(tmp_path, 7, SWEEPING)
    good = tables.get(7)
    (tmp_path / "7.json").write_text(damage)
    seconds += RECHECK_SECONDS
    assert good is not None
    assert tables.get(7) is good


def test_too_many_links_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDestination, match="at most 1000"):
        publish(tmp_path, 1, LinkTable(SWEEPING.links * 1001))
