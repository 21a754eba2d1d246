"""The keys that sign our mail: each in a file of its own, or handed over in the environment.

RSA signs always. An Ed25519 key (RFC 8463) may add a second signature, which large receivers ignore rather than trust.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from outreach.errors import ConfigurationError
from outreach.rendering import dkim

Key: TypeAlias = Path | str
"""Where a key's PEM is, or the PEM itself."""


def signer(
    key: Key | None, *, selector: str, domain: str, second: Key | None = None, second_selector: str = ""
) -> dkim.Signer | None:
    """Who signs for a domain; None without a key: then the relay has to. ConfigurationError for what is no key."""
    if key is None:
        return None
    other = None
    if second is not None:
        if not second_selector or second_selector == selector:
            raise ConfigurationError(
                "mail.dkim_second_selector has to name the second key's own record in DNS; `outreach dkim new "
                "--ed25519` prints both"
            )
        pem, place = _read(second, "mail.dkim_second_key")
        other = dkim.load_second(pem, domain=domain, selector=second_selector, place=place)
    pem, place = _read(key, "mail.dkim_key")
    return dkim.load(pem, domain=domain, selector=selector, second=other, place=place)


def _read(key: Key, setting: str) -> tuple[bytes, str]:
    """The PEM, and how errors call it: never by what it says."""
    if isinstance(key, str):
        return key.encode(), f"the key in {setting}"
    try:
        return key.read_bytes(), str(key)
    except OSError as error:
        raise ConfigurationError(
            f"the DKIM key {key} cannot be read ({error.strerror}); restore it, or make a new one with "
            "`outreach dkim new` and publish its DNS record. Nothing was sent"
        ) from None
