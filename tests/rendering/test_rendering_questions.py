"""A question in a message, and links whose address holds something of the person's."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from email import message_from_bytes
from email.policy import SMTP

import pytest

from outreach.campaigns.compiling import _same_question
from outreach.campaigns.definition import CampaignError
from outreach.rendering.errors import ComposeError, MissingValue, TemplateError
from outreach.rendering.message import CompiledMessage
from outreach.rendering.personal import filled, packed, unpacked, values_for
from outreach.rendering.preview import render_preview
from outreach.rendering.questions import Question, left_out
from outreach.tokens import BadToken, KeyRing, Purpose, Subject

KEYS = KeyRing({1: b"k" * 32})
ASKING = (
    "Hello,\n\n::: question How was your visit to the library?\n- Very good\n- Good & quick\n- Not good\n:::\n\nBye."
)
STREET = "See [your street](https://city.example/street?zip={{ zip }}&a=1#d-{{ district }})."


def parts(message) -> tuple[str, str]:
    found = message_from_bytes(message.data, policy=SMTP).iter_parts()
    return tuple(part.get_content().replace("\r\n", "\n") for part in found)


def test_a_question_is_a_button_for_each_answer(compiled, composer, ada, now):
    message = compiled(body=ASKING)
    assert message.question == Question("How was your visit to the library?", ("Very good", "Good & quick", "Not good"))
    assert message.links == ()
    text, html = parts(composer(message).compose(ada, now=now))
    base = f"https://news.city.example/s/{KEYS.sign(Purpose.ANSWER, 5, 7)}/"
    assert "How was your visit to the library?\n\nVery good:\n" in text
    for number, said in enumerate(("Very good", "Good & quick", "Not good")):
        assert f"{said}:\n{base}{number}\n" in text
        assert f'href="{base}{number}"' in html
    assert "Good &amp; quick" in html


def test_a_question_survives_the_store_and_changes_the_hash(compiled):
    message = compiled(body=ASKING)
    again = CompiledMessage.from_document(json.loads(json.dumps(message.to_document())))
    assert again == message
    assert compiled(body=ASKING.replace("Very good", "Splendid")).hash != message.hash


def test_whoever_is_not_followed_can_answer_too(compiled, composer, ada, now):
    text, html = parts(composer(compiled(body=ASKING)).compose(replace(ada, tracked=False), now=now))
    assert "/s/" in text
    assert "/s/" in html
    assert "/o/" not in html


def test_a_preview_of_a_question_leads_nowhere(compiled, ada):
    assert 'href="#0"' in render_preview(compiled(body=ASKING), ada)[1]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("x\n\n::: question\n- a\n- b\n:::", "line 3: write the question behind"),
        ("::: question Why?\n- a\n:::", "line 1: a question has 2 to 10 answers"),
        ("::: question Why?\n- a\n- a\n:::", "two answers of a question are the same"),
        ("::: question Why?\n- a\n- b", "never closed"),
        ("::: question Why?\n- a\nb\n:::", '"b" is no answer'),
        ("::: question Why, {{ district }}?\n- a\n- b\n:::", "the same for everybody"),
        ("::: question Why?\n- a\n- {% if renter %}b{% endif %}\n:::", "the same for everybody"),
        ("::: question Why?\n- a\n- b\n:::\n\n::: question Why not?\n- a\n- b\n:::", "line 6: a message has one"),
        ("> ::: question Why?\n> - a\n> - b\n> :::", "a question stands by itself"),
        (f"::: question Why?\n- a\n- {'b' * 201}\n:::", "at most 200 characters"),
    ],
)  # fmt: skip
def test_a_question_nobody_could_answer_is_refused_with_its_place(compiled, body, problem):
    with pytest.raises(TemplateError, match=problem):
        compiled(body=body)


def test_every_language_asks_the_same(compiled, tmp_path):
    class Written:
        path = tmp_path / "bins.es.md"

    english = compiled(body=ASKING)
    spanish = compiled(body="::: question ¿Qué tal?\n- Bien\n- Mal\n:::", language="es")
    with pytest.raises(CampaignError, match="has 2 answers, and 3 in en"):
        _same_question({"en": Written, "es": Written}, {"en": english, "es": spanish})
    _same_question({"en": Written, "es": Written}, {"en": english, "es": english})


def test_a_digest_leaves_the_question_out():
    without = left_out(ASKING)
    assert without.split() == ["Hello,", "Bye."]
    assert without.count("\n") == ASKING.count("\n")  # so that a fault below it is told with its line
    assert left_out("::: columns\na\n+++\nb\n:::\n") == "::: columns\na\n+++\nb\n:::\n"


# --- links of one's own -----------------------------------------------------------------------------------------


def own_link(text: str) -> str:
    return text.partition("<")[2].partition(">")[0]


def test_a_link_carries_the_persons_values_signed_whole(compiled, composer, ada, now):
    person = replace(ada, attributes={**ada.attributes, "zip": "95814 & //evil.example"})
    message = compiled(body=STREET)
    assert message.links == ("https://city.example/street?zip={zip}&a=1#d-{district}",)
    text, html = parts(composer(message).compose(person, now=now))
    url = own_link(text)
    assert f'href="{url}"' in html
    assert "95814" not in url
    token, _, content = url.removeprefix("https://news.city.example/x/").partition("/")
    assert KEYS.verify(Purpose.LINK, token, content.encode()) == Subject(5, 7)
    number, values = unpacked(content)
    assert (number, values) == (0, {"zip": "95814 & //evil.example", "district": "3"})
    assert filled(message.links[number], values) == (
        "https://city.example/street?zip=95814%20%26%20%2F%2Fevil.example&a=1#d-3"
    )
    for other in (packed(0, {**values, "zip": "1"}), packed(1, values), content + "A", ""):
        with pytest.raises(BadToken):
            KEYS.verify(Purpose.LINK, token, other.encode())


def test_without_following_the_link_goes_straight_there(compiled, composer, ada, now):
    person = replace(ada, attributes={**ada.attributes, "zip": "95814"}, tracked=False)
    text, html = parts(composer(compiled(body=STREET)).compose(person, now=now))
    assert own_link(text) == "https://city.example/street?zip=95814&a=1#d-3"
    assert 'href="https://city.example/street?zip=95814&amp;a=1#d-3"' in html
    assert render_preview(compiled(body=STREET), person)[2].startswith("See your street <https://city.example/street?z")


def test_an_unknown_value_fails_only_where_it_is_printed(compiled, composer, ada, now):
    with pytest.raises(MissingValue, match='no value for "zip"'):
        composer(compiled(body=STREET)).compose(ada, now=now)
    within = "{% if zip %}\n" + STREET + "\n{% else %}\nNo street.\n{% endif %}\n"
    assert "No street." in parts(composer(compiled(body=within)).compose(ada, now=now))[0]


def test_an_address_that_grows_too_long_costs_one_person(compiled, composer, ada, now):
    long = replace(ada, attributes={**ada.attributes, "zip": "ä" * 400})
    fine = replace(ada, attributes={**ada.attributes, "zip": "1"})
    refused, sent = composer(compiled(body=STREET)).compose_many([long, fine], now=now)
    assert isinstance(refused, ComposeError)
    assert not isinstance(sent, ComposeError)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://{{ zip }}.example/", "leads everybody to one site"),
        ("https://city.example{{ zip }}/", "leads everybody to one site"),
        ("{{ zip }}://city.example/", "leads everybody to one site"),
        ("https://city.example:{{ zip }}/", "leads everybody to one site"),
        ("https://x@{{ zip }}/", "leads everybody to one site"),
        ("mailto:{{ zip }}", "leads everybody to one site"),
        ("https://u@city.example/{{ zip }}", "user name before the host"),
        ("https://city.example/?q={{ zip | upper }}", "fields as they are"),
        ("https://city.example/?q={{ topic }}", "fields as they are"),
        ("https://city.example/{% if renter %}a{% endif %}", "begin and end in the same|fields as they are"),
        ("https://city.example/?to={{ unsubscribe_url }}", "fields as they are"),
        ("https://city.example/?q={{ email }}", "says who somebody is"),
        ("https://city.example/?q={{ first_name }}", "says who somebody is"),
        ("https://city.example/?q={{ nonsense }}", 'no field is called "nonsense"'),
    ],
)
def test_only_what_stands_behind_the_site_can_differ(compiled, url, problem):
    with pytest.raises(TemplateError, match=problem):
        compiled(body=f"[a]({url})")


def test_what_nobody_packed_is_not_unpacked():
    for text in ("", "0", "x/e30", "0/W10", "0/!", f"1/{base64.urlsafe_b64encode(b'{').decode()}"):
        with pytest.raises(ValueError):  # noqa: PT011 - several, all of them of the reading
            unpacked(text)
    assert unpacked(packed(3, {"zip": "é"})) == (3, {"zip": "é"})
    assert values_for("https://city.example/", {}) == {}
