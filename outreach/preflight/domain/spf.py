"""SPF (RFC 7208): which machines may send for a domain, and how many questions that takes a receiver.

A receiver stops after ten questions (4.6.4) and then treats the record as broken, so we count the way it does.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from outreach.preflight.dns import Resolver, hosts, mail_hosts
from outreach.preflight.domain.verdicts import Check, fail, ok, warning

NAME = "spf"
MAX_LOOKUPS = 10
MAX_VOID = 2
"""RFC 7208 4.6.4: questions without an answer that a receiver puts up with."""

_TERM = re.compile(r"^([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?:([:/])(.*))?$", re.IGNORECASE)
_MODIFIER = re.compile(r"^([a-z][a-z0-9._-]*)=(.*)$", re.IGNORECASE)
_RESULTS = {"+": "pass", "": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


class PermError(Exception):
    """The record is wrong, and receivers will treat it as if we had none (RFC 7208 2.6.7)."""


@dataclass(slots=True)
class Tally:
    """Questions asked on behalf of one message."""

    lookups: int = 0
    void: int = 0
    path: list[str] = field(default_factory=list)

    def one(self, what: str) -> None:
        self.lookups += 1
        self.path.append(what)
        if self.lookups > MAX_LOOKUPS:
            raise PermError(f"it takes more than {MAX_LOOKUPS} DNS questions ({', '.join(self.path[:12])})")

    def empty(self, what: str) -> None:
        self.void += 1
        if self.void > MAX_VOID:
            raise PermError(f"more than {MAX_VOID} of its names do not exist, the last {what}")


def record(resolver: Resolver, domain: str) -> str | None:
    """The domain's SPF record. PermError if it has several."""
    found = [text for text in resolver.ask(domain, "TXT") if re.match(r"v=spf1(?: |$)", text, re.IGNORECASE)]
    if len(found) > 1:
        raise PermError(f"{domain} has {len(found)} SPF records; there may be only one")
    return found[0] if found else None


def evaluate(resolver: Resolver, domain: str, address: str, tally: Tally) -> str:
    """What a receiver makes of mail from `address`: pass fail softfail neutral none. Raises PermError.

    Macros (RFC 7208 7) need a message to expand; a term that has one counts as a question and matches nothing.
    """
    text = record(resolver, domain)
    if text is None:
        return "none"
    client = ipaddress.ip_address(address)
    redirect = ""
    terms = text.split()[1:]
    for term in terms:  # a wrong term anywhere breaks the whole record (4.6)
        _well_formed(term, domain, client)
    for term in terms:
        match = _TERM.match(term)
        if match is None:
            modifier = _MODIFIER.match(term)
            if modifier and modifier[1].lower() == "redirect":
                redirect = modifier[2]
            continue
        if _matches(resolver, domain, client, match, tally):
            return _RESULTS[match[1]]
    if redirect:
        tally.one(f"redirect={redirect}")
        result = evaluate(resolver, redirect, address, tally)
        if result == "none":
            raise PermError(f"it redirects to {redirect}, which has no SPF record")
        return result
    return "neutral"


