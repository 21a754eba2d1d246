"""DKIM: does the key we sign with stand in the DNS (RFC 6376 3.6), is it long enough, and how old is it?"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from outreach.preflight.dns import Resolver
from outreach.preflight.domain.verdicts import Check, fail, ok, warning

NAME = "dkim"
MIN_BITS = 1024
GOOD_BITS = 2048
MAX_AGE_DAYS = 400


def check(resolver: Resolver, domain: str, selector: str, signing: Path | str | None, *, now: dt.datetime) -> Check:
    """Whether receivers can verify our signature. `signing` is the key's file, or its PEM; None: the relay signs."""
    name = f"{NAME} {selector}._domainkey.{domain}"
    try:
        pem = signing.read_bytes() if isinstance(signing, Path) else (signing or "").encode()
        key = serialization.load_pem_private_key(pem, password=None).public_key()
        made = dt.datetime.fromtimestamp(signing.stat().st_mtime, dt.UTC) if isinstance(signing, Path) else now
        age = now - made
    except (OSError, ValueError, TypeError) as error:
        where = signing if isinstance(signing, Path) else "in mail.dkim_key"
        return fail(name, f"the signing key {where} cannot be read ({type(error).__name__})", "run `outreach init`")
    ours = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    value = base64.b64encode(ours).decode()
    publish = f'{selector}._domainkey.{domain}. TXT "v=DKIM1; k=rsa; p={value}"'
    texts = [each for each in resolver.ask(f"{selector}._domainkey.{domain}", "TXT") if "p=" in each]
    if not texts:
        return fail(name, "the key is not published, so every signature fails", publish)
    if len(texts) > 1:
        return fail(name, f"there are {len(texts)} keys at one selector; receivers take any of them", publish)
    tags = {key.strip(): value.strip() for key, _, value in (part.partition("=") for part in texts[0].split(";"))}
    try:
        theirs = base64.b64decode(tags.get("p", "").replace(" ", ""), validate=True)
    except (binascii.Error, ValueError):
        theirs = b"?"
    if not theirs:
        return fail(name, "the published key is empty, which means: revoked", publish)
    if theirs != ours:
        return fail(name, "the published key is not the one we sign with", publish)
    bits = key.key_size if isinstance(key, RSAPublicKey) else GOOD_BITS
    if bits < MIN_BITS:
        return fail(name, f"the key has {bits} bits; Gmail and Yahoo want at least {MIN_BITS}", _renew(selector))
    if "y" in tags.get("t", "").split(":"):
        return warning(name, "the record says t=y (testing), so receivers may ignore the signature", publish)
    if bits < GOOD_BITS:
        return warning(name, f"the key has {bits} bits; {GOOD_BITS} is today's measure", _renew(selector))
    if age.days > MAX_AGE_DAYS:
        return warning(name, f"the key is {age.days} days old; renew it about once a year", _renew(selector))
    return ok(name, f"the published key is ours, {bits} bits, {age.days} days old")


def _renew(selector: str) -> str:
    return (
        f"make a new 2048-bit key under a new selector ({selector}2), publish it, "
        "then set mail.dkim_selector and mail.dkim_key"
    )
