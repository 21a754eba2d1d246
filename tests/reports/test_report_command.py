"""`outreach report` in a workspace on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete

from outreach.cli import main
from outreach.store.database import Store
from outreach.store.tables import delivery


@pytest.fixture
def workspace(
    sqlite_store: Store, small_sweeping_in: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A workspace whose campaign street-sweeping-1 went to sixty people."""
    (tmp_path / "outreach.toml").write_text('[organisation]\nname = "City of Example"\n', "utf-8")
    folder = tmp_path / "data" / "links"
    folder.mkdir()
    (folder / "1.json").write_text(json.dumps({"links": ["https://city.example/sweeping"]}), "utf-8")
    small_sweeping_in(sqlite_store, people=60)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["report", *arguments])


@pytest.mark.parametrize("name", ["street-sweeping-1", "1", "street-sweeping", "campaigns/street-sweeping.md"])
def test_json_is_the_only_thing_on_stdout(workspace: Path, name: str) -> None:
    result = run(name, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["campaign"] == "street-sweeping-1"
    assert document["balance"].pop("frozen") == 60 == sum(document["balance"].values())
    assert document["links"][0]["url"] == "https://city.example/sweeping"


def test_the_page_is_written_whole_and_alone(workspace: Path) -> None:
    result = run("1", "--html", "sweeping.html")
    assert (result.exit_code, result.stdout) == (0, "the report of street-sweeping-1 is in sweeping.html\n")
    assert (workspace / "sweeping.html").read_text("utf-8").rstrip().endswith("</html>")
    assert {path.name for path in workspace.iterdir()} == {"data", "outreach.toml", "sweeping.html"}


def test_a_page_that_cannot_be_written_is_an_error(workspace: Path) -> None:
    result = run("1", "--html", "nowhere/sweeping.html")
    assert result.exit_code == 1
    assert "nowhere/sweeping.html" in result.stderr


def test_in_a_pipe_it_is_plain_text(workspace: Path) -> None:
    result = run("1")
    assert result.exit_code == 0
    assert "it balances" in result.stdout
    assert "\x1b" not in result.stdout


def test_books_that_do_not_balance_fail_and_show_nothing(workspace: Path, sqlite_store: Store) -> None:
    with sqlite_store.write() as connection:
        connection.execute(delete(delivery).where(delivery.c.subscriber_id == 17))
    result = run("1", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "do not balance: 60 people were frozen, 59 are accounted for" in result.stderr


def test_an_unknown_campaign_is_named_with_what_was_meant(workspace: Path) -> None:
    result = run("street-sweping-1")
    assert result.exit_code == 1
    assert "did you mean street-sweeping-1?" in result.stderr
