"""Approving from a mail: a link of one's own decides about one plan, once, by POST, and everything else is refused."""

from __future__ import annotations

import re

import dkim
import pytest
from sqlalchemy import update

from outreach.campaigns import asking, lifecycle
from outreach.campaigns.desk import Desk
from outreach.errors import ApprovalMissing, Blocked, OutreachError
from outreach.rendering.dkim import dns_record
from outreach.store import campaigns, staff, staff_links, tables
from outreach.store.campaigns import Status
from outreach.store.staff_links import StaffLink
from outreach.tokens import load_keys
from tests.operating.office import NOON, later, office, text
from tracking.testing import eventually

__all__ = ["office"]

# --- the mail -------------------------------------------------------------------------------------------------------


def test_the_approver_gets_the_real_mail_its_audience_what_is_new_and_a_link(office):
    office.plans("sweep", subject="Sweeping on Monday", body="Move your car by eight.")
    office.plans("sweep", subject="Sweeping on Tuesday", body="Move your car by nine.", to='topic is "Parking"')
    links = office.asks("sweep-2")
    assert list(links) == ["Eli"]  # nobody is asked about their own plan
    (mail,) = office.mails()
    assert mail["To"] == "Eli <eli@city.example>"
    assert mail["Subject"] == "Please approve: Sweeping on Tuesday"
    said = text(mail)
    assert "May this go to 3 people?" in said
    assert "People who subscribe to “Parking”." in said
    assert "subject: Sweeping on Monday then, Sweeping on Tuesday now" in said
    assert "gone: Move your car by eight." in said
    assert "new: Move your car by nine." in said
    html = mail.get_body(("html",)).get_content()
    assert html.index("May this go to 3 people?") < html.index("Move your car by nine.</")
    assert html.count("<body") == 1
    address = re.search(r"http\S+/a/\S+", said)[0]
    assert "eli" not in address.lower()
    assert len(address.rpartition("/")[2]) == 28


def test_the_mail_is_signed(office):
    office.plans("sweep")
    office.asks("sweep-1")
    (file,) = (office.town.root / "mails").glob("**/*.eml")
    record = dns_record((office.town.root / "keys" / "dkim.pem").read_bytes()).encode()
    assert dkim.verify(file.read_bytes(), dnsfunc=lambda *_args, **_named: record)


def test_nobody_is_asked_at_an_address_that_may_be_a_strangers(office):
    office.hires("Fay", "approver", verified=False)
    office.plans("sweep")
    assert list(office.asks("sweep-1")) == ["Eli"]
    with pytest.raises(Blocked, match="whoever reads it could approve as Fay"):
        office.asks("sweep-1", "Fay")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Kim", r"Kim \(author\) may not approve"),
        ("Dana", "a second person has to approve what Dana planned"),
        ("Zoe", "nobody on the staff is called Zoe"),
    ],
)
def test_who_may_not_approve_is_not_asked(name, said, office):
    office.hires("Kim", "author")
    office.plans("sweep")
    with pytest.raises(OutreachError, match=said):
        office.asks("sweep-1", name)
    assert office.mails() == []


# --- the page -------------------------------------------------------------------------------------------------------


def test_looking_changes_nothing_and_pressing_the_button_approves(office):
    office.plans("sweep")
    path = office.asks("sweep-1")["Eli"]
    before = office.log()
    for method in ("GET", "HEAD", "GET"):
        status, page = office.get(path, method)
        assert status == 200
        assert "May this go to 3 people?" in page
        assert "Approve: 3 people" in page
    assert office.get(path, "PUT")[0] == 405
    assert (office.status("sweep-1"), office.log()) == (Status.PLANNED, before)
    status, page = office.post(path)
    assert (status, office.status("sweep-1")) == (200, Status.APPROVED)
    assert "Approved: sweep-1" in page
    assert office.log() == [("Eli", "page approve", "")]
    assert lifecycle.check(office.town.store, office.town.settings, "sweep-1").approved_by == "Eli"
    eventually(lambda: office.told("Approved") == ["Dana"])


def test_refusing_ends_the_plan_and_tells_who_planned_it_why(office):
    office.plans("sweep")
    path = office.asks("sweep-1")["Eli"]
    status, page = office.post(path, do="refuse", why="The date is wrong.\nIt is a holiday.")
    assert (status, office.status("sweep-1")) == (200, Status.STOPPED)
    assert "Refused: sweep-1" in page
    eventually(lambda: office.told("Refused") == ["Dana"])
    (mail,) = (mail for mail in office.mails() if mail["Subject"].startswith("Refused"))
    assert "The date is wrong. It is a holiday." in text(mail)
    with pytest.raises(Blocked, match="was stopped"):
        lifecycle.check(office.town.store, office.town.settings, "sweep-1")


