"""Whatever a person's data holds: the wire form, decoded, is what plain Jinja renders, and stays on its lines."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import SMTP
from functools import cache
from quopri import decodestring

import dkim as dkimpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outreach.rendering import dkim, wire
from outreach.rendering.compose import Composer
from outreach.rendering.errors import ComposeError
from outreach.rendering.layouts import read_layout
from outreach.rendering.message import CompiledMessage, Mailbox, Recipient, Source, compile_message
from outreach.rendering.preview import render_preview
from outreach.tokens import KeyRing, Purpose, click_base, open_url, unsubscribe_url, view_url

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEYS = KeyRing({1: b"k" * 32})
BASE = "https://news.city.example"
BODY = """# Notice for {{ first_name | default("neighbour") | upper }}

Dear {{ first_name | default("neighbour") }}{{ last_name }}, **{{ street | default("-") }}** and
`{{ street | default("-") | trim }}`.

{% if district == 3 and street != "Elm" %}
* {{ street | default("none") }}
* [more {{ district }}](https://city.example/a?b=1&c=é)
{% elif district in (1, "2") %}
.{{ district }}
{% else %}
> From {{ last_name | title }} {{ "x" if renter }} {{ amount }}
{% endif %}

**[Go {{ street | default("there") }}](https://city.example/go)**

| {{ district }} | b |
|---|---|
| 1 | {{ [district, last_name, street] | join(" · ") }} |
"""
HOSTILE = st.sampled_from(
    [".", "\r\n.\r\n", "\n.\r\nMAIL FROM:<x@y>", "{{ 7*7 }}", "{% if x %}", "<b>&amp;\"'", "=?utf-8?q?=0ABcc:x?=",
     "From ", "a  b", " x ", "\t", "=", "=3D", "é" * 40, "🦆" * 30, "\u202e", "\xa0", "x" * 500, "-- ", "Zv00001vZ",
     "\x00\x07", "--=_", "a" * 71, "a" * 72, "a" * 73, "a" * 74, "%s", "\\", "\u2028", "<!--", "]]>", "-", "Ada"]
)  # fmt: skip
TEXT = HOSTILE | st.text(max_size=90) | st.lists(HOSTILE, max_size=4).map("".join)
VALUES = st.none() | TEXT | st.integers(-(10**6), 10**12) | st.booleans() | st.floats(allow_nan=False)


@pytest.fixture(scope="module")
def message() -> CompiledMessage:
    source = Source(
        subject="News for {{ first_name | default('you') }} in {{ district }}",
        body=BODY,
        preheader="{{ street | default('Hello') }}",
        sender=Mailbox("Bäume & Parks", "parks@city.example"),
        layout=read_layout(),
        organisation="City of <Example>",
        postal_address="1 Main Street",
        topic="Trees",
        place="campaigns/trees.md",
    )
    known = ["first_name", "last_name", "street", "district", "renter", "amount"]
    return compile_message(source, known_fields=known)


@pytest.fixture(scope="module")
def signer() -> dkim.RsaSigner:
    return dkim.load(dkim.new_key(), domain="city.example", selector="s1")


@cache
def _composer(document: str, signer: dkim.Signer | None) -> Composer:
    message = CompiledMessage.from_document(json.loads(document))
    return Composer(
        message,
        campaign_id=9,
        tokens=KEYS,
        tracking_url=BASE,
        domain="city.example",
        list_id="trees.city.example",
        feedback_id="9:trees:bulk:cityexample",
        unsubscribe_mailbox="leave@city.example",
        signer=signer,
    )


def composer(message: CompiledMessage, signer: dkim.Signer | None) -> Composer:
    return _composer(json.dumps(message.to_document()), signer)


def urls(person: int) -> dict[str, str]:
    return {
        "click_base": click_base(BASE, KEYS.sign(Purpose.CLICK, 9, person)),
        "pixel_url": open_url(BASE, KEYS.sign(Purpose.OPEN, 9, person)),
        "unsubscribe_url": unsubscribe_url(BASE, KEYS.sign(Purpose.UNSUBSCRIBE, 9, person)),
        "view_url": view_url(BASE, KEYS.sign(Purpose.VIEW, 9, person)),
    }


@settings(max_examples=300, deadline=None)
@given(
    attributes=st.fixed_dictionaries(
        {"last_name": TEXT.filter(bool), "district": st.sampled_from(["1", "2", "3", "4", 3]), "amount": VALUES},
        optional={"first_name": VALUES, "street": VALUES, "renter": st.booleans()},
    )
)
@example(attributes={"last_name": "0.0", "district": "1", "first_name": 0.0, "street": -0.0, "amount": True})
@example(attributes={"last_name": "a", "district": 3, "first_name": -0.0, "street": 0.0, "amount": 1})
def test_decoded_the_wire_form_is_what_plain_jinja_renders(message, attributes):
    person = Recipient(12, "ada@example.com", attributes)
    try:
        subject, html, text = render_preview(message, person, urls=urls(12))
    except ComposeError:
        with pytest.raises(ComposeError):
            composer(message, None).compose(person, now=NOW)
        return
    data = composer(message, None).compose(person, now=NOW).data
    assert_on_its_lines(data)
    parsed = message_from_bytes(data)
    plain, rich = (part.get_payload(decode=True).decode().replace("\r\n", "\n") for part in parsed.get_payload())
    assert (plain, rich) == (text, html)
    assert str(make_header(decode_header(parsed["Subject"]))) == subject
    assert parsed.defects == []


def assert_on_its_lines(data: bytes) -> None:
    lines = data.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert max(map(len, lines)) <= 998
    _, body = data.split(b"\r\n\r\n", 1)
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert not re.search(rb"^(\.|From )|[ \t]$|  ", body.replace(b"\r\n", b"\n"), re.MULTILINE)
    assert data.isascii()


@settings(max_examples=25, deadline=None)
@given(first=TEXT, last=TEXT.filter(bool), place=st.integers(0))
@example(first="", last="\xa0", place=0)
def test_dkimpy_verifies_it_and_refuses_it_after_one_byte_changed(message, signer, first, last, place):
    person = Recipient(12, "ada@example.com", {"first_name": first, "last_name": last, "district": 4, "amount": 1})
    try:
        data = composer(message, signer).compose(person, now=NOW).data
    except ComposeError:
        return
    assert verified(data, signer)
    body_starts = data.index(b"\r\n\r\n") + 4
    letters = [at for at in range(body_starts, len(data)) if data[at : at + 1].isalpha()]
    at = letters[place % len(letters)]
    changed = data[:at] + (b"x" if data[at : at + 1] != b"x" else b"y") + data[at + 1 :]
    assert not verified(changed, signer)


def verified(data: bytes, signer: dkim.RsaSigner) -> bool:
    return dkimpy.verify(data, dnsfunc=lambda name, timeout=5: dkim.record_of(signer).encode())


EXPECTED = [
    "DKIM-Signature", "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
    "Content-Language", "List-Id", "List-Unsubscribe-Post", "Feedback-ID", "Precedence", "List-Unsubscribe",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(first=TEXT, last=TEXT.filter(bool))
def test_the_standard_library_finds_exactly_our_headers(message, signer, first, last):
    person = Recipient(12, "ada@example.com", {"first_name": first, "last_name": last, "district": 4, "amount": 1})
    try:
        data = composer(message, signer).compose(person, now=NOW).data
    except ComposeError:
        return
    parsed = message_from_bytes(data, policy=SMTP)
    assert parsed.keys() == EXPECTED
    assert [address.addr_spec for address in parsed["To"].addresses] == ["ada@example.com"]


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=300))
def test_a_segment_is_whole_lines_that_decode_to_the_text(text):
    text = text.replace("\r", "")
    encoded = wire.segment(text)
    assert decodestring(encoded.encode()).replace(b"\r\n", b"\n") == text.encode()
    assert encoded == "" or encoded.endswith("\r\n")
    assert all(len(line) <= 76 for line in encoded.split("\r\n"))
