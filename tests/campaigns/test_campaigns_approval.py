"""Plan, approve, send: what was approved is what is sent, and above a size somebody else has approved it."""

from __future__ import annotations

import email
import email.policy
import json
import re
import sqlite3

import pytest

from outreach.rendering.dkim import dns_record
from outreach.testing import FaultServer
from tests.campaigns.conftest import GOOD


@pytest.fixture
def approved(city):
    """A campaign of sixty people, planned and approved."""
    file = city.write(GOOD)
    plan = city.json("campaigns", "plan", file)["plan"]
    city.run("campaigns", "approve", plan, "--by", "Dana Lee")
    return plan


def sql(city, statement: str) -> None:
    with sqlite3.connect(city.root / "data" / "outreach.db") as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("by eight.\n", "by nine.\n", "the message in en"),
        ("city.example/sweeping", "city.example/sweepimg", "the message in en"),
        ("Public Works <works@", "Public Works <work@", "the sender"),
        ("subject: Street", "subject: Streets", "the message in en"),
        ('to: topic is "Street sweeping"', "to: everyone", "the rule"),
    ],
)
def test_a_change_after_approval_makes_send_refuse_and_say_what(before, after, said, approved, city):
    assert before in GOOD
    city.write(GOOD.replace(before, after))
    refused = city.run("campaigns", "send", approved, "--yes", code=6).stderr
    assert said in refused
    assert "Nothing was sent" in refused


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM delivery WHERE subscriber_id = 7", "the frozen audience"),
        ("UPDATE delivery SET language = 'es' WHERE subscriber_id = 7", "the frozen audience"),
        ("UPDATE message SET compiled = replace(compiled, 'Monday', 'Sunday')", "the stored message in en"),
        ("UPDATE campaign SET plan = replace(plan, 'city.example/sweeping', 'evil.example')", "the plan itself"),
    ],
)
def test_a_row_changed_by_hand_makes_send_refuse(statement, said, approved, city):
    sql(city, statement)
    assert said in city.run("campaigns", "send", approved, "--yes", code=6).stderr


def test_who_leaves_after_approval_is_left_out_and_counted_and_the_rest_is_sent(approved, city):
    city.run("subscribers", "suppress", "p7@example.com", "--reason", "manual")
    with FaultServer() as server:
        sent = city.run(
            "campaigns", "send", approved, "--yes", "--json", OUTREACH_RELAY_URL=f"smtp://127.0.0.1:{server.port}"
        )
        assert sorted(envelope.recipients[0] for envelope in server.accepted) == sorted(
            f"p{n}@example.com" for n in range(60) if n != 7
        )
    counts = json.loads(sent.stdout)
    assert (counts["accepted"], counts["suppressed"], counts["frozen"]) == (59, 1, 60)


def test_who_chose_not_to_be_followed_gets_straight_links_and_no_pixel(approved, city):
    sql(
        city,
        "UPDATE profile SET tracking = 1 WHERE subscriber_id ="
        " (SELECT id FROM subscriber WHERE address = 'p7@example.com')",
    )
    with FaultServer() as server:
        city.run("campaigns", "send", approved, "--yes", OUTREACH_RELAY_URL=f"smtp://127.0.0.1:{server.port}")
        straight = {
            envelope.recipients[0]
            for envelope in server.accepted
            if b"/c/" not in envelope.content and b"/o/" not in envelope.content
        }
    assert straight == {"p7@example.com"}


def test_where_nobody_is_followed_only_who_asked_to_be_is(approved, city):
    sql(
        city,
        "UPDATE profile SET tracking = 3 WHERE subscriber_id ="
        " (SELECT id FROM subscriber WHERE address = 'p7@example.com')",
    )
    with FaultServer() as server:
        relay = f"smtp://127.0.0.1:{server.port}"
        city.run("campaigns", "send", approved, "--yes", OUTREACH_RELAY_URL=relay, OUTREACH_TRACKING_DEFAULT="none")
        followed = {
            envelope.recipients[0]
            for envelope in server.accepted
            if b"/c/" in envelope.content or b"/o/" in envelope.content
        }
        assert len(server.accepted) == 60
    assert followed == {"p7@example.com"}