def own_plan(office, monkeypatch) -> str:
    """A link that Eli was sent, to what turns out to be his own plan."""
    path = office.asks(office.plans("sweep", by="Dana"), "Eli")["Eli"]
    office.town.set(policy_approval_above="1", relay_url="directory:mails")
    monkeypatch.setattr("outreach.campaigns.approval.is_own", lambda *_: True)
    return path


def another_name(office, monkeypatch) -> str:
    """Somebody at the database makes Eli's link Dana's."""
    path = office.asks(office.plans("sweep"))["Eli"]
    with office.town.store.write() as connection:
        dana = staff.find(connection, "Dana")
        connection.execute(update(tables.staff_link).values(staff_id=dana.id))
    return path


def old(office, monkeypatch) -> str:
    path = office.asks(office.plans("sweep"))["Eli"]
    later(monkeypatch, hours=49)
    return path


def replaced(office, monkeypatch) -> str:
    office.plans("sweep")
    path = office.asks("sweep-1")["Eli"]
    office.asks("sweep-1")
    return path


def edited_file(office, monkeypatch) -> str:
    path = office.asks(office.plans("sweep", body="Move your car."))["Eli"]
    office.town.campaign("sweep", topic="Parking", body="Sell your car.")
    return path


def edited_row(office, monkeypatch) -> str:
    path = office.asks(office.plans("sweep"))["Eli"]
    with office.town.store.write() as connection:
        document = dict(campaigns.find(connection, "sweep-1").plan)
        connection.execute(update(tables.campaign).values(plan=document | {"subject": "Buy now"}))
    return path


def gone(office, monkeypatch) -> str:
    path = office.asks(office.plans("sweep"))["Eli"]
    with office.town.store.write() as connection:
        staff.give(connection, staff.find(connection, "Eli"), role="author", department=None, now=NOON)
    return path


def left(office, monkeypatch) -> str:
    path = office.asks(office.plans("sweep"))["Eli"]
    with office.town.store.write() as connection:
        staff.leave(connection, staff.find(connection, "Eli"), now=NOON)
    return path


def twice(office, monkeypatch) -> str:
    path = office.asks(office.plans("sweep"))["Eli"]
    office.hires("Fay", "approver")
    other = office.asks("sweep-1", "Fay")["Fay"]
    office.post(other)
    return path


def made_up(office, monkeypatch) -> str:
    path = office.asks(office.plans("sweep"))["Eli"]
    return path[:-1] + ("A" if path[-1] != "A" else "B")


REFUSED = {
    own_plan: ("Eli", "a second person has to approve what Eli planned"),
    another_name: ("unknown", "a link that we did not make, or that was altered"),
    old: ("Eli", "his link worked until Monday 23 November, "),
    replaced: ("Eli", "a newer one was sent"),
    edited_file: ("Eli", "is not what was planned any more. Changed: the message in en"),
    edited_row: ("Eli", "is not what was planned any more. Changed: the plan itself"),
    gone: ("Eli", "Eli is an author; approving sweep-1 asks for an approver"),
    left: ("Eli", "Eli does not work here any more"),
    twice: ("Eli", "sweep-1 is already approved by Fay"),
    made_up: ("unknown", "a link that we did not make, or that was altered"),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.__name__)
def test_everything_else_is_refused_in_words_and_written_down(case, office, monkeypatch):
    path = case(office, monkeypatch)
    before, known = office.status("sweep-1"), len(office.log())
    status, page = office.post(path, plan=office.campaign("sweep-1").plan_hash)
    who, why = REFUSED[case]
    assert status in (403, 404)
    assert why in page or status == 404
    assert office.status("sweep-1") == before
    (entry,) = office.log()[known:]
    assert (entry[0], entry[1]) == (who, "page approve")
    assert why in entry[2]


def test_the_link_of_one_plan_decides_about_no_other(office):
    links = {name: office.asks(office.plans(name))["Eli"] for name in ("sweep", "trees")}
    status, page = office.post(links["sweep"], plan=office.plan_on(links["trees"]))
    assert status == 403
    assert "That page was about another plan, and this link is for sweep-1 alone" in page
    assert office.status("sweep-1") == office.status("trees-1") == Status.PLANNED
    assert [refused for _, _, refused in office.log() if "another plan" in refused]
    with office.town.store.write() as connection:  # nor when somebody makes the row say so
        trees = campaigns.find(connection, "trees-1")
        connection.execute(update(tables.staff_link).values(campaign_id=trees.id, plan_hash=trees.plan_hash))
    assert office.post(links["sweep"], plan=trees.plan_hash)[0] == 404
    assert office.status("trees-1") == Status.PLANNED


