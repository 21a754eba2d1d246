"""The staff over the years: added, given roles in departments, known at the shell, and gone with a handover."""

from __future__ import annotations

import sqlite3

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from outreach.cli import main
from outreach.store import acting, tables
from tests.operating.office import NOON

HERE = acting.shell_user()
TOPIC = 'name = "{name}"\ndepartment = "{department}"\nclass = "regular"\n'


@pytest.fixture
def hall(town, now, monkeypatch):
    """Parking is Streets', Trees are Parks'; Dana administers the house."""
    monkeypatch.chdir(town.root)
    for name, department in (("Parking", "Streets"), ("Trees", "Parks")):
        text = TOPIC.format(name=name, department=department)
        (town.root / "topics" / f"{name.lower()}.toml").write_text(text, "utf-8")
    hall = Hall(town)
    hall.run("", "subscribers", "topics")
    town.people(["ada", "grace"], [town.topic("Parking"), town.topic("Trees")], at=now)
    hall.adds("Dana")
    return hall


class Hall:
    """The command line, with everybody's token."""

    def __init__(self, town) -> None:
        self.town, self.tokens = town, {"": ""}

    def run(self, who: str, *words: str, code: int = 0, **environment: str) -> str:
        done = CliRunner().invoke(main, list(words), env={"OUTREACH_TOKEN": self.tokens[who], **environment})
        assert done.exit_code == code, done.output
        return done.output

    def adds(self, name: str, *words: str, by: str = "", code: int = 0) -> str:
        shown = self.run(by, "users", "add", name, "--address", f"{name.lower()}@city.example", *words, code=code)
        self.tokens[name] = next((word for word in shown.split() if word.startswith("outreach-")), "")
        return shown

    def plans(self, who: str, name: str, topic: str, *, code: int = 0) -> str:
        self.town.campaign(name, topic=topic, body="[Look](https://city.example/x) at this.")
        return self.run(who, "campaigns", "plan", f"campaigns/{name}.md", code=code)

    def log(self, verb: str) -> list[tuple[str, str, dict]]:
        import json

        entries = json.loads(self.run("Dana", "audit", "show", "--limit", "500", "--json"))
        return [(each["who"], each["object"], each["detail"]) for each in entries if each["verb"] == verb]


def test_a_role_counts_in_its_own_department(hall):
    hall.adds("Pat", "--role", "author", "--department", "Parks", by="Dana")
    hall.adds("Sam", "--role", "approver", "--department", "streets", by="Dana")
    hall.plans("Pat", "trees", "Trees")
    refused = hall.plans("Pat", "parking", "Parking", code=4)
    assert "Pat is an author in Parks; planning parking-1 asks for an author of that department" in refused
    refused = hall.run("Sam", "campaigns", "approve", "trees-1", "--by", "Sam", code=4)
    assert "Sam is an approver in Streets; making trees-1 approved asks for an approver of that department" in refused
    hall.run("Pat", "campaigns", "stop", "trees-1")
    hall.plans("Sam", "parking", "Parking")
    (hall.town.root / "more.csv").write_text("email\nnew@example.org\n", "utf-8")
    bring = ("subscribers", "import", "more.csv", "--source", "a form", "--topic")
    assert "adding people to Parking asks for an author of that department" in hall.run(
        "Pat", *bring, "Parking", code=4
    )
    hall.run("Pat", *bring, "Trees")


def test_a_departments_administrator_manages_its_staff_and_nobody_elses(hall):
    hall.adds("Una", "--role", "administrator", "--department", "Parks", by="Dana")
    hall.adds("Pat", "--role", "author", "--department", "Parks", by="Una")
    for words in (("--role", "author"), ("--role", "author", "--department", "Streets")):
        assert "adding Eve asks for an administrator" in hall.adds("Eve", *words, by="Una", code=4)
    hall.adds("Sam", "--role", "author", "--department", "Streets", by="Dana")
    assert "letting Sam leave asks for" in hall.run("Una", "users", "leave", "Sam", code=4)
    assert "changing what Una may do" in hall.run("Una", "users", "role", "Una", "administrator", code=4)
    hall.run("Una", "users", "role", "Pat", "approver", "--department", "Parks")
    hall.run("Una", "keys", "rotate", code=4)
    assert ("Una", "Pat", {"role": "approver", "before": "author", "in": "Parks"}) in hall.log("staff")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("users", "add", "Eve", "--address", "eve@city.example", "--department", "Park"), "there are Parks, Streets"),
        (("users", "add", "dana", "--address", "d@city.example"), "one of the staff already"),
        (("users", "role", "Dana", "author"), "only administrator"),
        (("users", "leave", "Dana"), "only administrator"),
        (("users", "leave", "Nobody"), "nobody on the staff is called Nobody"),
        (("users", "leave", "Pat", "--to", "Pat"), "cannot take over from themselves"),
    ],
)
def test_what_cannot_be_is_said(words, said, hall):
    hall.adds("Pat", by="Dana")
    assert said in hall.run("Dana", *words, code=2)


