from __future__ import annotations

import re

import pytest

from outreach.rendering.errors import TemplateError
from outreach.rendering.links import Links
from outreach.rendering.markdown import convert
from outreach.rendering.placeholders import Placeholders


def both(source):
    """(MJML, text) of a body with its Jinja put back."""
    placeholders = Placeholders()
    links = Links(placeholders)
    protected = placeholders.protect(source, place="bins.md")
    body = convert(protected, placeholders=placeholders, links=links, place="bins.md")
    return placeholders.restore_html(body.mjml), placeholders.restore_text(body.text)


def test_one_tree_gives_both_parts():
    mjml, text = both("# Bins\n\nPut them *out*, **please**:\n\n1. black\n2. blue\n\n> Thank you\n\n---\n\n`x`")
    assert mjml == (
        "<mj-text><h1>Bins</h1><p>Put them <em>out</em>, <strong>please</strong>:</p>"
        "<ol><li>black</li><li>blue</li></ol><blockquote><p>Thank you</p></blockquote><hr /><p><code>x</code></p>"
        "</mj-text>\n"
    )
    assert text == "Bins\n----\n\nPut them out, please:\n\n1. black\n2. blue\n\n> Thank you\n\n* * *\n\nx\n\n"


def test_html_in_markdown_is_shown_not_obeyed():
    mjml, text = both("a <b onclick=x>b</b>\n\n<script>alert(1)</script>")
    assert "<b" not in mjml
    assert "<script" not in mjml
    assert "&lt;script&gt;" in mjml
    assert "<script>alert(1)</script>" in text


def test_a_bold_link_alone_is_a_button():
    mjml, text = both("**[Move the car](https://city.example/move)**")
    assert mjml == '<mj-button href="{{ click_base }}0">Move the car</mj-button>\n'
    assert text == "Move the car:\n{{ click_base }}0\n\n"


def test_links_are_numbered_once_for_both_parts():
    mjml, text = both("[a](https://a.example/x) [b](https://b.example/) <https://a.example/x> or https://b.example/.")
    assert re.findall(r'href="([^"]*)"', mjml) == [f"{{{{ click_base }}}}{n}" for n in (0, 1, 0, 1)]
    assert text == ("a <{{ click_base }}0> b <{{ click_base }}1> {{ click_base }}0 or {{ click_base }}1.\n\n")


def test_addresses_in_code_and_inside_links_stay_as_they_are():
    mjml, text = both(
        "[see https://b.example now](https://a.example) and `https://c.example`\n\n[r][]\n\n[r]: https://d.example"
    )
    assert mjml.count("<a ") == 2
    assert text.startswith(
        "see https://b.example now <{{ click_base }}0> and https://c.example\n\nr <{{ click_base }}1>"
    )


def test_a_campaign_may_show_its_own_way_out():
    mjml, text = both("[Stop these]({{ unsubscribe_url }})")
    assert '<a href="{{ unsubscribe_url }}">Stop these</a>' in mjml
    assert text == "Stop these <{{ unsubscribe_url }}>\n\n"


def test_mail_and_telephone_links_stay():
    mjml, text = both("[write](mailto:works@city.example) or [call](tel:311) or <works@city.example>")
    assert 'href="mailto:works@city.example"' in mjml
    assert text == "write <works@city.example> or call <311> or works@city.example\n\n"


def test_an_image_alone_fills_the_column_and_keeps_its_description():
    mjml, text = both('![A "sweeper" on Ash](https://city.example/s.png)')
    assert mjml == '<mj-image src="https://city.example/s.png" alt="A &#34;sweeper&#34; on Ash" />\n'
    assert text == '[A "sweeper" on Ash]\n\n'


def test_a_table_has_column_headings():
    mjml, text = both("| Day | Street |\n|---|---|\n| Monday | Ash |")
    assert '<th scope="col">Day</th>' in mjml
    assert text == "Day | Street\nMonday | Ash\n\n"


def test_a_condition_on_lines_of_its_own_takes_whole_blocks():
    mjml, text = both("a\n{% if renter %}\n- b\n{% else %}\n**[c](https://c.example)**\n{% endif %}\nd")
    assert mjml == (
        "<mj-text><p>a</p></mj-text>\n<!--{% if renter %}-->\n<mj-text><ul><li>b</li></ul></mj-text>\n"
        '<!--{% else %}-->\n<mj-button href="{{ click_base }}0">c</mj-button>\n<!--{% endif %}-->\n'
        "<mj-text><p>d</p></mj-text>\n"
    ).replace("<!--", "").replace("-->", "")
    assert text == ("a\n\n{% if renter %}- b\n\n{% else %}c:\n{{ click_base }}0\n\n{% endif %}d\n\n")


def test_a_paragraph_that_is_one_condition_leaves_no_empty_frame():
    mjml, text = both("{% if renter %}You rent.{% endif %}")
    assert mjml == "{% if renter %}\n<mj-text><p>You rent.</p></mj-text>\n{% endif %}\n"
    assert text == "{% if renter %}You rent.\n\n{% endif %}"


def test_list_items_can_depend_on_the_person():
    mjml, text = both("1. a\n{% if renter %}\n2. b\n{% endif %}\n3. c")
    assert '{% if renter %}\n<mj-text><ol start="2"><li>b</li></ol></mj-text>\n{% endif %}' in mjml
    assert text == "1. a\n\n{% if renter %}2. b\n\n{% endif %}3. c\n\n"


def test_what_looks_like_jinja_only_afterwards_is_harmless():
    mjml, text = both("a {\\{ secret }} &#123;&#123; b")
    assert "{{ secret" not in mjml
    assert text.count("{{") == text.count('{{ "{" }}')


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("a **{% if renter %}b** c{% endif %}", "line 1: a condition must begin and end in the same paragraph"),
        ("x\n\n- {% if renter %}b\n- c{% endif %}", "line 3: a condition must begin and end"),
        ("x\n\n[a](javascript:alert(1))", 'line 3: the link "javascript:alert\\(1\\)" begins with "javascript:"'),
        ("[a](/parks)", "does not say https://"),
        ("[a](//evil.example)", "does not say https://"),
        ("[a](https://city.example@evil.example/)", "user name before the host"),
        ("[a](https://a.example\\evil)", "backslash"),
        ("[a](https://{{ district }}.example/)", "a link leads everybody to one site"),
        ("![a](https://city.example/{{ district }}.png)", "an image's address cannot contain"),
        ("![a](pixel.png)", "does not say https://"),
        ("[a](data:text/html;base64,x)", 'begins with "data:"'),
        ("[a]()", "a link has no address"),
        ("`{% if renter %}`x{% endif %}", "cannot stand inside code"),
        ("Zv00001vZ", "reserved"),
        (">" * 40 + " deep", "nested too deeply"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_place(source, problem):
    with pytest.raises(TemplateError, match=problem) as refused:
        both(source)
    assert refused.value.place == "bins.md"
