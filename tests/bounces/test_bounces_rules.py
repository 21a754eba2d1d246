"""The rules: each keeps its own example, and a refusal that is ours never counts against a citizen."""

from __future__ import annotations

import pytest

from outreach.bounces.classify import Rule, classify, rules
from outreach.bounces.found import Found, with_codes
from outreach.bounces.policy import Effect, decide
from outreach.bounces.reasons import Group, Reason


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule.provider}{rule.reason.value}")
def test_every_rule_keeps_its_example(rule: Rule) -> None:
    found = with_codes(Found("ada@example.com", text=rule.example))
    hint = {"google": " gsmtp", "yahoo": " yahoodns", "microsoft": " outlook.com", "orange": " orange.fr"}
    said = rule.example + hint.get(rule.provider, "")
    assert classify(said, status=found.status, code=found.code, verb=found.verb).reason is rule.reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_group(reason: Reason) -> None:
    assert isinstance(reason.group, Group)


@pytest.mark.parametrize("reason", Reason)
def test_nothing_unproven_delayed_or_ours_touches_a_person(reason: Reason) -> None:
    for hard in (True, False):
        assert decide(reason, hard=hard, action="failed", proven=False) is Effect.NOTE
        assert decide(reason, hard=hard, action="delayed", proven=True) is Effect.NOTE
    if not reason.group.personal:
        assert decide(reason, hard=False, action="failed", proven=True) in (Effect.PAUSE, Effect.NOTE)


def test_a_hard_bounce_is_always_about_the_address() -> None:
    for rule in rules():
        found = with_codes(Found("ada@example.com", text=rule.example))
        judgement = classify(rule.example, status=found.status, code=found.code)
        if judgement.hard:
            assert judgement.group is Group.GONE, rule.example


@pytest.mark.parametrize("text", ["x" * 100_000, "550 " * 30_000, "user " * 20_000 + "unknown", "a@b.c " * 20_000])
def test_long_replies_take_no_time(text: str) -> None:
    import time

    begin = time.process_time()
    classify(text)
    assert time.process_time() - begin < 0.5