def test_the_shells_user_may_be_one_of_the_staff(hall):
    hall.adds("Pat", "--role", "reader", "--shell-user", HERE, by="Dana")
    assert "Pat is a reader; `outreach campaigns plan` asks for an author" in hall.plans("", "trees", "Trees", code=4)
    hall.run("Dana", "users", "role", "Pat", "approver")
    hall.plans("", "trees", "Trees")
    (planned,) = hall.log("campaigns plan")[1:]
    assert planned[0] == "Pat"
    unsigned = hall.run("", "campaigns", "approve", "trees-1", "--by", "Pat", code=4)
    assert "an approval is signed" in unsigned
    assert "is Pat already" in hall.adds("Eve", "--shell-user", HERE, by="Dana", code=2)
    hall.run("Dana", "users", "shell", "Pat")
    assert "say who you are" in hall.run("", "campaigns", "list", code=4, OUTREACH_POLICY_REQUIRE_TOKEN="1")


def test_an_author_asks_by_mail_and_a_reader_does_not(hall):
    hall.adds("Pat", by="Dana")
    hall.adds("Rob", "--role", "reader", by="Dana")
    hall.plans("Pat", "trees", "Trees")
    with hall.town.store.write() as connection:
        connection.execute(update(tables.staff).values(verified_at=NOON))
    mails = {"OUTREACH_RELAY_URL": "directory:mails"}
    hall.run("Rob", "campaigns", "ask", "trees-1", code=4, **mails)
    assert "asked Dana; they may answer until" in hall.run("Pat", "campaigns", "ask", "trees-1", **mails)
    assert len(list((hall.town.root / "mails").glob("*.eml"))) == 1
    hall.run("Dana", "campaigns", "approve", "trees-1", "--by", "Dana")
    assert "is already approved" in hall.run("Pat", "campaigns", "ask", "trees-1", code=6, **mails)


def test_nobody_asks_anew_about_another_departments_plan(hall):
    """It would end the links that were mailed before."""
    hall.adds("Pat", "--role", "author", "--department", "Parks", by="Dana")
    hall.adds("Sam", "--role", "author", "--department", "Streets", by="Dana")
    hall.plans("Pat", "trees", "Trees")
    with hall.town.store.write() as connection:
        connection.execute(update(tables.staff).values(verified_at=NOON))
    mails = {"OUTREACH_RELAY_URL": "directory:mails"}
    hall.run("Pat", "campaigns", "ask", "trees-1", **mails)
    refused = hall.run("Sam", "campaigns", "ask", "trees-1", code=4, **mails)
    assert "asking for the approval of trees-1 asks for an author of that department" in refused
    with hall.town.store.read() as connection:
        assert connection.execute(select(tables.staff_link.c.revoked_at)).scalars().all() == [None]


def test_who_leaves_hands_over_what_is_open(hall):
    hall.adds("Pat", by="Dana")
    hall.adds("Sam", "--role", "approver", "--department", "Streets", by="Dana")
    hall.adds("Una", by="Dana")
    hall.plans("Pat", "trees", "Trees")
    hall.plans("Una", "parking", "Parking")
    assert "may not go on with it" in hall.run("Dana", "users", "leave", "Pat", "--to", "Sam", code=2)
    page = hall.run("Dana", "users", "leave", "Pat", "--to", "Una")
    assert "## Now Una's\n\n- trees-1, planned: have it approved" in page
    (file,) = (hall.town.root / "data" / "handovers").glob("*-pat.md")
    assert file.read_text("utf-8") in page
    assert "belongs to nobody here" in hall.run("Pat", "campaigns", "list", code=4)
    assert ("Dana", "trees-1", {"from": "Pat", "to": "Una"}) in hall.log("handover")
    assert "worked here before" in hall.adds("Pat", by="Dana", code=2)
    page = hall.run("Dana", "users", "leave", "Una")
    assert "## Now Dana's\n\n- trees-1" in page
    assert "- parking-1" in page


def test_one_altered_row_of_the_audit_log_is_named(hall):
    hall.adds("Pat", by="Dana")
    whole = hall.run("Dana", "audit", "verify")
    assert "the chain is whole" in whole
    with sqlite3.connect(hall.town.root / "data" / "outreach.db") as connection:
        (row, who) = connection.execute("SELECT id, who FROM audit WHERE object = 'Pat' AND verb = 'staff'").fetchone()
        connection.execute("UPDATE audit SET who = 'Eve' WHERE id = ?", (row,))
    connection.close()
    broken = hall.run("Dana", "audit", "verify", code=1)
    assert who == "Dana"
    assert f"row {row} (" in broken
    assert "Eve: staff Pat) was altered" in broken
