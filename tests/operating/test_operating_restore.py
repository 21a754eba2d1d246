"""A backup taken during a send, restored elsewhere: nothing goes out by itself, and nobody gets it twice."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections import Counter

import pytest
from sqlalchemy import func, insert, select, update

from outreach.campaigns import restored
from outreach.errors import Blocked, OutreachError
from outreach.store import audit, backup, campaigns, claims, installation, migrations, tables
from outreach.store.database import Store
from outreach.store.draining import refuse_or_drain
from outreach.testing import Fault, FaultServer

PEOPLE = [f"resident{number}@example.org" for number in range(60)]


def test_backup_during_a_send_restored_on_another_machine(command, tmp_path):
    command(tmp_path).run("init", "city", "--name", "City of Testing")
    city = command(tmp_path / "city")
    slow = Fault("DOT", delay=0.15, times=None)
    with FaultServer([slow]) as server:
        relay = {
            "OUTREACH_RELAY_URL": f"smtp://127.0.0.1:{server.port}",
            "OUTREACH_RELAY_CONNECTIONS": "2",
            "OUTREACH_MODE": "live",
        }
        city.environment |= relay
        rows = "".join(f"{address},R,3\n" for address in PEOPLE)
        (city.root / "people.csv").write_text("email,first_name,district\n" + rows, "utf-8")
        city.run("subscribers", "import", "people.csv", "--topic", "City news", "--source", "form")
        city.run("campaigns", "plan", "campaigns/welcome.md")
        city.run("campaigns", "approve", "welcome-1", "--by", "Dana Lee")
        sending = city.start("campaigns", "send", "welcome-1", "--yes")
        until = time.monotonic() + 30
        while len(server.accepted) < 10 and time.monotonic() < until:
            time.sleep(0.02)
        city.run("backup", "../city.backup")
        at_backup = len(server.accepted)
        assert 10 <= at_backup < len(PEOPLE)
        os.killpg(sending.pid, signal.SIGKILL)  # some left after the backup, which knows nothing of them
        sending.wait()
        log = "\n".join(f"relay: message-id={each}" for each in server.accepted_ids)
        (tmp_path / "mail.log").write_text(log, "utf-8")

        command(tmp_path).run("restore", "city.backup", "elsewhere")
        other = command(tmp_path / "elsewhere", dict(relay))
        before = len(server.accepted)
        assert "restored from the backup" in other.run("cron", code=1).stderr
        assert "resume --after-restore" in other.run("campaigns", "send", "welcome-1", "--yes", code=6).stderr
        doctor = other.run("doctor", "--offline", code=1).stdout
        assert "nothing is sent: this was restored from the backup" in doctor
        assert len(server.accepted) == before

        found = other.json("resume", "--after-restore", "--relay-log", str(tmp_path / "mail.log"))
        assert found["accepted"] > 0
        other.run("campaigns", "send", "welcome-1", "--yes", "--patience", "3")
        times = Counter(each.recipients[0] for each in server.accepted)
    assert max(times.values()) == 1
    assert set(times) == set(PEOPLE)


def seeded(store: Store, now) -> None:
    with store.write() as connection:
        row = {"address": "ada@example.org", "attributes": {"first_name": "Ada"}, "created_at": now}
        connection.execute(insert(tables.subscriber).values(row))
        audit.note(connection, verb="import", object="people.csv", detail={"rows": 1}, now=now)


def test_every_row_comes_back_on_both_databases(store, tmp_path, now):
    root = tmp_path / "city"
    (root / "keys").mkdir(parents=True)
    (root / "outreach.toml").write_text("", "utf-8")
    seeded(store, now)
    backup.write(store, root, tmp_path / "city.backup", now=now)
    before = {table.name: _rows(store, table) for table in tables.main.sorted_tables if table.name != "installation"}
    if store.is_sqlite:
        backup.unpack(tmp_path / "city.backup", tmp_path / "other")
        other = Store.open(f"sqlite:///{tmp_path}/other/data/outreach.db")
    else:
        with store.write() as connection:
            connection.execute(update(tables.subscriber).values(address="changed@example.org"))
        other = store
    backup.restore(other, tmp_path / "city.backup", now=now)
    after = {table.name: _rows(other, table) for table in tables.main.sorted_tables if table.name != "installation"}
    assert after == before
    with other.write() as connection:
        row = {"address": "grace@example.org", "attributes": {}, "created_at": now}
        connection.execute(insert(tables.subscriber).values(row))  # numbers go on after the highest
    if store.is_sqlite:
        other.close()


LATER = """
revision, down_revision, branch_labels, depends_on = "9999", {head!r}, None, None

