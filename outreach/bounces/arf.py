"""Complaints: the feedback reports of RFC 5965, and those that have no report part.

    Feedback-Type: abuse
    Original-Rcpt-To: ada@example.com

A provider may hide the recipient; the mail that was complained about still carries our token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from outreach.bounces.found import addresses
from outreach.bounces.report import Report

TYPE = "message/feedback-report"
MULTIPLE = frozenset(
    {"original-rcpt-to", "authentication-results", "reported-domain", "reported-uri", "removal-recipient"}
)

_LINE = re.compile(r"^([A-Za-z][A-Za-z-]{1,40})\s*:\s*(.*)$")
_SENTENCE = re.compile(
    r"this is an? (?:\w+ ){0,2}(?:abuse|complaint|spam|feedback) report|abuse report for an email|"
    r"(?:email|spam|abuse) (?:abuse |complaint )?(?:complaint|report) (?:for|from|about)|complaint about message from|"
    r"(?:user|recipient|customer)s? (?:has |have )?(?:reported|complained|marked|flagged).{0,60}(?:spam|junk|abuse)|"
    r"this message was (?:reported|marked) as (?:spam|junk)|reported (?:the following|this) (?:e-?mail|"
    r"message) as spam",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"^(?:complaint about message from|abuse report|\[?(?:arf|fbl)\b|spam complaint|email feedback report|"
    r"feedback[- ]loop|opt-?out (?:request )?(?:from|report)|abuse (?:complaint|report))",
    re.IGNORECASE,
)
_SENDER = re.compile(
    r"staff@hotmail|fbl@|feedback@|complaints?@|abuse-?(?:report|feedback)|feedbackloop|jmrp|scomp@aol", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a feedback report says; empty where it does not."""

    type: str
    """abuse, fraud, virus, opt-out, not-spam, auth-failure, dmarc, other."""
    recipients: tuple[str, ...] = ()
    source_ip: str = ""
    mail_from: str = ""
    arrival: str = ""
    user_agent: str = ""
    reported_domain: str = ""
    fields: tuple[tuple[str, str], ...] = field(default=())
    """All fields as they stand."""

    @property
    def against_us(self) -> bool:
        """True if a person objected: reports on authentication are about us, and "not-spam" is praise."""
        return self.type not in ("not-spam", "auth-failure", "dmarc")

    def as_json(self) -> dict[str, object]:
        return {
            "type": self.type,
            "recipients": list(self.recipients),
            "source_ip": self.source_ip,
            "mail_from": self.mail_from,
            "arrival": self.arrival,
            "user_agent": self.user_agent,
            "reported_domain": self.reported_domain,
        }


def read(report: Report) -> Complaint | None:
    """The complaint a mail carries, if it carries one."""
    part = next((part for part in report.top.walk() if part.type == TYPE), None)
    if part is not None:
        return _from_fields(_fields(part.text()), report)
    kind = report.top.parameter("report-type").lower()
    inline = _fields(report.whole) if "feedback-type:" in report.whole.lower() else []
    if kind == "feedback-report" or any(name == "feedback-type" for name, _ in inline):
        return _from_fields(inline, report)
    spoken = _SUBJECT.search(report.subject.strip()) or _SENDER.search(report.sender)
    if report.top.header("x-hmxmroriginalrecipient") or (spoken and (_SENTENCE.search(report.text) or report.original)):
        return _from_fields([], report) if not report.status else None
    return None


def _fields(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in text.replace("\r", "").split("\n")[:500]:
        if match := _LINE.match(line):
            found.append((match[1].lower(), match[2].strip()[:2000]))
        elif line.startswith((" ", "\t")) and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}"[:2000])
    return found


def _from_fields(fields: list[tuple[str, str]], report: Report) -> Complaint:
    first = dict(reversed(fields))
    # A report names the recipient in three places, or hides it everywhere.
    named = [value for name, value in fields if name in ("original-rcpt-to", "removal-recipient")]
    told = [each for value in named for each in addresses(value)] or [
        each
        for header in ("x-hmxmroriginalrecipient", "x-original-recipient")
        for each in addresses(report.top.header(header))
    ]
    recipients = told or report.written_to
    return Complaint(
        type=first.get("feedback-type", "abuse").split()[0].lower() if first.get("feedback-type", "x") else "abuse",
        recipients=tuple(dict.fromkeys(recipients)),
        source_ip=first.get("source-ip", "").partition(" ")[0],
        mail_from=first.get("original-mail-from", "").strip("<>"),
        arrival=first.get("arrival-date", "") or first.get("received-date", ""),
        user_agent=first.get("user-agent", ""),
        reported_domain=first.get("reported-domain", ""),
        fields=tuple(fields),
    )
