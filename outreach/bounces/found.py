"""What readers hand on: one recipient of a report, as its words stand, before anybody judges them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

MAX_DIAGNOSTIC: Final = 2000
"""Characters of a server's words that are kept and judged."""

ADDRESS: Final = re.compile(
    r"(?<![\w.+@-])(?:\"[^\"@\n]{1,64}\"|[^\s<>()\[\]{}\"',;:@\\|]{1,128})@(?:[\w-]{1,63}\.){0,8}[\w-]{1,63}(?![\w@-]|\.\w)"
)
ENHANCED: Final = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
"""RFC 3463: class, subject, detail. Not part of an IP address or a version number."""
CODE: Final = re.compile(r"(?<![\d.#-])([45]\d\d)(?=[\s\-#(:;.,'\")\]]|$)(?!\.\d)")
"""RFC 5321 4.2: a reply code at the beginning of a reply."""


@dataclass(frozen=True, slots=True)
class Found:
    """One recipient in a report."""

    address: str
    action: str = ""
    """RFC 3464 2.3.3: failed delayed delivered relayed expanded; "" if the report does not say."""
    status: str = ""
    """Enhanced status code, 5.1.1, as the report gives it."""
    code: str = ""
    """Three-digit reply code."""
    text: str = ""
    """The server's words, on one line."""
    verb: str = ""
    """The SMTP command that was refused, lower case; "" if the report does not say."""
    remote: str = ""
    """Host that refused, as far as told."""


def one_line(text: str) -> str:
    """White space folded, and no longer than anybody needs to read."""
    return " ".join(text[: MAX_DIAGNOSTIC * 2].split())[:MAX_DIAGNOSTIC]


def with_codes(found: Found) -> Found:
    """The same with status, code and verb filled in from the text where the report did not name them."""
    text = found.text
    code = found.code or _code(text)
    status = found.status
    # The code inside the server's own words is nearer to the truth than what the reporting host made of it.
    told = next((f"{a}.{b}.{c}" for a, b, c in ENHANCED.findall(text) if (b, c) != ("0", "0")), "")
    status = told or status
    return replace(found, code=code, status=status, verb=found.verb or verb_in(text))


def addresses(text: str) -> list[str]:
    """The addresses in a text, each once, in its order."""
    return list(dict.fromkeys(each.strip(".'`") for each in ADDRESS.findall(text[: MAX_DIAGNOSTIC * 4])))


def _code(text: str) -> str:
    codes = CODE.findall(text)
    return codes[0] if codes else ""


_COMMAND = r"RCPT|MAIL(?=[ _]?FROM| command|\b[^\w ])|DATA|EHLO|HELO"
_VERBS: Final = (
    # Postfix, GMX, Exim; Yahoo's qmail; Sendmail and Courier; dma; X-series gateways; OpenSMTPD
    (
        re.compile(
            rf"in reply to (?:the )?(?:end of )?({_COMMAND})"
            r"|\[(RCPT_TO|DATA|MAIL_FROM|CONNECT|INIT)\]"
            rf"|after (?:sending |pipelined )?(?:end of )?({_COMMAND}|initial connection)"
            rf"|(?:>>>|<<<|-->) ?({_COMMAND})\b"
            rf"|following ({_COMMAND}) command"
            rf"|did not like our (?:final )?({_COMMAND})"
            rf"|SMTP[:;] ?\[?({_COMMAND})\b",
            re.IGNORECASE,
        ),
        "",
    ),
    # qmail-remote(8) says it in words, and so does Sun's Messaging Server
    # (IronPort calls every refused recipient an "unknown address error")
    (
        re.compile(
            r"does not like recipient|remote smtp server has rejected address|unknown address error \d{3}-",
            re.IGNORECASE,
        ),
        "rcpt",
    ),
    (re.compile(r"but sender was rejected", re.IGNORECASE), "mail"),
    (re.compile(r"but (?:my name was rejected|greeting failed)", re.IGNORECASE), "connect"),
    (re.compile(r"failed on DATA command", re.IGNORECASE), "data"),
    (re.compile(r"failed after I sent the message", re.IGNORECASE), "dot"),
)


def verb_in(text: str) -> str:
    """The SMTP command that a text says was answered; "" if it does not say."""
    for pattern, verb in _VERBS:
        if match := pattern.search(text):
            return verb or _verb(match)
    return ""


def _verb(match: re.Match[str]) -> str:
    word = str(next(filter(None, match.groups()))).lower().partition("_")[0].partition(" ")[0]
    if word == "data" and ("end of data" in match[0].lower() or "final data" in match[0].lower()):
        return "dot"
    return {"ehlo": "connect", "helo": "connect", "init": "connect", "initial": "connect"}.get(word, word)
