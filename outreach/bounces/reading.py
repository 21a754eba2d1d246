"""What a mail that came back says. Start reading here.

    limits -> complaint? -> delivery status -> readers of the formats without one -> automatic answer?

Nothing here looks at who sent the mail in order to believe it: a reading says what the mail claims.
Whether it may count against anybody is decided by whoever holds the token (`policy`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from outreach.bounces import answers, arf, dsn, readers
from outreach.bounces.classify import Judgement, Severity, classify
from outreach.bounces.found import Found, one_line, verb_in, with_codes
from outreach.bounces.mime import Part, parse, split
from outreach.bounces.readers import ses
from outreach.bounces.reasons import Reason
from outreach.bounces.report import Report, open_report

MAX_RECIPIENTS = 1000


class Kind(StrEnum):
    """What sort of mail it is."""

    BOUNCE = "bounce"
    DELAY = "delay"
    """The server is still trying: says nothing against anybody."""
    DELIVERED = "delivered"
    COMPLAINT = "complaint"
    VACATION = "vacation"
    CHALLENGE = "challenge"
    """A machine wants proof that a person wrote."""
    OTHER = "other"
    """Somebody's mail: an answer, a question. For people to read."""
    UNREADABLE = "unreadable"
    """Beyond the limits, or broken: kept and shown, never counted."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient and what became of the mail to them."""

    address: str
    reason: Reason
    severity: Severity
    status: str
    reply: str
    action: str
    text: str
    remote: str

    @property
    def hard(self) -> bool:
        return self.severity is Severity.HARD


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything a mail says."""

    kind: Kind
    recipients: tuple[Recipient, ...] = ()
    complaint: arf.Complaint | None = None
    subject: str = ""
    sender: str = ""
    why: str = ""
    """For an unreadable mail: what stood in the way."""
    message_id: str = ""
    addressed_to: tuple[str, ...] = ()
    token_places: tuple[str, ...] = ()
    """Where a token of ours may stand: addresses, message ids and links of the returned mail."""

    def as_json(self) -> dict[str, object]:
        """The form of `bounces classify --json`."""
        return {
            "kind": self.kind.value,
            "complaint": self.kind is Kind.COMPLAINT,
            "recipients": [
                {
                    "address": each.address,
                    "hard": each.hard,
                    "severity": each.severity.value,
                    "reason": each.reason.value,
                    "group": each.reason.group.value,
                    "status": each.status,
                    "reply": each.reply,
                    "action": each.action,
                    "text": each.text,
                }
                for each in self.recipients
            ],
            **({"feedback": self.complaint.as_json()} if self.complaint else {}),
            **({"why": self.why} if self.why else {}),
        }


def read(raw: bytes) -> Reading:
    """Read one mail. Never raises for anything a stranger can send; what cannot be read says why."""
    top = parse(raw)
    report = open_report(top) if not top.cut else None
    if report is None:
        return Reading(Kind.UNREADABLE, subject=top.header("subject")[:200], why=top.cut, sender=top.header("from"))
    reading = _read(report)
    return replace(
        reading,
        subject=report.subject[:200],
        sender=report.sender[:320],
        message_id=top.header("message-id")[:400],
        addressed_to=tuple(top.header(name)[:1000] for name in ("to", "x-original-to", "delivered-to")),
        token_places=token_places(report),
    )


def read_file(raw: bytes) -> Reading:
    """Read a file that may be an mbox of several mails; their recipients together, under the first mail's kind."""
    mails = (
        [each for each in _MBOX.split(raw.replace(b"\r\n", b"\n")) if each.strip()] if raw[:5] == b"From " else [raw]
    )
    readings = [read(each) for each in mails[:MAX_RECIPIENTS]]
    recipients = tuple(each for reading in readings for each in reading.recipients)
    return (
        replace(readings[0], recipients=recipients) if readings else Reading(Kind.UNREADABLE, why="the file is empty")
    )


