"""Records a release for ever: what its database looks like, what it answers, and its revisions as they are.

    outreach demo --people 80 --dir practice            with the release's own code; then do there what else it can do
    python -m tests.store.record_release practice NAME RULE...

in a checkout of the release, with a SQLite workspace whose people are all invented. NAME is a campaign, each RULE is
counted; later versions are asked the same (test_released_schemas.py). What has been recorded stays as it is.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from click.testing import CliRunner

from outreach.cli import main
from outreach.store import migrations, tables
from outreach.store.database import Store
from outreach.store.dialects import Instant
from tests.store.released import FOLDER, REVISIONS, fingerprint, revision_files, rows_of

FIGURES = ("balance", "accepted", "bounced", "opens", "clicks", "unsubscribes", "complaints")


def record(workspace: Path, campaign: str, rules: list[str]) -> Path:
    """Write the release's file, and the fingerprints of revisions that have none yet."""
    os.chdir(workspace)
    report = _answer("report", campaign, "--json")
    document: dict[str, Any] = {
        "counts": {rule: _answer("segments", "count", rule, "--json")["count"] for rule in rules},
        "report": {"campaign": campaign, **{name: report[name] for name in FIGURES}},
    }
    store = Store.open(f"sqlite:///{workspace.absolute()}/data/outreach.db")
    document["revision"] = revision = migrations.revision(store)
    document["tables"] = [
        _table(store, database, table)
        for database, metadata in (("main", tables.main), ("events", tables.events))
        for table in metadata.sorted_tables
    ]
    target = FOLDER / f"{revision}.json.gz"
    content = json.dumps(document, ensure_ascii=False, indent=0).encode()
    target.write_bytes(gzip.compress(content, mtime=0))
    known = REVISIONS.read_text("utf-8").splitlines() if REVISIONS.exists() else []
    names = {line.split()[1] for line in known}
    new = [f"{fingerprint(path)}  {name}" for name, path in revision_files().items() if name not in names]
    REVISIONS.write_text("\n".join([*known, *new]) + "\n", "utf-8")
    return target


def _answer(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(main, words)
    if result.exit_code:
        sys.exit(f"outreach {' '.join(words)}: {result.output}")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def _table(store: Store, database: str, table: sa.Table) -> dict[str, Any]:
    columns = {column.name: _kind(column.type) for column in table.columns}
    with store.read() if database == "main" else store.read_events() as connection:
        rows = rows_of(connection, table.name, columns)
    if table.name == "staff":  # nobody's real key, but it looks like one
        place = list(columns).index("public_key")
        for number, row in enumerate(rows, 1):
            row[place] = f"{number:02x}" * 32
    return {"database": database, "name": table.name, "columns": columns, "rows": rows}


def _kind(kind: sa.types.TypeEngine[Any]) -> str:
    for found, name in (
        (Instant, "instant"),
        (sa.Date, "date"),
        (sa.Boolean, "boolean"),
        (sa.LargeBinary, "bytes"),
        (sa.JSON, "document"),
    ):
        if isinstance(kind, found):
            return name
    return ""


if __name__ == "__main__":
    print(record(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
