"""DMARC (RFC 9989): what receivers shall do with mail that only claims to be ours, and who is told.

The record is found by walking up the tree of names, at most eight questions (4.10); no list of public suffixes
is needed. Tags that the new RFC dropped (pct, rf, ri) are warned about, unknown ones are none of our business.
"""

from __future__ import annotations

from dataclasses import dataclass

from outreach.preflight.dns import Resolver
from outreach.preflight.domain.verdicts import Check, fail, ok, warning

NAME = "dmarc"
MAX_QUESTIONS = 8
OLD = {"pct": "use t=y while testing", "rf": "leave it out", "ri": "leave it out"}


@dataclass(frozen=True, slots=True)
class Policy:
    """A record, and at which name it was found."""

    name: str
    tags: dict[str, str]


def walk(resolver: Resolver, domain: str) -> tuple[Policy | None, str]:
    """The policy for a domain and its organisational domain (RFC 9989 4.10.2)."""
    found: list[Policy] = []
    names = _names(domain)
    for name in names:
        policy = _at(resolver, name)
        if policy is None:
            continue
        found.append(policy)
        if policy.tags.get("psd", "u").lower() == "n":
            return found[0], name
        if policy.tags.get("psd", "u").lower() == "y":
            below = names[names.index(name) - 1] if name != domain else domain
            return found[0], below
    return (found[0], found[-1].name) if found else (None, domain)


def organisation(resolver: Resolver, domain: str) -> str:
    return walk(resolver, domain)[1]


def _names(domain: str) -> list[str]:
    """The names to ask: the domain, then from its seventh label from the right upwards."""
    labels = domain.lower().rstrip(".").split(".")
    first = [".".join(labels)]
    rest = labels[1:] if len(labels) <= MAX_QUESTIONS else labels[-(MAX_QUESTIONS - 1) :]
    return first + [".".join(rest[index:]) for index in range(len(rest))]


def _at(resolver: Resolver, name: str) -> Policy | None:
    texts = [
        each for each in resolver.ask(f"_dmarc.{name}", "TXT") if each.replace(" ", "").lower().startswith("v=dmarc1")
    ]
    if len(texts) != 1:  # several records are as good as none (4.10.1)
        return None
    tags: dict[str, str] = {}
    for part in texts[0].split(";"):
        key, separator, value = part.partition("=")
        if separator:
            tags.setdefault(key.strip().lower(), value.strip())
    return Policy(name, tags)


def check(resolver: Resolver, domain: str, mailbox: str) -> Check:
    """The policy for a From domain."""
    name = f"{NAME} {domain}"
    policy, top = walk(resolver, domain)
    publish = f'_dmarc.{top}. TXT "v=DMARC1; p=none; rua=mailto:{mailbox}"'
    if policy is None:
        return fail(
            name, f"nobody is told what to do with false mail from {domain}; Gmail and Yahoo demand it", publish
        )
    tags = policy.tags
    wanted = tags.get("p", "")
    if policy.name != domain and "sp" in tags:
        wanted = tags["sp"]
    fixed = "; ".join(f"{key}={value}" for key, value in tags.items() if key not in OLD)
    at = f"_dmarc.{policy.name}. TXT"
    if wanted.lower() not in ("none", "quarantine", "reject"):
        return fail(name, f"the record at {policy.name} has no policy p= that anybody knows", publish)
    if "rua" not in tags:
        return warning(name, f"p={wanted}, but nobody gets the reports", f'{at} "{fixed}; rua=mailto:{mailbox}"')
    if old := [key for key in tags if key in OLD]:
        told = ", ".join(f"{key} ({OLD[key]})" for key in old)
        return warning(name, f"p={wanted}; RFC 9989 dropped {told}", f'{at} "{fixed}"')
    if wanted.lower() == "none":
        return warning(
            name,
            "p=none watches and stops nobody; go on to quarantine when the reports show only your own machines",
            f'{at} "{fixed.replace("p=none", "p=quarantine", 1)}"',
        )
    return ok(name, f"p={wanted} at {policy.name}, reports go to {tags['rua']}")


def aligned(resolver: Resolver, one: str, other: str, *, strict: bool = False) -> bool:
    """Whether two domains belong together for DMARC (RFC 9989 4.4)."""
    if one.lower() == other.lower():
        return True
    return not strict and organisation(resolver, one) == organisation(resolver, other)
