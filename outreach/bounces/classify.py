"""Whose fault is a refusal, and is the address gone? By verb, reply code, enhanced status code and text.

    what a provider means by it  ->  clear words  ->  enhanced code (RFC 3463)  ->  likely words  ->  verb and code

The rules are data (`provider_rules.toml`, `rules.toml`). Only the reasons of the first two groups are about the
person; every other refusal is about us, the message or the machines, and never touches a citizen. A code 5.x.x
alone proves nothing: of a thousand real refusals with one, most are not about the address.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from outreach.bounces.reasons import HARD, Group, Reason

MAX_TEXT = 2000
"""Characters of a reply that the rules look at."""


class Fault(StrEnum):
    """Who or what a refusal is about."""

    ADDRESS = "address"
    MAILBOX = "mailbox"
    POLICY = "policy"
    CONTENT = "content"
    RATE = "rate"
    AUTHENTICATION = "authentication"
    SYSTEM = "system"

    @property
    def ours(self) -> bool:
        """True if the sending domain, the relay or the message is at fault, not the recipient."""
        return self not in (Fault.ADDRESS, Fault.MAILBOX)


class Severity(StrEnum):
    """How lasting it is."""

    HARD = "hard"
    """Permanent, and about the address: there is nobody there."""
    SOFT = "soft"
    """Anything else that was understood."""
    UNDETERMINED = "undetermined"
    """Not understood: never counts against anybody."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a refusal means."""

    reason: Reason
    severity: Severity

    @property
    def group(self) -> Group:
        return self.reason.group

    @property
    def hard(self) -> bool:
        return self.severity is Severity.HARD


PROVIDERS = {
    "google": re.compile(r"google\.com|googlemail|gmail|\bgsmtp\b|\bgcdp\b"),
    "microsoft": re.compile(r"outlook\.com|hotmail|live\.com|office365|\bmicrosoft\b|protection\.outlook|msn\.com"),
    "yahoo": re.compile(r"yahoodns|yahoo\.|\baol\.|ymail|yahooinc"),
    "orange": re.compile(r"\bofr\d?_?\d|\blpn\d|orange\.fr|wanadoo\.fr|laposte\.net"),
    "apple": re.compile(r"icloud\.com|\bme\.com|mac\.com"),
}
"""Who received, by the host or the words of the reply; custom domains share their provider's."""

_FAULTS = {
    Group.GONE: Fault.ADDRESS,
    Group.MAILBOX: Fault.MAILBOX,
    Group.POLICY: Fault.POLICY,
    Group.CONTENT: Fault.CONTENT,
    Group.RATE: Fault.RATE,
    Group.AUTHENTICATION: Fault.POLICY,  # our domain's SPF, DKIM or DMARC did not please them
    Group.NETWORK: Fault.SYSTEM,
    Group.SYSTEM: Fault.SYSTEM,
}

