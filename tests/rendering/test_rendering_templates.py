"""The starter templates: small, complete, and put together from partials that cannot reach outside their folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from outreach.campaigns.samples import SAMPLES
from outreach.errors import UsageError
from outreach.rendering.layouts import content_folder, layout_names, read_layout
from outreach.rendering.message import Recipient
from outreach.rendering.preview import render_preview

STARTERS = ["alert", "case-status", "digest", "newsletter", "notice", "survey"]
LIMIT = 60 * 1024


def test_there_are_six():
    assert layout_names() == STARTERS


@pytest.mark.parametrize("name", STARTERS)
def test_a_starter_is_small_and_complete_for_everybody(name, compiled):
    body = (content_folder() / name / "starter.md").read_text("utf-8")
    message = compiled(layout=read_layout(name), body=body, preheader="Next", subject="How it stands")
    for who, attributes in SAMPLES.items():
        recipient = Recipient(1, "a@example.com", {"email": "a@example.com", **attributes})
        subject, html, text = render_preview(message, recipient)
        assert len(html.encode()) < LIMIT, who
        assert subject == "How it stands"
        for part in (html, text):
            assert "1 Main Street, Example 95814" in part
            assert "Unsubscribe" in part
        assert re.search(r'<html[^>]* lang="en"', html)
        assert "<title>How it stands</title>" in re.sub(r"\s*(</?title>)\s*", r"\1", html)
        assert 'name="color-scheme"' in html


def test_a_departments_look_changes_the_colours_and_nothing_else(compiled):
    plain = compiled(layout=read_layout("notice")).html
    green = compiled(layout=read_layout("notice", look={"accent": "#1b5e20"})).html
    assert "#1b5e20" in green
    assert green.replace("#1b5e20", "#0b5c8a") == plain


@pytest.mark.parametrize("value", ["red", "#12345", "#123456;background:url(x)", "#12345g"])
def test_a_look_is_colours(value):
    with pytest.raises(UsageError, match="write a colour as in #0b5c8a"):
        read_layout("notice", look={"accent": value})


@pytest.fixture
def workspace(tmp_path: Path):
    """templates/ of a workspace; call it with the layout of `mine`."""
    templates = tmp_path / "templates"
    (templates / "mine").mkdir(parents=True)
    (tmp_path / "secret.mjml").write_text("secret", "utf-8")

    def write(layout: str) -> list[Path]:
        (templates / "mine" / "layout.mjml").write_text(layout, "utf-8")
        return [templates]

    return write


def test_a_workspace_may_use_our_partials_and_replace_them(workspace):
    folders = workspace('<mj-include path="_base/footer.mjml" />')
    assert "{{ unsubscribe_url }}" in read_layout("mine", folders=folders)
    (folders[0] / "_base").mkdir()
    (folders[0] / "_base" / "footer.mjml").write_text("our own foot", "utf-8")
    assert read_layout("mine", folders=folders) == "our own foot"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "../secret.mjml", "../../secret.mjml", "mine/../../secret.mjml", "file:///etc/passwd",
        "http://169.254.169.254/x.mjml", "%2e%2e/secret.mjml", "....//secret.mjml", "a\x00.mjml", "\\\\host\\x.mjml",
        "C:\\x.mjml", "link.mjml", "missing.mjml", "",
    ],
)  # fmt: skip
def test_a_partial_is_a_file_of_the_templates_folder(path, workspace):
    folders = workspace(f'<mj-include path="{path}" />')
    (folders[0] / "link.mjml").symlink_to(folders[0].parent / "secret.mjml")
    with pytest.raises(UsageError, match=r"is no partial in templates/"):
        read_layout("mine", folders=folders)


def test_a_partial_that_includes_itself_ends(workspace):
    folders = workspace('<mj-include path="loop.mjml" />')
    (folders[0] / "loop.mjml").write_text('<mj-include path="loop.mjml" />', "utf-8")
    with pytest.raises(UsageError, match="does one include itself"):
        read_layout("mine", folders=folders)


def test_partials_that_multiply_end(workspace):
    folders = workspace('<mj-include path="p0.mjml" />')
    for level in range(5):
        inner = "x" * 2_000_000 if level == 4 else f'<mj-include path="p{level + 1}.mjml" />'
        (folders[0] / f"p{level}.mjml").write_text(inner * 10 if level < 4 else inner, "utf-8")
    with pytest.raises(UsageError, match="more than"):
        read_layout("mine", folders=folders)


COLUMNS = """Before.

::: columns
**Left** [one](https://city.example/1)

+++

Right {{ district }}

{% if renter %}
For renters.
{% endif %}
:::

After.
"""


def test_columns_stand_beside_each_other_and_read_one_after_the_other(compiled, ada):
    _, html, text = render_preview(compiled(body=COLUMNS), ada)
    assert html.count('<td class="column"') == 2
    assert 'role="presentation"' in re.search(r"<table[^>]*columns[^>]*>", html)[0]
    assert text.startswith("Before.\n\nLeft one <https://city.example/1>\n\nRight 3\n\nFor renters.\n\nAfter.\n")


@pytest.mark.parametrize("body", ["::: columns\nnever closed", "::: columns\na\n+++\nb\n+++\nc\n+++\nd\n:::"])
def test_what_are_no_columns_stays_text(body, compiled, ada):
    _, html, text = render_preview(compiled(body=body), ada)
    assert 'class="column"' not in html
    assert "::: columns" in text


def test_a_callout_is_a_quote_with_a_class(compiled, ada):
    _, html, text = render_preview(compiled(body="> [!WARNING]\n> Bridge **closed**.\n\n> [!WHAT] a quote"), ada)
    assert re.search(r'<blockquote class="callout warning"[^>]*><p[^>]*>Bridge <strong>closed</strong>\.', html)
    assert "> Bridge closed." in text
    assert "[!WARNING]" not in html + text
    assert "[!WHAT] a quote" in text


def test_a_bad_link_in_columns_and_callouts_is_named_by_its_line(compiled):
    from outreach.rendering.errors import TemplateError

    for body, line in (("> [!TIP]\n> [x](javascript:1)", 2), ("::: columns\na\n\n+++\n[x](javascript:1)\n:::", 5)):
        with pytest.raises(TemplateError) as refused:
            compiled(body=body)
        assert refused.value.line == line
