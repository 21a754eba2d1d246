"""`outreach subscribers` as staff and cron use it: what it prints, and the code it ends with."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from outreach.cli import main
from tests.subscribers.people_files import mailchimp, written

ADA = {
    "Email Address": "ada@city.example",
    "First Name": "Ada",
    "District": "3",
    "LAST_CHANGED": "2024-01-02 10:00:00",
    "TAGS": "Housing",
}
KEYS = ["rows", "new", "changed", "unchanged", "duplicates", "rejected", "suppressed", "rejects_file"]


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new workspace, and we are in it."""
    folder = tmp_path / "city"
    assert run("init", str(folder)).exit_code == 0
    monkeypatch.chdir(folder)
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def subscribers(*arguments: str) -> Result:
    return run("subscribers", *arguments)


def test_import_prints_exactly_the_promised_document(city: Path) -> None:
    path = written(city, "people.csv", mailchimp(ADA, {"Email Address": "oops"}))
    result = subscribers("import", str(path), "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, list(found)) == (0, KEYS)
    assert Path(found["rejects_file"]).parent == city / "data" / "rejects"
    again = json.loads(subscribers("import", str(path), "--dry-run", "--json").stdout)
    assert (again["unchanged"], again["new"]) == (1, 0)


def test_import_says_what_it_did_in_words(city: Path) -> None:
    written(city, "people.csv", b"email,first_name\nada@city.example,Zo\xeb\n")
    shown = subscribers("import", "people.csv").stdout
    assert "1 lines were not UTF-8" in shown
    assert "new" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import", "gone.csv"], "there is no file gone.csv"),
        (["import", "picture.csv"], "no CSV file"),
        (["import", "people.csv", "--map", "Emial=email"], "did you mean 'Email'?"),
        (["import", "people.csv", "--map", "nonsense"], "should look like"),
        (["import", "people.csv", "--topic", "Parks"], "--topic needs --source"),
        (["show", "not an address"], "must have an @-sign"),
    ],
)
def test_a_wrong_call_is_one_sentence_and_exit_2(city: Path, arguments: list[str], words: str) -> None:
    written(city, "people.csv", "Email\nada@city.example\n")
    written(city, "picture.csv", b"\x89PNG\r\n")
    result = subscribers(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_show_suppress_and_release(city: Path) -> None:
    written(city, "people.csv", mailchimp(ADA))
    subscribers("import", "people.csv")
    assert "is suppressed" in subscribers("suppress", "<Ada@city.example>", "--reason", "manual").stdout
    found = json.loads(subscribers("show", "ada@city.example", "--json").stdout)
    assert found["suppression"]["reason"] == "manual"
    assert found["topics"][0]["name"] == "Housing"
    assert "Housing" in subscribers("show", "ada@city.example").stdout
    assert "may be written to again" in subscribers("release", "ada@city.example").stdout
    assert json.loads(subscribers("show", "ada@city.example", "--json").stdout)["suppression"] is None
    assert subscribers("show", "nobody@city.example").exit_code == 1


def test_export_a_segment_to_stdout_and_everybody_to_a_file(city: Path) -> None:
    written(city, "people.csv", mailchimp(ADA, {"Email Address": "bob@city.example", "District": "4"}))
    subscribers("import", "people.csv")
    some = subscribers("export", "--segment", "district is 4").stdout
    assert [row["email"] for row in csv.DictReader(io.StringIO(some, newline=""))] == ["bob@city.example"]
    assert subscribers("export", "--out", "all.csv").exit_code == 0
    with (city / "all.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == 2
