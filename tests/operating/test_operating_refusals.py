"""Approving what one may not: refused in words, and written down."""

from __future__ import annotations

from click.testing import CliRunner
from sqlalchemy import update

from outreach.campaigns import credentials
from outreach.cli import main
from outreach.store import audit, campaigns, staff, tables

KEY = credentials.public_key(credentials.new_token())


def test_every_refused_approval_is_in_the_audit_log(town, now, monkeypatch):
    monkeypatch.chdir(town.root)
    monkeypatch.setenv("OUTREACH_POLICY_APPROVAL_ABOVE", "1")
    town.people(["ada", "grace"], [town.topic("City news")], at=now)
    tokens = {}
    with town.store.write() as connection:
        for name, role in (("Dana", "approver"), ("Eli", "approver"), ("Ada", "author")):
            tokens[name] = credentials.new_token()
            key = credentials.public_key(tokens[name])
            staff.add(connection, name, address=f"{name}@city.example", role=role, public_key=key, now=now)

    def run(who: str, *words: str, code: int) -> str:
        done = CliRunner().invoke(main, list(words), env={"OUTREACH_TOKEN": tokens[who]})
        assert done.exit_code == code, done.output
        return done.output

    run("Dana", "campaigns", "plan", "campaigns/welcome.md", code=0)
    own = run("Dana", "campaigns", "approve", "welcome-1", "--by", "Dana", code=4)
    assert "a second person has to approve" in own
    assert "the token is Dana's, not Eli's" in run("Dana", "campaigns", "approve", "welcome-1", "--by", "Eli", code=4)
    assert "asks for an approver" in run("Ada", "campaigns", "approve", "welcome-1", "--by", "Ada", code=4)
    with town.store.write() as connection:
        plan = dict(campaigns.find(connection, "welcome-1").plan)
        connection.execute(update(tables.campaign).values(plan=plan | {"subject": "Buy now"}))
    edited = run("Eli", "campaigns", "approve", "welcome-1", "--by", "Eli", code=6)
    assert "is not what was planned any more" in edited

    with town.store.read() as connection:
        assert list(audit.breaks(connection)) == []
        log = [(each.who, each.verb, each.object, "refused" in each.detail) for each in audit.entries(connection)]
    assert [each for each in log if each[1] != "staff"] == [
        ("Dana", "campaigns plan", "welcome.md", False),
        ("Dana", "campaigns approve", "welcome-1", True),
        ("Dana", "campaigns approve", "welcome-1", True),
        ("Ada", "campaigns approve", "welcome-1", True),
        ("Eli", "campaigns approve", "welcome-1", True),
    ]


def test_a_refusal_is_written_down_without_an_address(town, now, monkeypatch):
    monkeypatch.chdir(town.root)
    with town.store.write() as connection:
        staff.add(connection, "Dana", address="dana@city.example", role="author", public_key=KEY, now=now)
    refused = CliRunner().invoke(main, ["campaigns", "test", "campaigns/welcome.md", "--to", "ada@example.org"])
    assert "ada@example.org" in refused.output
    with town.store.read() as connection:
        (said,) = [str(each.detail) for each in audit.entries(connection) if each.verb == "campaigns test"]
    assert "<address>" in said
    assert "ada@example.org" not in said
