"""Previews: the very message for people of awkward shapes, as files, pictures, and a page that follows the author."""

from __future__ import annotations

import http.client
import threading
from pathlib import Path

import pytest

from outreach.campaigns.samples import SAMPLES, answers
from outreach.cli.live_preview import live_server
from outreach.cli.screenshots import BROWSERS, screenshots
from outreach.cli.workspace import open_workspace
from outreach.errors import ConfigurationError
from tests.campaigns.conftest import GOOD
from tests.conftest import missing


def test_every_sample_person_gets_html_text_and_mail(city):
    shown = city.run("templates", "preview", city.write(GOOD), "--out", "seen").stdout.split()
    assert sorted(Path(each).name for each in shown) == sorted(
        f"sweeping.en.{who}.{kind}" for who in SAMPLES for kind in ("html", "txt", "eml")
    )
    html = (city.root / "seen" / "sweeping.en.awkward.html").read_text("utf-8")
    assert "D’Arcy 🦆 &#34;Bo&#34;" in html
    assert "neighbour" in (city.root / "seen" / "sweeping.en.nothing-known.txt").read_text("utf-8")


def test_who_cannot_get_it_is_told_in_a_file(city):
    city.run("templates", "preview", city.write(GOOD.replace(' | default("neighbour")', "")), "--out", "seen")
    assert 'no value for "first_name"' in (city.root / "seen" / "sweeping.en.nothing-known.error.txt").read_text(
        "utf-8"
    )


def test_a_paragraph_for_some_is_shown_both_ways(city):
    body = GOOD + "{% if renter %}\n\nTell your landlord.\n\n{% endif %}\n"
    said = city.run("templates", "preview", city.write(body), "--out", "seen").stderr
    assert "typical: renter is no\nlong-name: renter is yes\n" in said
    for who, seen in (("typical", False), ("long-name", True), ("nothing-known", False)):
        text = (city.root / "seen" / f"sweeping.en.{who}.txt").read_text("utf-8")
        assert ("Tell your landlord" in text) is seen


def test_two_fields_come_in_all_four_ways():
    found = [tuple(answers(who, ["owner", "renter"]).values()) for who in SAMPLES if who != "nothing-known"]
    assert sorted(found) == [(False, False), (False, True), (True, False), (True, True)]


@pytest.mark.browser
def test_pictures_differ_by_scheme_and_images(city):
    if not Path("/usr/bin/chromium").exists():
        missing("browser", "/usr/bin/chromium is not there")
    shown = city.run(
        "templates", "preview", city.write(GOOD), "--as", "p1@example.com", "--screenshot", "--out", "seen"
    ).stdout.split()
    pictures = {Path(each).name: Path(each).read_bytes() for each in shown if each.endswith(".png")}
    assert sorted(pictures) == [f"sweeping.en.subscriber.{mode}.png" for mode in ("dark", "light", "no-images")]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    assert pictures["sweeping.en.subscriber.dark.png"] != pictures["sweeping.en.subscriber.light.png"]


@pytest.mark.browser
def test_a_picture_is_as_tall_as_the_message(tmp_path):
    if not Path("/usr/bin/chromium").exists():
        missing("browser", "/usr/bin/chromium is not there")
    heights = []
    for words in (20, 2_000):
        page = tmp_path / f"{words}.html"
        page.write_text(f"<!doctype html><body>{'word ' * words}</body>", "utf-8")
        heights += [int.from_bytes(picture.read_bytes()[20:24]) for picture in screenshots([page])[:1]]
    assert heights[0] < 400 < 1_500 < heights[1]


def test_without_a_browser_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ConfigurationError, match=BROWSERS[0]):
        screenshots([tmp_path / "x.html"])


def test_the_page_follows_the_file_and_shows_what_does_not_compile(city):
    file = Path(city.write(GOOD))
    with live_server(open_workspace(), file, address=None, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:

            def get(path: str, host: str = "localhost:1") -> tuple[int, str]:
                connection = http.client.HTTPConnection(*server.server_address)
                connection.request("GET", path, headers={"Host": host})
                answer = connection.getresponse()
                text = answer.read().decode()
                connection.close()
                return answer.status, text

            status, page = get("/")
            assert status == 200
            assert page.count("<iframe") == 2 * len(SAMPLES)
            assert "Street sweeping starts on Monday" in page
            assert "move your car" in get("/message/sweeping.en.typical")[1]
            before = get("/version")[1]
            city.write(GOOD.replace("{{ first_name", "{{ frist_name"))
            assert get("/version")[1] != before
            assert "frist_name" in get("/")[1]
            assert get("/", host="evil.example:80")[0] == 421
        finally:
            server.shutdown()
            thread.join()
