"""A mail that came back, laid open: who sent it, what it says itself, and the mail it returns.

Everything a reader looks at is here, so that a reader is a function of text. The returned mail is
kept apart from the first moment: its words are ours or a stranger's, and must never be taken for the
server's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from outreach.bounces import dsn
from outreach.bounces.found import addresses
from outreach.bounces.mime import MAX_TEXT, Part, inner

_ORIGINAL = re.compile(
    r"^(?:"
    r"[-= ]{2,}.{0,12}(?:below this line|this is a copy|original message|unsent message|returned message|"
    r"message header|original mail|message text follows|returned mail|copy of (?:the|your) message|start of message|"
    r"included is|header of the original|undelivered message|begin message|forwarded message).{0,80}"
    r"|(?:your |the )?(?:original )?(?:message|mail)(?:'s)? (?:headers?|text|contents?)? ?(?:follows?|begins?)\b.{0,40}"
    r"|(?:original message|original mail|message headers|original headers)(?: headers)? ?(?:follows?)?\s*[:.]?\s*"
    r"|.{0,40}(?:is|are) (?:the|a copy of) (?:the |your )?(?:first|original|headers?|message|unsent|undelivered).{0,60}"
    r":?\s*"
    r"|(?:a )?copy of (?:the|your) (?:original )?(?:message|mail).{0,60}:?\s*"
    r"|(?:begin |start of )returned message.{0,20}"
    r"|\|+ ?(?:original message|message text).{0,40}"
    r"|(?:Return-Path|Received): ?.{0,200}"
    r"|(?:DKIM-Signature|DomainKey-Signature): ?.{0,200}"
    r")$",
    re.IGNORECASE | re.MULTILINE,
)
_DAEMON = re.compile(
    r"mailer[-_. ]?daemon|mail[-_ .]?delivery|post_?master|double-bounce|mailadm|mail[-_]?admin|"
    r"mail ?system|delivery[-_. ]?(?:subsystem|system|report|status|failure|agent)|mdaemon|bounce|automatic-replay|"
    r"mail deliver|returned mail|undeliver|mail administrator|system administrator|microsoftexchange[0-9a-f]{8}|^<>$",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|returned mail|delivery (?:status|failure|failed|problem|report|notification|error|notice|unsuccessful|"
    r"has failed|delayed|reports?)|(?:mail|message|email) (?:delivery|status|system error|could not be)|failure notice|"
    r"non.?deliver|not delivered|(?:delivery|mail|sending) (?:failed|failure)|failure (?:delivery|delivering)|"
    r"fail(?:ed|ure)? to deliver|unable to deliver|could not (?:be )?(?:deliver|send)|cannot (?:send|deliver)|"
    r"undelivered|error sending|unzustellbar|fehlgeschlagen|non ?recapitabile|impossibile|échec|non remis|"
    r"nondeliverable|returned to sender|warning: (?:could|message|e?-?mail)|user unknown|delivery warning|"
    r"(?:temporarily|permanently) undeliver|can't be delivered|delivery delay|delayed|bounced?\b|mail failed|"
    r"message (?:has )?not|rejected (?:mail|posting)|(?:status|delivery) notification|problem delivering|"
    r"mail system error|sorry.{0,20}(?:mail|deliver)|notificaci|rückläufer|エラー|配信|returning message|non remis|"
    r"zustellfehler|zustellung (?:fehlgeschlagen|nicht möglich|verzögert)|no se (?:ha )?(?:puede|pudo|podido) entreg|"
    r"não (?:é possível|foi) entreg|(?:mensaje|correo|mail) devuelto|mensagem devolvida|"
    r"onbestelbaar|niedostarczon|未送达|无法送达|退信|退件|недоставлен|не доставлен|olevererat|kan ikke leveres|"
    r"nedoručiteln|kézbesíthetetlen|teslim edilemedi|toimittamat",
    re.IGNORECASE,
)
_PHRASE = re.compile(
    r"attempting to deliver|could(?: not|n't) be (?:delivered|sent|completed)|undeliverable|(?:unable|failed|"
    r"wasn't able) to (?:deliver|send)|"
    r"delivery (?:to|of).{0,80}(?:failed|delayed|unsuccess)|permanent (?:fatal )?errors?|permanent failure|"
    r"not (?:been )?(?:delivered|deliverable)|did not reach|cannot (?:be )?deliver|"
    r"mailbox (?:is )?(?:full|unavailable)|"
    r"user unknown|unknown user|no such user|transcript of session|rejected by|failed address|address(?:es)? failed|"
    r"undelivered|returned (?:mail|message)|delivery (?:failure|failed|error)|does not exist|over quota|"
    r"error (?:occurred )?(?:while|delivering|sending)|unbekannt|nicht.{0,60}zugestellt|nicht (?:erreicht|gesendet)|"
    r"nicht (?:gefunden|vorhanden|zustellbar)|nachrichtenzustellung|non.{0,20}(?:consegn|recapit|raggiunt)|inconnu|"
    r"n.est pas parvenu|échec|introuvable|no (?:se )?(?:ha |pudo|puede|podido).{0,40}(?:entreg|encontr|alcanz)|"
    r"não.{0,40}entreg|falha na entrega|mislukt|nie powiodło|失败|失敗|不存在|не удалось|не (?:был )?доставлен",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Report:
    """A mail that may be a bounce."""

    top: Part
    subject: str
    sender: str
    to: str
    """To whom the report was sent: usually our return path."""
    text: str
    """What the report says itself, up to the returned mail."""
    whole: str
    """All readable text, where the end of the report cannot be told."""
    status: tuple[str, ...]
    """Delivery-status parts, as text."""
    nested: Part | None
    """A report inside this mail: a bounce that somebody or some filter passed on."""
    original: Part | None
    """Headers of the returned mail, if it came with the report."""

    @property
    def by_a_server(self) -> bool:
        """True if a mail system seems to have written this, and not a person."""
        top = self.top
        return bool(
            self.status
            or top.parameter("report-type").lower() == "delivery-status"
            or top.header("x-failed-recipients")
            or _DAEMON.search(self.sender)
            or self.nested is not None
            or top.header("x-mlserver")
            or (top.header("return-path").strip() == "<>" and _PHRASE.search(self.text))
            or (_SUBJECT.search(self.subject) and _PHRASE.search(self.text))
        )

    @property
    def written_to(self) -> list[str]:
        """To whom the returned mail was addressed."""
        if self.original is None:
            return []
        named = (self.original.header(name) for name in ("x-original-to", "delivered-to", "envelope-to", "to", "cc"))
        return next(filter(None, map(addresses, named)), [])


def open_report(top: Part) -> Report:
    """Sort the parts of a mail into what is said and what is returned."""
    texts: list[str] = []
    status: list[str] = []
    original: Part | None = None
    nested: Part | None = None
    parts = [part for part in top.walk() if not part.parts]
    plain = any(part.type == "text/plain" and part.body.strip() for part in parts)
    for index, part in enumerate(parts):
        kind = part.type
        if kind in dsn.TYPES:
            status.append(part.text())
        elif kind in ("message/rfc822", "message/global", "message/partial"):
            carried = inner(part)
            if carried.type == "multipart/report" and nested is None:
                nested = carried
            original = original or carried
        elif kind in ("text/rfc822-headers", "message/global-headers"):
            original = original or inner(part)
        elif kind == "text/html" and plain:
            continue
        elif kind.startswith("text/") or not kind.startswith(("image/", "audio/", "video/", "application/")):
            text = part.text()
            if index and original is None and _is_headers(text):
                original = inner(Part([], text.lstrip().encode("utf-8", "replace")))
            elif index and part.header("received"):  # the returned mail's own headers became the part's
                original = original or part
            else:
                texts.append(text)
    whole = _unquoted("\n".join(texts)[:MAX_TEXT])
    match = _first_original(whole)
    said = whole[: match.start()] if match else whole
    if match and original is None:
        rest = whole[match.start() :]
        begin = re.search(r"^[A-Z][A-Za-z-]{1,40}: ", rest, re.MULTILINE)
        if begin:
            original = inner(Part([], rest[begin.start() :].encode("utf-8", "replace")))
    for text in texts:
        if not status and dsn.is_report(text):
            status.append(text)
    return Report(
        top=top,
        subject=top.header("subject"),
        sender=top.header("from") or top.header("sender") or top.header("return-path"),
        to=top.header("to"),
        text=said,
        whole=whole,
        status=tuple(status),
        nested=nested if not status else None,
        original=original,
    )


def _first_original(text: str) -> re.Match[str] | None:
    """Where the returned mail begins; never at the very start, where a report has to stand."""
    for match in _ORIGINAL.finditer(text):
        if text[: match.start()].strip():
            return match
    return None


def _unquoted(text: str) -> str:
    """A report that a person passed on, without the marks of quoting."""
    begin = re.search(r"^-*\s*(?:begin forwarded message|forwarded message|original message).{0,20}$", text, _LINES)
    if begin is None or not text[begin.end() :].lstrip().startswith(">"):
        return text
    return re.sub(r"^(?:>[> ]*)", "", text[begin.end() :], flags=re.MULTILINE)


_LINES = re.IGNORECASE | re.MULTILINE


def _is_headers(text: str) -> bool:
    lines = text.lstrip().split("\n", 12)
    return len(lines) > 3 and sum(bool(re.match(r"[A-Z][A-Za-z-]{1,40}: ?\S|[ \t]\S", line)) for line in lines[:8]) >= 4
