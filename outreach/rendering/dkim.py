"""DKIM signatures (RFC 6376), made where everything to be signed is canonical already.

relaxed/relaxed, rsa-sha256. Headers that a forger could add are listed once more than they occur (section 8.15), and
List-Unsubscribe and List-Unsubscribe-Post are among those covered, as one-click demands (RFC 8058, section 4).
RSA is signed eight at a time where machine and installation allow it (`multibuffer`).
"""

from __future__ import annotations

from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from outreach.errors import ConfigurationError
from outreach.rendering import multibuffer

MIN_BITS: Final = 1024
"""What Gmail and Yahoo still accept; `new_key` makes 2048."""

OVERSIGNED: Final = (
    "from", "sender", "to", "cc", "subject", "date", "message-id", "reply-to", "mime-version", "content-type",
    "content-transfer-encoding", "list-unsubscribe", "list-unsubscribe-post",
)  # fmt: skip

_PADDING = padding.PKCS1v15()
_DIGEST = Prehashed(hashes.SHA256())
_TOGETHER: Final = 5
"""So many digests cost more one by one than eight do together."""


class Signer(Protocol):
    """Signs for one domain and selector. `second` adds another signature to the same message."""

    @property
    def domain(self) -> str: ...
    @property
    def selector(self) -> str: ...
    @property
    def algorithm(self) -> str: ...
    @property
    def second(self) -> Signer | None: ...

    def sign_many(self, digests: Sequence[bytes]) -> list[bytes]:
        """One signature for each SHA-256 digest, in order."""
        ...


class RsaSigner:
    """rsa-sha256, the one every receiver verifies. 0.25 ms a signature for 2048 bits, 0.15 of them many at a time."""

    algorithm = "rsa-sha256"

    def __init__(self, key: rsa.RSAPrivateKey, *, domain: str, selector: str, second: Signer | None = None) -> None:
        self.domain, self.selector, self.second = domain, selector, second
        self._key, self.public_key = key, key.public_key()
        self._fast = multibuffer.of(key)

    def sign_many(self, digests: Sequence[bytes]) -> list[bytes]:
        made: list[bytes] = []
        for start in range(0, len(digests), multibuffer.LANES):
            some = digests[start : start + multibuffer.LANES]
            together = self._fast.sign(some) if self._fast and len(some) >= _TOGETHER else None
            made += together or [self._key.sign(digest, _PADDING, _DIGEST) for digest in some]
        return made

    def __repr__(self) -> str:
        return f"RsaSigner({self.selector}._domainkey.{self.domain})"


class Ed25519Signer:
    """ed25519-sha256 (RFC 8463): only as a second signature, since large receivers do not accept it alone."""

    algorithm = "ed25519-sha256"
    second: Signer | None = None

    def __init__(self, key: ed25519.Ed25519PrivateKey, *, domain: str, selector: str) -> None:
        self.domain, self.selector = domain, selector
        self._key, self.public_key = key, key.public_key()

    def sign_many(self, digests: Sequence[bytes]) -> list[bytes]:
        return [self._key.sign(digest) for digest in digests]


def new_key() -> bytes:
    """A new RSA-2048 private key as PEM (PKCS 8, not encrypted: keep the file readable by its owner only)."""
    return _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def new_second_key() -> bytes:
    return _pem(ed25519.Ed25519PrivateKey.generate())


def load(
    pem: bytes, *, domain: str, selector: str, second: Ed25519Signer | None = None, place: str = "the DKIM key"
) -> RsaSigner:
    """A signer from PEM bytes; `place` names where they came from in errors (ConfigurationError)."""
    key = _private_key(pem, place)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigurationError(f"{place} is not an RSA key; an Ed25519 key can only add a second signature")
    return RsaSigner(key, domain=domain, selector=selector, second=second)


def load_second(pem: bytes, *, domain: str, selector: str, place: str = "the second DKIM key") -> Ed25519Signer:
    key = _private_key(pem, place)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ConfigurationError(f"{place} is not an Ed25519 key")
    return Ed25519Signer(key, domain=domain, selector=selector)


def dns_record(pem: bytes, *, place: str = "the DKIM key") -> str:
    """The TXT record for `<selector>._domainkey.<domain>` (RFC 6376, 3.6.1; RFC 8463, section 4)."""
    return _record(_private_key(pem, place).public_key())


def record_of(signer: RsaSigner | Ed25519Signer) -> str:
    """The same, for a signer in hand: what its DNS has to say."""
    return _record(signer.public_key)


def _record(public: rsa.RSAPublicKey | ed25519.Ed25519PublicKey) -> str:
    if isinstance(public, ed25519.Ed25519PublicKey):
        return f"v=DKIM1; k=ed25519; p={b64encode(public.public_bytes_raw()).decode('ascii')}"
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={b64encode(der).decode('ascii')}"


def _pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _private_key(pem: bytes, place: str) -> rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except TypeError:
        raise ConfigurationError(f"{place} is protected by a password; store it without one, mode 0600") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(f"{place} is no private key in PEM form; `outreach dkim new` makes one") from None
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < MIN_BITS:
            raise ConfigurationError(f"{place} has {key.key_size} bits; Gmail and Yahoo refuse less than {MIN_BITS}")
        return key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    raise ConfigurationError(f"{place} must be an RSA key")


class Seal:
    """The DKIM-Signature header of one signer, for messages with the same header names in the same order."""

    def __init__(self, signer: Signer, names: Iterable[str]) -> None:
        start = f"v=1; a={signer.algorithm}; c=relaxed/relaxed; d={signer.domain};"
        self.signer = signer
        self._start = f"{start}\r\n s={signer.selector}; t="
        self._names = _folded([*(name.lower() for name in names), *OVERSIGNED])
        self._canonical_start = f"dkim-signature:{self._start}".replace("\r\n", "")
        self._canonical_names = f"; h={self._names}; bh=".replace("\r\n", "")

    def canonical(self, body_hash: str, seconds: int) -> str:
        """The relaxed form of the header itself, `b=` empty, as section 3.7 has it signed last."""
        return f"{self._canonical_start}{seconds}{self._canonical_names}{body_hash}; b="

    def header(self, body_hash: str, seconds: int, signature: bytes) -> str:
        encoded = b2a_base64(signature, newline=False).decode("ascii")
        lines = "\r\n ".join([encoded[at : at + 72] for at in range(0, len(encoded), 72)])
        return f"DKIM-Signature: {self._start}{seconds};\r\n h={self._names};\r\n bh={body_hash};\r\n b={lines}\r\n"


def _folded(names: Iterable[str]) -> str:
    """`a:b:c` in lines of about 70 characters; blanks are allowed around the colons (section 3.5)."""
    out = ""
    column = 0
    for name in names:
        if column + len(name) > 68:
            out += ":\r\n "
            column = 0
        elif out:
            out += ":"
        out += name
        column += len(name) + 1
    return out
