"""Replies and reports as manuals and providers document them: not from the labelled sets, so that these stay a test."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from outreach.bounces.classify import classify
from outreach.bounces.found import Found, verb_in, with_codes
from outreach.bounces.reading import Kind, read
from outreach.bounces.reasons import Reason

FOLDER = Path(__file__).parent / "documented"
REPLIES = [
    line.split(maxsplit=2)
    for path in sorted(FOLDER.glob("replies*.txt"))
    for line in path.read_text("utf-8").splitlines()
    if line[:1] != "#"
]
REPORTS = [
    report
    for path in sorted(FOLDER.glob("reports*.toml"))
    for report in tomllib.loads(path.read_text("utf-8"))["report"]
]
RETURNED = """

Received: from city.example by mx.example.net; Thu, 29 Apr 2010 23:34:45 +0900
From: news@city.example
To: ada@example.org
Subject: Parks

Hello
"""


@pytest.mark.parametrize(("reason", "verb", "text"), REPLIES, ids=[text[:50] for _, _, text in REPLIES])
def test_a_documented_reply_has_its_reason(reason: str, verb: str, text: str) -> None:
    found = with_codes(Found("ada@example.org", text=text))
    verb = found.verb if verb == "-" else verb
    assert classify(text, status=found.status, code=found.code, verb=verb, action="failed").reason == reason


@pytest.mark.parametrize("report", REPORTS, ids=[report["family"] for report in REPORTS])
def test_a_report_without_delivery_status_names_its_recipients(report: dict[str, Any]) -> None:
    text = report["text"] + (RETURNED if report["returned"] else "")
    head = f"From: {report['from']}\r\nTo: b-x@city.example\r\nSubject: {report['subject']}\r\n"
    raw = f"{head}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}"
    told = read(raw.encode()).recipients
    assert {each.address: each.reason.value for each in told} == report["recipients"]


@pytest.mark.parametrize("verb", ["mail", "connect"])
def test_whoever_is_unknown_before_a_recipient_was_named_is_us(verb: str) -> None:
    judgement = classify("550 5.1.1 User unknown", status="5.1.1", code="550", verb=verb, action="failed")
    assert not judgement.hard
    assert not judgement.group.personal


@pytest.mark.parametrize(
    "text",
    [
        "Your message to\n\n ada@example.org\n\nwas not delivered. This is just a warning, you need not do anything.",
        "There was a temporary problem delivering your message to ada@example.org. Gmail will retry for 46 hours.",
        "Ihre Nachricht an\n\n ada@example.org\n\nkonnte noch nicht zugestellt werden.",
        "La remise à ces destinataires a été retardée :\n\nada@example.org\n\nLe système réessaiera pendant 2 jours.",
    ],
)
def test_a_server_that_still_tries_reports_no_failure(text: str) -> None:
    raw = f"From: Mail Delivery System <MAILER-DAEMON@mx.example>\nTo: n@city.example\nSubject: Delivery\n\n{text}\n"
    assert [(each.address, each.action, each.hard) for each in read(raw.encode()).recipients] == [
        ("ada@example.org", "delayed", False)
    ]


@pytest.mark.parametrize(
    ("subject", "text", "kind"),
    [
        ("AW: Zustellung des Briefes", "Ihr Brief wurde nicht gefunden, fragen Sie ada@example.org.", Kind.OTHER),
        ("Re: paquete devuelto", "No pude encontrar el formulario. Escribo a ada@example.org.", Kind.OTHER),
        ("Automatische Antwort: Parks", "Ich bin nicht da; bitte schreiben Sie an ada@example.org.", Kind.VACATION),
    ],
)
def test_words_of_people_in_other_languages_stay_theirs(subject: str, text: str, kind: Kind) -> None:
    raw = f"From: Ada <ada@example.net>\nTo: news@city.example\nSubject: {subject}\n\n{text}\n"
    assert read(raw.encode()).kind is kind


def test_a_greeting_is_no_recipient_where_the_header_names_them() -> None:
    """Google Groups greets the sender; whom the mail was for stands in X-Failed-Recipients."""
    raw = (
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nTo: news@city.example\n"
        "Subject: Delivery Status Notification (Failure)\nX-Failed-Recipients: parks@googlegroups.com\n\n"
        "Hello news@city.example,\n\nThe group you tried to contact (parks) may not exist, or you may not have "
        "permission to post messages to the group.\n"
    )
    told = read(raw.encode()).recipients
    assert [(each.address, each.reason) for each in told] == [("parks@googlegroups.com", Reason.REJECTED)]


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("192.0.2.1 does not like recipient.", "rcpt"),
        ("Connected to 192.0.2.1 but sender was rejected.", "mail"),
        ("Connected to 192.0.2.1 but my name was rejected.", "connect"),
        ("192.0.2.1 failed on DATA command.", "data"),
        ("192.0.2.1 failed after I sent the message.", "dot"),
        ("550 no (in reply to RCPT TO command)", "rcpt"),
        ("550 no (in reply to end of DATA command)", "dot"),
        ("SMTP error from remote mail server after pipelined MAIL FROM:<a@b.example>", "mail"),
        ("mx.example.org did not like our final DATA:", "dot"),
        (">>> RCPT To:<ada@example.org>", "rcpt"),
        ("smtp; Mail server does not know the user", ""),
        ("nothing said", ""),
    ],
)
def test_the_verb_is_read_from_the_words(text: str, verb: str) -> None:
    assert verb_in(text) == verb


@pytest.mark.parametrize(
    ("status", "verb", "hard"),
    [("", "rcpt", True), ("5.1.1", "", True), ("5.1.1", "dot", True), ("", "dot", False), ("", "", False)],
)
def test_unknown_is_only_hard_if_the_address_itself_was_refused(status: str, verb: str, hard: bool) -> None:
    judgement = classify("550 User unknown", status=status, code="550", verb=verb, action="failed")
    assert judgement.hard is hard
    assert judgement.reason is (Reason.USER_UNKNOWN if hard else Reason.FILTERED)
