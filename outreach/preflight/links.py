"""Links: where they lead, what they are called, and whether readers and filters will trust them.

What could not be sent at all (a script, no host, a value inside an address) is refused when the message is compiled.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from outreach.preflight import source
from outreach.preflight.draft import City, Draft
from outreach.preflight.findings import Finding, Severity

CHECK: Final = "links"

SHORTENERS: Final = frozenset(
    [
        "bit.ly",
        "buff.ly",
        "cutt.ly",
        "goo.gl",
        "is.gd",
        "lnkd.in",
        "ow.ly",
        "rb.gy",
        "rebrand.ly",
        "s.id",
        "shorturl.at",
        "t.co",
        "t.ly",
        "tiny.cc",
        "tinyurl.com",
        "v.gd",
    ]
)
"""Filters mistrust them, for one cannot see where they lead."""

MANY: Final = 20
"""Links in one message, ours: beyond it readers find none of them."""

UNFINISHED: Final = re.compile(
    r"(?:^|[/.?=&#])(?:todo|tbd|xxx|placeholder|link-?here|insert)(?:$|[/.?=&#])", re.IGNORECASE
)


def check(draft: Draft, city: City) -> Iterator[Finding]:
    seen: dict[str, set[str]] = defaultdict(set)
    found = [link for link in source.links(draft.body) if not link.image]
    for link in found:
        place = draft.body_at(link.line)
        if link.url.lower().startswith(("http://", "https://")):
            yield from _destination(link.url, place, city)
        label = " ".join(link.label.strip("*_ ").lower().split())
        seen[label].add(link.url)
        if len(seen[label]) == 2 and label:
            yield Finding(
                CHECK, Severity.WARN, place, f'two links say "{link.label.strip("*_ ")}" and lead to different pages',
                "say in each link where it leads",
            )  # fmt: skip
    told = {_site(link.url) for link in found}
    for url in draft.message.links if draft.message else ():
        if _site(url) not in told:  # the template's own
            told.add(_site(url))
            yield from _destination(url, draft.template_place, city)
    if len(found) > MANY:
        yield Finding(
            CHECK, Severity.WARN, draft.body_at(found[MANY].line), f"there are {len(found)} links",
            "keep the few that matter, and put the rest on one page of your site",
        )  # fmt: skip


def _destination(url: str, place: str, city: City) -> Iterator[Finding]:
    def finding(severity: Severity, problem: str, fix: str) -> Finding:
        return Finding(CHECK, severity, place, f'the link "{url[:80]}" {problem}', fix)

    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return  # said when it was compiled
    if parts.scheme == "http":
        yield finding(
            Severity.WARN, "is not encrypted", "write https://, so that nobody on the way can change the page"
        )
    if _is_ip(host) or host == "localhost" or host.endswith((".local", ".internal", ".localhost", ".invalid")):
        yield finding(Severity.BLOCK, "leads to a machine, not to a public site", "write the site's public name")
    elif looks_like(host, city.domain):
        yield finding(
            Severity.BLOCK, f"only looks like {city.domain}: it has letters of another alphabet",
            "type the address anew instead of copying it",
        )  # fmt: skip
    elif city.link_hosts and not is_among(url, city.link_hosts):
        yield finding(
            Severity.BLOCK, f"leads to {host}, which is not among the hosts this city links to",
            "link to a page of your own, or have an administrator add the host to gate.link_hosts",
        )  # fmt: skip
    if host in SHORTENERS:
        yield finding(Severity.WARN, "hides where it leads", "write the real address; clicks are counted anyway")
    if UNFINISHED.search(url.split("//", 1)[1]):
        yield finding(Severity.BLOCK, "looks unfinished", "put the real address in its place")


def _site(url: str) -> str:
    """Scheme and host, as they go on the wire."""
    with contextlib.suppress(ValueError):  # said when it was compiled
        parts = urlsplit(url)
        host = parts.hostname or ""
        return f"{parts.scheme}://{host if host.isascii() else host.encode('idna').decode('ascii')}"
    return url


def is_among(url: str, hosts: Collection[str]) -> bool:
    """Whether an address leads to one of these hosts, or to one below it."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return any(host == known or host.endswith(f".{known}") for known in hosts)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return bool(re.fullmatch(r"0x[0-9a-f]+|\d+", host))
    return True


_TWINS: Final = str.maketrans("аеорсухіјѕԁһԛԝνοαερτ1ıłɡ", "aeopcyxijsdhqwvoaeptlilg")


def looks_like(host: str, domain: str) -> bool:
    """Whether a host reads like `domain` (or a part of it) and is not: letters of other alphabets, 1 for l."""
    if not domain or host == domain or host.endswith(f".{domain}"):
        return False
    try:
        shown = host.encode("ascii").decode("idna") if "xn--" in host else host
    except UnicodeError:
        shown = host
    plain = unicodedata.normalize("NFKD", shown.lower())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter)).translate(_TWINS)
    own = domain.lower().translate(_TWINS)
    return plain != host.lower() and (plain == own or plain.endswith(f".{own}"))
