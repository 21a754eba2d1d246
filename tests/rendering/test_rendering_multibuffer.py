"""RSA eight at a time gives the bytes that it gives one at a time, or nothing at all."""

from __future__ import annotations

import ctypes
import platform
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from outreach.rendering import dkim, multibuffer

DIGESTS = [sha256(bytes([number])).digest() for number in range(19)]


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def expected(key) -> list[bytes]:
    return [key.sign(digest, padding.PKCS1v15(), Prehashed(hashes.SHA256())) for digest in DIGESTS]


class Library:
    """The two calls of the library, in Python; `fails` and `spoils` name a lane."""

    def __init__(self, key, *, fails=None, spoils=None):
        self.numbers, self.fails, self.spoils = key.private_numbers(), fails, spoils

    def _powers(self, given, results, exponent):
        for lane, (source, target) in enumerate(zip(given, results, strict=True)):
            if source is None:
                continue
            number = pow(int.from_bytes(ctypes.string_at(source, 256)), exponent, self.numbers.public_numbers.n)
            if lane == self.spoils and exponent == self.numbers.d:
                number ^= 1 << 700
            ctypes.memmove(target, number.to_bytes(256), 256)
        unused = sum(2 << 4 * lane for lane, source in enumerate(given) if source is None)
        return unused | (0 if self.fails is None else 4 << 4 * self.fails)

    def mbx_rsa_private_crt_mb8(self, given, results, *_):
        return self._powers(given, results, self.numbers.d)

    def mbx_rsa_public_mb8(self, given, results, *_):
        return self._powers(given, results, 65537)


def _has_the_instructions() -> bool:
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return False
    return not {"avx512ifma", "avx_ifma"}.isdisjoint(Path("/proc/cpuinfo").read_text().split())


def test_it_is_used_where_the_processor_can_and_signs_the_same_bytes(key, expected):
    found = multibuffer.of(key)
    assert (found is not None) == multibuffer.available() == _has_the_instructions()
    for count in range(1, multibuffer.LANES + 1):
        assert found is None or found.sign(DIGESTS[:count]) == expected[:count]


@pytest.mark.parametrize("count", [1, 4, 5, 8, 9, 16, 19])
def test_a_batch_of_any_size_is_signed_in_order(key, expected, count):
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    signer = dkim.load(pem, domain="city.example", selector="s1")
    assert signer.sign_many(DIGESTS[:count]) == expected[:count]


@pytest.mark.parametrize("trouble", [{"fails": 2}, {"spoils": 0}, {"spoils": 4}], ids=str)
def test_a_spoiled_signature_never_leaves(key, expected, trouble, monkeypatch):
    assert multibuffer.EightAtOnce(Library(key), key).sign(DIGESTS[:5]) == expected[:5]
    spoiled = multibuffer.EightAtOnce(Library(key, **trouble), key)
    assert spoiled.sign(DIGESTS[:5]) is None
    monkeypatch.setattr(multibuffer, "of", lambda key: spoiled)
    signer = dkim.RsaSigner(key, domain="city.example", selector="s1")
    assert signer.sign_many(DIGESTS) == expected


@pytest.mark.parametrize(("bits", "exponent"), [(1024, 65537), (3072, 65537), (2048, 3)])
def test_other_keys_are_signed_with_one_by_one(bits, exponent):
    assert multibuffer.of(rsa.generate_private_key(public_exponent=exponent, key_size=bits)) is None


@pytest.mark.parametrize("files", [None, []])
def test_without_the_library_everything_is_signed_one_by_one(key, expected, files, monkeypatch):
    def absent(package):
        if files is None:
            raise metadata.PackageNotFoundError(package)
        return files

    monkeypatch.setattr(metadata, "files", absent)
    multibuffer._library.cache_clear()
    try:
        signer = dkim.RsaSigner(key, domain="city.example", selector="s1")
        assert signer._fast is None
        assert signer.sign_many(DIGESTS) == expected
    finally:
        multibuffer._library.cache_clear()
