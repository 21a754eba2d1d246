"""Mails that a machine sends in a person's name: away until Monday; prove that you are human.

RFC 3834 gives such answers a header; many come without. Neither is a bounce: the mail arrived.
"""

from __future__ import annotations

import re

from outreach.bounces.found import addresses
from outreach.bounces.report import Report

_AWAY_SUBJECT = re.compile(
    r"^\s*(?:re:\s*)?(?:\[?auto(?:matic|mated|matisch\w*)?[-: ]?(?:re(?:ply|sponse|sponder)|antwort|answer)?\]?\b|"
    r"out[- ]of[- ](?:the )?office|away (?:from|until|till|on)|on (?:vacation|holiday|leave)|i(?: am|'m) (?:away|out)|"
    r"vacation|holiday|r[eé]ponse automatique|abwesen|respuesta autom|risposta automatica|absence|ooo\b|"
    r"automatische|自動|auto\s*:|odsutnos|afwezig|nieobecno|fuera de)",
    re.IGNORECASE,
)
_AWAY_TEXT = re.compile(
    r"(?:i(?: am|'m|’m| will be| shall be)|is) (?:\w+ ){0,2}(?:away|out of (?:the )?office|on (?:vacation|"
    r"holiday|leave)|"
    r"on my (?:vacation|holiday))|returning to the office|upon my return|when i (?:return|get back|am back)",
    re.IGNORECASE,
)
_CHALLENGE = re.compile(
    r"(?:click|visit|reply|follow|go to|use).{0,80}(?:verify|confirm|prove|authenticate|release|approve).{0,60}"
    r"(?:you|sender|yourself|human|message|address|deliver)|challenge[- ]response|spamarrest|boxbe|"
    r"(?:message|mail|e-?mail).{0,60}(?:waiting|held|pending|will not be delivered).{0,80}(?:verif|"
    r"confirm|approv|authoriz)|"
    r"prove (?:that )?you(?:'re| are) (?:a )?(?:human|person|not a)|sender (?:verification|"
    r"confirmation) (?:is )?required",
    re.IGNORECASE | re.DOTALL,
)
_CHALLENGE_SUBJECT = re.compile(
    r"verif(?:y|ication)|confirm|challenge|waiting for (?:your )?approval|authenticat|are you human", re.IGNORECASE
)


def is_vacation(report: Report) -> bool:
    if report.status or report.top.header("x-failed-recipients"):
        return False
    submitted = report.top.header("auto-submitted").lower()
    told = (
        submitted.startswith("auto-replied")
        or bool(
            report.top.header("x-autoreply") or report.top.header("x-autorespond") or report.top.header("x-vacation")
        )
        or report.top.header("precedence").lower() in ("auto_reply", "auto-reply")
        or (report.top.header("x-auto-response-suppress") != "" and bool(_AWAY_SUBJECT.search(report.subject)))
    )
    if told:
        return not report.by_a_server or bool(_AWAY_SUBJECT.search(report.subject))
    if report.by_a_server:
        return False
    return bool(_AWAY_SUBJECT.search(report.subject)) and (
        submitted not in ("", "no") or bool(_AWAY_TEXT.search(report.text[:4000])) or "auto" in report.subject.lower()
    )


def is_challenge(report: Report) -> bool:
    if report.status or report.top.header("x-failed-recipients"):
        return False
    automatic = report.top.header("auto-submitted").lower() not in ("", "no") or report.top.header("precedence") != ""
    words = bool(_CHALLENGE.search(report.text[:4000]))
    return words and bool(_CHALLENGE_SUBJECT.search(report.subject)) and (automatic or not report.by_a_server)


def who(report: Report) -> str:
    """The person who is away."""
    return next(iter(addresses(report.sender)), "")
