"""`outreach segments`, `fields` and `store` as staff use them, in a workspace with six people."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, update

from outreach.cli import main
from outreach.cli.nightly import nightly
from outreach.cli.workspace import Workspace, open_workspace
from outreach.store import segment_counts, tables

PEOPLE = """email,first_name,district,language,ward
ada@city.example,Ada,3,es,North
ben@city.example,Ben,3,en,South
cy@city.example,Cy,4,es,
dot@city.example,Dot,4,en,North
eve@city.example,Eve,3,es,West
fay@city.example,Fay,,en,North
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def segments(*arguments: str) -> Result:
    return run("segments", *arguments)


def answer(*arguments: str) -> dict:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    folder = tmp_path / "city"
    assert run("init", str(folder)).exit_code == 0
    monkeypatch.chdir(folder)
    (folder / "people.csv").write_text(PEOPLE)
    assert run("subscribers", "import", "people.csv", "--topic", "Parking", "--source", "fair").exit_code == 0
    return open_workspace()


def test_a_name_and_its_rule_count_the_same(city: Workspace) -> None:
    assert answer("segments", "count", "spanish")["count"] == 3
    assert answer("segments", "count", "language is es")["count"] == 3
    assert "3 people" in segments("count", "Spanish").stdout


def test_the_tree_that_explain_prints_can_be_counted(city: Workspace) -> None:
    tree = answer("segments", "explain", "district is 3 and not language is es")["tree"]
    assert answer("segments", "count", json.dumps(tree))["count"] == 1
    broken = segments("count", "{not json")
    assert (broken.exit_code, "JSON" in broken.stderr) == (1, True)


def test_a_misspelt_segment_is_suggested(city: Workspace) -> None:
    result = segments("count", "spanisch")
    assert result.exit_code == 1
    assert "no segment is called 'spanisch'; did you mean \"spanish\"?" in result.stderr


def test_the_names_there_are_are_shown_as_a_rule_writes_them(city: Workspace) -> None:
    found = answer("segments", "words")
    known = ("Parking" in found["topics"], found["fields"]["joined"], "spanish" in found["segments"])
    assert known == (True, "date", True)
    with city.store.write() as connection:
        topic = {"topic_id": 1, "status": "finished", "rule": "everyone", "plan": {}, "plan_hash": "", "frozen": 0}
        rows = [
            {"name": f"parking-{number}", "file": "x.md", "planned_at": city.now(), **topic} for number in range(14)
        ]
        connection.execute(insert(tables.campaign), rows)
    said = segments("words").stdout
    assert "topics: topic is …, opened about topic …\n" in said
    assert '\n  "Parking"\n' in said
    assert said.endswith('  "parking-2"\n  and 2 older ones: --all\n')
    assert '"parking-0"' in segments("words", "--all").stdout


def test_expectations_stand_beside_the_rule_and_fail_the_check(city: Workspace) -> None:
    folder = city.root / "segments"
    (folder / "north.segment").write_text("# People of the North.\nexpect between 1 and 3\nward is North\n")
    assert "north: 3 people, as 1 to 3 expected" in segments("check", "north").stdout
    (folder / "north.segment").write_text("expect 4\nward is North\n")
    wrong = segments("check")
    assert (wrong.exit_code, "north: 3 people, not the 4 to 4 that were expected" in wrong.stderr) == (1, True)


def test_explain_shows_each_clause_with_its_fact_and_what_stands_behind_it(city: Workspace) -> None:
    run("subscribers", "suppress", "eve@city.example", "--reason", "manual")
    shown = segments(
        "explain", 'topic is "Parking" and district in (3, 4) and language is es', "EVE@city.example"
    ).stdout
    assert "yes, eve@city.example is in" in shown
    assert "district is 3" in shown
    assert "no   is not on the suppression list" in shown
    assert "suppressed: manual" in shown
    assert "subscribed since" in shown
    told = answer("segments", "explain", "language is es", "ben@city.example")
    assert (told["in"], told["clauses"][0]["fact"]) == (False, "language is en")
    spanish = segments("explain", "language is es", "ben@city.example", "--language", "es", "--topic", "parking").stdout
    assert "no, ben@city.example no está incluida" in spanish
    assert "pidió recibir «Parking»" in spanish
    assert segments("explain", "everyone", "nobody@city.example").exit_code == 1


def test_overlap_and_diff_agree_with_a_plain_count(city: Workspace) -> None:
    found = answer("segments", "overlap", "spanish", "district-3", "ward is North")
    assert found["both"] == [[3, 2, 1], [2, 3, 1], [1, 1, 3]]
    assert found["in_none"] == 0
    found = answer("segments", "diff", "spanish", "district-3")
    assert found == {
        "both": 2, "only_first": 1, "only_second": 1,
        "people_only_first": ["cy@city.example"], "people_only_second": ["ben@city.example"],
    }  # fmt: skip
    assert segments("overlap", "spanish").exit_code == 2


