"""Before a file is read, each column is shown with what it is taken for; sources are trusted in a given order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from outreach.cli import main
from outreach.cli.init import make_workspace
from outreach.errors import ConfigurationError
from outreach.subscribers.mapping import propose
from outreach.subscribers.profiling import profile
from outreach.subscribers.reading import open_table
from outreach.subscribers.systems import TRUSTED, trusted

FILE = """\
Email Address,Vorname,PLZ,Renter,Joined,Notes,Ward
ada@city.example,Ada,95814,yes,2020-01-05,,3
grace@city.example,Grace,95814,no,2021-02-06,,3
mary@city.example,Mary,95816,,07/31/2022,,4
joan@city.example,Joan,95816,yes,2023-04-08,called twice,4
"""


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_workspace(tmp_path / "city", name="City of Testing", domain="city.example")
    monkeypatch.chdir(tmp_path / "city")
    return tmp_path / "city"


def test_each_column_is_profiled_over_the_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(FILE)
    table = open_table(path)
    found = profile(table, propose(table, {}, types={}, default_at=0))
    assert (found.rows, [(c.header, c.target, c.kind, c.empty) for c in found.columns]) == (
        4,
        [
            ("Email Address", "email", "address", 0.0),
            ("Vorname", "first_name", "text", 0.0),
            ("PLZ", "zip", "number", 0.0),
            ("Renter", "renter", "yes or no", 0.25),
            ("Joined", "joined", "date", 0.0),
            ("Notes", "notes", "text", 0.75),
            ("Ward", "ward", "number", 0.0),
        ],
    )
    assert found.columns[2].examples == ("95814", "95816")


def test_rows_of_any_width_and_no_rows_at_all_can_be_profiled(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("email,name\nada@city.example\ngrace@city.example,Grace,more,more\n")
    table = open_table(path)
    assert [c.empty for c in profile(table, propose(table, {}, types={}, default_at=0)).columns] == [0.0, 0.5]
    path.write_text("email,name\n")
    table = open_table(path)
    assert [c.kind for c in profile(table, propose(table, {}, types={}, default_at=0)).columns] == ["nothing"] * 2


def test_the_columns_are_shown_before_anything_is_read_but_not_beside_json(city: Path) -> None:
    (city / "people.csv").write_text(FILE)
    shown = CliRunner().invoke(main, ["subscribers", "import", "people.csv", "--map", "Ward=district", "--dry-run"])
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert "first 4 rows" in lines[0]
    assert any(line.split()[:2] == ["Ward", "district"] for line in lines)
    assert shown.stdout.index("such as") < shown.stdout.index("dry run")
    asked = CliRunner().invoke(main, ["subscribers", "import", "people.csv", "--dry-run", "--json"])
    assert json.loads(asked.stdout)["new"] == 4


def test_a_cell_cannot_steer_the_terminal(city: Path) -> None:
    more = "".join(f"p{number}@city.example,Grace\n" for number in range(9))
    (city / "people.csv").write_text(f"email,name\nada@city.example,\x1b]0;gotcha\x07[red]Ada\n{more}")
    shown = CliRunner().invoke(main, ["subscribers", "import", "people.csv", "--dry-run"])
    assert "\x1b]" not in shown.stdout
    assert "[red]Ada" in shown.stdout


def test_the_settings_order_of_sources_comes_first() -> None:
    assert trusted("") == TRUSTED
    assert trusted("salesforce, CSV")[:2] == ("salesforce", "csv")
    assert sorted(trusted("salesforce, csv")) == sorted({*TRUSTED, "csv"})
    with pytest.raises(ConfigurationError, match=r"import.trusted names 'salesfarce'"):
        trusted("salesfarce")


@pytest.mark.parametrize(("order", "zip_code"), [("csv", "95816"), ("", "95814"), ("mailchimp, csv", "95814")])
def test_of_values_of_one_date_the_more_trusted_sources_stands(city: Path, order: str, zip_code: str) -> None:
    settings = city / "outreach.toml"
    settings.write_text(f'{settings.read_text()}\n[import]\ntrusted = "{order}"\n')
    (city / "mailchimp.csv").write_text(
        "Email Address,Zip,OPTIN_TIME,LAST_CHANGED\nada@city.example,95814,2020-01-01,2026-01-01\n"
    )
    (city / "other.csv").write_text("email,zip,updated_at\nada@city.example,95816,2026-01-01\n")
    for file in ("mailchimp.csv", "other.csv"):
        assert CliRunner().invoke(main, ["subscribers", "import", file]).exit_code == 0
    shown = CliRunner().invoke(main, ["subscribers", "show", "ada@city.example", "--json"])
    assert json.loads(shown.stdout)["attributes"]["zip"] == zip_code