# IANA's registry (RFC 3463, 3886, 4468, 4954, 5248, 6710, 7293, 7372, 7504, 7505, 8689): subject.detail of a 4 or 5.
_BY_STATUS = {
    "1.0": Reason.UNDEFINED,
    "1.1": Reason.USER_UNKNOWN,
    "1.2": Reason.HOST_UNKNOWN,
    "1.3": Reason.USER_UNKNOWN,
    "1.4": Reason.FILTERED,
    "1.6": Reason.HAS_MOVED,
    "1.7": Reason.REJECTED,
    "1.8": Reason.REJECTED,
    "1.9": Reason.SYSTEM_ERROR,
    "1.10": Reason.NOT_ACCEPT,
    "2.1": Reason.SUSPEND,
    "2.2": Reason.MAILBOX_FULL,
    "2.3": Reason.EXCEED_LIMIT,
    "2.4": Reason.FILTERED,
    "3.1": Reason.SYSTEM_FULL,
    "3.2": Reason.SYSTEM_ERROR,
    "3.3": Reason.SYSTEM_ERROR,
    "3.4": Reason.TOO_BIG,
    "3.5": Reason.SYSTEM_ERROR,
    "4.1": Reason.EXPIRED,
    "4.2": Reason.NETWORK_ERROR,
    "4.3": Reason.SYSTEM_ERROR,
    "4.4": Reason.HOST_UNKNOWN,
    "4.5": Reason.SYSTEM_FULL,
    "4.6": Reason.NETWORK_ERROR,
    "4.7": Reason.EXPIRED,
    "5.3": Reason.TOO_MANY_CONNECTIONS,
    "5.6": Reason.SYNTAX_ERROR,
    "6.1": Reason.CONTENT_ERROR,
    "6.2": Reason.CONTENT_ERROR,
    "6.3": Reason.CONTENT_ERROR,
    "6.5": Reason.CONTENT_ERROR,
    "6.6": Reason.CONTENT_ERROR,
    "6.7": Reason.NOT_COMPLIANT,
    "6.8": Reason.NOT_COMPLIANT,
    "6.9": Reason.CONTENT_ERROR,
    "6.10": Reason.NOT_COMPLIANT,
    "7.2": Reason.FILTERED,
    "7.4": Reason.SECURITY_ERROR,
    "7.5": Reason.SECURITY_ERROR,
    "7.6": Reason.SECURITY_ERROR,
    "7.7": Reason.SECURITY_ERROR,
    "7.8": Reason.CREDENTIALS,
    "7.9": Reason.CREDENTIALS,
    "7.10": Reason.FAILED_STARTTLS,
    "7.11": Reason.FAILED_STARTTLS,
    "7.12": Reason.CREDENTIALS,
    "7.13": Reason.SUSPEND,
    "7.16": Reason.TOO_BIG,
    "7.17": Reason.HAS_MOVED,
    "7.18": Reason.HAS_MOVED,
    "7.20": Reason.AUTH_FAILURE,
    "7.21": Reason.AUTH_FAILURE,
    "7.22": Reason.AUTH_FAILURE,
    "7.23": Reason.AUTH_FAILURE,
    "7.24": Reason.AUTH_FAILURE,
    "7.25": Reason.REQUIRE_PTR,
    "7.26": Reason.AUTH_FAILURE,
    "7.27": Reason.REJECTED,
    "7.28": Reason.RATE_LIMITED,
    "7.29": Reason.AUTH_FAILURE,
    "7.30": Reason.FAILED_STARTTLS,
}
_BY_CODE = {
    "421": Reason.RATE_LIMITED,
    "450": Reason.MAILBOX_FULL,
    "452": Reason.SYSTEM_FULL,
    "521": Reason.NOT_ACCEPT,
    "523": Reason.TOO_BIG,
    "525": Reason.SUSPEND,
    "530": Reason.CREDENTIALS,
    "534": Reason.CREDENTIALS,
    "535": Reason.CREDENTIALS,
    "538": Reason.CREDENTIALS,
    "552": Reason.MAILBOX_FULL,
    "556": Reason.NOT_ACCEPT,
}
_RCPT_BY_CODE = {
    "550": Reason.USER_UNKNOWN,
    "551": Reason.HAS_MOVED,
    "553": Reason.USER_UNKNOWN,
}
# Refused before a recipient was named: it was our host, or our address.
_BY_VERB = {"connect": Reason.BLOCKED, "mail": Reason.REJECTED}
_BEFORE_RCPT = _BY_VERB.keys()


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of rules.toml, compiled."""

    reason: Reason
    provider: str
    sure: bool
    alone: bool
    """The words are enough: "user unknown" in them needs neither a code nor the verb RCPT."""
    any: re.Pattern[str]
    unless: re.Pattern[str] | None
    example: str

    def matches(self, text: str) -> bool:
        return self.any.search(text) is not None and (self.unless is None or self.unless.search(text) is None)


@cache
def rules() -> tuple[Rule, ...]:
    """The rules in their order: what particular providers mean, then what anybody means."""
    folder = files(__package__)
    provider, general = (
        tomllib.loads(folder.joinpath(name).read_text("utf-8"))["rule"]
        for name in ("provider_rules.toml", "rules.toml")
    )
    return tuple(_rule(entry, alone=True) for entry in provider) + tuple(_rule(entry, alone=False) for entry in general)


def classify(text: str, *, status: str = "", code: str = "", verb: str = "", action: str = "") -> Judgement:
    """What a refusal means: `text` is the server's reply, the others as far as they are known.

    `action` is RFC 3464's; "delayed" and codes of class 4 are never hard.
    """
    provider = _provider(text[:MAX_TEXT].lower())
    line = plain(text, code=code, status=status)
    rule = _by_text(line, provider)
    coded = _by_status(status) if rule is None else None
    if rule is None and coded is None:
        rule = _likely(line)
    reason = rule.reason if rule else coded or _by_code(code, verb)
    if rule is None and reason is Reason.UNDEFINED and text.strip():
        reason = Reason.ON_HOLD  # there are words, and nobody has taught us what they mean
    if rule and reason is Reason.USER_UNKNOWN and not rule.alone and not _told_of_address(status, verb):
        reason = Reason.FILTERED
    if verb in _BEFORE_RCPT and (reason in HARD or reason is Reason.NOT_ACCEPT):
        reason = _BY_VERB[verb]  # no recipient was named yet: whoever is unknown there is us
    if reason is Reason.HOST_UNKNOWN and _temporary(status=status, code=code, action=action):
        reason = Reason.NETWORK_ERROR  # a name server that cannot say now
    return Judgement(reason, _severity(reason, status=status, code=code, action=action))


def fault(reply: str, *, verb: str) -> Fault:
    """What a 4yz or 5yz reply line at `verb` (mail, rcpt, data, dot …) is about."""
    enhanced = _ENHANCED.match(reply)
    judgement = classify(reply, status=enhanced[1] if enhanced else "", code=reply[:3], verb=verb)
    found = _FAULTS.get(judgement.group)
    if judgement.reason in (Reason.CREDENTIALS, Reason.FAILED_STARTTLS):
        return Fault.AUTHENTICATION
    if found in (Fault.ADDRESS, Fault.MAILBOX) and verb == "mail":
        return Fault.POLICY  # no recipient was named yet: it can only be about us
    if found is not None:
        return found
    # Without a better hint, a refused recipient is about the recipient and a refused message about the message.
    if verb == "rcpt":
        return Fault.MAILBOX
    return Fault.CONTENT if verb == "dot" else Fault.SYSTEM


_ENHANCED = re.compile(r"^[245]\d\d[ -]([245]\.\d{1,3}\.\d{1,3})\b")


@lru_cache(maxsize=1024)  # after a campaign the same words come back by the thousand: addresses are masked in them
def _by_text(line: str, provider: str) -> Rule | None:
    here = (rule for rule in rules() if rule.sure and rule.provider in ("", provider))
    return next((rule for rule in here if rule.matches(line)), None)


def _told_of_address(status: str, verb: str) -> bool:
    """Whether "user unknown" is about the address: by its code, or because it answered RCPT.

    Said after DATA, or nobody knows when, it may be the user's own filter (phone carriers answer so to a sender
    their customer does not want), and the words alone must not cost anybody their mail.
    """
    subject, _, detail = status.partition(".")[2].partition(".")
    return verb == "rcpt" or (subject == "1" and detail != "0")


@lru_cache(maxsize=1024)
def _likely(line: str) -> Rule | None:
    return next((rule for rule in rules() if not rule.sure and rule.matches(line)), None)


def _by_status(status: str) -> Reason | None:
    found = _BY_STATUS.get(status.partition(".")[2])
    return found if found is not Reason.UNDEFINED else None


def _by_code(code: str, verb: str) -> Reason:
    if verb == "rcpt" and code in _RCPT_BY_CODE:
        return _RCPT_BY_CODE[code]
    if code in _BY_CODE:
        return _BY_CODE[code]
    return _BY_VERB.get(verb, Reason.UNDEFINED)


def _severity(reason: Reason, *, status: str, code: str, action: str) -> Severity:
    if reason in (Reason.UNDEFINED, Reason.ON_HOLD):
        return Severity.UNDETERMINED
    temporary = _temporary(status=status, code=code, action=action)
    if reason in HARD:
        # A server that said 450 until it gave up has said it for days; only one that still tries may come round.
        return Severity.SOFT if action == "delayed" else Severity.HARD
    if reason is Reason.NOT_ACCEPT and not temporary:
        return Severity.HARD
    return Severity.SOFT


def _temporary(*, status: str, code: str, action: str) -> bool:
    return action == "delayed" or (code or status)[:1] == "4"


def plain(text: str, *, code: str = "", status: str = "") -> str:
    """One line the rules can be held against: lower case, codes first, addresses as a lone @."""
    line = text[:MAX_TEXT].lower()
    if match := _QUOTED.search(line):
        line = match[1]  # IronPort's own guess stands before the server's words, which count
    line = _ADDRESS.sub("@", line)
    line = _CONTINUED.sub("", line)
    return f"{code} {status} {line}".strip()


_ADDRESS = re.compile(r"<?[^\s<>@\"']{1,128}@[\w.-]{1,200}>?")
_CONTINUED = re.compile(r"(?<=\S)\s+[245]\d\d[- ](?:[245]\.\d{1,3}\.\d{1,3})?(?=\s)")
"""The code that begins each further line of a reply, once the lines have been joined."""
_QUOTED = re.compile(r"unknown address error (\d{3}-'.{1,1500}')")


def _provider(line: str) -> str:
    return next((name for name, pattern in PROVIDERS.items() if pattern.search(line)), "")


def _rule(entry: dict[str, Any], *, alone: bool) -> Rule:
    unless = entry.get("except")
    return Rule(
        reason=Reason(entry["reason"]),
        provider=entry.get("provider", ""),
        sure=entry.get("tier", "sure") == "sure",
        alone=entry.get("alone", alone),
        any=_one_of(entry["any"]),
        unless=_one_of(unless) if unless else None,
        example=entry["example"],
    )


def _one_of(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