_MBOX = re.compile(rb"(?:\A|\n\n)From [^\n]{1,200} \d\d:\d\d(?::\d\d)? [^\n]{0,40}\d{4}[^\n]{0,20}\n")


def _read(report: Report) -> Reading:
    if notified := ses.read(report):
        recipients = tuple(_judged(with_codes(each), report) for each in notified[:MAX_RECIPIENTS])
        if notified[0].action == "complaint":
            told = tuple(each.address for each in notified)
            return Reading(Kind.COMPLAINT, recipients, arf.Complaint("abuse", told))
        return Reading(_kind(recipients), recipients)
    if complaint := arf.read(report):
        recipients = tuple(_plain(address, Reason.FEEDBACK, "complaint") for address in complaint.recipients)
        return Reading(Kind.COMPLAINT, recipients or (_plain("", Reason.FEEDBACK, "complaint"),), complaint)
    if answers.is_challenge(report):
        return Reading(Kind.CHALLENGE)
    if answers.is_vacation(report):
        return Reading(Kind.VACATION, (_plain(answers.who(report), Reason.VACATION, "replied"),))
    found = _found(report)
    if not found:
        return Reading(Kind.OTHER)
    alone = len(found) == 1
    trying = any(not each.action for each in found) and bool(_STILL_TRYING.search(f"{report.subject}\n{report.text}"))
    recipients = tuple(_judged(with_codes(each), report, alone=alone, trying=trying) for each in found[:MAX_RECIPIENTS])
    return Reading(_kind(recipients), recipients)


def _found(report: Report) -> list[Found]:
    found = [each for text in report.status for each in dsn.recipients(text)]
    if found:
        return _with_words(_once(found), report)
    if report.nested is not None:
        return _found(open_report(split(report.nested)))
    told = readers.read(report) if report.by_a_server else []
    return [each for each in told if ".." not in each.address]  # david...@gmail.com: an archive hid the address


def _with_words(found: list[Found], report: Report) -> list[Found]:
    """What the human part of the report adds: words where there is no diagnostic, and which command was refused."""
    if len(found) == 1 and (found[0].text or found[0].action in _ARRIVED):
        return found
    told: dict[str, str] = {}
    for each in readers.read(report):
        told.setdefault(each.address.lower(), each.text)
    whole = " ".join(report.text.split())[:2000]
    return [_added(each, told.get(each.address.lower(), ""), whole) for each in found]


def _added(found: Found, told: str, whole: str) -> Found:
    if found.action in _ARRIVED:
        return found
    return (
        replace(found, verb=verb_in(found.text) or verb_in(told)) if found.text else replace(found, text=told or whole)
    )


def _once(found: list[Found]) -> list[Found]:
    """Each address once; a later group about the same one adds what the first left open."""
    by_address: dict[str, Found] = {}
    for each in found:
        known = by_address.get(each.address.lower())
        if known is None:
            by_address[each.address.lower()] = each
        elif not known.text and each.text:
            by_address[each.address.lower()] = replace(known, text=each.text, status=known.status or each.status)
    return list(by_address.values())


def _judged(found: Found, report: Report, *, alone: bool = False, trying: bool = False) -> Recipient:
    if found.action in _ARRIVED:
        return replace(_plain(found.address, Reason.DELIVERED, found.action), status=found.status, text=found.text)
    if found.action == "complaint":
        return _plain(found.address, Reason.FEEDBACK, found.action)
    if not found.action:
        found = replace(found, action="delayed" if trying else "failed")
    if alone and not found.verb:
        found = replace(found, verb=verb_in(report.text) or ("rcpt" if _NOT_FOUND.search(report.text) else ""))
    judgement = _judge(found)
    uncoded = judgement.reason is Reason.USER_UNKNOWN and found.status[1:3] != ".1"
    if alone and uncoded and _CLOSED.search(report.text):
        judgement = Judgement(Reason.SUSPEND, Severity.SOFT)
    vague = judgement.severity is Severity.UNDETERMINED or not (found.code or found.status or report.status)
    if alone and vague and report.text:
        # The server's words say nothing we know; what the report tells people around them may.
        told = with_codes(replace(found, text=one_line(report.text)))
        second = _judge(told)
        if judgement.severity is not Severity.UNDETERMINED and not told.code:
            second = judgement
        judgement = second
        found = replace(found, code=told.code, status=told.status, text=found.text or told.text)
    return Recipient(
        address=found.address,
        reason=judgement.reason,
        severity=judgement.severity,
        status=found.status,
        reply=found.code,
        action=found.action,
        text=found.text,
        remote=found.remote,
    )