def test_preview_shows_people_and_invents_nobody_real(city: Workspace) -> None:
    real = {one["address"] for one in answer("segments", "preview", "spanish")}
    assert real == {"ada@city.example", "cy@city.example", "eve@city.example"}
    made_up = json.loads(segments("preview", "everyone", "--made-up", "--json").stdout)
    assert len(made_up) == 6
    assert all(one["address"].endswith("@example.com") for one in made_up)
    assert not any("North" in str(one) for one in made_up)  # three people share it: too few to be shown
    assert "None of these people exist" in segments("preview", "everyone", "--made-up").stdout


def test_preview_dates_an_open_by_the_citys_own_day(city: Workspace) -> None:
    told = city.root / "outreach.toml"
    told.write_text(told.read_text().replace('timezone = "UTC"', 'timezone = "America/Los_Angeles"'))
    local = dt.datetime(2026, 10, 1, 23, 30, tzinfo=ZoneInfo("America/Los_Angeles"))
    with city.store.write() as connection:
        connection.execute(update(tables.profile).values(last_open_at=local.astimezone(dt.UTC)))
    assert "2026-10-01" in segments("preview", "spanish").stdout


def test_words_shows_values_that_many_share_and_nobodys_own(city: Workspace) -> None:
    more = "".join(f"resident{number}@city.example,Res{number},7,en,Hill\n" for number in range(5))
    (city.root / "more.csv").write_text(PEOPLE.splitlines()[0] + "\n" + more)
    assert run("subscribers", "import", "more.csv", "--source", "fair").exit_code == 0
    values = answer("segments", "words")["values"]
    assert values["district"] == ["7"]  # five live there; districts 3 and 4 have fewer here


def test_a_field_put_to_use_is_found_alike_and_refuses_what_it_never_is(city: Workspace) -> None:
    before = answer("segments", "count", "ward is north")["count"]
    assert answer("fields", "use", "ward", "--choices", "North,South,West")["people"] == 5
    assert answer("segments", "count", "ward is north")["count"] == before == 3
    wrong = segments("count", "ward is Norht")
    assert 'ward is never "Norht"; did you mean "North"?' in wrong.stderr
    listed = {one["name"]: one for one in answer("fields", "list")}  # type: ignore[index]
    assert (listed["ward"]["in_use"], listed["ward"]["type"]) == (True, "choice")
    run("subscribers", "import", str(_more(city, "gus@city.example,Gus,3,en,North")))
    assert answer("segments", "count", "ward is north")["count"] == 4  # imports fill the slot
    assert run("fields", "free", "ward").exit_code == 0
    assert answer("segments", "count", "ward is north")["count"] == 4
    assert run("fields", "use", "nonsense").exit_code == 2


def _more(city: Workspace, line: str) -> Path:
    path = city.root / "more.csv"
    path.write_text(PEOPLE.splitlines()[0] + "\n" + line + "\n")
    return path


def test_a_night_is_counted_once_and_shown_in_the_history(city: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    noon = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    monkeypatch.setattr(Workspace, "now", lambda _: noon)
    assert nightly(city) == []
    run("subscribers", "import", str(_more(city, "gus@city.example,Gus,3,es,North")))
    assert nightly(city) == []  # the same night: nothing is done
    monkeypatch.setattr(Workspace, "now", lambda _: noon + dt.timedelta(days=1))
    assert nightly(city) == []
    found = answer("segments", "history", "spanish")
    assert [(one["day"], one["people"]) for one in found["nights"]] == [("2026-11-21", 3), ("2026-11-22", 4)]
    assert "+1" in segments("history", "spanish").stdout
    with city.store.read() as connection:
        assert len({one.rule_hash for one in segment_counts.nights(connection, "spanish", limit=9)}) == 1
    assert segments("history", "language is es").exit_code == 2


def test_history_says_who_came_and_left_since_the_last_send(city: Workspace) -> None:
    (city.root / "campaigns" / "hola.md").write_text(
        "---\nsubject: Hola\nto: in segment spanish\ntopic: Parking\nfrom: Works <works@city.example>\n---\nHola.\n"
    )
    planned = run("campaigns", "plan", "campaigns/hola.md", "--json")
    assert planned.exit_code == 0, planned.output
    with city.store.write() as connection:
        connection.execute(update(tables.campaign).values(status="finished"))
        connection.execute(update(tables.profile).where(tables.profile.c.locale == "es").values(locale="en"))
        connection.execute(update(tables.profile).where(tables.profile.c.subscriber_id == 2).values(locale="es"))
    found = answer("segments", "history", "spanish")["since_last_sent"]
    assert found == {"campaign": "hola-1", "sent_to": 3, "came": 1, "left": 3}


def test_rebuilding_and_checking_the_roll_up(city: Workspace) -> None:
    assert answer("store", "rebuild-engagement") == {"events": 0, "campaigns": 0}
    assert "6 people agree" in run("store", "check-engagement").stdout
    with city.store.write() as connection:
        connection.execute(update(tables.profile).where(tables.profile.c.subscriber_id == 1).values(opens=7))
        connection.execute(insert(tables.engagement_day).values(
            kind=1, day=20000, subscriber_id=2, campaign_id=1, department_id=0, topic_id=0, count=1))  # fmt: skip
    wrong = run("store", "check-engagement")
    assert (wrong.exit_code, "2 of 6 people differs" in wrong.stderr) == (1, True)
    run("store", "rebuild-engagement")
    assert run("store", "check-engagement").exit_code == 0
