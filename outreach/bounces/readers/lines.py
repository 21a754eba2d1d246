"""An address at the beginning of a line, and what happened to it after: Postfix, qmail, Exim and most others.

<ada@example.com>: host mx.example.com said: 550 5.1.1 User unknown        (Postfix)

<ada@example.com>:                                                         (qmail)
192.0.2.1 does not like recipient.

  ada@example.com                                                          (Exim)
    unrouteable mail domain "example.com"
"""

from __future__ import annotations

import re

from outreach.bounces.found import ADDRESS, Found, addresses, one_line
from outreach.bounces.report import Report

_AT = ADDRESS.pattern
_BEGINS = re.compile(
    rf"^[ \t>|*\"'\-=•]{{0,12}}"
    rf"(?:(?:(?:failed |final |original |intended |e-?mail )?recipients?(?: address)?|to|rcpt to|address(?:ed to)?|"
    rf"e-?mail(?: address)?|user|deliver(?:y|ing) to|failed (?:addresses?|to)|destination|mailbox)\s*[:=]\s*)?"
    rf"(?:\"?[^\"<>\n:@]{{0,60}}\"?\s*)?"
    rf"[<\"'\[]{{0,2}}(?P<address>{_AT})[>\"'\]]{{0,2}}"
    rf"(?:<mailto:[^>\n]{{1,200}}>)?"
    rf"(?P<rest>\s*$|\s*[:;,(\[.\-–…|]+.*$|\s+(?:on \w{{3}}, .*|"
    rf"(?:on|am|le|el|il|em|op|den|dnia) \d{{1,4}}[./-].*|[\[(#]?\d{{3}}\b.*|invalid.*|unknown.*|"
    rf"not .*|no such.*|is .*|"
    rf"does .*|mailbox.*|user .*|address.*|has .*|was .*|could.*|ERROR.*|failed.*|error.*|reason.*))",
    re.IGNORECASE,
)
_ENDS = re.compile(
    r"^(?:-{3,}|={3,}|_{3,}|\*{5,})|^(?:if (?:you|your)|please|for (?:further|more|assistance)|"
    r"the (?:following )?original "
    r"message|your message (?:subject|header)|this is the|message (?:details|headers?)|original message|subject:|sent:|"
    r"you can|no further action|reporting-mta|content-|thank you|contact|should you|the attachment contains)\b",
    re.IGNORECASE,
)
_NOT_A_RECIPIENT = re.compile(
    r"^\W{0,4}(?:from|sender|mail from|reply-to|return-path|message-id|envelope-from|cc|contact|abuse|received|"
    r"arrival-date|reporting-mta|by|for help|postmaster|x-[\w-]+|dkim-signature)\b\s*[:=<]|>>> MAIL|envelope-from|"
    r"please (?:contact|e-?mail|send)|for (?:assistance|further)|help.{0,12}e-?mail",
    re.IGNORECASE,
)


def read(report: Report) -> list[Found]:
    """Each address that begins a line, with the lines until the next."""
    found: dict[str, list[str]] = {}
    forms: dict[str, str] = {}
    current: list[str] | None = None
    mentioned, before = _mentioned(report), ""
    for line in report.text.split("\n")[:2000]:
        before, heading = line.strip() or before, before
        if _NOT_A_RECIPIENT.search(line[:200]):
            if current is not None:
                current.append(line)
            continue
        match = _BEGINS.match(line[:600])
        if match and current is not None and match["address"].strip("'\"").lower() in mentioned:
            current.append(line)  # a long reply was folded right before our own address
            continue
        if match and not _SENT_BY.search(heading) and not _ours(match["address"]) and not _FOREIGN.match(match["rest"]):
            key = match["address"].strip("'\"").lower()
            if key in found and current is found[key]:
                current.append(line)
            else:
                current = found.setdefault(key, [])
                current.append(match["rest"].strip())
                forms.setdefault(key, line[: match.start("address")] + match["rest"].strip()[:1])
        elif current is not None:
            stripped = line.strip()
            if stripped and _ENDS.match(stripped) and any(each.strip() for each in current):
                current = None
            else:
                current.append(line)
    words = _shared({name: one_line("\n".join(said)).lstrip(" :,.-") for name, said in found.items()})
    return [Found(address=name, text=words[name]) for name in _meant(found, forms, report)]


def _mentioned(report: Report) -> set[str]:
    """Addresses a server may name without meaning the recipient: whom the report is for."""
    return {each.lower() for each in addresses(report.to)} - {each.lower() for each in report.written_to}


def _shared(words: dict[str, str]) -> dict[str, str]:
    """Addresses one under the other, and what is said after the last is about all of them."""
    told = ""
    shared: dict[str, str] = {}
    for name, said in reversed(words.items()):
        told = said or told
        shared[name] = told
    return shared


def _meant(found: dict[str, list[str]], forms: dict[str, str], report: Report) -> list[str]:
    """Without those that are only mentioned, where it is known to whom the returned mail went.

    Others that stand in just the form of a known recipient (the same indentation and brackets) are recipients too.
    """
    intended = {each.lower() for each in report.written_to}
    if known := intended & found.keys():
        alike = {forms[name] for name in known}
        return [name for name, said in found.items() if forms[name] in alike or said[0].startswith(":")]
    own = {each.lower() for each in addresses(report.to)}
    return [name for name in found if name not in own] or list(found)


_SENT_BY = re.compile(r"\b(?:message|mail) (?:sent by|from)[ :]*$", re.IGNORECASE)
_FOREIGN = re.compile(r"\s*[^\x00-\x7f]")
"""Words of another script right behind an address: somebody to write to, in a sentence."""


def _ours(address: str) -> bool:
    """The report's own parties, who are named in it without being the trouble."""
    local = address.partition("@")[0].lower()
    return ".." in local or local in ("postmaster", "mailer-daemon", "mail-daemon", "abuse", "helpdesk")
