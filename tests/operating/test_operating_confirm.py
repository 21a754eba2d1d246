"""Before a campaign leaves, whoever sends it types how many people it is for."""

from __future__ import annotations

import os
import pty
import subprocess

import pytest
from sqlalchemy import update

from outreach.campaigns import credentials
from outreach.campaigns.approval import approve
from outreach.store import tables
from outreach.store.campaigns import Status
from tests.operating.conftest import COMMAND, Command
from tests.operating.office import NOON, office

__all__ = ["office"]


@pytest.mark.parametrize(("typed", "code", "status"), [("3", 0, Status.FINISHED), ("0", 2, Status.APPROVED)])
def test_who_reads_it_in_a_digest_counts(office, typed: str, code: int, status: Status) -> None:
    settings = {"digests_at": "08:00", "relay_url": "directory:mails", "mode": "live"}
    office.town.set(**settings)
    with office.town.store.write() as connection:
        reads_daily = tables.subscription.c.subscriber_id == 1
        connection.execute(update(tables.subscription).where(reads_daily).values(frequency=1))
    name = office.plans("sweep")
    assert (office.campaign(name).frozen, office.campaign(name).reaches) == (2, 3)
    environment = {credentials.VARIABLE: office.tokens["Eli"]}
    approve(office.town.store, name, by="Eli", now=NOON, above=5, environment=environment)
    environment = {f"OUTREACH_{key.upper()}": value for key, value in settings.items()}
    environment["OUTREACH_NOW"] = NOON.isoformat()
    ours, theirs = pty.openpty()
    sending = subprocess.Popen(
        [*COMMAND, "campaigns", "send", name],
        cwd=office.town.root,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=Command(office.town.root, environment)._environment(),
        text=True,
    )
    os.write(ours, f"{typed}\n".encode())
    said = sending.communicate(timeout=60)[0]
    os.close(ours)
    os.close(theirs)
    assert f"Type 3 to send {name} to 3 people, 1 of them in their next digest" in said
    assert sending.returncode == code, said
    assert office.status(name) is status
