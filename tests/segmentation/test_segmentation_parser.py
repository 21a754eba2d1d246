"""Spellings that people try, and the one form in which each is printed."""

from __future__ import annotations

import pytest

from outreach.segmentation import canonical, parse
from outreach.segmentation.rules import And, Compare, Did, Member, Name, Not, Scope, Value, Window

SPELLINGS = [
    (
        'district is "3"',
        ["district = '3'", 'District == "3"'.replace("D", "d"), "district equals “3”", "district is „3“"],
    ),
    ("district is not 3", ["district != 3", "district <> 3", "district ≠ 3", "not district is 3", "! district = 3"]),
    ("district is not 3", ["NOT district IS 3", "district isn't 3", "district isn’t 3", "not (district is 3)"]),
    (
        "district in (3, 4)",
        ["district is in (3,4)", "district in [3, 4]", "district one of (3 or 4)", "district in 3, 4"],
    ),
    ("district not in (3, 4)", ["district is not in (3, 4)", "not district in (3, 4)"]),
    ("zip is 02134", ["zip = 02134", "(zip is 02134)", "zip is 02134 # a comment"]),
    ("age >= 18", ["age at least 18", "age is at least 18", "age => 18", "age ≥ 18"]),
    ("age > 18", ["age more than 18", "age is over 18", "age is greater than 18", "age above 18"]),
    ("age between 18 and 30", ["age is between 18 and 30"]),
    ('zip starts with "97"', ["zip start with 97", "zip starts with '97'"]),
    ('zip not contains "97"', ["zip does not contain 97", "zip doesn't contain 97", "not zip contains 97"]),
    ("zip is known", ["zip is set", "zip is not empty", "zip is not unknown"]),
    ("zip is unknown", ["zip is empty", "zip is missing", "zip is not known", "zip is blank"]),
    ("renter is yes", ["renter", "renter is yes"]),
    ("joined on today", ["joined today"]),
    ("joined before 1 year ago", ["joined more than a year ago", "joined over a year ago"]),
    ("opened within 30 days", ["opened the last 30 days"]),
    ("ignored the last 5 campaigns", ["ignored the last 5", "ignored last 5"]),
    ("renter is yes and zip is 1 or zip is 2", ["(renter && zip=1) || zip=2", "renter but zip = 1 or zip = 2"]),
    (
        'topic is "parking"',
        [
            "topic is parking",
            "topic parking",
            "subscribed to topic parking",
            "is subscribed to parking",
            "subscribes to parking",
        ],
    ),
    ('topic is not "parking"', ["not subscribed to parking", "topic != parking", "not topic is parking"]),
    ('department is "Public Works"', ["department is Public Works", "subscribed to department Public Works"]),
    ('in segment "engaged"', ["segment is engaged", "segment = engaged", "in the segment engaged", "segment engaged"]),
    ('segment is not "engaged"', ["not in segment engaged", "segment != engaged"]),
    ("opened within 90 days", ["opened in the last 90 days", "opened during the past 90 days", "opened in 90 days"]),
    ("opened within 90 days", ["has opened within the last 90 days", "OPENED WITHIN 90 DAYS", "opened last 90 days"]),
    (
        "not opened within 90 days",
        ["never opened within 90 days", "has not opened within 90 days", "hasn't opened for 90 days"],
    ),
    (
        "not opened within 1 month",
        [
            "opened nothing in the last month",
            "did not open anything in the last month",
            "didn’t open any mail within the last month",
        ],
    ),
    (
        "opened at least 3 times",
        ["opened 3 times", "opened >= 3", "opened 3 or more times", "opened more than 2 times"],
    ),
    (
        "opened at least 3 times",
        ["opened three times", "opened 3+ times", "opened at least 3 campaigns", "opened at least 3"],
    ),
    ("opened at most 2 times", ["opened fewer than 3 times", "opened less than 3 times", "opened < 3 times"]),
    ("opened exactly 1 time", ["opened exactly once", "opened exactly 1 times"]),
    ("opened before 90 days ago", ["opened more than 90 days ago"]),
    (
        'clicked from department "Parks"',
        ["clicked on any link from Parks", "clicked by department Parks", "click of the department Parks"],
    ),
    (
        'clicked at least 2 times from department "Parks" within 30 days',
        ["clicked within 30 days from department Parks twice", "clicked from Parks 2 times in the last 30 days"],
    ),
    ("received at least 5 times this month", ["received 5 mails this month", "got 5 messages in this month"]),
    ('received campaign "parking-3"', ["received campaign parking-3", "was mailed campaign 'parking-3'"]),
    (
        "ignored the last 5 campaigns",
        ["ignored last 5 campaigns", "ignored 5 campaigns", "ignored the last 5 newsletters"],
    ),
    ("ignored the last 1 campaigns", ["ignored the last campaign"]),
    ('received campaign "x-1" and not opened campaign "x-1"', ["ignored campaign x-1", "ignored the campaign 'x-1'"]),
    (
        "received within 90 days and not opened within 90 days",
        ["ignored within 90 days", "ignored the last 90 days", "ignored in the last 90 days"],
    ),
    (
        'received at least 3 times about topic "x" last month and not opened about topic "x" last month',
        ["ignored 3 campaigns about x last month"],
    ),
    (
        "(opened) or clicked within 9 days",
        ["((opened)) or (clicked within 9 days)", "(opened) or (clicked within 9 days)"],
    ),
    ("opened and not clicked", ["opened but not clicked"]),
    ('zip starts with "1" or zip starts with "2"', ["zip starts with (1, 2)", 'zip starts with "1", "2"']),
    ('not (zip starts with "1" or zip starts with "2")', ["zip does not start with (1, 2)"]),
    ('language not in ("en", "es")', ["language is neither en nor es"]),
    ("everyone and not suppressed", ["everyone except suppressed"]),
    ('email is "ada@city.example"', ["email is ada@city.example"]),
    ('first_name is "Ada"', ["first_name = Ada"]),
    ("opened at least 1 time", ["opened at least one campaign", "opened one campaign", "opened once"]),
    ("clicked on 2026-11-20", ["clicked on 2026-11-20", "click on 2026-11-20"]),
    ("suppressed", ["is suppressed", "on the suppression list"]),
    ("everyone", ["everybody", "all", "all subscribers"]),
    ('"open" is yes', ['"open"', "'open' = yes"]),
]


@pytest.mark.parametrize(("printed", "spelling"), [(form, one) for form, many in SPELLINGS for one in [form, *many]])
def test_spellings_of_one_thing_are_one_rule(printed: str, spelling: str) -> None:
    assert canonical(parse(spelling)) == printed


def test_the_tree_of_a_rule() -> None:
    rule = parse('topic is "parking" and district is 3 and not opened about topic Parks within 90 days')
    assert rule.root == And(
        (
            Member("topic", (Name("parking"),)),
            Compare(Name("district"), "is", Value("number", "3")),
            Not(Did("opened", scope=Scope("topic", Name("Parks")), window=Window("within", amount=90))),
        )
    )


def test_and_binds_closer_than_or() -> None:
    assert parse("a is 1 or b is 2 and c is 3") == parse("a is 1 or (b is 2 and c is 3)")


def test_quotes_inside_quotes() -> None:
    assert parse(r'zip is "say \"hi\" \\ there"').root == Compare(Name("zip"), "is", Value("text", r'say "hi" \ there'))
    assert canonical(parse("zip is 'say \"hi\"'")) == r'zip is "say \"hi\""'


def test_a_word_of_the_language_may_be_a_value() -> None:
    assert canonical(parse("topic is received")) == 'topic is "received"'