def upgrade():
    from alembic import op
    if op.get_context().opts["database"] == "main":
        op.execute("UPDATE subscriber SET address = 'later.' || address")
"""


@pytest.mark.parametrize("says_columns", [True, False])
def test_an_older_backup_is_upgraded_with_its_rows(store, tmp_path, now, monkeypatch, says_columns):
    (tmp_path / "city" / "keys").mkdir(parents=True)
    seeded(store, now)
    head = migrations.revision(store)
    whole = backup._manifest
    if not says_columns:  # as the first release wrote them
        monkeypatch.setattr(backup, "_manifest", lambda *told: {**whole(*told), "columns": None})
    backup.write(store, tmp_path / "city", tmp_path / "city.backup", now=now)
    if store.is_sqlite:
        backup.unpack(tmp_path / "city.backup", tmp_path / "other")
        other = Store.open(f"sqlite:///{tmp_path}/other/data/outreach.db")
    else:
        other = store

    history = shutil.copytree(migrations._folder(), tmp_path / "alembic")
    (history / "versions" / "9999_later.py").write_text(LATER.format(head=head), "utf-8")
    monkeypatch.setattr(migrations, "_folder", lambda: history)
    backup.restore(other, tmp_path / "city.backup", now=now)
    assert migrations.revision(other) == "9999"
    assert [address for _, address, *_ in _rows(other, tables.subscriber)] == ["later.ada@example.org"]
    assert "restored from the backup" in installation.held(other, tmp_path / "other" / "data", now=now)
    if store.is_sqlite:
        other.close()
        return
    with pytest.raises(backup.BackupError, match=f"at revision 9999 already and .* at {head}; make an empty database"):
        backup.restore(other, tmp_path / "city.backup", now=now)


def test_a_backup_of_a_newer_version_is_not_unpacked(town, tmp_path, now, monkeypatch):
    backup.write(town.store, town.root, tmp_path / "city.backup", now=now)
    monkeypatch.setattr(migrations, "knows", lambda revision: False)
    with pytest.raises(backup.BackupError, match="taken by a newer version of Outreach; install that version"):
        backup.unpack(tmp_path / "city.backup", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def _rows(store: Store, table) -> list[tuple]:
    with store.read() as connection:
        return sorted((tuple(row) for row in connection.execute(select(table))), key=repr)


def test_a_copied_folder_sends_nothing(town, tmp_path, now):
    data = town.settings.data
    installation.refuse_restored(town.store, data, now=now)
    installation.refuse_restored(town.store, data, now=now)
    shutil.copytree(town.root, tmp_path / "copy")
    copy = Store.open(f"sqlite:///{tmp_path}/copy/data/outreach.db")
    with pytest.raises(Blocked, match="is a copy of"):
        installation.refuse_restored(copy, tmp_path / "copy" / "data", now=now)
    copy.close()
    installation.refuse_restored(town.store, data, now=now)  # the first one may go on


def test_yesterday_s_database_sends_nothing(town, tmp_path, now):
    data = town.settings.data
    installation.refuse_restored(town.store, data, now=now)
    town.store.close()
    yesterday = (data / "outreach.db").read_bytes()
    installation.refuse_restored(town.store, data, now=now)
    town.store.close()
    for ending in ("-wal", "-shm"):
        (data / f"outreach.db{ending}").unlink(missing_ok=True)
    (data / "outreach.db").write_bytes(yesterday)
    with pytest.raises(Blocked, match="a backup was put back"):
        installation.refuse_restored(town.store, data, now=now)
    found = restored.resume(town.store, data, logs=None, nothing_sent=True, now=now)
    assert found.paused == ()
    installation.refuse_restored(town.store, data, now=now)


@pytest.mark.parametrize(("step", "generation"), [("_read", 2), ("_begin", 1)])
def test_two_that_send_at_the_same_moment_are_no_restored_backup(store, tmp_path, now, monkeypatch, step, generation):
    """One has looked at the database; the other begins, or raises its count and the folder's; then the one goes on."""
    if step == "_read":
        assert installation.held(store, tmp_path, now=now, sending=True) == ""
    goes_on, said = getattr(installation, step), []
    other = threading.Thread(target=lambda: said.append(installation.held(store, tmp_path, now=now, sending=True)))

    def meanwhile(*arguments):
        monkeypatch.setattr(installation, step, goes_on)
        other.start()
        other.join(1)
        return goes_on(*arguments)

    monkeypatch.setattr(installation, step, meanwhile)
    assert installation.held(store, tmp_path, now=now, sending=True) == ""
    other.join(30)
    assert said == [""]
    with store.read() as connection:
        row = connection.execute(select(tables.installation)).one()
    assert (row.generation, row.held) == (generation, None)