def test_an_approval_by_link_holds_for_its_plan_and_nothing_else(office):
    path = office.asks(office.plans("sweep"))["Eli"]
    office.post(path)
    with office.town.store.write() as connection:
        approval = dict(campaigns.find(connection, "sweep-1").approval)
        connection.execute(update(tables.campaign).values(approval=approval | {"by": "Dana"}, approved_by="Dana"))
    with pytest.raises(Blocked, match="not signed by the person it names"):
        lifecycle.check(office.town.store, office.town.settings, "sweep-1")


# --- the code -------------------------------------------------------------------------------------------------------


def test_above_a_size_approving_asks_for_the_code_of_the_other_mail_and_refusing_does_not(office):
    office.town.set(policy_approval_above="1", policy_code_above="2", relay_url="directory:mails")
    office.restart()
    path = office.asks(office.plans("sweep"))["Eli"]
    first, second = office.mails()
    code = re.search(r"\b[A-Z2-9]{4}-[A-Z2-9]{4}\b", text(second))[0]
    assert code not in text(first)
    assert path not in text(second)
    assert 'name="code"' in office.get(path)[1]
    assert "asks for the code from the other mail" in office.post(path)[1]
    status, page = office.post(path, code="AAAA-AAAA")
    assert (status, "That is not the code" in page, 'name="code"' in page) == (403, True, True)
    assert office.status("sweep-1") is Status.PLANNED
    assert office.post(path, code=f" {code.lower().replace('-', ' ')} ")[0] == 200
    assert office.status("sweep-1") is Status.APPROVED
    again = office.asks(office.plans("trees"))["Eli"]
    assert office.post(again, do="refuse")[0] == 200


def test_a_hundred_codes_at_the_same_moment_are_ten_tries(office, monkeypatch):
    """Each of them saw the link before any other was counted."""
    office.town.set(policy_approval_above="1", policy_code_above="2", relay_url="directory:mails")
    office.restart()
    path = office.asks(office.plans("sweep"))["Eli"]
    compared = []
    monkeypatch.setattr(asking, "is_code", lambda code, _link: compared.append(code) or False)
    desk = Desk(office.town.settings, load_keys(office.town.root / "keys" / "tokens"))
    with office.town.store.read() as connection:
        fresh = staff_links.find(connection, 1)
    said = [refused(desk, fresh, f"AAAA-{number:04}") for number in range(100)]
    assert len(compared) == 10
    assert said[:9] == ["that is not the code; it is in the mail that came beside the one with the link"] * 9
    assert {words.partition(";")[0] for words in said[9:]} == {"that was not the code, too often"}
    assert "does not work any more" in office.get(path)[1]


def refused(desk: Desk, link: StaffLink, code: str) -> str:
    with pytest.raises(ApprovalMissing) as found:
        desk._check_code(link, code, now=NOON)
    return str(found.value)


def test_what_is_approved_at_the_same_moment_is_not_refused(office, monkeypatch):
    office.hires("Fay", "approver")
    path = office.asks(office.plans("sweep"))["Eli"]
    other = office.asks("sweep-1", "Fay")["Fay"]
    stop = lifecycle.stop

    def meanwhile(*what, **how):
        assert office.post(other)[0] == 200
        return stop(*what, **how)

    monkeypatch.setattr(lifecycle, "stop", meanwhile)
    status, page = office.post(path, do="refuse")
    assert (status, "sweep-1 is already approved" in page) == (403, True)
    assert office.status("sweep-1") is Status.APPROVED


def test_ten_wrong_codes_void_the_link(office):
    office.town.set(policy_approval_above="1", policy_code_above="2", relay_url="directory:mails")
    office.restart()
    path = office.asks(office.plans("sweep"))["Eli"]
    code = re.search(r"\b[A-Z2-9]{4}-[A-Z2-9]{4}\b", text(office.mails()[-1]))[0]
    for _ in range(10):
        assert office.post(path, code="AAAA-AAAA")[0] == 403
    shown = office.campaign("sweep-1").plan_hash
    assert "does not work any more" in office.post(path, code=code, plan=shown)[1]
    assert office.status("sweep-1") is Status.PLANNED
