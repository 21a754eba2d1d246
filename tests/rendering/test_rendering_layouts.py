from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from outreach.errors import UsageError
from outreach.rendering.layouts import content_folder, read_layout
from outreach.rendering.message import Mailbox
from outreach.rendering.preview import render_preview

LAYOUTS = sorted(path.parent.name for path in content_folder().glob("*/layout.mjml"))


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_of_ours_is_accessible_and_complete(name, compiled, ada):
    _, html, _ = render_preview(compiled(layout=read_layout(name), preheader="Move your car"), ada)
    page = LexborHTMLParser(html)
    assert page.css_first("html").attributes["lang"] == "en"
    assert page.css_first("title").text() == "Street sweeping in district 3"
    assert all(table.attributes.get("role") == "presentation" for table in page.css("table:not(.data)"))
    assert all("alt" in image.attributes for image in page.css("img"))
    assert page.css_first('meta[name="color-scheme"]').attributes["content"] == "light dark"
    assert all("underline" in link.attributes["style"] for link in page.css("p a"))
    text = page.body.text()
    assert all(words in text for words in ("City of Example", "1 Main Street", "Unsubscribe", "You get this because"))
    assert "display:none" not in html.replace(" ", "")
    assert len(html.encode()) < 60_000


def test_a_workspaces_own_layout_comes_first(tmp_path):
    (tmp_path / "notice").mkdir()
    (tmp_path / "notice" / "layout.mjml").write_text("<mjml></mjml>", "utf-8")
    assert read_layout("notice", folders=[tmp_path]) == "<mjml></mjml>"


@pytest.mark.parametrize("name", ["notcie", "../notice", "/etc", ""])
def test_an_unknown_layout_is_named(name):
    with pytest.raises(UsageError, match="no template is called"):
        read_layout(name)


def test_a_mailbox_is_read_as_people_write_it():
    assert Mailbox.parse("Public Works <works@city.example>") == Mailbox("Public Works", "works@city.example")
    assert Mailbox.parse('"Parks, Trees" <p@city.example>') == Mailbox("Parks, Trees", "p@city.example")
    assert Mailbox.parse("works@city.example") == Mailbox("", "works@city.example")
    assert str(Mailbox.parse("A <a@b.example>")) == "A <a@b.example>"


@pytest.mark.parametrize(
    "text", ["", "Works", "Works <>", "Works <a@b", "a@b.c, d@e.f", "W\r\nBcc: x <a@b.c>", "a b@c.d"]
)
def test_what_is_no_mailbox_says_how_to_write_one(text):
    with pytest.raises(UsageError, match=r"write it as in Public Works <works@city.example>"):
        Mailbox.parse(text)
