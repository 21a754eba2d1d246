"""Who is mailed a link that stops a send, and what a link does for whom: role by page by verb."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace

import pytest
from sqlalchemy import insert, update

from outreach.campaigns import asking, credentials, lifecycle
from outreach.campaigns.approval import approve
from outreach.campaigns.orders import orders_for
from outreach.errors import ApprovalMissing
from outreach.store import audit, campaigns, permissions, staff, tables
from outreach.store.campaigns import Status
from outreach.store.deliveries import State
from outreach.store.permissions import PAGES, allows
from outreach.tokens import load_keys
from tests.operating.office import NOON, office, text

__all__ = ["office"]

# --- stopping -------------------------------------------------------------------------------------------------------


def test_everybody_concerned_is_mailed_a_link_that_stops_a_running_send(office):
    office.hires("Kim", "author")
    office.hires("Una", "author")
    office.post(office.asks(office.plans("sweep", by="Kim"), "Eli")["Eli"])
    store, settings = office.town.store, office.town.settings
    with store.write() as connection:
        campaign = campaigns.find(connection, "sweep-1")
        campaigns.set_status(connection, campaign.id, Status.SENDING, only_from=(Status.APPROVED,), started_at=NOON)
    keys = office.town.root / "keys" / "tokens"
    told = asking.announce(store, settings, campaign, token_keys=keys, now=NOON)
    assert [each.name for each in told] == ["Dana", "Eli", "Kim"]
    mails = [mail for mail in office.mails() if mail["Subject"].startswith("Going out now")]
    links = {mail["To"].addresses[0].display_name: re.search(r"(/h/\S+)", text(mail))[1] for mail in mails}
    assert sorted(links) == ["Dana", "Eli", "Kim"]
    status, page = office.get(links["Kim"])
    assert (status, office.status("sweep-1")) == (200, Status.SENDING)
    assert "Stop it for good" in page
    assert office.post(links["Eli"], do="approve")[0] == 403
    status, page = office.post(links["Kim"])
    assert (status, office.status("sweep-1")) == (200, Status.STOPPED)
    assert "0 of 3 people have it. 3 will not get it." in page
    assert "already stopped" in office.post(links["Dana"], plan=campaign.plan_hash)[1]


def test_the_links_leave_when_the_send_begins_and_a_lost_relay_delays_nobody(office):
    office.post(office.asks(office.plans("sweep"))["Eli"])
    office.post(office.asks(office.plans("trees"))["Eli"])

    def sends(name: str, **settings: str) -> None:
        office.town.set(policy_approval_above="1", **settings)
        campaign = office.campaign(name)
        keys = office.town.root / "keys" / "tokens"
        orders = orders_for(campaign, office.town.settings, token_keys=keys, patience=dt.timedelta(0))
        orders = replace(orders, relay_url="directory:out", workspace=office.town.root)
        sent = lifecycle.send(
            office.town.store, office.town.settings, campaign, orders=orders, workers=0, progress=None
        )
        assert sent.counts[State.ACCEPTED] == 3

    sends("sweep-1", relay_url="directory:mails")
    assert sum(mail["Subject"].startswith("Going out now") for mail in office.mails()) == 2
    sends("trees-1", relay_url="smtp://127.0.0.1:1")
    with office.town.store.read() as connection:
        rows = [each.detail for each in audit.entries(connection) if each.verb == "stop links"]
    assert rows == [{"told": "Dana, Eli"}, {"told": "Dana, Eli"}, {"not sent": "RelayUnreachable"}]


def test_readers_of_digests_count_and_can_be_spared_while_they_wait(office):
    """Nobody is frozen, and everybody would read it tomorrow: Dana does not approve it alone, and a link stops it."""
    office.town.set(digests_at="08:00", policy_approval_above="1", policy_code_above="1", relay_url="directory:mails")
    office.restart()
    with office.town.store.write() as connection:
        connection.execute(update(tables.subscription).values(frequency=1))
    name = office.plans("sweep")
    campaign = office.campaign(name)
    assert (campaign.frozen, campaign.reaches) == (0, 3)
    with pytest.raises(ApprovalMissing, match="reaches 3 people; above 1 a second person has to approve"):
        approve(
            office.town.store, name, by="Dana", now=NOON, above=1,
            environment={credentials.VARIABLE: office.tokens["Dana"]},
        )  # fmt: skip
    path = office.asks(name)["Eli"]
    asked, code = office.mails()
    assert "May this go to 3 people?" in text(asked)
    assert "3 of them read it in their next digest." in text(asked)
    typed = re.search(r"\b[A-Z2-9]{4}-[A-Z2-9]{4}\b", text(code))[0]
    assert "3 people will get it" in office.post(path, code=typed)[1]
    keys = office.town.root / "keys" / "tokens"
    orders = orders_for(campaign, office.town.settings, token_keys=keys, patience=dt.timedelta(0))
    sent = lifecycle.send(office.town.store, office.town.settings, campaign, orders=orders, workers=0, progress=None)
    assert sent.campaign.status is Status.FINISHED
    (mail,) = (each for each in office.mails() if each["Subject"].startswith("Going out") and "Eli" in each["To"])
    link = re.search(r"(/h/\S+)", text(mail))[1]
    assert "0 of 0 people have it, 3 wait for a digest." in office.get(link)[1]
    assert "3 will not get it." in office.post(link)[1]
    status, page = office.get(link)
    assert (status, "already stopped" in page) == (403, True)


def test_a_small_send_mails_nobody(office):
    office.town.set(policy_approval_above="3", relay_url="directory:mails")
    office.plans("sweep")
    campaign = office.campaign("sweep-1")
    keys = office.town.root / "keys" / "tokens"
    assert asking.announce(office.town.store, office.town.settings, campaign, token_keys=keys, now=NOON) == []


# --- role × page × verb -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("department", [None, "Streets", "Parks"])
@pytest.mark.parametrize("role", permissions.ROLES)
def test_a_link_does_only_what_its_owners_role_permits_there(role, department, office):
    """Everybody has a link, however they came by it; Parking is a topic of Streets."""
    store = office.town.store
    with store.write() as connection:
        connection.execute(insert(tables.department).values([{"id": 5, "name": "Streets"}, {"id": 6, "name": "Parks"}]))
        connection.execute(update(tables.topic).where(tables.topic.c.name == "Parking").values(department_id=5))
    office.hires("Ada", role, department)
    keys = load_keys(office.town.root / "keys" / "tokens")
    for verb, (right, thing) in PAGES.items():
        name = office.plans(f"for-{verb}")
        kind = "stop" if verb == "stop" else "approve"
        with store.write() as connection:
            campaign, ada = campaigns.find(connection, name), staff.find(connection, "Ada")
            token = asking.new_link(
                connection, keys, campaign, ada, "", now=NOON, until=NOON + dt.timedelta(hours=1), kind=kind
            )
        path = f"/{'h' if kind == 'stop' else 'a'}/{token}"
        assert office.get(path)[0] == 200  # everybody on the staff may look
        status, _ = office.post(path, do=verb)
        wanted = allows(role, right, thing) and department != "Parks"
        assert (status == 200) == wanted, (role, department, verb)
        assert (office.status(name) is not Status.PLANNED) == wanted
