"""A message written whole, in MJML and text: what people get, in which language, and what the gate says of it."""

from __future__ import annotations

import pytest

from tests.campaigns.conftest import GOOD

FRONT = GOOD.partition("---\nHello")[0] + "template: letter\n---\n"
MJML = """\
{% extends "_base/page.mjml" %}
{% block content %}
<mj-section css-class="card" background-color="#ffffff"><mj-column>
  <mj-text><h1>{{ subject }}</h1><p>Dear {{ first_name | default("neighbour") }},</p></mj-text>
  <mj-button href="https://city.example/sweeping">See your street</mj-button>
</mj-column></mj-section>
{% endblock %}
"""
TEXT = """\
Dear {{ first_name | default("neighbour") }},

{% if district == 3 %}
You are first.
{% endif %}
See https://city.example/sweeping, or https://city.example/help.

{% include "_base/footer.txt" %}
"""


@pytest.fixture
def letter(city):
    """The workspace's own template `letter`; call it with files to add or change."""

    def write(**files: str) -> None:
        folder = city.root / "templates" / "letter"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("_", ".")).write_text(text, "utf-8")

    write(message_mjml=MJML, message_txt=TEXT)
    return write


def seen(city, file: str, who: str = "typical", language: str = "en") -> tuple[str, str]:
    city.run("templates", "preview", file, "--out", "seen")
    name = f"{file.removeprefix('campaigns/').removesuffix('.md')}.{language}.{who}"
    return tuple((city.root / "seen" / f"{name}.{kind}").read_text("utf-8") for kind in ("html", "txt"))


def test_both_parts_are_what_was_written(city, letter):
    html, text = seen(city, city.write(FRONT))
    assert "<p>Dear Ada,</p>" in html.replace(' style="margin: 0 0 18px;"', "")
    assert text.startswith(
        "Dear Ada,\n\nYou are first.\nSee https://city.example/sweeping, or https://city.example/help."
    )
    assert "Unsubscribe" in html
    assert "Unsubscribe" in text
    assert seen(city, "campaigns/sweeping.md", "nothing-known")[1].startswith("Dear neighbour,\n\nSee https://")


def test_both_parts_share_the_numbers_of_their_links(city, letter):
    plan = city.json("campaigns", "plan", city.write(FRONT))
    assert plan["links"] == ["https://city.example/sweeping", "https://city.example/help"]
    assert plan["findings"] == []


def test_a_text_without_a_way_out_gets_one(city, letter):
    for text in ("Short.\n", "Short.\n{% if district == 9 %}{{ leave }}: {{ unsubscribe_url }}{% endif %}\n"):
        letter(message_txt=text)
        assert "\n-- \nYou get this because" in seen(city, city.write(FRONT))[1]


def test_each_language_has_its_own_or_the_main_one(city, letter):
    letter(message_es_mjml=MJML.replace("Dear", "Hola"), message_es_txt=TEXT.replace("Dear", "Hola"))
    file = city.write(FRONT)
    for language in ("es", "de"):
        city.write(f"---\nsubject: {language}\n---\n", f"sweeping.{language}")
    assert seen(city, file, language="es")[1].startswith("Hola Ada,")
    assert seen(city, file, language="de")[1].startswith("Dear Ada,")
    findings = city.json("campaigns", "check", file)["findings"]
    (finding,) = [each for each in findings if each["check"] == "languages"]
    assert finding["place"] == "campaigns/sweeping.de.md"
    assert "who reads de gets this subject, and the message in en" in finding["problem"]


def test_a_variant_that_nobody_would_get_is_named(city, letter):
    letter(message_es_mjml=MJML, message_es_txt=TEXT)
    (finding,) = city.json("campaigns", "check", city.write(FRONT))["findings"]
    assert "written in es, and nobody would get it" in finding["problem"]
    assert finding["fix"].startswith("write campaigns/sweeping.es.md beside it")


def test_a_campaigns_own_text_needs_a_place_in_both_parts(city, letter):
    file = city.write(FRONT + "The **bridge** is closed.\n")
    findings = city.json("campaigns", "check", file, code=6)["findings"]
    assert ["never says {{ body }}" in each["problem"] for each in findings if each["severity"] == "block"] == [True]
    letter(
        message_mjml=MJML.replace("</mj-column>", "{{ body }}</mj-column>"),
        message_txt=TEXT.replace("See", "{{ body }}\nSee"),
    )
    html, text = seen(city, file)
    assert "The <strong>bridge</strong> is closed." in html
    assert "The bridge is closed.\n" in text


FAULTS = [
    ("message_mjml", "mj-button", "mj-buton", "templates/letter/message.mjml", "no tag is called"),
    ("message_mjml", "first_name", "frist_name", "templates/letter/message.mjml", "first_name"),
    ("message_txt", "first_name", "frist_name", "templates/letter/message.txt, line 1", "first_name"),
    ("message_txt", "{% endif %}", "", "templates/letter/message.txt", "endif"),
    (
        "message_txt",
        "https://city.example/help",
        "http://10.0.0.1/x",
        "templates/letter/message.txt, line 6",
        "machine",
    ),
    (
        "message_mjml",
        "https://city.example/sweeping",
        "javascript:x",
        "templates/letter/message.mjml",
        "javascript",
    ),
    ("message_txt", "You are first.", "You utilize it.", "templates/letter/message.txt, line 4", "office language"),
    ("message_mjml", "<h1>{{ subject }}</h1>", "<h1></h1>", "templates/letter/message.mjml", "heading is empty"),
]
"""Part, what is replaced by what, and where what is said of it."""


def test_a_fault_is_named_in_the_file_it_stands_in(city, letter):
    file = city.write(FRONT)
    for part, old, new, place, said in FAULTS:
        sources = {"message_mjml": MJML, "message_txt": TEXT}
        assert old in sources[part]
        letter(**{**sources, part: sources[part].replace(old, new)})
        found = city.json("campaigns", "check", file, code=None)["findings"]
        assert any(each["place"].startswith(place) and said in each["problem"] + each["fix"] for each in found), found


def test_a_part_that_is_missing_is_named(city, letter):
    (city.root / "templates" / "letter" / "message.txt").unlink()
    (finding, *_) = city.json("campaigns", "check", city.write(FRONT), code=6)["findings"]
    assert "templates/letter lacks message.txt" in finding["problem"] + finding["fix"]


def test_what_is_changed_in_the_template_after_approval_makes_send_refuse(city, letter):
    plan = city.json("campaigns", "plan", city.write(FRONT))["plan"]
    city.run("campaigns", "approve", plan, "--by", "Dana Lee")
    letter(message_txt=TEXT.replace("first.", "last."))
    assert "the message in en" in city.run("campaigns", "send", plan, "--yes", code=6).stderr


def test_a_campaign_without_text_needs_a_whole_message(city):
    said = city.run("campaigns", "check", city.write(FRONT.replace("letter", "notice")), code=6)
    assert "it has no text below its front matter" in said.output
