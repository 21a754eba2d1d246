"""Sendmail's transcript, which many others borrowed.

   ----- The following addresses had permanent fatal errors -----
<ada@example.com>
    (reason: 550 5.1.1 <ada@example.com>... User unknown)

   ----- Transcript of session follows -----
... while talking to mx.example.com.:
>>> RCPT To:<ada@example.com>
<<< 550 5.1.1 <ada@example.com>... User unknown
550 <ada@example.com>... User unknown
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from outreach.bounces.found import ADDRESS, Found, addresses, one_line, with_codes
from outreach.bounces.report import Report

_HEADS = re.compile(r"^[ \t-]{2,20}(?:The )?following addresses? (?:had|has).{0,60}$", re.IGNORECASE | re.MULTILINE)
_TRANSCRIPT = re.compile(r"^[ \t-]*Transcript of (?:the )?session.{0,30}$", re.IGNORECASE | re.MULTILINE)
_ADDRESS_LINE = re.compile(rf"^[ \t\"|]*[<\"]?(?P<address>{ADDRESS.pattern})[>\"]?(?P<rest>.*)$")
_PROGRAM = re.compile(r'^\s*(?:"?[|/]|"?:include:)')
_REASON = re.compile(r"\(reason: ([45]\d\d[ -].{10,2000})\)", re.DOTALL)
_RCPT = re.compile(rf">>> ?RCPT TO: ?<?(?P<address>{ADDRESS.pattern})>?", re.IGNORECASE)
_ANSWER = re.compile(r"^<<< ?(?P<reply>\d{3}[ -].*)$|^(?P<own>[45]\d\d[ -].*)$")
_TALKING = re.compile(r"while talking to ([\w.-]{1,200})", re.IGNORECASE)


def read(report: Report) -> list[Found]:
    """The addresses of the list, with what the transcript says about each."""
    heads = list(_HEADS.finditer(report.text))
    transcript = _TRANSCRIPT.search(report.text)
    if not heads and transcript is None:
        return []
    listed: dict[str, list[str]] = {}
    became: dict[str, str] = {}
    for head in heads:
        _listed(report.text[head.end() :], listed, became)
    told = report.text[transcript.end() :] if transcript else ""
    about, common, sender_refused, at_rcpt = _transcript(told, {*listed, *became})
    for name, final in became.items():
        if name in about:  # the transcript blames the alias itself: that happened to both
            listed[name] = listed[final]
            about[name] = about[final] = [*about[name], *about.get(final, [])]
    names = list(listed) or list(about) or addresses("\n".join(common))
    if not names:
        names = report.written_to[:1]
    remote = _TALKING.search(told)
    said = {
        name: [*listed.get(name, []), *about.get(name, []), *(sender_refused if name in about else common)]
        for name in names
    }
    return [
        _found(
            Found(
                address=name,
                text=one_line(" ".join(said[name])),
                verb="rcpt" if name in at_rcpt else "",
                remote=remote[1].rstrip(".:") if remote else "",
            ),
            reason=_reason(listed.get(name, [])),
        )
        for name in names
    ]


def _found(found: Found, *, reason: str) -> Found:
    """The reply of (reason: …) for the words; its code and command may stand in the transcript only."""
    whole = with_codes(found)
    return replace(found, text=reason, status=whole.status, verb=whole.verb) if reason else found


def _reason(said: list[str]) -> str:
    """The server's reply, if (reason: …) gives one: the transcript may tell of other servers and attempts."""
    match = _REASON.search(" ".join(said))
    return one_line(match[1]) if match else ""


def _listed(text: str, found: dict[str, list[str]], became: dict[str, str]) -> None:
    """Addresses until the next dashed heading, each with its (reason: …); for a program or a file, whom it serves.

    Of an alias, `became` tells which address it became: that one failed.
    """
    current: list[str] | None = None
    final = ""
    program: list[str] = []
    for line in text.split("\n")[1:]:
        if re.match(r"^\s*-{3,}", line):
            return
        match = _ADDRESS_LINE.match(line)
        if _PROGRAM.match(line):
            current, program = None, [line.strip()]
            continue
        if match and not line.lstrip().startswith("("):
            final = match["address"].lower()
            current = found.setdefault(final, [])
            current.append(match["rest"])
            if match["rest"].startswith(","):  # several on one line
                found.update({each.lower(): current for each in addresses(match["rest"])})
        elif line.strip().startswith("(expanded from"):
            served = addresses(line)
            if served and current is not None:
                became[served[0].lower()] = final
            elif served:
                current = found.setdefault(served[0].lower(), program)
        elif line.strip():
            (program if current is None else current).append(line.strip())


def _transcript(text: str, listed: Collection[str]) -> tuple[dict[str, list[str]], list[str], list[str], set[str]]:
    """What was said about each address, what concerned everybody, the replies to MAIL, and who was refused at RCPT."""
    about: dict[str, list[str]] = {}
    at_rcpt: set[str] = set()
    common: list[str] = []
    to_mail: list[str] = []
    asked = command = ""
    for line in text.split("\n")[:500]:
        if re.match(r"^\s*-{3,}", line):
            break
        command = line.upper() if line.startswith(">>>") else command
        if rcpt := _RCPT.search(line):
            asked = rcpt["address"].lower()
        elif line.startswith(">>>"):
            asked = ""
            common.append(line)
        elif match := _ANSWER.match(line.strip()):
            reply = match["reply"] or match["own"]
            named = [each.lower() for each in addresses(reply)]
            about_whom = (
                asked if match["reply"] else next((each for each in named if each in about or each in listed), "")
            )
            if not about_whom and named and match["own"]:
                about_whom = named[0]
            if match["reply"] and command.startswith(">>> MAIL"):
                to_mail.append(reply)
            if match["reply"] and asked:
                at_rcpt.add(asked)
            (about.setdefault(about_whom, []) if about_whom else common).append(reply)
        elif line.strip():
            common.append(line.strip())
    return about, common, to_mail, at_rcpt
