"""All questions about the domain, in the order in which they matter. No answer is not a failure: it is unknown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from outreach.preflight.dns import NoAnswer, Resolver
from outreach.preflight.domain import dkim, dmarc, receiving, spf
from outreach.preflight.domain.verdicts import Check, fail, ok, unknown, warning


@dataclass(frozen=True, slots=True)
class Identity:
    """Everything by which receivers know us."""

    sending: str
    """The domain of return paths, signatures and Message-IDs."""
    senders: tuple[str, ...]
    """The From addresses in use."""
    tracking: str
    """The host of the links."""
    selector: str
    key: Path | str | None
    """The signing key's file, or its PEM."""
    addresses: tuple[str, ...] = ()
    """IP addresses of ours that mail leaves from; none if a provider's relay sends."""
    relay: str = ""


def run(
    resolver: Resolver, identity: Identity, *, fetch: receiving.Fetch, now: dt.datetime, ask_blocklists: bool = False
) -> list[Check]:
    """Every check."""
    sending = identity.sending
    domains = tuple(dict.fromkeys(each.rpartition("@")[2].lower() for each in identity.senders)) or (sending,)
    mailbox = f"dmarc@{sending}"
    asked: list[tuple[str, Callable[[], Check]]] = [
        (f"spf {sending}", lambda: spf.check(resolver, sending, identity.addresses, identity.relay)),
        (
            f"dkim {sending}",
            lambda: dkim.check(resolver, sending, identity.selector, identity.key, now=now),
        ),
    ]
    for domain in domains:
        asked.append((f"dmarc {domain}", partial(dmarc.check, resolver, domain, mailbox)))
        asked.append((f"alignment {domain}", partial(_alignment, resolver, domain, sending)))
    asked.append((f"mx {sending}", lambda: receiving.mx(resolver, sending, what="bounces")))
    others = [each for each in domains if each != sending]
    asked += [(f"mx {each}", partial(receiving.mx, resolver, each, what="people's answers")) for each in others]
    asked += [(f"ptr {each}", partial(receiving.ptr, resolver, each)) for each in identity.addresses]
    asked += [
        (f"links {identity.tracking}", lambda: _links(resolver, identity.tracking, sending)),
        (f"mta-sts {sending}", lambda: receiving.mta_sts(resolver, sending, fetch)),
        (f"tls-rpt {sending}", lambda: receiving.tls_reports(resolver, sending, mailbox)),
        (f"bimi {domains[0]}", lambda: receiving.bimi(resolver, domains[0])),
    ]
    found = [_asked(name, ask) for name, ask in asked]
    if ask_blocklists:
        try:
            found += receiving.blocklists(resolver, identity.addresses)
        except NoAnswer as error:
            found.append(unknown("blocklists", str(error)))
    return found


def _asked(name: str, ask: Callable[[], Check]) -> Check:
    try:
        return ask()
    except NoAnswer as error:
        return unknown(name, str(error), "try again; if it stays, look at this machine's name servers")


def _alignment(resolver: Resolver, sender: str, sending: str) -> Check:
    """DMARC passes if the From domain and the one that signs or bounces belong together."""
    name = f"alignment {sender}"
    policy, _ = dmarc.walk(resolver, sender)
    tags = policy.tags if policy else {}
    strict = [each for each in ("adkim", "aspf") if tags.get(each, "r").lower() == "s"]
    if dmarc.aligned(resolver, sender, sending, strict=len(strict) == 2):
        return ok(name, f"mail from {sender}, signed by {sending}: the same organisation")
    return fail(
        name,
        f"mail says it is from {sender} but is signed by {sending}, so DMARC fails however good the signature is",
        f"set mail.domain to {sender} or a name below it, and publish its SPF and DKIM records",
    )


def _links(resolver: Resolver, host: str, sending: str) -> Check:
    name = f"links {host}"
    if not host or host in ("127.0.0.1", "localhost"):
        return fail(name, "links lead to this machine, which residents cannot reach", "set tracking.url")
    if not dmarc.aligned(resolver, host, sending):
        return warning(
            name,
            f"links lead to {host}, a stranger to {sending}; filters dislike that",
            f"give the tracking service a name below {sending}",
        )
    return ok(name, f"links lead to {host}")
