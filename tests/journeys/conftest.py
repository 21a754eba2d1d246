"""The real command in a subprocess, in a workspace of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-W", "error", "-c", "from outreach.cli import main; main()"]


@dataclass
class City:
    """A workspace and the command in it."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, code: int = 0, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end and check its exit code."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.root,
            env=self._environment(),
            capture_output=True,
            text=True,
            encoding="utf-8",
            input=given,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        """The JSON document that a command prints, and nothing else."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own and leave it running; it writes to started.log."""
        with (self.root / "started.log").open("ab") as log:
            return subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=self.root,
                env=self._environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def campaign(self, name: str, *, to: str, topic: str, body: str = "Hello.", **more: str) -> str:
        """Write a campaign file; returns its path as given to commands."""
        fields: Mapping[str, str] = {
            "subject": "News for {{ first_name | default('you') }}",
            "to": to,
            "topic": topic,
            "from": "Public Works <works@city.example>",
            **more,
        }
        front = "".join(f"{key}: {value}\n" for key, value in fields.items())
        path = self.root / "campaigns" / f"{name}.md"
        path.write_text(f"---\n{front}---\n{body}\n", "utf-8")
        return f"campaigns/{name}.md"

    def planned(self, file: str) -> Any:
        """Plan and approve a campaign file; returns what `plan --json` said."""
        plan = self.json("campaigns", "plan", file)
        self.run("campaigns", "approve", plan["plan"], "--by", "Dana Lee")
        return plan

    def _environment(self) -> dict[str, str]:
        # What cron gives a command: no terminal, no locale.
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "LANG": "C",
            "OUTREACH_MODE": "live",
            **self.environment,
        }


@pytest.fixture
def city(tmp_path: Path) -> City:
    """A fresh workspace made by `outreach init`."""
    City(tmp_path).run("init", "city", "--name", "City of Testing")
    return City(tmp_path / "city")


@pytest.fixture
def export(city: City) -> Callable[..., str]:
    """Writes a small export into the workspace: one row for each address, all asking for one topic."""

    def write(addresses: list[str], *, topic: str = "City news", name: str = "people.csv") -> str:
        rows = "".join(f"{address},Resident {n},{n % 9}\n" for n, address in enumerate(addresses))
        (city.root / name).write_text("email,first_name,district\n" + rows, "utf-8")
        city.run("subscribers", "import", name, "--topic", topic, "--source", "town hall form")
        return name

    return write
