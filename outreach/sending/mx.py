"""Looking up whose servers take a domain's mail, beside the sending and never in its way.

Only the throttle asks: in relay mode it is the relay that speaks to the world. What is found is kept in the
store for `KEEP`; what cannot be found leaves the domain with the others.
"""

from __future__ import annotations

import asyncio
import datetime as dt

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype

from outreach.sending.throttle import Throttle

KEEP = dt.timedelta(days=7)
AT_ONCE = 10
SECONDS = 3.0
EVERY = 1.0
RESERVED = (".example", ".test", ".invalid", ".localhost")  # RFC 2606: nobody's servers


async def hosts(domain: str) -> list[str]:
    """The names of the servers that take a domain's mail, preferred first; none if there are none to be found."""
    if domain.endswith(RESERVED) or "." not in domain:
        return []
    try:
        answer = await dns.asyncresolver.resolve(domain, dns.rdatatype.MX, lifetime=SECONDS)
    except (dns.exception.DNSException, OSError, UnicodeError):
        return []
    return [str(record.exchange) for record in sorted(answer, key=lambda record: int(record.preference))]


async def keep_looking(throttle: Throttle) -> None:
    """Look up the domains that the throttle wants to know about, for ever."""
    while True:
        await asyncio.sleep(EVERY)
        wanted = [throttle.unknown.pop() for _ in range(min(AT_ONCE, len(throttle.unknown)))] if throttle.active else []
        for domain, found in zip(wanted, await asyncio.gather(*map(hosts, wanted)), strict=True):
            throttle.learn(domain, found)
