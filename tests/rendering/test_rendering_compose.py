from __future__ import annotations

import json
from dataclasses import replace
from email import message_from_bytes
from email.policy import SMTP

import pytest

from outreach.errors import Blocked
from outreach.rendering.compose import Composer
from outreach.rendering.errors import ComposeError, MissingValue, TemplateError
from outreach.rendering.headers import HeaderError
from outreach.rendering.message import CompiledMessage, Message, compile_message
from outreach.rendering.preview import render_preview
from outreach.tokens import KeyRing, Purpose, Subject, token_in_return_path

KEYS = KeyRing({1: b"k" * 32})


def test_one_message_is_complete(compiled, composer, ada, now):
    message = composer(compiled(), unsubscribe_mailbox="leave@city.example").compose(ada, now=now)
    parsed = message_from_bytes(message.data, policy=SMTP)
    assert {name: str(parsed[name]) for name in ("From", "To", "Subject", "Date", "List-Id", "Feedback-ID")} == {
        "From": "Public Works <works@city.example>",
        "To": "Ada O'Neill <ada@example.com>",
        "Subject": "Street sweeping in district 3",
        "Date": "Sat, 21 Nov 2026 12:00:00 +0000",
        "List-Id": "<parking.city.example>",
        "Feedback-ID": "5:parking:bulk:cityexample",
    }
    assert parsed["Message-ID"] == message.message_id
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    web, mail = parsed["List-Unsubscribe"].split(", ")
    assert KEYS.verify(Purpose.UNSUBSCRIBE, web.strip("<>").rsplit("/", 1)[1]) == Subject(5, 7)
    assert mail.startswith("<mailto:leave@city.example?subject=")
    assert KEYS.verify(Purpose.RETURN_PATH, token_in_return_path(message.return_path)) == Subject(5, 7)
    assert message.recipient == "ada@example.com"


def test_both_parts_carry_the_persons_own_links(compiled, composer, ada, now):
    data = composer(compiled()).compose(ada, now=now).data
    text, html = (part.get_content() for part in message_from_bytes(data, policy=SMTP).iter_parts())
    click = f"https://news.city.example/c/{KEYS.sign(Purpose.CLICK, 5, 7)}/"
    assert f"See your street <{click}0>" in text
    assert f"Move the car:\n{click}1" in text.replace("\r\n", "\n")
    assert f'href="{click}0"' in html
    assert f"/o/{KEYS.sign(Purpose.OPEN, 5, 7)}.gif" in html
    assert html.count(f"/u/{KEYS.sign(Purpose.UNSUBSCRIBE, 5, 7)}") == 1
    assert "You rent" in text
    assert "You rent" in html


def test_the_pixel_is_the_last_thing(compiled, composer, ada, now):
    html = message_from_bytes(composer(compiled()).compose(ada, now=now).data, policy=SMTP).get_body(("html",))
    assert html is not None
    assert html.get_content().rstrip().rsplit("<img", 1)[1].count("<") == 3  # </div></body></html>


def test_a_name_is_escaped_in_html_and_plain_in_text(compiled, composer, ada, now):
    person = replace(ada, attributes={**ada.attributes, "first_name": "Tom & <Jo>"})
    data = composer(compiled()).compose(person, now=now).data
    text, html = (part.get_content() for part in message_from_bytes(data, policy=SMTP).iter_parts())
    assert "Hello Tom & <Jo>," in text
    assert "Hello Tom &amp; &lt;Jo&gt;," in html


def test_one_bad_row_costs_one_person(compiled, composer, ada, now):
    people = [
        ada,
        replace(ada, subscriber_id=8, attributes={"first_name": "Bo"}),
        replace(ada, subscriber_id=9, address="a@b.c\r\nRCPT TO:<evil@x>"),
        replace(ada, subscriber_id=10, attributes={"district": "3\r\nBcc: evil@x"}),
        replace(ada, subscriber_id=11, attributes={"district": "x" * 2000}),
        replace(ada, subscriber_id=12, attributes={"district": ["3"]}),
        replace(ada, subscriber_id=13, attributes={"district": "\ud800"}),
        replace(ada, subscriber_id=14, attributes={"district": "  "}),
        replace(ada, subscriber_id=15),
    ]
    results = composer(compiled()).compose_many(people, now=now)
    assert [type(result) for result in results] == [
        Message, MissingValue, ComposeError, ComposeError, ComposeError, ComposeError, ComposeError, Message, Message,
    ]  # fmt: skip
    assert 'no value for "district"' in str(results[1])
    assert not any("evil" in str(result) for result in results if isinstance(result, ComposeError))


