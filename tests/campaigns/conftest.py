"""A workspace with a few hundred people in it, and the command beside us."""

from __future__ import annotations

import email
import email.policy
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from outreach.cli import main
from outreach.testing import FaultServer

GOOD = """\
---
subject: Street sweeping starts on Monday
preheader: Please move your car by eight
to: topic is "Street sweeping"
topic: Street sweeping
from: Public Works <works@city.example>
---
Hello {{ first_name | default("neighbour") }},

sweeping starts on Monday. Please move your car by eight.

**[See your street](https://city.example/sweeping)**
"""


@dataclass
class Workspace:
    """A workspace we stand in, made by `outreach init`."""

    root: Path
    user_tokens: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, code: int | None = 0, token: str = "", **environment: str) -> Result:
        env = {"OUTREACH_MODE": "live", "OUTREACH_TOKEN": token, **environment}
        result = CliRunner().invoke(main, list(arguments), env=env, catch_exceptions=False)
        assert code is None or result.exit_code == code, result.output
        return result

    def json(self, *arguments: str, code: int | None = 0, token: str = "") -> Any:
        return json.loads(self.run(*arguments, "--json", code=code, token=token).stdout)

    def write(self, text: str, name: str = "sweeping") -> str:
        (self.root / "campaigns" / f"{name}.md").write_text(text, "utf-8")
        return f"campaigns/{name}.md"

    def people(self, rows: list[str], *, header: str = "email,first_name,district", topic: str = "Street sweeping"):
        (self.root / "people.csv").write_text("\n".join([header, *rows]) + "\n", "utf-8")
        self.run("subscribers", "import", "people.csv", "--topic", topic, "--source", "town hall form")

    def user(self, name: str, *, role: str = "author", by: str = "") -> str:
        """Add somebody to the staff; returns their token."""
        address = f"{name.split()[0].lower()}@city.example"
        shown = self.run("users", "add", name, "--address", address, "--role", role, token=by).stdout
        self.user_tokens[name] = next(word for word in shown.split() if word.startswith("outreach-"))
        return self.user_tokens[name]

    def verify(self, name: str, **environment: str) -> str:
        """Answer the code that is mailed to somebody's address; returns what that mail says."""
        with FaultServer() as server:
            self.run("users", "verify", name, OUTREACH_RELAY_URL=f"smtp://127.0.0.1:{server.port}", **environment)
            (envelope,) = server.accepted
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text: str = message.get_body(("plain",)).get_content()
        code = re.search(r"verify \"[^\"]+\" (\d{8})", text)
        assert code is not None, text
        self.run("users", "verify", name, code[1])
        return text


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    folder = tmp_path / "city"
    made = Workspace(folder)
    made.run("init", str(folder))
    monkeypatch.chdir(folder)
    made.people([f"p{n}@example.com,Ada,{n % 9}" for n in range(60)])
    return made