# Who may approve


@pytest.fixture
def staffed(city):
    """An administrator, an approver and an author; more than ten people need a second one's approval."""
    dana = city.user("Dana Lee")
    sam = city.user("Sam Roe", role="approver", by=dana)
    kim = city.user("Kim Poe", role="author", by=dana)
    with (city.root / "outreach.toml").open("a") as settings:
        settings.write("\n[policy]\napproval_above = 10\n")
    return {"dana": dana, "sam": sam, "kim": kim}


def test_the_first_user_is_an_administrator_and_only_administrators_add_more(city):
    dana = city.user("Dana Lee", role="author")
    (listed,) = city.json("users", "list")
    assert (listed["name"], listed["address"], listed["role"]) == ("Dana Lee", "dana@city.example", "administrator")
    kim = city.user("Kim Poe", by=dana)
    for token in ("", "outreach-wrong", kim):
        city.run("users", "add", "Eve", "--address", "eve@city.example", code=4, token=token)
    city.run("users", "add", "dana LEE", "--address", "d@city.example", code=2, token=dana)


def test_ones_own_plan_is_not_approved_above_the_size(city, staffed):
    plan = city.json("campaigns", "plan", city.write(GOOD), token=staffed["sam"])["plan"]
    refused = city.run("campaigns", "approve", plan, "--by", "Sam Roe", code=4, token=staffed["sam"])
    assert "above 10 a second person has to approve what Sam Roe planned" in refused.stderr
    city.run("campaigns", "send", plan, "--yes", code=4)
    city.run("campaigns", "approve", plan, "--by", "Dana Lee", token=staffed["dana"])


def test_below_the_size_ones_own_plan_may_be_approved(city, staffed):
    small = city.write(GOOD.replace('to: topic is "Street sweeping"', 'to: district is "3"'))
    plan = city.json("campaigns", "plan", small, token=staffed["sam"])
    assert plan["audience"] <= 10
    city.run("campaigns", "approve", plan["plan"], "--by", "Sam Roe", token=staffed["sam"])


def test_a_plan_that_nobody_signed_for_may_be_anybodys_own(city, staffed):
    plan = city.json("campaigns", "plan", city.write(GOOD))["plan"]
    city.run("campaigns", "approve", plan, "--by", "Sam Roe", code=4, token=staffed["sam"])


@pytest.mark.parametrize(
    ("who", "by", "said"),
    [
        ("", "Sam Roe", "say who you are"),
        ("outreach-guessed", "Sam Roe", "belongs to nobody"),
        ("sam", "Dana Lee", "the token is Sam Roe's, not Dana Lee's"),
        ("kim", "Kim Poe", "approver"),
    ],
)
def test_an_approval_needs_the_approvers_own_token(who, by, said, city, staffed):
    plan = city.json("campaigns", "plan", city.write(GOOD), token=staffed["dana"])["plan"]
    refused = city.run("campaigns", "approve", plan, "--by", by, code=4, token=staffed.get(who, who))
    assert said in refused.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE campaign SET approval = replace(approval, 'Sam Roe', 'Dana Lee')",
        "UPDATE campaign SET approval = replace(approval, 'signature\": \"', 'signature\": \"A')",
        "UPDATE staff SET public_key = zeroblob(32) WHERE name = 'Sam Roe'",
    ],
)
def test_a_forged_approval_is_found(statement, city, staffed):
    plan = city.json("campaigns", "plan", city.write(GOOD), token=staffed["dana"])["plan"]
    city.run("campaigns", "approve", plan, "--by", "Sam Roe", token=staffed["sam"])
    sql(city, statement)
    assert "the approval" in city.run("campaigns", "send", plan, "--yes", code=6).stderr


def test_an_approval_put_there_by_hand_is_found(city, staffed):
    plan = city.json("campaigns", "plan", city.write(GOOD), token=staffed["dana"])["plan"]
    sql(city, "UPDATE campaign SET status = 'approved', approved_by = 'Sam Roe'")
    assert "signed" in city.run("campaigns", "send", plan, "--yes", code=6).stderr


