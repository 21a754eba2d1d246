"""The history of the schema: bringing both databases up to this code, or saying that they are not.

The revisions live in `alembic/` at the top of a checkout and inside the wheel; the checkout's are
looked for first. They are only ever added to: a released one has run where people work, and never changes
(`tests/store/test_released_schemas.py` names the one that did).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

import outreach
from outreach.errors import ConfigurationError
from outreach.store.database import Store

_PACKAGE = Path(outreach.__file__).parent
_VERSION_TABLES = {"main": "alembic_version", "events": "alembic_version_events"}


def upgrade(store: Store, to: str = "head") -> None:
    """Create or upgrade every table, by default to what this code needs. Running it again changes nothing."""
    if store.is_sqlite:
        Path(str(store.main.url.database)).parent.mkdir(parents=True, exist_ok=True)
    with store.write() as connection:
        _upgrade(connection, "main", to)
    with store.write_events() as connection:
        _upgrade(connection, "events", to)


def check(store: Store) -> None:
    """Refuse to work on a schema that is not this code's (ConfigurationError says which way it differs)."""
    head = _scripts().get_current_head()
    with store.read() as connection:
        found = _version(connection, "main")
    if found == head:
        return
    if found is None:
        raise ConfigurationError("the database has no tables yet; run `outreach init` or `outreach db upgrade`")
    if knows(found):
        raise ConfigurationError(
            f"the database is at revision {found} and this version needs {head}; run `outreach db upgrade`"
        )
    raise ConfigurationError(
        f"the database is at revision {found}, which this version does not know: it was upgraded by a newer one; "
        "install that version, or restore a backup from before the upgrade"
    )


def revision(store: Store) -> str | None:
    """The revision the main database is at; None: it has no tables."""
    with store.read() as connection:
        return _version(connection, "main")


def knows(revision: str) -> bool:
    """False for a revision of a newer version than this one."""
    return revision in {each.revision for each in _scripts().walk_revisions()}


def is_current(store: Store) -> bool:
    return revision(store) == _scripts().get_current_head()


def _upgrade(connection: Connection, database: str, to: str) -> None:
    config = _config()
    config.attributes.update(connection=connection, database=database)
    command.upgrade(config, to)


def _version(connection: Connection, database: str) -> str | None:
    table = _VERSION_TABLES[database]
    if not inspect(connection).has_table(table):
        return None
    return connection.execute(text(f"SELECT version_num FROM {table}")).scalar()  # noqa: S608 - our own constant


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    return config


def _scripts() -> ScriptDirectory:
    return _scripts_in(_folder())


@cache
def _scripts_in(_folder: Path) -> ScriptDirectory:
    """Read once: every command checks the schema, and a command is watched by others (cli.watching)."""
    return ScriptDirectory.from_config(_config())


def _folder() -> Path:
    for folder in (_PACKAGE.parent / "alembic", _PACKAGE / "content" / "alembic"):
        if (folder / "env.py").is_file():
            return folder
    raise ConfigurationError("this installation lacks its schema history (alembic/); install outreach again")
