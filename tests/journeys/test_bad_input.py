"""Bad input: one clear message (what, where, what to do), the right exit code, and nothing half-written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text


def contents(root: Path) -> dict[str, int]:
    """How many rows each table of the workspace's database holds."""
    engine = create_engine(f"sqlite:///{root}/data/outreach.db")
    with engine.connect() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
        found = {name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in names}
    engine.dispose()
    return found


def complaint(done) -> str:
    """What the command said, which must be to a person: no traceback, nothing on stdout."""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith(("outreach: ", "Usage: "))
    return done.stderr


@pytest.fixture
def people(city, export):
    export([f"resident{number}@mail.example" for number in range(3)])
    return city


def test_a_file_that_is_no_csv(city) -> None:
    (city.root / "photo.csv").write_bytes(bytes(range(256)) * 40)
    before = contents(city.root)
    said = complaint(city.run("subscribers", "import", "photo.csv", code=2))
    assert "photo.csv" in said
    assert contents(city.root) == before


def test_an_unknown_column(city) -> None:
    (city.root / "people.csv").write_text("mail,name\nada@mail.example,Ada\n")
    said = complaint(city.run("subscribers", "import", "people.csv", "--map", "emial=email", code=2))
    assert "emial" in said
    assert "mail" in said
    assert contents(city.root)["subscriber"] == 0


def test_an_empty_segment_plans_nothing(people) -> None:
    file = people.campaign("news", to='district is "99"', topic="City news")
    said = complaint(people.run("campaigns", "plan", file, code=6))
    assert "nobody would get this" in said
    assert contents(people.root)["campaign"] == contents(people.root)["delivery"] == 0


def test_a_wrong_rule_is_shown_with_its_place(people) -> None:
    file = people.campaign("news", to='distrct is "3"', topic="City news")
    said = complaint(people.run("campaigns", "plan", file, code=1))
    assert "line 3" in said
    assert "district" in said
    assert "^^^^^^^" in said


def test_an_unknown_topic(people) -> None:
    file = people.campaign("news", to="everyone", topic="City nwes")
    assert "City news" in complaint(people.run("campaigns", "plan", file, code=1))


def test_a_template_error_names_file_and_line(people) -> None:
    file = people.campaign("news", to="everyone", topic="City news", body="Hello\n\n{{ frist_name }}")
    said = complaint(people.run("campaigns", "plan", file, code=6))
    assert "news.md" in said
    assert "first_name" in said
    assert contents(people.root)["message"] == 0


def test_an_unapproved_plan_is_not_sent(people) -> None:
    plan = people.json("campaigns", "plan", people.campaign("news", to="everyone", topic="City news"))
    said = complaint(people.run("campaigns", "send", plan["plan"], "--yes", code=4))
    assert f"outreach campaigns approve {plan['plan']}" in said


def test_without_a_terminal_sending_must_be_confirmed_by_a_flag(people) -> None:
    plan = people.planned(people.campaign("news", to="everyone", topic="City news"))
    assert "--yes" in complaint(people.run("campaigns", "send", plan["plan"], code=2))


def test_a_relay_that_refuses_the_connection_leaves_everybody_waiting(people) -> None:
    people.environment["OUTREACH_RELAY_URL"] = "smtp://127.0.0.1:1"
    plan = people.planned(people.campaign("news", to="everyone", topic="City news"))
    said = complaint(people.run("campaigns", "send", plan["plan"], "--yes", code=75))
    assert "127.0.0.1:1" in said
    assert "nobody has received anything" in said
    assert people.json("campaigns", "status", plan["plan"])["waiting"] == 3


def test_a_missing_key_stops_before_anything_leaves(people) -> None:
    plan = people.planned(people.campaign("news", to="everyone", topic="City news"))
    shutil.move(people.root / "keys" / "dkim.pem", people.root / "keys" / "elsewhere.pem")
    said = complaint(people.run("campaigns", "send", plan["plan"], "--yes", code=78))
    assert "dkim.pem" in said
    assert people.json("campaigns", "status", plan["plan"])["waiting"] == 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda text: text.replace("Hello", "Hallo"), "the message in en"),
        (lambda text: text.replace("city.example/a", "city.example/b"), "the message in en"),
        (lambda text: text.replace("works@", "parks@"), "the sender"),
        (lambda text: text.replace("to: everyone", 'to: district is "1"'), "the rule"),
    ],
)
def test_an_edit_after_the_approval_is_refused_by_name(people, change, named: str) -> None:
    file = people.campaign("news", to="everyone", topic="City news", body="Hello [there](https://city.example/a)")
    plan = people.planned(file)
    path = people.root / file
    path.write_text(change(path.read_text()))
    said = complaint(people.run("campaigns", "send", plan["plan"], "--yes", code=6))
    assert named in said


def test_a_frozen_row_changed_by_hand_is_refused(people) -> None:
    plan = people.planned(people.campaign("news", to="everyone", topic="City news"))
    engine = create_engine(f"sqlite:///{people.root}/data/outreach.db")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM delivery WHERE subscriber_id = 2"))
    engine.dispose()
    assert "frozen audience" in complaint(people.run("campaigns", "send", plan["plan"], "--yes", code=6))


def test_outside_a_workspace_the_command_says_what_to_do(city, tmp_path: Path) -> None:
    city.root = tmp_path
    assert "outreach init" in complaint(city.run("segments", "count", "everyone", code=78))


def test_a_second_init_changes_nothing(city) -> None:
    keys = (city.root / "keys" / "tokens").read_bytes()
    complaint(city.run("init", ".", code=2))
    assert (city.root / "keys" / "tokens").read_bytes() == keys


def test_an_unknown_campaign_gets_a_suggestion(people) -> None:
    people.json("campaigns", "plan", people.campaign("news", to="everyone", topic="City news"))
    assert "did you mean news-1" in complaint(people.run("report", "nwes-1", code=1))


def test_cron_is_silent_when_all_is_well(people) -> None:
    done = people.run("cron")
    assert (done.stdout, done.stderr) == ("", "")
