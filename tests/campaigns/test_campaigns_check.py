"""`campaigns check`: a good campaign passes; of one with fifteen planted faults all are named, each in its place."""

from __future__ import annotations

import json
import re

import pytest

from outreach.segmentation.contradictions import two_values
from tests.campaigns.conftest import GOOD

FAULTY = """\
---
subject: Re: Street sweeping
preheader: Re: Street sweeping
to: topic is "Street sweeping" and distrct is "3"
topic: Street sweeping
from: City (2) <city.works@gmail.com>
template: notise
schedule: 2026-13-45 23:00
---
# Sweeping

Hello {{ first_name }}, you live in {{ ditrict }}.

### Where

Please utilize [the map](http://city.example/map) or [pay](javascript:alert(1)).

![](https://city.example/map.png)

[Click here](https://192.168.1.4/pay) or visit [the form](https://сity.example/form).

This sentence goes on and on and on because nobody ever stopped the person who wrote it from adding more and more words until nobody could follow.
"""  # noqa: E501

PLANTED = [
    ("template", 7, "no template is called"),
    ("audience", 4, "distrct"),
    ("subject", 2, "pretends to be a reply"),
    ("subject", 3, "repeats the subject"),
    ("sender", 6, "holds more than a name"),
    ("sender", 6, "mail from gmail.com"),
    ("fields", 12, 'no field is called "ditrict"'),
    ("accessibility", 14, "jumps from level 1 to 3"),
    ("plain language", 16, '"utilize"'),
    ("links", 16, "is not encrypted"),
    ("links", 16, 'begins with "javascript:"'),
    ("accessibility", 18, "no alternative text"),
    ("accessibility", 20, "a link says only"),
    ("links", 20, "leads to a machine"),
    ("links", 20, "only looks like city.example"),
    ("plain language", 22, "a sentence has"),
]


def test_a_good_campaign_passes(city):
    checked = city.json("campaigns", "check", city.write(GOOD))
    assert (checked["blocked"], checked["audience"], checked["findings"]) == (False, 60, [])
    assert "is well" in city.run("campaigns", "check", "campaigns/sweeping.md").stdout


def test_all_planted_faults_are_named_with_their_places(city):
    file = city.write(FAULTY)
    checked = city.json("campaigns", "check", file, code=6)
    found = [(each["check"], each["place"], each["problem"]) for each in checked["findings"]]
    for check, line, words in PLANTED:
        place = f"{file}, line {line}"
        assert any((c, p) == (check, place) and words in problem for c, p, problem in found), (
            check,
            line,
            words,
            found,
        )
    assert len(PLANTED) >= 15
    assert all(each["fix"] for each in checked["findings"])
    # Nothing but what was planted is complained of.
    assert {(c, p) for c, p, _ in found} == {(check, f"{file}, line {line}") for check, line, _ in PLANTED}


def test_faults_of_the_front_matter_are_all_told(city):
    file = city.write(
        GOOD.replace("preheader:", "prehedder:").replace("works@city.example", "works").replace("in_", "")
    )
    found = city.json("campaigns", "check", file, code=6)["findings"]
    assert [(each["place"], each["problem"].split(" ")[-1]) for each in found if each["check"] == "campaign file"]
    assert {each["place"] for each in found} >= {f"{file}, line 3", f"{file}, line 6"}


def test_every_row_is_rendered(city):
    city.people([f"n{n}@example.com,,3" for n in range(20)])
    file = city.write(GOOD.replace(' | default("neighbour")', ""))
    (finding,) = city.json("campaigns", "check", file, code=6)["findings"]
    assert finding["place"] == f"{file}, line 8"
    assert finding["problem"].startswith('"first_name" is not known for 20 of 80 people')
    assert "{% if first_name %}" in finding["fix"]


def test_two_missing_fields_are_both_told(city):
    city.people(["n@example.com,,"])
    file = city.write(GOOD.replace(' | default("neighbour")', "").replace("by eight.\n", "in {{ district }}.\n"))
    found = city.json("campaigns", "check", file, code=6)["findings"]
    assert [each["place"] for each in found] == [f"{file}, line 8", f"{file}, line 10"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("{% for x in y %}a{% endfor %}", "loops are not available"),
        ("{{ 'a' * 300000000 }}", "is not available"),
        ("{{ lipsum(n=20000) }}", "functions are not available"),
        ("{{ ''.__class__.__mro__ }}", "a dot is not available"),
        ("{% include '/etc/passwd' %}", "is not available"),
        ("{% if first_name %}", "endif"),
        ("{{ first_name", "unexpected|expected|closed|end"),
    ],
)
def test_a_template_that_cannot_be_compiled_costs_one_clear_error(broken, said, city):
    file = city.write(GOOD + "\n" + broken + "\n")
    found = [each for each in city.json("campaigns", "check", file, code=6)["findings"] if each["severity"] == "block"]
    assert len(found) == 1, found
    assert re.search(said, found[0]["problem"] + found[0]["fix"]), found
    assert found[0]["place"].startswith(f"{file}, line 1") or "line" in found[0]["place"]


