"""Who receives: the provider behind an address, as far as its name or the reporting host says.

Custom domains at Google or Microsoft show their provider only in the host that answered, or in their MX.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from outreach.bounces.classify import PROVIDERS

_DOMAINS = {
    "google": ("gmail.com", "googlemail.com"),
    "microsoft": ("outlook.com", "hotmail.com", "live.com", "msn.com", "hotmail.co.uk", "hotmail.fr", "outlook.de"),
    "yahoo": (
        "yahoo.com",
        "ymail.com",
        "rocketmail.com",
        "aol.com",
        "yahoo.co.uk",
        "yahoo.fr",
        "yahoo.de",
        "verizon.net",
    ),
    "apple": ("icloud.com", "me.com", "mac.com"),
    "comcast": ("comcast.net", "xfinity.com"),
    "orange": ("orange.fr", "wanadoo.fr", "laposte.net"),
    "gmx": ("gmx.net", "gmx.de", "gmx.com", "web.de", "mail.com"),
}
_BY_DOMAIN = {domain: name for name, domains in _DOMAINS.items() for domain in domains}


OTHER = "other"
"""What the table of sending says of a domain whose mail servers belong to nobody it knows."""


def provider(address: str, *, remote: str = "", text: str = "", by_mx: Mapping[str, str] = MappingProxyType({})) -> str:
    """A provider's name, or the address's own domain where it keeps its mail itself.

    `by_mx` says of domains whose servers take their mail, as sending looked it up.
    """
    domain = address.rpartition("@")[2].lower()
    if known := _BY_DOMAIN.get(domain):
        return known
    if (known := by_mx.get(domain, OTHER)) != OTHER:
        return known
    for told in (remote.lower(), text.lower()[:500]):
        for name, pattern in PROVIDERS.items():
            if told and pattern.search(told):
                return name
    return domain or "unknown"


NAMES = {
    "google": "Gmail and Google",
    "microsoft": "Outlook and Microsoft",
    "yahoo": "Yahoo and AOL",
    "apple": "Apple iCloud",
    "comcast": "Comcast",
    "orange": "Orange",
    "gmx": "GMX and Web.de",
    "mimecast": "Mimecast",
}


def name(known: str) -> str:
    """A provider as people call it."""
    return NAMES.get(known, known)
