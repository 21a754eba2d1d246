from __future__ import annotations

from email import message_from_string
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.rendering import headers
from outreach.rendering.headers import HeaderError

INJECTIONS = [
    "Hi\r\nBcc: x@y", "\nBcc: x", "\rBcc: x", "trailing\n", "a\u2028Bcc: x", "a\u2029b", "a\x85Bcc: x", "a\x00b",
    "a\x0bb", "\ud800", "a\x7fb",
]  # fmt: skip


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("encode", [headers.unstructured, headers.phrase])
def test_nothing_that_could_begin_a_line_is_written(encode, text):
    with pytest.raises(HeaderError):
        encode(text)


@pytest.mark.parametrize("text", ["A =?UTF-8?Q?=0A?=Bcc: injected@x", "=?utf-8?b?DQpCY2M6?=", "%0d%0aBcc:"])
def test_what_looks_encoded_arrives_as_it_was_written(text):
    value = headers.unstructured(text)
    assert str(make_header(decode_header(value))) == text
    assert message_from_string(headers.line("Subject", value) + "\r\n").keys() == ["Subject"]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200))
def test_a_subject_decodes_to_itself_in_lines_of_76(text):
    line = headers.line("Subject", headers.unstructured(text))
    assert all(len(part) <= 76 for part in line.split("\r\n"))
    unfolded = line.removeprefix("Subject:").replace("\r\n", "").strip()
    assert str(make_header(decode_header(unfolded))) == headers.tidy(text)


def test_names_are_atoms_quoted_or_encoded():
    assert [headers.phrase(name) for name in ("Ada O'Neill", "Smith, Jr.", 'a "b"', "Zoë")] == [
        "Ada O'Neill",
        '"Smith, Jr."',
        '"a \\"b\\""',
        "=?utf-8?b?Wm/Dqw==?=",
    ]


@pytest.mark.parametrize(
    "text",
    ["a@b.c\r\nDATA", "a@b.c<d@evil>", "a@b.c,evil@x", '"x"@y', "a b@c.d", "a@[127.0.0.1]", "a@b..c", "ä@b.c", "@b",
     "a@", "a" * 65 + "@b.c", "a@b.c>", ".a@b.c", "a@-b.c"],
)  # fmt: skip
def test_only_plain_addresses_are_written(text):
    with pytest.raises(HeaderError):
        headers.address(text)


@pytest.mark.parametrize(("name", "value"), [("X: a\r\nBcc", "a"), ("X", "a\nb"), ("X", ""), ("X", "a  b"), ("X", "é")])
def test_a_ready_header_is_looked_at_once_more(name, value):
    with pytest.raises(HeaderError):
        headers.checked(name, value)