@pytest.mark.parametrize("deep", ["<mj-section>" * 20_000, "<mj-wrapper>" * 9_000 + "</mj-wrapper>" * 9_000])
def test_a_layout_that_would_crash_the_compiler_is_refused_and_the_command_lives_on(deep, city):
    folder = city.root / "templates" / "deep"
    folder.mkdir()
    (folder / "layout.mjml").write_text(f"<mjml><mj-body>{deep}{{{{ body }}}}</mj-body></mjml>", "utf-8")
    file = city.write(GOOD.replace("---\nHello", "template: deep\n---\nHello"))
    city.run("campaigns", "check", file, code=6)
    assert city.json("campaigns", "check", city.write(GOOD, "again"))["findings"] == []


def test_an_audience_three_times_larger_than_any_before_is_told(city, monkeypatch):
    from outreach.store import campaigns

    monkeypatch.setattr(campaigns, "previous_sizes", lambda connection, file: [20, 15])
    (finding,) = city.json("campaigns", "check", city.write(GOOD))["findings"]
    assert (finding["check"], finding["severity"]) == ("audience", "warn")
    assert "3 times the largest" in finding["problem"]


def test_what_blocks_is_not_planned(city):
    result = city.run("campaigns", "plan", city.write(GOOD.replace("subject: ", "subject: Re: ")), code=6)
    said = "cannot be sent like this: campaigns/sweeping.md, line 2: the subject pretends to be a reply"
    assert said in result.stderr
    assert "notise" in city.run("campaigns", "plan", city.write(FAULTY), code=1).stderr
    assert city.json("campaigns", "list") == []


def test_a_wrong_rule_is_told_once_with_the_file_s_line(city):
    result = city.run("campaigns", "check", city.write(GOOD.replace('sweeping"\n', 'sweeping" and wrd is 3\n')), code=6)
    assert result.output.count("no field is called") == 1
    told = result.stdout.splitlines()
    assert told[0].startswith("✗ campaigns/sweeping.md, line 4: `to:` no field is called")
    assert "column" not in told[0]
    assert told[1] == '      topic is "Street sweeping" and wrd is 3'
    assert told[2] == " " * told[1].index("wrd") + "^^^"
    assert told[3].startswith("    audience: ")


def test_a_rule_that_asks_for_two_districts_at_once_is_told_what_was_meant(city):
    hint = "nobody has two values of district at once; write district in (2, 4)"
    rule = "district is 2 and district is 4"
    assert hint in city.run("segments", "count", rule).stderr
    assert "two values" not in city.run("segments", "count", f"{rule} or district is 5").stderr
    file = city.write(GOOD.replace('topic is "Street sweeping"', rule))
    (finding,) = city.json("campaigns", "check", file, code=6)["findings"]
    assert finding["fix"] == hint


@pytest.mark.parametrize(
    "rule", ["district is 2", "district is 2 and zip is 4", "district is 2 or district is 4", "((", "everyone"]
)
def test_other_rules_get_no_such_hint(rule):
    assert two_values(rule) == ""


def test_who_is_left_out_when_it_leaves_and_what_trial_mode_means_is_told(city):
    city.run("subscribers", "suppress", "p1@example.com", "--reason", "manual")
    file = city.write(GOOD.replace("topic: S", "schedule: 2126-11-30 8:30 America/Los_Angeles\ntopic: S"))
    told = city.run("campaigns", "check", file, OUTREACH_MODE="trial").stdout
    assert "59 people would get it\n  the rule chooses 60; left out: 1 suppressed\n" in told
    said = (
        "  leaves Saturday, 30 November 2126, 8:30 America/Los_Angeles (UTC 16:30), once approved, by `outreach cron`"
    )
    assert said in told
    assert "trial mode: only staff with a verified address (0 now)" in told
    assert "trial mode" not in city.run("campaigns", "check", file).stdout


def test_warnings_become_part_of_the_plan(city):
    file = city.write(GOOD.replace("Please move", "Please utilize"))
    plan = city.json("campaigns", "plan", file)
    assert [finding["check"] for finding in plan["findings"]] == ["plain language"]
    saved = json.loads((city.root / plan["file"]).read_text("utf-8"))
    assert [finding["problem"] for finding in saved["findings"]] == ['"utilize" is office language']
