from __future__ import annotations

import pytest

from outreach.rendering import mjml
from outreach.rendering.errors import TemplateError
from outreach.rendering.placeholders import Placeholders


def prepared(source):
    placeholders = Placeholders()
    protected = placeholders.protect(source, place="layout.mjml")
    protected = protected.replace("<!--!", "<!--")
    return placeholders.restore_html(mjml.prepared(protected, placeholders=placeholders, place="layout.mjml"))


def page(inside):
    return f"<mjml><mj-body><mj-section><mj-column>{inside}</mj-column></mj-section></mj-body></mjml>"


def compiled(source):
    return mjml.compiled(mjml.prepared(source, placeholders=Placeholders(), place="x"), place="layout.mjml")


def test_quotes_accents_and_line_ends_in_attributes_arrive_as_written():
    html = compiled(
        page('<mj-image src="https://a.example/x.png" alt="A &quot;big&quot;\n e\u0301 \u00a0 \\ &amp; b" />')
    )
    assert 'alt="A &quot;big&quot;  e\u0301 &nbsp; \\ &amp; b"' in html


def test_nothing_is_fetched_from_elsewhere():
    html = compiled(page('<mj-text font-family="Roboto, Ubuntu">a</mj-text>'))
    assert "@import" not in html
    assert "fonts.googleapis" not in html


def test_styles_are_inlined_and_media_queries_kept():
    head = "<mj-head><mj-style>p { margin: 0 } @media (max-width: 9px) { p { color: red } }</mj-style></mj-head>"
    html = compiled(page("<mj-text><p>a</p></mj-text>").replace("<mjml>", f"<mjml>{head}"))
    assert '<p style="margin: 0;">a</p>' in html
    assert "@media (max-width: 9px)" in html


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (page("<mj-txt>a</mj-txt>"), 'no tag is called <mj-txt>; did you mean "mj-text"'),
        (page('<mj-text colour="red">a</mj-text>'), '<mj-text> has no attribute "colour"; did you mean "color"'),
        (page("\n<mj-text>a</mj-button>"), "line 2: </mj-button> closes </mj-text> here"),
        (page("<mj-raw>" + "<div>" * 9000 + "</div>" * 9000 + "</mj-raw>"), "nested more than 60 deep"),
        (page('<mj-include path="/etc/passwd" />'), "mj-include is not available"),
        (page("<mj-raw><script>x</script></mj-raw>"), "no tag is called <script>"),
        (page('<mj-text><p onclick="x">a</p></mj-text>'), 'no attribute "onclick"'),
        (page("<mj-text>1 < 2</mj-text>"), "begins no tag"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + page(""), "begins no tag"),
        (page('<mj-text color="{{ ward }}">a</mj-text>'), "cannot stand in color="),
        (page('<mj-text><p style="{{ ward }}">a</p></mj-text>'), "cannot stand in style="),
        (page('<mj-text align="{{ ward }}">a</mj-text>'), "cannot stand in align="),
        (page('<mj-image src="{{ ward }}" />'), "cannot stand in src="),
        (page('<mj-image src="javascript:x" />'), "must begin with https://"),
        (page("<mj-text {% if ward %}color='red'{% endif %}>a</mj-text>"), "cannot stand inside the tag"),
        (page("<mj-text>{% if ward %}a</mj-text>{% endif %}"), "stands inside another tag"),
        (page("{% if ward %}"), "has no {% endif %}"),
        ("<mjml><mj-body>", "<mj-body> is never closed"),
    ],
)
def test_what_the_engine_would_pass_in_silence_is_refused(source, problem):
    with pytest.raises(TemplateError) as refused:
        prepared(source)
    assert problem in str(refused.value)


def test_comments_go_except_those_for_outlook():
    assert prepared("<mj-raw><!-- note --><!--[if mso]>x<![endif]--></mj-raw>") == (
        "<mj-raw><!--[if mso]>x<![endif]--></mj-raw>"
    )


def test_a_crash_of_the_compiler_costs_one_clear_error():
    with pytest.raises(TemplateError, match=r"compiler broke down|does not accept"):
        mjml.compiled(page("<mj-raw>" + "<div>" * 20_000 + "</div>" * 20_000 + "</mj-raw>"), place="layout.mjml")


def test_what_the_engine_refuses_is_said_in_one_line():
    with pytest.raises(TemplateError, match=r"layout\.mjml: MJML does not accept this: "):
        mjml.compiled("<mjml><mj-body><nothing</mj-body>", place="layout.mjml")


def test_a_compiler_that_never_ends_is_stopped(monkeypatch):
    monkeypatch.setattr(mjml, "DEADLINE_SECONDS", 0.001)
    with pytest.raises(TemplateError, match="did not finish"):
        mjml.compiled(page("<mj-text>slow</mj-text>"), place="layout.mjml")


def test_blanks_behind_a_tag_are_no_text():
    source = prepared("<mjml><mj-head>  \n  <mj-title>x</mj-title></mj-head> \n<mj-body></mj-body></mjml>")
    assert "<title>x</title>" in mjml.compiled(source, place="layout.mjml")
