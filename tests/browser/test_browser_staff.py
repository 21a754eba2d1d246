"""An approver on a phone: the mail, the page behind its link, and its two ends, served by the real `outreach track`."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import update

from outreach.campaigns import asking
from outreach.cli.init import make_workspace
from outreach.store import campaigns, tables
from outreach.store.campaigns import Status
from tests.browser.test_browser_preferences import chromium
from tests.operating.conftest import Command, Town
from tests.operating.office import NOON, Office, text
from tests.preflight.test_preflight_axe import NOT_FOR_MAIL
from tracking.testing import eventually

__all__ = ["chromium"]

pytestmark = [
    pytest.mark.browser,
    # playwright's own event loop, closed by it at the end
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
BODY = """Hello {{ first_name | default("neighbour") }},

sweeping in your street starts on **Tuesday**. Please move your car by nine.

**[See your street](https://city.example/sweeping)**
"""
CLOCK = {"OUTREACH_TEST_CLOCK": "1", "OUTREACH_NOW": NOON.isoformat(), "OUTREACH_POLICY_CODE_ABOVE": "2"}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Two plans of one file, the second one waiting; and a service that listens."""
    folder = tmp_path_factory.mktemp("staff") / "town"
    make_workspace(folder, name="City of Testing", domain="city.example", timezone="America/Los_Angeles")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CLOCK.items():
            patch.setenv(name, value)
        town = Town(folder)
        town.set(policy_approval_above="1", policy_code_above="2", relay_url="directory:mails")
        town.people(["ada", "grace", "olga"], [town.topic("Street sweeping")], at=NOON)
        made = Office(town)
        made.hires("Dana Lee", "administrator")
        made.hires("Eli Roe", "approver")
        fields = {"topic": "Street sweeping", "to": 'topic is "Street sweeping"', "template": "notice"}
        for day in ("Monday", "Tuesday"):
            made.plans(
                "sweeping",
                by="Dana Lee",
                subject=f"Sweeping starts on {day}",
                body=BODY.replace("Tuesday", day),
                **fields,
            )
        process = Command(folder, CLOCK | {"OUTREACH_RELAY_URL": "directory:mails"}).start("track", "--port", "0")
        log = folder / "started.log"
        found: list[tuple[str, str]] = []

        def listens() -> bool:
            found[:] = re.findall(r"tracking at http://(\S+):(\d+),", log.read_text("utf-8"))
            try:
                socket.create_connection(found[0]).close()
            except (IndexError, OSError):  # it says where before its first worker answers
                return False
            return True

        try:
            eventually(listens, seconds=30)
            made.base = "http://{}:{}".format(*found[0])
            yield made
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
            town.store.close()


def elsewhere(call: Any, *values: Any, **named: Any) -> Any:
    """On a thread of its own: playwright's loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call, *values, **named).result()


def looks(page: Any, name: str, *, off: tuple[str, ...] = ()) -> None:
    """Clean in axe-core, and nothing cut off at this width. `off`: rules that are about pages, not mails."""
    from axe_playwright_python.sync_playwright import Axe

    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
    options = {"rules": {rule: {"enabled": False} for rule in off}}
    found = Axe().run(page, options=options).response["violations"]
    assert [(each["id"], [node["html"][:300] for node in each["nodes"]]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.fixture(params=["light", "dark"])
def phone(request: pytest.FixtureRequest, chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 360, "height": 760}, color_scheme=request.param)
    page = context.new_page()
    page.scheme = request.param
    yield page
    context.close()


def test_the_mails_read_well_on_a_phone(phone: Any, office: Office) -> None:
    elsewhere(office.asks, "sweeping-2")
    asked, code = office.mails()[-2:]
    for name, mail in (("mail", asked), ("code-mail", code)):
        phone.set_content(mail.get_body(("html",)).get_content())
        looks(phone, f"staff-{name}-{phone.scheme}", off=NOT_FOR_MAIL)


def test_deciding_on_a_phone(phone: Any, office: Office) -> None:
    with office.town.store.write() as connection:  # as it was, for the second look
        connection.execute(update(tables.campaign).values(status="planned", approved_by=None, approval=None))
    path = elsewhere(office.asks, "sweeping-2")["Eli Roe"]
    code = re.search(r"\b[A-Z2-9]{4}-[A-Z2-9]{4}\b", text(office.mails()[-1]))[0]
    phone.goto(office.base + path)
    phone.locator("summary").click()
    looks(phone, f"staff-page-{phone.scheme}")
    phone.locator('button[value="approve"]').click()
    assert "asks for the code" in phone.locator('[role="alert"]').inner_text()
    looks(phone, f"staff-refused-{phone.scheme}")
    phone.locator('input[name="code"]').fill(code.lower())
    phone.locator('button[value="approve"]').click()
    assert phone.locator("h1").inner_text().endswith("Approved: sweeping-2")
    looks(phone, f"staff-approved-{phone.scheme}")
    assert office.campaign("sweeping-2").approved_by == "Eli Roe"


def test_stopping_on_a_phone(phone: Any, office: Office) -> None:
    with office.town.store.write() as connection:
        connection.execute(update(tables.campaign).values(status="sending"))
        campaign = campaigns.find(connection, "sweeping-2")
    keys = office.town.root / "keys" / "tokens"
    elsewhere(asking.announce, office.town.store, office.town.settings, campaign, token_keys=keys, now=NOON)
    mail = next(each for each in reversed(office.mails()) if each["Subject"].startswith("Going out now"))
    phone.set_content(mail.get_body(("html",)).get_content())
    looks(phone, f"staff-stop-mail-{phone.scheme}", off=NOT_FOR_MAIL)
    phone.goto(office.base + re.search(r"/h/\S+", text(mail))[0])
    looks(phone, f"staff-stop-{phone.scheme}")
    phone.locator("button").click()
    assert phone.locator("h1").inner_text().endswith("Stopped: sweeping-2")
    looks(phone, f"staff-stopped-{phone.scheme}")
    assert office.status("sweeping-2") is Status.STOPPED
