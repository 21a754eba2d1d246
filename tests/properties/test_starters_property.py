"""Every starter template with 500 hostile people each (3,000 in all), and the shared injection corpora."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import SMTP
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import dkim as dkimpy
import pytest

from outreach.rendering import dkim
from outreach.rendering.compose import Composer
from outreach.rendering.errors import ComposeError, TemplateError
from outreach.rendering.layouts import content_folder, layout_names, read_layout
from outreach.rendering.links import checked
from outreach.rendering.message import CompiledMessage, Mailbox, Message, Recipient, Source, compile_message
from outreach.rendering.preview import render_preview
from outreach.tokens import KeyRing, Purpose, answer_base, click_base, open_url, unsubscribe_url, view_url

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEYS = KeyRing({1: b"k" * 32})
BASE = "https://news.city.example"
PEOPLE = 500
SIGNED = 12
HEADERS = [
    "DKIM-Signature", "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
    "Content-Language", "List-Id", "List-Unsubscribe-Post", "Feedback-ID", "Precedence", "List-Unsubscribe",
]  # fmt: skip
PIECES = [
    "{{7*7}}", "{{config}}", "{{''.__class__.__mro__}}", "{{''|attr('__class__')}}", "{% include '/etc/passwd' %}",
    "{{cycler.__init__.__globals__}}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "Hi\r\nBcc: x@y", "\nBcc: x", "\rBcc: x",
    "%0d%0aBcc:", "=?utf-8?q?=0ABcc:=20x?=", "=?utf-8?b?DQpCY2M6?=", "\u2028", "\x85", "\x00", "X: a\r\nBcc", ".",
    "\r\n.\r\nMAIL FROM:<evil@x>", "\n.\n", "\r.\r", "<script>", "\"><img src=x onerror=alert(1)>", "' --", "\\",
    "مريم", "🦆" * 20, "é" * 30, "o\u0301", "\u202e", "  ", " x ", "=", "=3D", "From ", "-- ", "--=_", "a" * 73,
    "x" * 300, "Zv00001vZ", "<!--Zs00000sZ-->", "&amp;", "{#", "#}", "%", "\t", "ada",
]  # fmt: skip


@cache
def signer() -> dkim.RsaSigner:
    return dkim.load(dkim.new_key(), domain="city.example", selector="s1")


@cache
def starter(name: str) -> tuple[CompiledMessage, Composer]:
    body = (content_folder() / name / "starter.md").read_text("utf-8")
    message = compile_message(
        Source(
            subject="News for {{ first_name | default('you') }}: {{ street | default('all') }}",
            body=f"{body}\n\n{{{{ last_name }}}} of *{{{{ street | default('-') }}}}*\n",
            preheader="{{ street | default('-') }}",
            sender=Mailbox("Bäume & Parks", "parks@city.example"),
            layout=read_layout(name),
            organisation="City of <Example>",
            postal_address="1 Main Street",
            topic="Trees",
            place=f"templates/{name}/starter.md",
        ),
        known_fields=["first_name", "last_name", "street"],
    )
    composer = Composer(
        message,
        campaign_id=9,
        tokens=KEYS,
        tracking_url=BASE,
        domain="city.example",
        list_id="trees.city.example",
        feedback_id="9:trees:bulk:cityexample",
        unsubscribe_mailbox="leave@city.example",
        signer=signer(),
    )
    return message, composer


URLS = {
    "answer_base": answer_base(BASE, KEYS.sign(Purpose.ANSWER, 9, 12)),
    "click_base": click_base(BASE, KEYS.sign(Purpose.CLICK, 9, 12)),
    "pixel_url": open_url(BASE, KEYS.sign(Purpose.OPEN, 9, 12)),
    "unsubscribe_url": unsubscribe_url(BASE, KEYS.sign(Purpose.UNSUBSCRIBE, 9, 12)),
    "view_url": view_url(BASE, KEYS.sign(Purpose.VIEW, 9, 12)),
}


def hostile_people(count: int, *, seed: str) -> Iterator[Recipient]:
    dice = random.Random(seed)
    for _ in range(count):
        value = ["".join(dice.choices(PIECES, k=dice.randint(1, 4))) for _ in range(3)]
        attributes: dict[str, object] = dict(zip(("first_name", "last_name", "street"), value, strict=True))
        for field in ("first_name", "street"):
            if dice.random() < 0.15:
                del attributes[field]
        yield Recipient(12, "ada@example.com", attributes)


def made(name: str, person: Recipient) -> tuple[Message, tuple[str, str, str]] | None:
    """The message and what plain Jinja renders; None when both refuse."""
    message, composer = starter(name)
    try:
        plain = render_preview(message, person, urls=URLS)
    except ComposeError:
        with pytest.raises(ComposeError):
            composer.compose(person, now=NOW)
        return None
    return composer.compose(person, now=NOW), plain


@pytest.mark.parametrize("name", layout_names())
def test_decoded_it_is_plain_jinja_with_exactly_our_headers(name):
    sent = 0
    for person in hostile_people(PEOPLE, seed=name):
        if (result := made(name, person)) is None:
            continue
        sent += 1
        data, (subject, html, text) = result[0].data, result[1]
        parsed = message_from_bytes(data)
        assert parsed.keys() == HEADERS
        assert parsed.defects == []
        parts = [part.get_payload(decode=True).decode().replace("\r\n", "\n") for part in parsed.get_payload()]
        assert parts == [text, html]
        assert str(make_header(decode_header(parsed["Subject"].replace("\r\n", "")))) == subject
    assert sent > PEOPLE / 4  # the others have a control character where a header would be


@pytest.mark.parametrize("name", layout_names())
def test_dkimpy_verifies_it_and_not_after_one_byte_changed(name):
    record = dkim.record_of(signer()).encode()
    dice = random.Random(name)
    results = (made(name, person) for person in hostile_people(PEOPLE, seed=name))
    for result, _ in zip(filter(None, results), range(SIGNED), strict=False):
        data = result[0].data
        assert dkimpy.verify(data, dnsfunc=lambda *_, **__: record)
        assert message_from_bytes(data, policy=SMTP).keys() == HEADERS
        at = dice.choice([at for at in range(data.index(b"\r\n\r\n") + 4, len(data)) if data[at : at + 1].isalpha()])
        changed = data[:at] + (b"x" if data[at : at + 1] != b"x" else b"y") + data[at + 1 :]
        assert not dkimpy.verify(changed, dnsfunc=lambda *_, **__: record)


def lines(shared: Path, name: str) -> list[str]:
    return (shared / "corpora" / "injection" / name).read_text("utf-8", "replace").splitlines()


def test_header_injections_stay_in_their_value(shared):
    for line in lines(shared, "crlfinjection.txt"):
        for value in (line, line.replace("%0d", "\r").replace("%0a", "\n")):
            for result in [made("notice", Recipient(12, "a@b.example", {"first_name": value, "last_name": value}))]:
                if result is not None:
                    assert message_from_bytes(result[0].data).keys() == HEADERS


def test_open_redirects_are_no_links_of_ours(shared):
    """Whatever is accepted leads to the host it shows, over http or https."""
    for line in lines(shared, "openredirects.txt"):
        for url in (line, line.lstrip("/"), f"https://city.example{line}", f"https://city.example@{line.lstrip('/')}"):
            try:
                accepted = urlsplit(checked(url, place="x"))
            except TemplateError:
                continue
            assert accepted.scheme in ("http", "https")
            assert accepted.hostname == urlsplit(url).hostname
            assert "@" not in accepted.netloc
            assert not set("\\\r\n\t ") & set(accepted.geturl())


@pytest.mark.parametrize(
    "url",
    [
        "//evil.example", "\\\\evil.example", "https:evil.example", "/\\evil.example", "javascript:alert(1)",
        "JaVaScRiPt:alert(1)", "data:text/html,x", "https://city.gov@evil.example", "https://city.gov:x@evil.example",
        "https://city.example/\r\nX: y", "https://" + "a" * 8_000, "java\tscript:alert(1)", "vbscript:x",
        "file:///etc/passwd", "https://", "http:///x", "ftp://x.example",
    ],
)  # fmt: skip
def test_dangerous_links_are_refused(url):
    with pytest.raises(TemplateError):
        checked(url, place="x")
