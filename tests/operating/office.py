"""A town with staff, whose mail lands in a folder, and the pages that its links lead to."""

from __future__ import annotations

import asyncio
import datetime as dt
import email
import email.policy
import re
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode

import pytest
from sqlalchemy import update

from outreach import clock
from outreach.campaigns import asking, credentials
from outreach.campaigns.desk import Desk
from outreach.campaigns.plan import plan
from outreach.store import audit, campaigns, staff, tables
from outreach.store.campaigns import Campaign, Status
from outreach.tokens import load_keys
from tracking.app import Tracking
from tracking.configuration import configuration

NOON = dt.datetime(2026, 11, 21, 20, 0, tzinfo=dt.UTC)


@dataclass
class Office:
    """A town with staff, whose mail lands in a folder, and the page they are sent to."""

    town: object
    tokens: dict[str, str] = field(default_factory=dict)
    base: str = ""

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        settings = self.town.settings
        keys = load_keys(settings.root / "keys" / "tokens")
        self.app = Tracking(configuration(settings), more=Desk(settings, keys).routes())

    def hires(self, name: str, role: str, department: str | None = None, *, verified: bool = True) -> None:
        self.tokens[name] = credentials.new_token()
        with self.town.store.write() as connection:
            staff.add(
                connection, name, address=f"{name.split()[0].lower()}@city.example", role=role, department=department,
                public_key=credentials.public_key(self.tokens[name]), now=NOON - dt.timedelta(days=9),
            )  # fmt: skip
            if verified:
                connection.execute(update(tables.staff).where(tables.staff.c.name == name).values(verified_at=NOON))

    def plans(self, name: str, *, by: str = "Dana", **fields: str) -> str:
        file = self.town.campaign(name, **{"topic": "Parking", **fields})
        return plan(self.town.store, self.town.settings, file, segments={}, now=NOON, planned_by=by).name

    def asks(self, name: str, *names: str) -> dict[str, str]:
        """The paths of the links, by the first name of whoever got one."""
        keys = self.town.root / "keys" / "tokens"
        asking.ask(self.town.store, self.town.settings, name, names=names, token_keys=keys, now=clock.now())
        return {
            mail["To"].addresses[0].display_name: re.search(r"(/a/\S+)", text(mail))[1]
            for mail in self.mails()
            if mail["Subject"].startswith("Please approve") and name in text(mail) + mail["Subject"]
        }

    def mails(self):
        files = sorted((self.town.root / "mails").glob("**/*.eml"), key=lambda file: file.stat().st_mtime_ns)
        return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]

    def told(self, subject: str) -> list[str]:
        """The first names of those who got a mail with such a subject."""
        return [each["To"].addresses[0].display_name for each in self.mails() if each["Subject"].startswith(subject)]

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        return self._ask(method, path, b"")

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        """What the page's own button posts, unless told otherwise."""
        fields = {"do": "stop" if path.startswith("/h/") else "approve", "plan": self.plan_on(path), **fields}
        return self._ask("POST", path, urlencode(fields).encode())

    def plan_on(self, path: str) -> str:
        found = re.search(r'name="plan" value="(\w+)"', self.get(path)[1])
        return found[1] if found else "0" * 64

    def _ask(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        async def receive():
            return {"type": "http.request", "body": body}

        headers = [(b"content-type", b"application/x-www-form-urlencoded")]
        scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
        answer = asyncio.run(self.app.answer(scope, receive))
        return answer.start["status"], unescape(answer.body["body"].decode())

    def status(self, name: str) -> Status:
        return self.campaign(name).status

    def campaign(self, name: str) -> Campaign:
        with self.town.store.read() as connection:
            return campaigns.find(connection, name)

    def log(self) -> list[tuple[str, str, str]]:
        with self.town.store.read() as connection:
            assert list(audit.breaks(connection)) == []
            return [
                (each.who, each.verb, str(each.detail.get("refused", "")))
                for each in audit.entries(connection)
                if each.verb.startswith("page")
            ]


def text(mail) -> str:
    return mail.get_body(("plain",)).get_content()


@pytest.fixture
def office(town, monkeypatch):
    monkeypatch.setenv("OUTREACH_TEST_CLOCK", "1")
    monkeypatch.setenv("OUTREACH_NOW", NOON.isoformat())
    town.set(policy_approval_above="1", relay_url="directory:mails")
    town.people(["ada", "grace", "olga"], [town.topic("Parking")], at=NOON - dt.timedelta(days=30))
    made = Office(town)
    made.hires("Dana", "administrator")
    made.hires("Eli", "approver")
    return made


def later(monkeypatch, **span: float) -> None:
    monkeypatch.setenv("OUTREACH_NOW", (NOON + dt.timedelta(**span)).isoformat())
