"""Signed links: what they prove, for every person and every damage."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.tokens import LENGTH, BadToken, KeyRing, Purpose, Subject, return_path

OLD, NEW = b"a" * 32, b"b" * 32
RING = KeyRing({1: OLD, 2: NEW})
subjects = st.builds(Subject, st.integers(0, 2**32 - 1), st.integers(0, 2**48 - 1))
purposes = st.sampled_from(Purpose)


@given(subjects, purposes)
def test_a_token_says_whom_and_for_what_and_nothing_else(subject: Subject, purpose: Purpose) -> None:
    token = RING.sign(purpose, *subject)
    assert len(token) == LENGTH
    assert token.replace("-", "").replace("_", "").isalnum()
    assert RING.verify(purpose, token) == subject
    assert RING.reader(purpose)(token.encode()) == subject
    for other in Purpose:
        if other is not purpose:
            with pytest.raises(BadToken):
                RING.verify(other, token)


@given(subjects, purposes, st.integers(0, LENGTH * 6 - 1))
def test_one_bit_is_enough_to_break_it(subject: Subject, purpose: Purpose, bit: int) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = RING.sign(purpose, *subject)
    place, shift = divmod(bit, 6)
    forged = token[:place] + alphabet[alphabet.index(token[place]) ^ (1 << shift)] + token[place + 1 :]
    assert RING.reader(purpose)(forged.encode()) is None


@given(st.text(max_size=40) | st.text("ABab01-_+/=. ", min_size=LENGTH, max_size=LENGTH), purposes)
def test_nonsense_is_refused_and_never_raises_anything_else(text: str, purpose: Purpose) -> None:
    with pytest.raises(BadToken):
        RING.verify(purpose, text)
    assert RING.reader(purpose)(text.encode("utf-8", "replace")) is None


def test_a_token_has_one_spelling() -> None:
    tokens = (RING.sign(Purpose.CLICK, 1, number) for number in range(1000))
    token = next(token for token in tokens if "-" in token and "_" in token)
    for spelling in (token.replace("-", "+"), token.replace("_", "/"), token + "=", token[:-1] + "="):
        assert RING.reader(Purpose.CLICK)(spelling.encode()) is None


def test_the_newest_key_signs_and_the_older_ones_verify() -> None:
    old = KeyRing({1: OLD}).sign(Purpose.UNSUBSCRIBE, 1, 7)
    assert RING.verify(Purpose.UNSUBSCRIBE, old) == (1, 7)
    assert RING.sign(Purpose.UNSUBSCRIBE, 1, 7) == KeyRing({2: NEW}).sign(Purpose.UNSUBSCRIBE, 1, 7)
    with pytest.raises(BadToken):
        KeyRing({2: NEW}).verify(Purpose.UNSUBSCRIBE, old)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**48 - 1))
def test_a_return_path_is_the_tokens_base32(campaign_id: int, subscriber_id: int) -> None:
    token = KeyRing({1: b"k" * 32}).sign(Purpose.RETURN_PATH, campaign_id, subscriber_id)
    expected = base64.b32encode(base64.urlsafe_b64decode(token)).decode("ascii").rstrip("=").lower()
    assert return_path(token, domain="city.example") == f"b-{expected}@city.example"
