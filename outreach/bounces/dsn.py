"""Delivery status notifications: RFC 3464, and RFC 6533 for addresses beyond ASCII.

A report has one group of fields about itself and one for each recipient, with empty lines between.
Field names are read whatever their case, and the groups even where the empty lines went missing.
"""

from __future__ import annotations

import re

from outreach.bounces.found import Found, one_line

TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
MAX_RECIPIENTS = 1000

_LINE = re.compile(r"^([A-Za-z][A-Za-z-]{2,40})\s*:\s*(.*)$")
_NAMES = frozenset(
    {
        "original-recipient",
        "final-recipient",
        "action",
        "status",
        "remote-mta",
        "diagnostic-code",
        "x-actual-recipient",
        "last-attempt-date",
        "x-display-name",
        "x-supplementary-info",
        "will-retry-until",
        "reporting-mta",
        "arrival-date",
    }
)
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})")
_UNICODE_XTEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


_ACTIONS = {"failure": "failed", "fail": "failed", "error": "failed", "delay": "delayed", "deliverable": "delivered"}


def recipients(text: str) -> list[Found]:
    """Every recipient of a delivery-status part, in its order; [] if it names none."""
    found: list[Found] = []
    fields: dict[str, str] = {}
    name = ""
    for line in [*text.replace("\r", "").split("\n"), ""]:
        match = _LINE.match(line)
        if match and match[1].lower() in _NAMES:
            name = match[1].lower()
            if name in fields and name in ("final-recipient", "action") and _about_a_person(fields):
                found.append(_recipient(fields))
                fields = {}
            fields.setdefault(name, match[2].strip())
        elif line.startswith((" ", "\t")) and name:
            fields[name] = (fields[name] + " " + line.strip())[:8000]
        elif match:
            name = ""  # a field we do not know, and its continuation
        elif not line.strip():
            name = ""
            if _about_a_person(fields):
                found.append(_recipient(fields))
                fields = {}
        elif name == "diagnostic-code":  # some servers forget to indent the lines of a long reply
            fields[name] = (fields[name] + " " + line.strip())[:8000]
        if len(found) == MAX_RECIPIENTS:
            break
    return [each for each in found if each is not None]


def is_report(text: str) -> bool:
    """True if a plain text part carries the fields of RFC 3464 without saying so in its type."""
    lower = text[:20000].lower()
    return "final-recipient:" in lower and ("action:" in lower or "status:" in lower)


def _about_a_person(fields: dict[str, str]) -> bool:
    return ("final-recipient" in fields or "original-recipient" in fields or "x-actual-recipient" in fields) and bool(
        fields.keys() & {"action", "status", "diagnostic-code"}
    )


def _recipient(fields: dict[str, str]) -> Found:
    status = _STATUS.search(fields.get("status", ""))
    diagnostic = fields.get("diagnostic-code", "")
    if not diagnostic and "(" in fields.get("status", ""):
        diagnostic = fields["status"].partition("(")[2].rstrip(") ")  # RFC 3464 2.3.4: a comment may say more
    kind, separator, text = diagnostic.partition(";")
    if kind.strip().lower() == "x-unix":
        separator = ""  # a local program's words: the type is part of what they say
    action = re.split(r"[^a-z]", fields.get("action", "").lower().strip(), maxsplit=1)[0]
    remote = fields.get("remote-mta", "").partition(";")
    return Found(
        address=_address(fields),
        action=_ACTIONS.get(action, action),
        status=".".join(status.groups()) if status else "",
        text=one_line(text if separator and len(kind) < 20 else diagnostic),
        remote=(remote[2] or remote[0]).strip().strip("[]()").rstrip("."),
    )


def _address(fields: dict[str, str]) -> str:
    """The recipient we wrote to where it is told, else the one it became."""
    for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
        kind, separator, value = fields.get(name, "").partition(";")
        value = (value if separator else kind).strip().strip("<>").strip()
        if "@" in value:
            value = _UNICODE_XTEXT.sub(lambda match: chr(min(int(match[1], 16), 0x10FFFF)), value)
            return value.split()[0].strip("<>'\"") if value.split() else value
    kind, separator, value = fields.get("final-recipient", "").partition(";")
    return (value or kind).strip().strip("<>")
