"""Can answers and bounces reach us, and do our machines have a name?

MX of the return path and the From domains, PTR there and back, MTA-STS, TLS-RPT, BIMI, and blocklists when asked.
"""

from __future__ import annotations

from collections.abc import Callable

from outreach.preflight.dns import Resolver, hosts, mail_hosts, reverse_name
from outreach.preflight.domain.verdicts import Check, fail, ok, unknown, warning

Fetch = Callable[[str], str]
"""Gets a small text by HTTPS, or raises OSError."""

BLOCKLISTS = {
    "zen.spamhaus.org": "Spamhaus",
    "bl.spamcop.net": "SpamCop",
    "b.barracudacentral.org": "Barracuda",
}


def mx(resolver: Resolver, domain: str, *, what: str) -> Check:
    """Whether mail to a domain can be delivered: replies, bounces."""
    name = f"mx {domain}"
    found = mail_hosts(resolver, domain)
    publish = f"{domain}. MX 10 mail.{domain}."
    if found == [""]:
        return fail(name, f"{domain} says it takes no mail at all (null MX), but {what} go there", publish)
    if not found:
        if hosts(resolver, domain):
            return warning(name, f"{domain} has no MX record; senders will try its address itself", publish)
        return fail(
            name, f"nobody receives for {domain}, so {what} are lost and Microsoft and Yahoo refuse us", publish
        )
    lost = [host for host in found if not hosts(resolver, host)]
    if lost:
        return fail(name, f"{', '.join(lost)} receives for {domain}, but has no address", f"{lost[0]}. A <its address>")
    return ok(name, f"{what} go to {', '.join(found[:3])}")


def ptr(resolver: Resolver, address: str) -> Check:
    """Forward-confirmed reverse DNS: the address has a name, and that name has the address."""
    name = f"ptr {address}"
    publish = f"ask whoever gave you {address} for: {reverse_name(address)}. PTR mail.<your domain>."
    names = resolver.ask(reverse_name(address), "PTR")
    if not names:
        return fail(name, f"{address} has no name; Gmail refuses mail from it", publish)
    for each in names:
        if address in hosts(resolver, each.rstrip(".")):
            return ok(name, f"{address} is {each.rstrip('.')} and back again")
    return fail(name, f"{address} says it is {names[0].rstrip('.')}, which does not have that address", publish)


def mta_sts(resolver: Resolver, domain: str, fetch: Fetch) -> Check:
    """Whether senders are asked to insist on TLS towards us (RFC 8461)."""
    name = f"mta-sts {domain}"
    publish = (
        f'_mta-sts.{domain}. TXT "v=STSv1; id=1" and, at https://mta-sts.{domain}/.well-known/mta-sts.txt, the lines: '
        "version: STSv1 / mode: testing / mx: <each of your mail hosts> / max_age: 604800"
    )
    if not any(each.startswith("v=STSv1") for each in resolver.ask(f"_mta-sts.{domain}", "TXT")):
        return warning(name, "answers to us may travel unencrypted if somebody interferes; optional", publish)
    try:
        text = fetch(f"https://mta-sts.{domain}/.well-known/mta-sts.txt")
    except OSError as error:
        return fail(name, f"the policy is announced and cannot be fetched: {error}", publish)
    lines = [line.partition(":") for line in text.splitlines() if ":" in line]
    values = [(key.strip(), value.strip().lower()) for key, _, value in lines]
    allowed = [value for key, value in values if key == "mx"]
    uncovered = [host for host in mail_hosts(resolver, domain) if host and not any(_covers(a, host) for a in allowed)]
    if ("version", "stsv1") not in values or not allowed:
        return fail(name, "the policy is not one that senders understand", publish)
    if uncovered:
        return fail(name, f"the policy forbids our own mail host {uncovered[0]}", f"add the line mx: {uncovered[0]}")
    mode = dict(values).get("mode", "none")
    return ok(name, f"mode {mode} for {', '.join(allowed)}")


def tls_reports(resolver: Resolver, domain: str, mailbox: str) -> Check:
    name = f"tls-rpt {domain}"
    if any(each.startswith("v=TLSRPTv1") for each in resolver.ask(f"_smtp._tls.{domain}", "TXT")):
        return ok(name, "receivers of TLS trouble know whom to tell")
    publish = f'_smtp._tls.{domain}. TXT "v=TLSRPTv1; rua=mailto:{mailbox}"'
    return warning(name, "nobody tells us when mail to us cannot be encrypted; optional", publish)


def bimi(resolver: Resolver, domain: str) -> Check:
    name = f"bimi {domain}"
    if any(each.startswith("v=BIMI1") for each in resolver.ask(f"default._bimi.{domain}", "TXT")):
        return ok(name, "our sign may be shown beside our mail")
    return unknown(
        name,
        "no sign is published; optional, and only shown when DMARC says quarantine or reject",
        f'default._bimi.{domain}. TXT "v=BIMI1; l=https://{domain}/sign.svg"',
    )


def blocklists(resolver: Resolver, addresses: tuple[str, ...]) -> list[Check]:
    """Whether one of our machines is on a list that many receivers ask."""
    checks = []
    for address in addresses:
        reverse = reverse_name(address).removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
        for zone, who in BLOCKLISTS.items():
            answers = resolver.ask(f"{reverse}.{zone}", "A")
            name = f"blocklist {who} {address}"
            if any(each.startswith("127.255.255.") for each in answers):
                checks.append(unknown(name, f"{who} does not answer questions from this name server"))
            elif answers:
                checks.append(
                    fail(name, f"{address} is on {who}'s list", f"look it up at {zone} and ask to be removed")
                )
            else:
                checks.append(ok(name, "not listed"))
    return checks


def _covers(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.partition(".")[2] == pattern[2:]
    return host == pattern
