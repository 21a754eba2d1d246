"""Whether Amazon SNS really sent a request: anymail does not look.

Both versions of the signature (SHA-1 and SHA-256 under RSA), over the fields that Amazon names, with a
certificate that only Amazon's own hosts may hand out; only for topics of ours, and only for a while.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import re
import urllib.request
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

GOOD_FOR = dt.timedelta(days=3)
"""SNS repeats a request that was not answered, with a policy of hours; three days cover every policy."""
_HOST = re.compile(
    r"https://sns\.[a-z0-9-]{3,30}\.amazonaws\.com(?:\.cn)?/SimpleNotificationService-[0-9a-f]{20,64}\.pem"
)
_FIELDS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}


def verify(body: bytes, *, topics: tuple[str, ...], now: dt.datetime, certificate: Callable[[str], bytes]) -> None:
    """Raises esp.Refused unless Amazon made this request, for one of our topics, within GOOD_FOR."""
    from tracking.webhooks.esp import Refused

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a name twice")
        return dict(pairs)

    try:
        message = json.loads(body, object_pairs_hook=once)
        text = _signed_text(message)
        signature = base64.b64decode(message["Signature"], validate=True)
        algorithm = _HASHES[message["SignatureVersion"]]()
        at = dt.datetime.fromisoformat(message["Timestamp"])
        url = message["SigningCertURL"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise Refused("this is no signed message of Amazon SNS", status=403) from None
    if message["TopicArn"] not in topics:
        raise Refused("that topic is not one of ours; name it in keys/esp.toml", status=403)
    if not isinstance(url, str) or not _HOST.fullmatch(url):
        raise Refused("the certificate is not at Amazon's", status=403)
    if at.tzinfo is None or abs(now - at) > GOOD_FOR:
        raise Refused("the message is too old", status=403)
    try:
        key = x509.load_pem_x509_certificate(certificate(url)).public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise Refused("the certificate is not Amazon's", status=403)
        key.verify(signature, text, padding.PKCS1v15(), algorithm)
    except InvalidSignature:
        raise Refused("the signature is wrong", status=403) from None
    except (ValueError, OSError):
        raise Refused("the certificate cannot be had now", status=503) from None


def _signed_text(message: dict[str, Any]) -> bytes:
    """Amazon's canonical form: each field's name and value on a line of their own, in the order of the names."""
    lines = []
    for name in _FIELDS[message["Type"]]:
        if name in message:
            lines += [name, str(message[name])]
    return ("\n".join(lines) + "\n").encode()


@lru_cache(16)
def certificate(url: str) -> bytes:
    """Fetches a certificate; the caller has made sure that it is at Amazon's."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - https only, see _HOST
        return bytes(answer.read(20_000))
