"""Whoever runs a released version can upgrade: released revisions stay as they are, and no upgrade loses a row.

Every release that ended with a revision of its own is in `releases/` (see `released.py`), so a new revision is tried on
all of them by being there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from outreach.campaigns.terms import plan_hash
from outreach.cli import main
from outreach.errors import ConfigurationError
from outreach.rendering.message import CompiledMessage
from outreach.store import migrations
from outreach.store.database import Store
from tests.store.released import (
    FOLDER,
    REVISIONS,
    Kept,
    fill,
    fingerprint,
    releases,
    revision_files,
    tables_in,
    upgrade_to,
)

RELEASES = sorted(releases())


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A database without a table, where a workspace in `city` would have it."""
    if request.param == "sqlite":
        (tmp_path / "city" / "data").mkdir(parents=True)
        store = Store.open(f"sqlite:///{tmp_path}/city/data/outreach.db")
    else:
        store = Store.open(request.getfixturevalue("postgres_database"))
        with store.write() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    yield store
    store.close()


def lost(store: Store, tables: Collection[Kept], *, grows: str = "") -> list[str]:
    """Tables that hold not exactly the rows they were filled with, in the columns they had; `grows` may hold more."""
    found = []
    for table in tables:
        rows = table.now(store)
        if table.name == grows:
            rows = [row for row in rows if row in table.rows]
        if rows != table.rows:
            found.append(table.name)
    return found


def test_a_released_revision_is_never_changed() -> None:
    """It has run where people work: what it should have said is said by a new one."""
    files = revision_files()
    released = dict(reversed(line.split()) for line in REVISIONS.read_text("utf-8").splitlines())
    assert [name for name, known in released.items() if name not in files or fingerprint(files[name]) != known] == []
    assert [f"{name.partition('_')[0]}.json.gz" for name in released][-1] == f"{RELEASES[-1]}.json.gz"
    assert (FOLDER / f"{RELEASES[-1]}.json.gz").stat().st_size < 300_000


def test_a_fingerprint_is_of_what_a_revision_says_not_of_its_remarks(tmp_path: Path) -> None:
    first, *others = (tmp_path / name for name in ("a.py", "b.py", "c.py"))
    first.write_text("def upgrade():\n    op.drop_table('x')\n")
    others[0].write_text("# why\n\ndef upgrade():\n    # because\n    op.drop_table('x')   \n")
    others[1].write_text("def upgrade():\n    op.drop_table('y')\n")
    assert [fingerprint(other) == fingerprint(first) for other in others] == [True, False]


@pytest.mark.parametrize("revision", RELEASES)
def test_whoever_has_that_release_upgrades_and_goes_on(
    revision: str, database: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = releases()[revision]
    upgrade_to(database, revision)
    fill(database, release.tables)
    assert lost(database, release.tables) == []  # else the file does not hold what that release wrote

    city = tmp_path / "city"
    monkeypatch.setenv("OUTREACH_DATABASE_URL", database.main.url.render_as_string(hide_password=False))
    (city / "data").mkdir(parents=True, exist_ok=True)
    (city / "outreach.toml").write_text('[organisation]\nname = "City of Riverton"\ntimezone = "America/Los_Angeles"\n')
    monkeypatch.chdir(city)
    outreach("db", "upgrade")
    migrations.check(database)
    assert lost(database, release.tables, grows="audit") == []  # that it was upgraded stands there

    assert outreach("audit", "verify") == {}
    assert {rule: outreach("segments", "count", rule, "--json")["count"] for rule in release.counts} == release.counts
    report = outreach("report", release.report["campaign"], "--json")
    assert {name: report[name] for name in release.report} == release.report


@pytest.mark.parametrize("revision", RELEASES)
def test_what_that_release_had_approved_may_still_be_sent(revision: str) -> None:
    """A send that was paused for the upgrade goes on: its plan and its messages are read, and hashed, as they were."""
    kept = {table.name: table for table in releases()[revision].tables}
    plans = [(row["plan"][0], row["plan_hash"]) for row in kept["campaign"].each() if row["approved_at"]]
    assert len(plans) > 1
    assert [plan["campaign"] for plan, known in plans if plan_hash(plan) != known] == []
    messages = list(kept["message"].each())
    assert len(messages) > 1
    for row in messages:
        assert CompiledMessage.from_document(row["compiled"][0]).hash == row["hash"]


def outreach(*words: str) -> dict:
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in words else {}


def test_each_revision_keeps_the_rows_that_were_there_before_it(database: Store) -> None:
    """One step after the other, each table filled as soon as it is there."""
    release = releases()[RELEASES[-1]]
    there: list[Kept] = []
    for revision in [name.partition("_")[0] for name in revision_files()]:
        upgrade_to(database, revision)
        assert (revision, lost(database, there)) == (revision, [])
        known, columns = {table.name for table in there}, tables_in(database)
        new = [table.of(columns[table.name]) for table in release.tables if table.name in columns.keys() - known]
        fill(database, new)
        there += new
    migrations.check(database)
    assert lost(database, there) == []
    assert {table.name for table in there} == {table.name for table in release.tables}


def test_a_command_says_what_to_do_until_then(database: Store) -> None:
    upgrade_to(database, "0002")
    with pytest.raises(ConfigurationError, match="run `outreach db upgrade`"):
        migrations.check(database)