def _judge(found: Found) -> Judgement:
    return classify(
        f"{found.text} [{found.remote}]" if found.remote else found.text,
        status=found.status,
        code=found.code,
        verb=found.verb,
        action=found.action,
    )


_ARRIVED = frozenset({"delivered", "relayed", "expanded"})
"""RFC 3464 2.3.3: what is no trouble."""
_NOT_FOUND = re.compile(
    r"\*\* ?(?:address not found|adresse nicht gefunden|adresse introuvable|indirizzo non trovato|"
    r"no se (?:ha encontrado|encontró) la dirección|dirección no encontrada|endereço não encontrado|"
    r"adres niet gevonden|アドレス(?:不明|が見つかりません)) ?\*\*",
    re.IGNORECASE,
)
"""Google's heading: what it made of a reply like "user unknown" is that the address was refused, not the mail."""
_CLOSED = re.compile(
    r"^[ \t]*the (?:user|recipient|customer|subscriber)(?:\(s\)|'s|s)? (?:e-?mail )?(?:account|mailbox) "
    r"(?:is|are|has been|have been|was) (?:currently |temporarily )?"
    r"(?:disabled|suspended|limited|deactivated|inactive|locked)[. \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
"""A carrier's own word on the account, in a line by itself, above a reply that only says "user unknown"."""
_STILL_TRYING = re.compile(
    r"warning message only|just a warning|no action is required on your part|\(delay\)|attempts will continue|"
    r"not yet been delivered|has been delayed|will (?:be )?retr(?:y|ied)|delivery incomplete|"
    r"still trying|will (?:keep|continue) (?:on )?trying|(?:message|delivery) delayed|do not need to resend|"
    r"will continue to (?:be )?(?:tr|attempt)|^warning: (?:could not send|message)|"
    r"noch nicht zugestellt|weitere zustellversuche|zustellung verzögert|a été retardée|réessaiera|se ha retrasado|"
    r"seguirá intentando|è in ritardo|stata ritardata|foi adiada|vertraagd|遅延|再試行",
    re.IGNORECASE,
)


def _plain(address: str, reason: Reason, action: str) -> Recipient:
    return Recipient(address, reason, Severity.SOFT, status="", reply="", action=action, text="", remote="")


def _kind(recipients: tuple[Recipient, ...]) -> Kind:
    actions = {each.action for each in recipients}
    if actions <= _ARRIVED:
        return Kind.DELIVERED
    return Kind.DELAY if actions <= {"delayed", *_ARRIVED} else Kind.BOUNCE


def token_places(report: Report) -> tuple[str, ...]:
    """Where our token may be, the most certain first; whether it is ours is for the key ring to say."""
    top, original = report.top, report.original
    places = [
        *(top.header(name) for name in ("to", "x-original-to", "delivered-to", "envelope-to", "resent-to")),
        *(_headers(original) if original else ()),
    ]
    return tuple(place[:2000] for place in places if place)


def _headers(part: Part) -> list[str]:
    names = ("return-path", "message-id", "list-unsubscribe", "x-original-from", "errors-to")
    return [value for name in names for value in part.all(name)]