def test_tokens_are_not_kept(city, staffed):
    kept = (city.root / "data" / "outreach.db").read_bytes()
    wal = city.root / "data" / "outreach.db-wal"
    kept += wal.read_bytes() if wal.exists() else b""
    assert not any(token.encode() in kept for token in staffed.values())


# Trial mode


def send_in_trial(city, plan: str, *, code: int = 0):
    with FaultServer() as server:
        relay = f"smtp://127.0.0.1:{server.port}"
        shown = city.run("campaigns", "send", plan, "--yes", code=code, OUTREACH_MODE="trial", OUTREACH_RELAY_URL=relay)
        return shown, sorted(envelope.recipients[0] for envelope in server.accepted)


def test_a_new_workspace_is_in_trial_mode_and_writes_to_staff_only(city, approved):
    assert 'mode = "trial"' in (city.root / "outreach.toml").read_text("utf-8")
    shown, reached = send_in_trial(city, approved, code=6)
    assert "only staff whose address is verified get mail, and 60 of 60 people are not" in shown.stderr
    assert reached == []
    assert city.json("campaigns", "list")[0]["status"] == "approved"


def test_in_trial_mode_staff_get_mail_but_not_more_than_fifty_a_day(city):
    city.people(["dana@city.example,Dana,77"])
    file = city.write(GOOD.replace('to: topic is "Street sweeping"', 'to: district is "77"'))
    plan = city.json("campaigns", "plan", file)["plan"]
    city.run("campaigns", "approve", plan, "--by", "Dana Lee")
    city.user("Dana Lee")
    assert "1 of 1 people are not" in send_in_trial(city, plan, code=6)[0].stderr
    city.verify("Dana Lee")
    assert send_in_trial(city, plan)[1] == ["dana@city.example"]
    sql(city, "UPDATE campaign SET frozen = 50")
    token = city.user("Sam Roe", role="approver", by=city.user_tokens["Dana Lee"])
    plan = city.json("campaigns", "plan", file)["plan"]
    city.run("campaigns", "approve", plan, "--by", "Sam Roe", token=token)
    assert "at most 50 messages a day" in send_in_trial(city, plan, code=6)[0].stderr


def test_only_an_administrator_goes_live(city):
    dana = city.user("Dana Lee")
    kim = city.user("Kim Poe", by=dana)
    for token in ("", kim):
        city.run("go-live", "--yes", code=4, token=token, OUTREACH_MODE="trial")
    city.run("go-live", "--yes", token=dana, OUTREACH_MODE="trial")
    assert 'mode = "live"' in (city.root / "outreach.toml").read_text("utf-8")
    assert "already" in city.run("go-live", "--yes", token=dana).stdout


# Test mails


def test_test_mails_go_to_staff_and_are_marked(city):
    city.user("Dana Lee")
    file = city.write(GOOD)
    refused = city.run("campaigns", "test", file, "--to", "dana@city.example", code=6).stderr
    assert (
        "not verified yet: it might be a stranger's. Verify it first, with a code by mail: outreach users verify \"Dana"
        in refused
    )
    city.verify("Dana Lee")
    with FaultServer() as server:
        relay = f"smtp://127.0.0.1:{server.port}"
        city.run("campaigns", "test", file, "--to", "p1@example.com", code=6, OUTREACH_RELAY_URL=relay)
        for _ in range(2):
            shown = city.run("campaigns", "test", file, "--to", "dana@city.example", OUTREACH_RELAY_URL=relay)
        again, envelope = server.accepted
    assert "made-up person's" in shown.stderr
    assert list(envelope.recipients) == ["dana@city.example"]
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert message["Subject"] == "TEST: Street sweeping starts on Monday"
    html = message.get_body(("html",)).get_content()
    assert 'href="https://city.example/sweeping"' in html
    assert re.search(r'<body[^>]*><div role="note"[^>]*>TEST: not sent to anybody else</div>', html)
    assert message["To"] == "Dana Lee <dana@city.example>"
    assert message["Message-ID"] not in again.content.decode()


# Emergencies


