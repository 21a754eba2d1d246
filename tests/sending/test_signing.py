"""Two signatures on what is sent: RSA always, Ed25519 beside it, by keys from files or from the environment."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace

import dkim as dkimpy
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from outreach.campaigns.orders import signer_of
from outreach.cli.init import make_workspace
from outreach.errors import ConfigurationError
from outreach.rendering import dkim
from outreach.rendering.compose import Composer
from outreach.rendering.message import Recipient
from outreach.sending.signing import signer
from outreach.settings import Settings, load_settings
from outreach.tokens import KeyRing

FIRST, SECOND = dkim.new_key(), dkim.new_second_key()


class _VerifyKey:
    """As much of PyNaCl as dkimpy asks for, made of `cryptography`."""

    def __init__(self, key: bytes, encoder: object) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(base64.b64decode(key))

    def verify(self, content: bytes, signature: bytes) -> bytes:
        try:
            self._key.verify(signature, content)
        except InvalidSignature:
            raise _BadSignature from None
        return content


class _BadSignature(Exception):
    pass


@pytest.fixture
def verified(monkeypatch):
    """Whether dkimpy takes the n-th signature of a message."""
    exceptions = SimpleNamespace(ValueError=ValueError, BadSignatureError=_BadSignature)
    nacl = SimpleNamespace(
        signing=SimpleNamespace(VerifyKey=_VerifyKey),
        encoding=SimpleNamespace(Base64Encoder=None),
        exceptions=exceptions,
    )
    monkeypatch.setattr(dkimpy, "nacl", nacl, raising=False)
    records = {b"s1._domainkey.city.example.": FIRST, b"e1._domainkey.city.example.": SECOND}

    def ask(name: bytes, timeout: int = 5) -> bytes:
        return dkim.dns_record(records[name]).encode()

    def check(data: bytes, number: int) -> bool:
        try:
            return dkimpy.DKIM(data).verify(idx=number, dnsfunc=ask)
        except dkimpy.ValidationError:
            return False

    return check


@pytest.fixture
def mail(compiled, now):
    """A campaign's message to one person, signed."""

    def write(by: dkim.Signer | None) -> bytes:
        composer = Composer(
            compiled, campaign_id=1, tokens=KeyRing({1: bytes(32)}), tracking_url="https://news.city.example",
            domain="city.example", list_id="news.city.example", feedback_id="1:news:regular:cityexample",
            unsubscribe_mailbox=None, signer=by,
        )  # fmt: skip
        return composer.compose(Recipient(7, "ada@example.com", {"first_name": "Ada"}), now=now).data

    return write


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    make_workspace(tmp_path / "city", name="City of Testing", domain="city.example")
    (tmp_path / "city" / "keys" / "dkim.pem").write_bytes(FIRST)
    (tmp_path / "city" / "keys" / "second.pem").write_bytes(SECOND)
    return tmp_path / "city"


def settings(root: Path, **values: str) -> Settings:
    given = {"DKIM_SELECTOR": "s1", "DKIM_SECOND_SELECTOR": "e1", **values}
    return load_settings(root, {f"OUTREACH_MAIL_{name}": value for name, value in given.items()})


@pytest.mark.parametrize(
    "values",
    [
        {"DKIM_SECOND_KEY": "keys/second.pem"},
        {"DKIM_SECOND_KEY": SECOND.decode()},
        {"DKIM_KEY": FIRST.decode(), "DKIM_SECOND_KEY": SECOND.decode()},
    ],
    ids=["files", "one in the environment", "both in the environment"],
)
def test_both_signatures_verify_and_break_when_the_message_changes(values, workspace, mail, verified):
    data = mail(signer_of(settings(workspace, **values), "city.example"))
    assert data.count(b"DKIM-Signature:") == 2
    assert [verified(data, number) for number in (0, 1)] == [True, True]
    changed = data.replace(b"Ada", b"Eve")
    assert changed != data
    assert [verified(changed, number) for number in (0, 1)] == [False, False]


def test_without_a_second_key_there_is_one_signature(workspace, mail, verified):
    data = mail(signer_of(settings(workspace), "city.example"))
    assert data.count(b"DKIM-Signature:") == 1
    assert verified(data, 0)


@pytest.mark.parametrize("selector", ["", "s1"])
def test_the_second_key_needs_a_record_of_its_own(selector, workspace):
    with pytest.raises(ConfigurationError, match=r"dkim_second_selector has to name the second key's own record"):
        signer_of(settings(workspace, DKIM_SECOND_KEY="keys/second.pem", DKIM_SECOND_SELECTOR=selector), "city.example")


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (SECOND.decode(), None, "the key in mail.dkim_key is not an RSA key"),
        (FIRST.decode(), FIRST.decode(), "the key in mail.dkim_second_key is not an Ed25519 key"),
        ("-----BEGIN nonsense", None, "the key in mail.dkim_key is no private key in PEM form"),
        (Path("gone.pem"), None, "gone.pem cannot be read .* Nothing was sent"),
    ],
)
def test_what_is_no_key_is_named_by_its_setting_and_never_shown(first, second, said):
    with pytest.raises(ConfigurationError, match=said) as refused:
        signer(first, selector="s1", domain="city.example", second=second, second_selector="e1")
    assert "BEGIN" not in str(refused.value)


def test_a_key_in_a_setting_is_never_printed(workspace):
    shown = settings(workspace, DKIM_KEY=FIRST.decode(), DKIM_SECOND_KEY="keys/second.pem").shown()
    assert shown["mail.dkim_key"].value == "..."
    assert shown["mail.dkim_second_key"].value == "keys/second.pem"
