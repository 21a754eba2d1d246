"""Whose fault a refusal is: the person is only ever blamed for the address or the mailbox."""

import pytest

from outreach.bounces.classify import Fault, fault


@pytest.mark.parametrize(
    ("reply", "verb", "expected"),
    [
        ("550 5.1.1 no such user", "rcpt", Fault.ADDRESS),
        ("550 no such user here", "rcpt", Fault.ADDRESS),
        ("550-5.1.1 The email account that you tried to reach does not exist", "dot", Fault.ADDRESS),
        ("552 5.2.2 mailbox full", "rcpt", Fault.MAILBOX),
        ("452 4.2.2 mailbox full", "rcpt", Fault.MAILBOX),
        ("550 5.7.1 blocked", "rcpt", Fault.POLICY),
        ("554 refused", "dot", Fault.POLICY),
        ("550 5.7.515 authentication of the sending domain fails", "dot", Fault.POLICY),
        ("550 5.1.8 sender address rejected", "mail", Fault.POLICY),
        ("535 5.7.8 bad credentials", "mail", Fault.AUTHENTICATION),
        ("530 authentication required", "mail", Fault.AUTHENTICATION),
        ("552 5.3.4 message too big", "dot", Fault.CONTENT),
        ("550 message contains a virus", "dot", Fault.CONTENT),
        ("421 too many connections", "rcpt", Fault.RATE),
        ("503 bad sequence", "data", Fault.SYSTEM),
    ],
)
def test_the_fault_by_verb_code_and_enhanced_code(reply: str, verb: str, expected: Fault) -> None:
    assert fault(reply, verb=verb) is expected


def test_only_address_and_mailbox_are_about_the_person() -> None:
    assert {each for each in Fault if not each.ours} == {Fault.ADDRESS, Fault.MAILBOX}
