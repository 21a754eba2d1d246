"""Questions to the domain name system, behind an interface that tests replace.

An answer is a list; "there is no such name" is an empty one. Only when nobody answered does a question raise
`NoAnswer`: what is not known must never be reported as missing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Protocol

import dns.exception
import dns.resolver

from outreach.errors import TryAgain

SECONDS = 4.0


class NoAnswer(TryAgain):
    """The name servers did not answer, so nothing is known."""


class Resolver(Protocol):
    """What the checks ask."""

    def ask(self, name: str, kind: str) -> list[str]:
        """The records of a kind (TXT MX A AAAA PTR CNAME) at a name, as text; MX as "10 mx.example.com"."""
        ...


class SystemResolver:
    """Asks this machine's name servers, each question once."""

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._resolver = dns.resolver.Resolver()
        self._resolver.lifetime = seconds
        self._known: dict[tuple[str, str], list[str]] = {}

    def ask(self, name: str, kind: str) -> list[str]:
        key = (name.lower(), kind)
        if key not in self._known:
            self._known[key] = self._ask(name, kind)
        return self._known[key]

    def _ask(self, name: str, kind: str) -> list[str]:
        try:
            answer = self._resolver.resolve(name, kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise NoAnswer(f"no name server answered for {name} ({kind}): {type(error).__name__}") from None
        return [_text(record, kind) for record in answer.rrset or ()]


class Zone:
    """A resolver that knows what it is told: `Zone({"city.example TXT": ["v=spf1 -all"]})`. The one the tests use.

    A value of None makes that question go unanswered.
    """

    def __init__(self, records: Mapping[str, Sequence[str] | None]) -> None:
        self._records = {key.lower(): value for key, value in records.items()}
        self.asked: list[str] = []

    def ask(self, name: str, kind: str) -> list[str]:
        key = f"{name.rstrip('.').lower()} {kind.lower()}"
        self.asked.append(key)
        found = self._records.get(key, ())
        if found is None:
            raise NoAnswer(f"no name server answered for {name} ({kind})")
        return list(found)


def hosts(resolver: Resolver, name: str) -> list[str]:
    """The IP addresses of a host, both kinds."""
    return [*resolver.ask(name, "A"), *resolver.ask(name, "AAAA")]


def mail_hosts(resolver: Resolver, domain: str) -> list[str]:
    """The hosts that receive for a domain, preferred first; [""] for a null MX (RFC 7505)."""
    found = []
    for record in resolver.ask(domain, "MX"):
        preference, _, host = record.partition(" ")
        found.append((int(preference) if preference.isdigit() else 0, host.strip().rstrip(".").lower()))
    return [host for _, host in sorted(found)]


def reverse_name(address: str) -> str:
    return ipaddress.ip_address(address).reverse_pointer


def _text(record: object, kind: str) -> str:
    if kind == "TXT":
        # RFC 7208 3.3: the strings of one record are joined without a space.
        return b"".join(getattr(record, "strings", ())).decode("utf-8", "replace")
    return str(record).rstrip(".") if kind != "MX" else str(record)