def test_an_emergency_looks_and_reads_different_from_a_drill(city):
    sql(city, "UPDATE topic SET message_class = 'emergency'")
    real = city.run("campaigns", "plan", city.write(GOOD)).stdout
    drill = city.run(
        "campaigns", "plan", city.write(GOOD.replace("---\nHello", "drill: yes\n---\nHello"), "drill")
    ).stdout
    assert "REAL EMERGENCY  60 people" in real
    assert "DRILL  60 people" in drill
    assert "REAL" not in drill
    preview = city.run("templates", "preview", "campaigns/drill.md", "--out", "seen").stdout
    shown = next(line for line in preview.splitlines() if line.endswith("typical.txt"))
    assert "drill" in (city.root / shown).read_text("utf-8").lower()


# What is new since last time


def test_a_plan_says_what_is_different_from_the_last(city):
    first = city.json("campaigns", "plan", city.write(GOOD))
    assert first["differences"] == []
    city.people(["new@example.com,Zoe,4"])
    changed = GOOD.replace("Street sweeping starts", "Sweeping starts").replace("/sweeping)", "/sweeping-2)")
    assert city.json("campaigns", "plan", city.write(changed))["differences"] == [
        "people: 60 then, 61 now",
        "subject: Street sweeping starts on Monday then, Sweeping starts on Monday now",
        "the message in en is another",
        "new link: https://city.example/sweeping-2",
        "link gone: https://city.example/sweeping",
    ]


def test_the_plan_is_a_file_named_by_its_content(city):
    plan = city.json("campaigns", "plan", city.write(GOOD))
    assert plan["file"] == f"data/plans/sweeping-1-{plan['hash'][:16]}.json"
    kept = json.loads((city.root / plan["file"]).read_text("utf-8"))
    assert (kept["audience"], kept["links"]) == (60, ["https://city.example/sweeping"])


# A new campaign


def test_six_questions_write_a_file_that_passes_once_it_is_written(city):
    city.run(
        "campaigns", "new", "--template", "news", "--topic", "street", "--subject", "What is new in December",
        "--from", "Public Works <works@city.example>",
    )  # fmt: skip
    written = (city.root / "campaigns" / "what-is-new-in-december.md").read_text("utf-8")
    assert 'to: topic is "Street sweeping"\ntopic: Street sweeping\n' in written
    checked = city.json("campaigns", "check", "campaigns/what-is-new-in-december.md", code=6)
    assert {each["check"] for each in checked["findings"] if each["severity"] == "block"} == {"unfinished"}
    own = city.write(written.partition("#}")[0] + "#}\n\nThe winter market opens on Saturday.\n", "own")
    checked = city.json("campaigns", "check", own)
    assert (checked["blocked"], checked["audience"]) == (False, 60)
    city.run("campaigns", "new", "--template", "notice", "--topic", "street", "--subject", "x", "--name", "x")
    city.run("campaigns", "new", "--template", "notice", "--topic", "street", "--subject", "x", "--name", "x", code=2)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--template", "poster"],
        ["--topic", "nothing"],
        ["--to", "distrct is 3"],
        ["--from", "nobody"],
        ["--subject", " "],
        ["--name", "../../x"],
    ],
)
def test_a_wrong_answer_writes_nothing(wrong, city):
    right = {"--template": "notice", "--topic": "street", "--subject": "x", "--name": "y"}
    options = [part for pair in {**right, wrong[0]: wrong[1]}.items() for part in pair]
    before = sorted(city.root.rglob("*.md"))
    assert city.run("campaigns", "new", *options, code=None).exit_code in (1, 2, 6)
    assert sorted(city.root.rglob("*.md")) == before


# Keys


def test_a_new_dkim_key_comes_with_the_record_that_proves_it(city):
    shown = city.run("dkim", "new", "--selector", "o2027").stdout
    pem = (city.root / "keys" / "dkim-o2027.pem").read_bytes()
    assert shown == f'o2027._domainkey.city.example. IN TXT "{dns_record(pem)}"\n'
    assert (city.root / "keys" / "dkim-o2027.pem").stat().st_mode & 0o077 == 0
    city.run("dkim", "new", "--selector", "o2027", code=2)
    city.run("dkim", "new", "--selector", "../x", code=2)
    assert "k=ed25519" in city.run("dkim", "new", "--selector", "ed", "--ed25519").stdout