def test_a_value_is_data_never_a_template(compiled, composer, ada, now):
    for hostile in ("{{ 7*7 }}", "{% include '/etc/passwd' %}", "{{ config }}", "<%= 7*7 %>", "${7*7}"):
        person = replace(ada, attributes={**ada.attributes, "first_name": hostile})
        data = composer(compiled()).compose(person, now=now).data
        text = message_from_bytes(data, policy=SMTP).get_body(("plain",))
        assert text is not None
        assert f"Hello {hostile}," in text.get_content()


def test_a_hostile_name_leaves_the_message_without_a_name(compiled, composer, ada, now):
    person = replace(ada, attributes={**ada.attributes, "first_name": "a\r\nBcc: x", "last_name": ""})
    parsed = message_from_bytes(composer(compiled()).compose(person, now=now).data, policy=SMTP)
    assert parsed["To"] == "ada@example.com"
    assert parsed["Bcc"] is None


def test_a_compiled_message_survives_storage(compiled):
    message = compiled()
    again = CompiledMessage.from_document(json.loads(json.dumps(message.to_document())))
    assert again == message
    assert again.hash == message.hash
    with pytest.raises(ValueError, match="plan again"):
        CompiledMessage.from_document({"version": 99})


@pytest.mark.parametrize(
    "change",
    [{"subject": "Sweeping"}, {"body": "Hello."}, {"organisation": "City"}, {"topic": "Trees"}, {"language": "es"},
     {"preheader": "Soon"}, {"postal_address": "2 Main"}],
)  # fmt: skip
def test_the_hash_changes_with_anything_people_see(compiled, change):
    assert compiled(**change).hash != compiled().hash
    assert compiled().hash == compiled().hash


def test_languages_of_one_campaign_share_a_numbering(write):
    known = ["district"]
    english = compile_message(write(body="[a](https://a.example) [b](https://b.example)"), known_fields=known)
    body = "[c](https://c.example) [b](https://b.example)"
    spanish = compile_message(write(body=body, language="es"), known_fields=known, links=english.links)
    assert spanish.links == ("https://a.example", "https://b.example", "https://c.example")
    assert spanish.text.startswith("c <{{ click_base }}2> b <{{ click_base }}1>")


def test_what_was_used_is_known(compiled):
    message = compiled()
    assert message.fields == {"first_name", "district", "renter"}
    assert message.links == ("https://city.example/sweeping?a=1&b=2", "https://city.example/move")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"subject": ""}, "the subject is empty"),
        ({"subject": "a\nBcc: x"}, "one line"),
        ({"subject": "{{ distrct }}"}, 'sweeping.md, subject, line 1: no field is called "distrct"'),
        ({"body": " \n"}, "the body is empty"),
        ({"body": "a\n\n{{ nmae }}", "first_line": 9}, 'sweeping.md, line 11: no field is called "nmae"'),
        ({"body": "{% if renter %}a"}, "Unexpected end of template"),
        ({"language": "English please"}, "no language tag"),
        ({"layout": "<mjml><mj-body></mj-body></mjml>"}, "never says {{ body }}"),
        ({"layout": "{{ nobody }}"}, 'the layout of campaigns/sweeping.md, line 1: no field is called "nobody"'),
        ({"layout": "<mjml><mj-body>{{ body }}{% if unsubscribe_url %}a{% endif %}</mj-body></mjml>"}, "as it is"),
    ],
)
def test_what_is_wrong_for_everybody_is_found_before_anybody(compiled, change, problem):
    with pytest.raises(TemplateError) as refused:
        compiled(**change)
    assert problem in str(refused.value)
    assert isinstance(refused.value, Blocked)


def test_the_campaigns_own_words_can_be_used_anywhere(compiled, ada):
    subject, _, text = render_preview(
        compiled(subject="{{ topic }} for {{ district }}", body="From {{ organisation }}."), ada
    )
    assert subject == "Parking & street sweeping for 3"
    assert text.startswith("From City of Example.")


def test_conditions_in_subject_and_preheader(compiled, ada):
    line = "{% if renter %}Renters & owners{% else %}Owners{% endif %}"
    subject, html, _ = render_preview(compiled(subject=line, preheader=f"For {line}"), ada)
    assert subject == "Renters & owners"
    assert "<title>Renters &amp; owners</title>" in html
    assert ">For Renters &amp; owners<" in html


def test_a_layout_with_links_in_other_quotes_is_refused_with_the_remedy(compiled):
    text = "<mj-text><a href='https://a.example'>a</a></mj-text>{{ body }}"
    layout = f"<mjml><mj-body><mj-section><mj-column>{text}</mj-column></mj-section></mj-body></mjml>"
    with pytest.raises(TemplateError, match="double quotes"):
        compiled(layout=layout)


