from __future__ import annotations

import base64
import re
from hashlib import sha256

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from outreach.errors import ConfigurationError
from outreach.rendering import dkim


@pytest.fixture(scope="module")
def pem() -> bytes:
    return dkim.new_key()


def test_a_message_verifies_and_both_list_headers_are_covered(pem, compiled, composer, ada, now):
    signer = dkim.load(pem, domain="city.example", selector="s1")
    data = composer(compiled(), signer=signer).compose(ada, now=now).data
    assert dkimpy.verify(data, dnsfunc=lambda name, timeout=5: dkim.dns_record(pem).encode())
    names = re.sub(rb"\s", b"", re.search(rb"h=([^;]*);", data)[1]).split(b":")
    assert names.count(b"list-unsubscribe") == names.count(b"list-unsubscribe-post") == names.count(b"from") == 2


@pytest.mark.parametrize("header", [b"Subject: x", b"From: evil@x", b"Reply-To: evil@x", b"Cc: evil@x", b"To: evil@x"])
def test_an_added_header_breaks_the_signature(pem, compiled, composer, ada, now, header):
    signer = dkim.load(pem, domain="city.example", selector="s1")
    data = composer(compiled(), signer=signer).compose(ada, now=now).data
    forged = data.replace(b"\r\nDate: ", b"\r\n" + header + b"\r\nDate: ", 1)
    assert not dkimpy.verify(forged, dnsfunc=lambda name, timeout=5: dkim.dns_record(pem).encode())


def test_a_second_signature_is_ed25519(pem, compiled, composer, ada, now):
    second = dkim.load_second(dkim.new_second_key(), domain="city.example", selector="e1")
    signer = dkim.load(pem, domain="city.example", selector="s1", second=second)
    data = composer(compiled(), signer=signer).compose(ada, now=now).data
    assert data.count(b"DKIM-Signature:") == 2
    assert dkimpy.DKIM(data).verify(idx=0, dnsfunc=lambda name, timeout=5: dkim.dns_record(pem).encode())
    # dkimpy needs PyNaCl for this one, so the canonical form is built here, by RFC 6376 section 3.4 and 3.7.
    head, body = data.split(b"\r\n\r\n", 1)
    fields = [re.sub(rb"\r\n\s+", b" ", field) for field in re.split(rb"\r\n(?=\S)", head)]
    signature = fields[1].partition(b":")[2].strip()
    tags = dict(tag.strip().split(b"=", 1) for tag in signature.split(b";"))
    assert base64.b64decode(tags[b"bh"]) == sha256(body).digest()
    values = {name.lower(): value.strip() for name, _, value in (field.partition(b":") for field in fields[2:])}
    signed = b""
    for name in re.sub(rb"\s", b"", tags[b"h"]).split(b":"):
        if (value := values.pop(name, None)) is not None:
            signed += name + b":" + value + b"\r\n"
    signed += b"dkim-signature:" + signature[: signature.rindex(b"b=") + 2]
    made = base64.b64decode(re.sub(rb"\s", b"", tags[b"b"]))
    second.public_key.verify(made, sha256(signed).digest())


def test_a_batch_is_signed_in_one_call(pem, compiled, composer, ada, now):
    signer = dkim.load(pem, domain="city.example", selector="s1")
    calls = []

    class Counting(dkim.RsaSigner):
        def sign_many(self, digests):
            calls.append(len(digests))
            return super().sign_many(digests)

    counting = Counting(signer._key, domain="city.example", selector="s1")
    composer(compiled(), signer=counting).compose_many([ada] * 5, now=now)
    assert calls == [5]


def test_the_dns_record_is_what_verifiers_read(pem):
    record = dkim.dns_record(pem)
    assert record.startswith("v=DKIM1; k=rsa; p=MIIBIjAN")
    assert dkim.record_of(dkim.load(pem, domain="a.example", selector="s")) == record
    assert dkim.dns_record(dkim.new_second_key()).startswith("v=DKIM1; k=ed25519; p=")


def as_pem(key, password=None):
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: b"", "no private key in PEM form"),
        (lambda: b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n", "no private key in PEM form"),
        (lambda: as_pem(ec.generate_private_key(ec.SECP256R1())), "must be an RSA key"),
        (lambda: as_pem(rsa.generate_private_key(65537, 2048), b"secret"), "protected by a password"),
        (lambda: dkim.new_second_key(), "only add a second signature"),
    ],
)
def test_a_key_that_cannot_sign_says_why(make, problem):
    with pytest.raises(ConfigurationError, match=problem) as refused:
        dkim.load(make(), domain="city.example", selector="s1", place="keys/dkim.pem")
    assert str(refused.value).startswith("keys/dkim.pem")


def test_a_signer_never_shows_its_key(pem):
    assert repr(dkim.load(pem, domain="city.example", selector="s1")) == "RsaSigner(s1._domainkey.city.example)"
