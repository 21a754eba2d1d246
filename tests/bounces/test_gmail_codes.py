"""Gmail's published replies ("SMTP errors and codes"), each with the reason a postmaster would give.

Of all of them, only an address that does not exist may suppress a citizen. The list is Google Workspace's help page
3726730 (support.google.com; since 2026 under knowledge.workspace.google.com), with older wordings that copies keep.
"""

from __future__ import annotations

import pytest

from outreach.bounces.classify import classify
from outreach.bounces.found import Found, with_codes
from outreach.bounces.policy import Effect, decide

R = "ratelimited"
A = "authfailure"
N = "notcompliantrfc"
CODES = [
    ("421 4.3.0 Temporary System Problem. Try again later.", "systemerror"),
    ("421 4.4.5 Server busy, try again later.", "systemerror"),
    ("421 4.7.0 IP not in whitelist for RCPT domain, closing connection.", "blocked"),
    ("421 4.7.0 Our system has detected an unusual rate of unsolicited mail originating from your IP address.", R),
    ("421 4.7.0 Temporary System Problem. Try again later.", "systemerror"),
    ("421 4.7.0 TLS required for RCPT domain, closing connection.", "failedstarttls"),
    ("421 4.7.0 Try again later, closing connection.", "systemerror"),
    ("421 4.7.0 This message is suspicious due to the nature of the content or the links within.", "spamdetected"),
    ("421 4.7.0 This message is suspicious due to the very low reputation of the sending domain.", "badreputation"),
    ("421 4.7.0 This message is suspicious due to the very low reputation of the sending IP address.", "badreputation"),
    ("421 4.7.23 The IP address sending this message doesn't have a PTR record setup.", "requireptr"),
    ("421 4.7.26 This mail has been rate limited because it is unauthenticated.", A),
    ("421 4.7.27 Your email has been rate limited because SPF authentication didn't pass for this message.", A),
    ("421 4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your SPF domain.", R),
    ("421 4.7.28 Gmail has detected an unusual rate of email originating from your IP address.", R),
    ("421 4.7.28 Gmail has detected an unusual rate of unsolicited mail containing one of your URL domains.", R),
    ("421 4.7.28 This message has exceeded the quota for messages with the same Message-ID.", R),
    (
        "421 4.7.29 Your email has been rate limited because this message wasn't sent over a TLS connection.",
        "failedstarttls",
    ),
    ("421 4.7.30 Your email has been rate limited because DKIM authentication didn't pass for this message.", A),
    ("421 4.7.32 Your email has been rate limited because there is no DMARC alignment.", A),
    ("421 4.7.40 Your email has been rate limited because the domain in the From header has no DMARC record.", A),
    ("450 4.2.1 The user you are trying to contact is receiving mail too quickly.", R),
    ("450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages.", R),
    ("450 4.2.1 Peak SMTP relay limit exceeded for customer.", R),
    ("451 4.3.0 Mail server temporarily rejected message.", "systemerror"),
    ("451 4.3.0 Multiple destination domains per transaction is unsupported. Please try again.", "syntaxerror"),
    ("451 4.4.2 Timeout - closing connection.", "expired"),
    ("451 4.5.0 SMTP protocol violation, visit RFC 2821.", "syntaxerror"),
    ("452 4.2.2 The recipient's inbox is out of storage space.", "mailboxfull"),
    ("452 4.2.2 The email account that you tried to reach is over quota.", "mailboxfull"),
    ("452 4.5.3 Your message has too many recipients.", "toomanyconn"),
    (
        "452 4.5.3 Domain policy size per transaction exceeded, please try this recipient in a separate transaction.",
        "toomanyconn",
    ),
    (
        "454 4.5.0 SMTP protocol violation, no commands allowed to pipeline after STARTTLS, visit RFC 3207.",
        "syntaxerror",
    ),
    ("454 4.7.0 Cannot authenticate due to temporary system problem. Try again later.", "systemerror"),
    ("454 5.5.1 STARTTLS may not be repeated.", "syntaxerror"),
    ("501 5.5.2 Cannot Decode response.", "syntaxerror"),
    ("501 5.5.4 HELO/EHLO argument is invalid.", "blocked"),
    ("502 5.5.1 Too many unrecognized commands, goodbye.", "syntaxerror"),
    ("502 5.5.1 Unimplemented command.", "syntaxerror"),
    ("502 5.5.1 Unrecognized command.", "syntaxerror"),
    ("503 5.5.1 EHLO/HELO first.", "syntaxerror"),
    ("503 5.5.1 MAIL first.", "syntaxerror"),
    ("503 5.5.1 RCPT first.", "syntaxerror"),
    ("503 5.7.0 No identity changes permitted.", "securityerror"),
    ("504 5.7.4 Unrecognized Authentication Type.", "syntaxerror"),
    ("523 5.7.10 SMTP protocol violation, no commands allowed to pipeline after STARTTLS.", "syntaxerror"),
    ("530 5.5.1 Authentication Required.", "credentials"),
    ("530 5.7.0 Must issue a STARTTLS command first.", "failedstarttls"),
    ("534 5.7.9 Application-specific password required.", "credentials"),
    ("534 5.7.14 Please log in through your web browser and then try again.", "credentials"),
    ("535 5.5.4 Optional Argument not permitted for that AUTH mode.", "credentials"),
    ("535 5.7.8 Username and Password not accepted.", "credentials"),
    (
        "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's"
        " email address for typos or unnecessary spaces.",
        "userunknown",
    ),
    ("550 5.2.1 The email account that you tried to reach is disabled.", "suspend"),
    ("550 5.2.1 The email account that you tried to reach is inactive.", "suspend"),
    ("550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages.", R),
    ("550 5.4.5 Daily user sending limit exceeded.", R),
    ("550 5.4.5 Daily SMTP relay limit exceeded for user.", R),
    ("550 5.7.0 Mail relay denied.", "norelaying"),
    ("550 5.7.0 Mail Sending denied. This error occurs if the sender account is disabled.", "rejected"),
    ("550 5.7.1 Email quota exceeded.", R),
    ("550 5.7.1 Invalid credentials for relay.", "norelaying"),
    ("550 5.7.1 Our system has detected an unusual rate of unsolicited mail originating from your IP address.", R),
    (
        "550 5.7.1 Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam"
        " sent to Gmail, this message has been blocked.",
        "spamdetected",
    ),
    (
        "550 5.7.1 The IP you're using to send mail is not authorized to send email directly to our servers. Please use"
        " the SMTP relay at your service provider instead.",
        "blocked",
    ),
    (
        "550 5.7.1 The user or domain that you are sending to (or from) has a policy that prohibited the mail that you"
        " sent.",
        "policyviolation",
    ),
    ("550 5.7.1 Unauthenticated email from city.example is not accepted due to domain's DMARC policy.", A),
    ("550 5.7.1 Messages missing a valid Message-ID header are not accepted.", "notcompliantrfc"),
    ("550 5.7.1 Messages with multiple addresses in From: header are not accepted.", "notcompliantrfc"),
    ("550 5.7.1 This message isn't RFC 5322 compliant: From header is missing.", "notcompliantrfc"),
    ("550 5.7.1 This message is not RFC 5322 compliant. There are multiple Subject headers.", "notcompliantrfc"),
    (
        "550 5.7.1 Our system has detected that this message is not RFC 5322 compliant: duplicate headers.",
        "notcompliantrfc",
    ),
    ("550 5.7.1 Messages with non-ASCII characters in this header are not accepted.", "notcompliantrfc"),
    ("550 5.7.1 This message violates city.example email policy. - gcdp", "policyviolation"),
    ("550 5.7.25 The IP address sending this message does not have a PTR record setup.", "requireptr"),
    ("550 5.7.26 This mail has been blocked because the sender is unauthenticated.", A),
    ("550 5.7.27 This mail has been blocked because SPF authentication didn't pass for this message.", A),
    ("550 5.7.28 There is an unusual rate of unsolicited mail originating from your IP address.", R),
    ("550 5.7.29 This mail has been blocked because this message wasn't sent over a TLS connection.", "failedstarttls"),
    ("550 5.7.30 This mail has been blocked because DKIM authentication didn't pass for this message.", A),
    ("550 5.7.40 This mail has been blocked because the domain in the From header has no DMARC record.", A),
    ("552 5.2.2 The email account that you tried to reach is over quota.", "mailboxfull"),
    ("552 5.2.3 Your message exceeded Google's message size limits.", "exceedlimit"),
    ("552 5.3.4 The number of attachments exceeds Google's limit of 500 attachments.", "contenterror"),
    ("552 5.7.0 This message was blocked because its content presents a potential security issue.", "virusdetected"),
    ("552 5.7.0 Our system detected an illegal attachment on your message.", "virusdetected"),
    ("553 5.1.2 We weren't able to find the recipient domain. Please check for any spelling errors.", "hostunknown"),
    ("553 5.1.3 The recipient address is not a valid RFC-5321 address.", "userunknown"),
    ("553 5.1.7 The sender address is not a valid RFC-5321 address.", "rejected"),
    ("554 5.6.0 Mail message is malformed. Not accepted.", "notcompliantrfc"),
    ("554 5.6.0 Message exceeded 50 hops, this may indicate a mail loop.", "networkerror"),
    ("554 5.7.0 Too Many Unauthenticated commands.", "securityerror"),
    ("555 5.5.2 Syntax error, goodbye.", "syntaxerror"),
    ("555 5.5.2 Syntax error. Cannot decode response.", "syntaxerror"),
    ("421 4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your DKIM domain.", R),
    ("421 4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP Netblock.", R),
    ("450 4.2.1 Peak SMTP relay limit exceeded for this customer. This is a temporary error.", R),
    ("451 4.7.24 The SPF record of the sending domain has one or more suspicious entries.", A),
    ("452 4.2.2 The recipient's inbox is out of storage space and inactive.", "mailboxfull"),
    ("535 5.7.1 Application-specific password required.", "credentials"),
    ("535 5.7.1 Please log in with your web browser and then try again.", "credentials"),
    ("535 5.7.1 Username and Password not accepted.", "credentials"),
    ("550 5.4.5 Daily sending quota exceeded.", R),
    ("550 5.7.1 Daily SMTP relay limit exceeded for customer.", R),
    ("550 5.7.1 Encoded-word syntax is not permitted in message header Subject. To reduce spam, blocked.", N),
    ("550 5.7.1 Messages missing a valid address in the From: header, or having none, are not accepted.", N),
    ("550 5.7.1 The message contains a unicode character in a disallowed header. To reduce spam, blocked.", N),
    ("550 5.7.1 This message is not RFC 5322 compliant. There are multiple From headers. To reduce spam, blocked.", N),
    (
        "550 5.7.1 This message is not RFC 5322 compliant because the From header is missing. To reduce spam, blocked.",
        N,
    ),
    ("550 5.7.24 The SPF record of the sending domain has one or more suspicious entries.", A),
    ("550 5.7.26 This message does not have authentication information or fails to pass authentication checks.", A),
    ("550 5.7.26 This message fails to pass SPF checks for an SPF record with a hard fail policy (-all).", A),
    ("550 5.7.26 Unauthenticated email from city.example is not accepted due to domain's DMARC policy.", A),
    ("552 5.2.2 The recipient's inbox is out of storage space and inactive.", "mailboxfull"),
    ("552 5.3.4 Your message exceeded Google's message header size limits.", "mesgtoobig"),
    ("554 5.7.0 This message was blocked because its content presents a potential security issue.", "virusdetected"),
]
GONE = {"userunknown", "hostunknown"}


@pytest.mark.parametrize(("reply", "reason"), CODES, ids=[reply[:60] for reply, _ in CODES])
def test_a_reply_has_the_reason_a_postmaster_would_give(reply: str, reason: str) -> None:
    found = with_codes(Found("ada@gmail.com", text=f"{reply} x1si123 - gsmtp"))
    judgement = classify(found.text, status=found.status, code=found.code, action="failed")
    assert judgement.reason.value == reason
    effect = decide(judgement.reason, hard=judgement.hard, action="failed", proven=True)
    assert (effect is Effect.SUPPRESS) == (reason in GONE)