def test_a_campaign_as_complicated_as_allowed_compiles(compiled, ada):
    body = "".join(f"{{% if district == {n} or renter %}}\n\n{n}\n\n" for n in range(10)) + "{% endif %}\n\n" * 10
    assert render_preview(compiled(body=body), ada)[2].startswith("0\n\n1\n\n")


def test_braces_of_the_organisation_are_only_braces(compiled, ada):
    _, html, text = render_preview(compiled(organisation="City {{ of }} <Example>"), ada)
    assert "City {{ of }} &lt;Example&gt;" in html
    assert "City {{ of }} <Example>" in text


def test_a_preview_leads_to_the_real_places(compiled, ada):
    subject, html, text = render_preview(compiled(), ada)
    assert subject == "Street sweeping in district 3"
    assert 'href="https://city.example/sweeping?a=1&amp;b=2"' in html
    assert "See your street <https://city.example/sweeping?a=1&b=2>" in text


def test_arabic_is_set_from_the_right(compiled, ada):
    _, html, text = render_preview(compiled(language="ar"), ada)
    assert '<html lang="ar" dir="rtl"' in html
    assert "إلغاء الاشتراك" in text


def test_a_reply_address_and_a_long_tracking_address(compiled, write, composer, ada, now):
    base = "https://a-rather-long-name-for-a-tracking-host.news.city.example/with/a/path"
    message = replace(compiled(), reply_to=compiled().sender)
    data = composer(message, tracking_url=base).compose(ada, now=now).data
    parsed = message_from_bytes(data, policy=SMTP)
    assert parsed["Reply-To"] == "Public Works <works@city.example>"
    assert f"{base}/c/{KEYS.sign(Purpose.CLICK, 5, 7)}/0" in parsed.get_body(("plain",)).get_content()
    assert max(map(len, data.split(b"\r\n\r\n", 1)[1].split(b"\r\n"))) <= 76


def test_a_header_everybody_would_get_is_refused_at_once(compiled, composer):
    with pytest.raises(HeaderError):
        composer(compiled(), feedback_id="a\r\nBcc: x")
    with pytest.raises(HeaderError):
        composer(compiled(), domain="city.example>\r\nBcc: x")
    with pytest.raises(HeaderError):
        composer(compiled(), tracking_url="https://news city.example")
    assert isinstance(composer(compiled()), Composer)


def test_what_a_machine_decided_to_send_says_so_and_signs_it(compiled, composer, ada, now):
    from outreach.rendering import dkim

    signer = dkim.load(dkim.new_key(), domain="city.example", selector="s1")
    data = composer(compiled(), signer=signer, automatic=True).compose(ada, now=now).data
    assert b"\r\nAuto-Submitted: auto-generated\r\n" in data
    signature = data.partition(b"\r\nFrom:")[0].replace(b"\r\n ", b" ")
    assert signature.lower().replace(b" ", b"").count(b"auto-submitted") >= 1
    assert b"Auto-Submitted" not in composer(compiled()).compose(ada, now=now).data


def test_a_message_can_link_to_itself_in_a_browser(compiled, composer, ada, now):
    message = composer(compiled(body="Hello, [read this in a browser]({{ view_url }}).")).compose(ada, now=now)
    text = message_from_bytes(message.data, policy=SMTP).get_body(("plain",)).get_content()
    token = text.partition("/v/")[2][:28]
    assert KEYS.verify(Purpose.VIEW, token) == Subject(5, 7)


def test_who_does_not_want_to_be_followed_gets_straight_links_and_no_pixel(compiled, composer, ada, now):
    made = composer(compiled())
    followed, free = (
        message_from_bytes(made.compose(replace(ada, tracked=tracked), now=now).data) for tracked in (True, False)
    )
    own = [part.get_payload(decode=True).decode() for part in free.get_payload()]
    assert all("https://city.example/move" in part for part in own)
    assert not any("/c/" in part or "/o/" in part for part in own)
    assert all("/u/" in part for part in own)  # the way out is still theirs alone
    assert "https://city.example/move" not in str(followed)


def test_who_lets_us_count_gets_links_and_a_pixel_that_are_everybodys(compiled, composer, ada, now):
    made = composer(compiled())
    message = message_from_bytes(made.compose(replace(ada, named=False), now=now).data)
    text, html = (part.get_payload(decode=True).decode() for part in message.get_payload())
    assert KEYS.verify(Purpose.CLICK, text.partition("/c/")[2][:28]) == Subject(5, 0)
    assert KEYS.verify(Purpose.OPEN, html.partition("/o/")[2][:28]) == Subject(5, 0)
    assert KEYS.verify(Purpose.UNSUBSCRIBE, text.partition("/u/")[2][:28]) == Subject(5, 7)