def _well_formed(term: str, domain: str, client: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """PermError if the term is none, or asks what cannot be answered."""
    match = _TERM.match(term)
    if match is None:
        if not _MODIFIER.match(term):
            raise PermError(f"the term {term!r} of {domain} is not SPF")
        return
    mechanism, rest = match[2].lower(), match[4] or ""
    if mechanism in ("ip4", "ip6"):
        _within(client, rest)
    elif mechanism in ("include", "exists") and not rest:
        raise PermError(f"the term {term!r} of {domain} names no domain")
    elif mechanism == "include" and rest.lower() == domain.lower():
        raise PermError(f"{domain} includes itself")


def _matches(
    resolver: Resolver,
    domain: str,
    client: ipaddress.IPv4Address | ipaddress.IPv6Address,
    match: re.Match[str],
    tally: Tally,
) -> bool:
    mechanism, mark, rest = match[2].lower(), match[3] or "", match[4] or ""
    if mechanism == "all":
        return True
    if mechanism in ("ip4", "ip6"):
        return _within(client, rest)
    target, prefix = _target(domain, mark, rest)
    tally.one(match[0])
    if "%" in target:
        return False
    if mechanism == "include":
        result = evaluate(resolver, target, str(client), tally)
        if result == "none":
            raise PermError(f"it includes {target}, which has no SPF record")
        return result == "pass"
    if mechanism == "ptr":
        return False  # RFC 7208 5.5: do not use; receivers ignore it
    names = mail_hosts(resolver, target)[:10] if mechanism == "mx" else [target]
    found = [each for name in names if name for each in hosts(resolver, name)]
    if not found:
        tally.empty(target)
    if mechanism == "exists":
        return bool(found)
    return any(_within(client, each + prefix.get(client.version, "")) for each in found)


def _target(domain: str, mark: str, rest: str) -> tuple[str, dict[int, str]]:
    """The name a term is about and its prefix lengths: a:host/24//64."""
    name = "" if mark == "/" else rest.partition("/")[0]
    lengths = rest if mark == "/" else rest.partition("/")[2]
    four, _, six = lengths.partition("//") if not lengths.startswith("/") else ("", "", lengths.lstrip("/"))
    return name or domain, {4: f"/{four}" if four else "", 6: f"/{six}" if six else ""}


def _within(client: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    try:
        found = ipaddress.ip_network(network, strict=False)
    except ValueError:
        raise PermError(f"{network!r} is no network") from None
    return client.version == found.version and client in found


def check(resolver: Resolver, domain: str, addresses: tuple[str, ...], relay: str) -> Check:
    """Whether the return path's domain lets our machines send."""
    name = f"{NAME} {domain}"
    named = f"a:{relay}" if "." in relay and relay.rpartition(".")[2].isalpha() else "mx"  # 127.0.0.1 is nobody's name
    allow = " ".join(f"ip{6 if ':' in each else 4}:{each}" for each in addresses) or named
    publish = f'{domain}. TXT "v=spf1 {allow} -all"'
    try:
        text = record(resolver, domain)
        if text is None:
            return fail(name, f"{domain} does not say who may send for it, so Gmail and Yahoo refuse its mail", publish)
        tally = Tally()
        results = {each: evaluate(resolver, domain, each, tally := Tally()) for each in addresses or ("192.0.2.255",)}
    except PermError as error:
        return fail(name, f"the record of {domain} is broken for every receiver: {error}", publish)
    if not addresses:
        ending = text.split()[-1].lower()
        if ending == "+all" or ending == "all":
            return fail(name, "everybody in the world may send as you", f'{domain}. TXT "{text[: -len(ending)]}-all"')
        return ok(name, f"one record, {tally.lookups} of {MAX_LOOKUPS} DNS questions")
    missing = [each for each, result in results.items() if result != "pass"]
    if missing:
        return fail(
            name,
            f"{', '.join(missing)} may not send for {domain} by its own record",
            f'{domain}. TXT "{_with(text, missing)}"',
        )
    if results and text.split()[-1].lower() in ("+all", "all"):
        return fail(name, "everybody in the world may send as you", f'{domain}. TXT "{text.rsplit(" ", 1)[0]} -all"')
    if tally.lookups > MAX_LOOKUPS - 2:
        return warning(
            name,
            f"{tally.lookups} of {MAX_LOOKUPS} DNS questions are used; one more include breaks it",
            "remove an include nobody needs any more, or replace it by its ip4: and ip6: networks",
        )
    return ok(name, f"our machines may send; {tally.lookups} of {MAX_LOOKUPS} DNS questions")


def _with(text: str, addresses: list[str]) -> str:
    """The record with our addresses in it, before its last word."""
    terms = text.split()
    added = [f"ip{6 if ':' in each else 4}:{each}" for each in addresses]
    return " ".join([*terms[:-1], *added, terms[-1]] if len(terms) > 1 else [*terms, *added, "-all"])
