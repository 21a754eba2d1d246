"""What a report tells people beside the server's reply, and what it leaves unsaid."""

from __future__ import annotations

import pytest

from outreach.bounces.classify import Severity, classify
from outreach.bounces.reading import Recipient, read
from outreach.bounces.reasons import Reason


def told(prose: str, *fields: str, charset: str = "utf-8") -> list[Recipient]:
    """The recipients of a report with this text for people and these fields about Ada."""
    about = "\n".join(("Final-Recipient: rfc822; ada@example.org", "Action: failed", *fields)) if fields else ""
    raw = (
        "From: Mail Delivery System <MAILER-DAEMON@mx.example.org>\nTo: news@city.example\nSubject: Undelivered Mail\n"
        "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=x\n\n"
        f"--x\nContent-Type: text/plain; charset={charset}\n\n{prose}\n"
        f"--x\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n{about}\n\n"
        "--x\nContent-Type: message/rfc822\n\n"
        "From: news@city.example\nTo: ada@example.org\nSubject: Parks\n\nHello\n--x--\n"
    )
    return list(read(raw.encode(charset)).recipients)


NAME_SERVICE, MALFORMED = "Name service error for name=example.org", "Malformed or unexpected name server reply"
UNKNOWN = ("Status: 5.0.0", "Diagnostic-Code: smtp; 550 <ada@example.org>: User unknown")


@pytest.mark.parametrize(
    ("heading", "hard"),
    [
        ("** Address not found **", True),
        ("** Adresse nicht gefunden **", True),
        ("** Message blocked **", False),
        ("Check the address; it may be misspelt.", False),
    ],
)
def test_google_says_whether_the_address_was_refused(heading: str, hard: bool) -> None:
    (ada,) = told(f"{heading}\n\nYour message wasn't delivered to ada@example.org.", *UNKNOWN)
    assert (ada.reason, ada.hard) == ((Reason.USER_UNKNOWN, True) if hard else (Reason.FILTERED, False))


@pytest.mark.parametrize(
    ("prose", "reason"),
    [
        ("The user(s) account is disabled.", Reason.SUSPEND),
        ("The user(s) account is temporarily limited.", Reason.SUSPEND),
        ("The user's mailbox has been suspended", Reason.SUSPEND),
        ("The user's account is disabled or was never there.", Reason.USER_UNKNOWN),
        ("It may be that the user account is disabled.", Reason.USER_UNKNOWN),
    ],
)
def test_a_disabled_account_is_still_somebodys(prose: str, reason: Reason) -> None:
    (ada,) = told(f"{prose}\n\n<ada@example.org>: 550 user unknown (in reply to RCPT TO command)", "Status: 5.0.0")
    assert ada.reason is reason
    assert ada.hard is (reason is Reason.USER_UNKNOWN)


def test_each_of_several_was_refused_where_the_words_about_them_say() -> None:
    """Postfix names the command for people only: one was refused, the other's mail was."""
    grace = ("", "Final-Recipient: rfc822; grace@example.net", "Action: failed", "Status: 5.2.1")
    people = ("ada@example.org", "grace@example.net")
    replies = [f"Diagnostic-Code: smtp; 550 5.2.1 <{name}>... User unknown" for name in people]
    prose = (
        "<ada@example.org>: host mx.example.org[192.0.2.1] said: 550 5.2.1\n"
        "    <ada@example.org>... User unknown (in reply to RCPT TO command)\n\n"
        "<grace@example.net>: host mx.example.net[192.0.2.2] said: 550 5.2.1\n"
        "    <grace@example.net>... User unknown (in reply to end of DATA command)\n"
    )
    both = told(prose, "Status: 5.2.1", replies[0], *grace, replies[1])
    assert [(each.address, each.reason, each.hard) for each in both] == [
        ("ada@example.org", Reason.USER_UNKNOWN, True),
        ("grace@example.net", Reason.FILTERED, False),
    ]


def test_a_report_without_its_reason_is_not_judged() -> None:
    (ada,) = told(
        "This is the mail system at host mx.example.org.\n\nThe mail system\n\n--- Delivery report unavailable ---"
    )
    assert (ada.address, ada.reason, ada.severity) == ("ada@example.org", Reason.UNDEFINED, Severity.UNDETERMINED)


def test_japanese_without_a_declared_charset_is_read() -> None:
    words = "ユーザー Ada (ada@example.org) は Domino ディレクトリには見つかりません。"
    (ada,) = told(words, "Status: 5.0.0", f"Diagnostic-Code: X-Notes; {words}", charset="iso-2022-jp")
    assert (ada.text, ada.reason, ada.hard) == (words, Reason.USER_UNKNOWN, True)


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ('procmail: Couldn\'t create "/var/spool/mail/ada" No such user', "5.1.1", Reason.MAILER_ERROR),
        ("maildrop: Unable to open mailbox", "5.1.1", Reason.MAILER_ERROR),
        ("x-unix; maildrop: Invalid user specified.", "5.1.1", Reason.USER_UNKNOWN),
        ("procmail: Quota exceeded while writing", "5.2.2", Reason.MAILBOX_FULL),
        # Postfix before 3.0 at a domain whose only MX is "." (RFC 7505); 4.4.3 is a name server in trouble
        (f"{NAME_SERVICE} type=MX: {MALFORMED}", "5.4.4", Reason.NOT_ACCEPT),
        (f"{NAME_SERVICE} type=A: {MALFORMED}", "5.4.4", Reason.NETWORK_ERROR),
        (f"{NAME_SERVICE} type=MX: {MALFORMED}", "4.4.3", Reason.NETWORK_ERROR),
        ("Der Benutzer Ada ist nicht im Domino-Verzeichnis aufgeführt", "5.0.0", Reason.USER_UNKNOWN),
        ("Ada n'est pas répertorié dans l'annuaire Domino", "5.0.0", Reason.USER_UNKNOWN),
    ],
)
def test_who_is_to_blame(text: str, status: str, reason: Reason) -> None:
    assert classify(text, status=status, action="failed").reason is reason
