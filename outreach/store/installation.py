"""Which installation this is. A restored, copied or cloned one sends nothing until a person says that it may.

The database and the state folder each remember an epoch and how often something was sent; the folder also knows its
machine. They no longer agree when yesterday's database was put back, a folder was copied, or a machine was cloned:
then two of us might send the same campaign, or one might send again what it does not remember.

Several hosts may send with one PostgreSQL database. Each has a state folder of its own, which joins once, by
`outreach worker`. A folder that does not fit then stops its own host and no other; a database that is older than a
folder remembers stops them all.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, update

from outreach.errors import Blocked
from outreach.store.checkpoints import insert
from outreach.store.database import Store
from outreach.store.tables import installation

FILE = "installation.json"
REMEDY = "Nothing is sent until you run: outreach resume --after-restore"


def refuse_restored(store: Store, data: Path, *, now: dt.datetime, sending: bool = True) -> None:
    """Blocked, with the reason, if this installation may not send. `sending`: it is about to, so remember that."""
    reason = held(store, data, now=now, sending=sending)
    if reason:
        raise Blocked(f"{reason}. {REMEDY}")


def held(store: Store, data: Path, *, now: dt.datetime, sending: bool = False) -> str:
    """Why nothing may be sent; empty if it may. What is found is remembered until somebody resumes."""
    with store.write() as connection:
        # Locked before the folder is read: another of us that sends at this moment raises the database's count first.
        row = _row(connection)
        if row is None:
            if _begin(connection, data):
                return ""
            row = _row(connection)  # another of us was first
        if row.held:
            return str(row.held)
        known = _read(data)
        reason = _difference(row.epoch, row.generation, known, data, shared=_is_shared(connection))
        if reason:
            if not _is_shared(connection) or _is_older(row, known):
                hold(connection, reason, now=now)
            return reason
        if not sending:
            return ""
        generation = row.generation + 1
        connection.execute(update(installation).values(generation=generation))
    # After the commit: the folder may remember less than the database, never more.
    _write(data, epoch=row.epoch, generation=generation)
    return ""


def join(store: Store, data: Path) -> bool:
    """Let a host with a new state folder send beside the others. False if it is one of them, or nobody sends yet.

    Only PostgreSQL can be shared; and a folder that knows of an installation is never talked out of it: it is one of
    them already, or a copy.
    """
    with store.write() as connection:
        row = connection.execute(select(installation)).one_or_none()
        if row is None or row.held or _read(data) or not _is_shared(connection):
            return False
    _write(data, epoch=row.epoch, generation=row.generation)
    return True


def hold(connection: Connection, reason: str, *, now: dt.datetime) -> None:
    """Send nothing from now on."""
    if connection.execute(update(installation).values(held=reason, held_at=now)).rowcount == 0:
        values = {"id": 1, "epoch": secrets.token_hex(16), "generation": 0, "held": reason, "held_at": now}
        connection.execute(insert(connection, installation).values(values))


def release(connection: Connection, data: Path) -> None:
    """This is a new installation from now on; the one it came from, should it live, is another."""
    connection.execute(installation.delete())
    _begin(connection, data)


def _row(connection: Connection) -> Any:
    return connection.execute(select(installation).with_for_update()).one_or_none()


def _begin(connection: Connection, data: Path) -> bool:
    """False if another of us begins at this moment."""
    epoch = secrets.token_hex(16)
    values = {"id": 1, "epoch": epoch, "generation": 0}
    added = insert(connection, installation).values(values).on_conflict_do_nothing().returning(installation.c.id)
    if connection.execute(added).first() is None:
        return False
    _write(data, epoch=epoch, generation=0)
    return True


def _is_shared(connection: Connection) -> bool:
    """Whether other hosts may use this database."""
    return connection.dialect.name == "postgresql"


def _is_older(row: Any, known: dict[str, Any]) -> bool:
    return bool(known) and known["epoch"] == row.epoch and known["generation"] > row.generation


def _difference(epoch: str, generation: int, known: dict[str, Any], data: Path, *, shared: bool) -> str:
    """What the state folder says against this database and this machine; empty: they agree."""
    if not known and shared:
        return (
            "this state folder is new to a database that others have sent with; `outreach worker` lets this host send "
            "beside them, and if they are gone, this is a restore"
        )
    if not known:
        return "the database was last used with another state folder (data/ knows of no installation)"
    if known["epoch"] != epoch:
        other = f"; to join it as another host, move {data / FILE} away and run `outreach worker`" if shared else ""
        return f"the database and the state folder belong to two different installations{other}"
    if known["generation"] > generation:
        return "the database is older than the state folder remembers: a backup was put back"
    here = _here(data)
    if known["machine"] and here["machine"] and known["machine"] != here["machine"]:
        return "this folder was copied from another machine, which may still be sending"
    if known["inode"] != here["inode"] and known["folder"] != here["folder"]:
        return f"this folder is a copy of {known['folder']}, which may still be sending"
    return ""


def _here(data: Path) -> dict[str, Any]:
    try:
        machine = Path("/etc/machine-id").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        machine = ""  # a container often has none
    return {"machine": machine, "folder": str(data.resolve()), "inode": data.stat().st_ino}


def _read(data: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((data / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _write(data: Path, *, epoch: str, generation: int) -> None:
    data.mkdir(parents=True, exist_ok=True)
    draft = data / f".{FILE}.{os.getpid()}"
    draft.write_text(json.dumps({"epoch": epoch, "generation": generation, **_here(data)}), "utf-8")
    draft.replace(data / FILE)
