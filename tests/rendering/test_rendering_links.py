from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from outreach.rendering.errors import TemplateError
from outreach.rendering.links import Links, check_result, checked
from outreach.rendering.placeholders import Placeholders


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("https://city.example", "https://city.example"),
        ("https://city.example/a?b=1&c=2#d", "https://city.example/a?b=1&c=2#d"),
        ("https://city.example/stra\u00dfe?q=\u00e9", "https://city.example/stra%C3%9Fe?q=%C3%A9"),
        ("https://b\u00fccher.example:8443/", "https://xn--bcher-kva.example:8443/"),
        ("http://localhost:8000/x", "http://localhost:8000/x"),
        ("https://city.example/100%25", "https://city.example/100%25"),
    ],
)
def test_a_web_address_becomes_plain_ascii(url, destination):
    assert checked(url, place="bins.md") == destination


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "vbscript:x", "file:///etc/passwd", "ftp://a.example",
     "//evil.example", "\\\\evil.example", "https:evil.example", "/\\evil.example", "https://city.example@evil.example",
     "https://city.example\r\nBcc: x", "https://", "https://[::1", "https://a b.example", "https://x" * 400, "https://a.example:x",
     "https://host", "https://%67oogle.example", "", "#top", "page.html"],
)  # fmt: skip
def test_what_could_lead_elsewhere_is_refused(url):
    with pytest.raises(TemplateError, match=r"^bins\.md, line 4: "):
        checked(url, place="bins.md", line=4)


def test_of_the_known_redirect_tricks_none_leads_anywhere_unexpected(shared):
    folder = shared / "corpora" / "injection"
    tricks = [
        line for name in ("openredirects", "crlfinjection") for line in (folder / f"{name}.txt").read_text().split()
    ]
    assert len(tricks) > 80
    for trick in tricks:
        with pytest.raises(TemplateError):
            checked(trick, place="bins.md")
        assert (
            urlsplit(checked(f"https://city.example{trick.replace(chr(92), '')}", place="x")).hostname == "city.example"
        )
        try:
            url = checked(f"https:{trick}", place="bins.md")
        except TemplateError:
            continue
        assert urlsplit(url).hostname in ("example.com", "google.com")
        assert url.isascii()


def test_a_layouts_links_are_numbered_after_the_bodys():
    placeholders = Placeholders()
    links = Links(placeholders)
    links.rewrite("https://a.example", place="x")
    rewritten = links.rewrite_layout('<a class="b" href="https://b.example/?x=1&amp;y=2">b</a>', place="x")
    assert placeholders.restore_html(rewritten) == '<a class="b" href="{{ click_base }}1">b</a>'
    assert links.destinations == ("https://a.example", "https://b.example/?x=1&y=2")


@pytest.mark.parametrize("url", ["https://a.example", "javascript:x", "Zv00000vZx", "/u"])
def test_a_link_that_slipped_through_is_noticed(url):
    placeholders = Placeholders()
    placeholders.variable("unsubscribe_url")
    with pytest.raises(TemplateError, match="was not rewritten"):
        check_result(f'<a href="{url}">a</a>', placeholders, place="x")