def test_without_a_log_what_was_under_way_stays_paused(town, now):
    town.people(["ada"], [town.topic("Parking")], at=now)
    with town.store.write() as connection:
        installation.hold(connection, "restored", now=now)
        values = {"message_class": "regular", "rule": "", "plan": {}, "plan_hash": "", "frozen": 1, "planned_at": now}
        identity = campaigns.add(connection, name="parking-1", file="parking", started_at=now, **values)
        connection.execute(tables.campaign.update().values(status="sending"))
        connection.execute(insert(tables.delivery).values(campaign_id=identity, subscriber_id=1, state=2, claim_id=1))
    found = restored.resume(town.store, town.settings.data, logs=None, nothing_sent=False, now=now)
    assert (found.in_doubt, found.paused) == (1, ("parking-1",))


def test_an_upgrade_waits_for_what_is_being_sent(town, now):
    with town.store.write() as connection:
        values = {"message_class": "regular", "rule": "", "plan": {}, "plan_hash": "", "frozen": 0, "planned_at": now}
        identity = campaigns.add(connection, name="parking-1", file="parking", **values)
        connection.execute(tables.campaign.update().values(status="sending"))
        worker = claims.register(connection, host="h", boot="b", pid=1, started="", journal="", now=now)
        connection.execute(
            insert(tables.claim).values(campaign_id=identity, worker_id=worker.id, lease_until=now, size=1)
        )
    with pytest.raises(Blocked, match="parking-1 is being sent"):
        refuse_or_drain(town.store, drain=False)
    with pytest.raises(OutreachError, match="still finishing"):
        refuse_or_drain(town.store, drain=True, patience=0)
    with town.store.write() as connection:
        assert connection.execute(select(tables.campaign.c.status)).scalar_one() == "paused"
        claims.forget(connection, worker.id)
    refuse_or_drain(town.store, drain=False)
    assert migrations.is_current(town.store)
    with town.store.read() as connection:
        assert connection.execute(select(func.count()).select_from(tables.claim)).scalar_one() == 0


def test_the_altered_row_of_the_audit_log_is_named(store, now):
    with store.write() as connection:
        for verb in ("plan", "approve", "send"):
            audit.note(connection, who="Dana Lee", verb=verb, object="parking-1", detail={"people": 3}, now=now)
    with store.read() as connection:
        assert list(audit.breaks(connection)) == []
    with store.write() as connection:
        connection.execute(update(tables.audit).where(tables.audit.c.id == 2).values(who="Somebody Else"))
    with store.read() as connection:
        (broken,) = audit.breaks(connection)
    assert broken.startswith("row 2 (2026-11-21 12:00 UTC, Somebody Else: approve parking-1) was altered")
    with store.write() as connection:
        connection.execute(tables.audit.delete().where(tables.audit.c.id == 2))
    with store.read() as connection:
        assert "row 2 is missing" in list(audit.breaks(connection))
