"""A workspace in this process, and an hour that the test sets."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from outreach.cli.init import make_workspace
from outreach.settings import Settings, load_settings
from outreach.store import consent, tables, topics
from outreach.store.database import Store


class Town:
    """A workspace with an open store, and short ways to fill it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings: Settings = load_settings(root, {})
        self.store = Store.open(self.settings.database_url)

    def set(self, **values: str) -> None:
        """Settings as the environment gives them: digests_at="08:00"."""
        environment = {f"OUTREACH_{name.upper()}": value for name, value in values.items()}
        self.settings = load_settings(self.root, environment)

    def topic(self, name: str, message_class: str = "regular") -> int:
        with self.store.write() as connection:
            (identity,) = topics.ensure(connection, [name])
            connection.execute(
                tables.topic.update().where(tables.topic.c.id == identity).values(message_class=message_class)
            )
            return identity

    def people(
        self,
        names: Iterable[str],
        topic_ids: Iterable[int],
        *,
        frequency: int = 0,
        zone: str | None = None,
        locale: str | None = None,
        at: dt.datetime,
    ) -> list[int]:
        """Subscribers of some topics, all with one frequency."""
        found = []
        topic_ids = list(topic_ids)
        with self.store.write() as connection:
            for name in names:
                row = {"address": f"{name}@example.org", "attributes": {"first_name": name.title()}, "created_at": at}
                identity = connection.execute(insert(tables.subscriber).values(row)).inserted_primary_key[0]
                values = {"subscriber_id": identity, "status": 1, "timezone": zone, "locale": locale, "joined_at": at}
                connection.execute(insert(tables.profile).values(values))
                for topic_id in topic_ids:
                    connection.execute(
                        insert(tables.subscription).values(
                            topic_id=topic_id,
                            subscriber_id=identity,
                            status=consent.CONFIRMED,
                            frequency=frequency,
                            changed_at=at,
                        )
                    )
                found.append(identity)
        return found

    def campaign(self, name: str, *, topic: str, body: str = "Hello.", **more: str) -> Path:
        fields = {
            "subject": f"About {name}",
            "to": "everyone",
            "topic": topic,
            "from": "Public Works <works@city.example>",
            **more,
        }
        path = self.root / "campaigns" / f"{name}.md"
        front = "".join(f"{key}: {value}\n" for key, value in fields.items())
        path.write_text(f"---\n{front}---\n{body}\n", "utf-8")
        return path


COMMAND = [sys.executable, "-W", "error", "-c", "from outreach.cli import main; main()"]


@dataclass
class Command:
    """The real command in a subprocess, with what cron gives one: no terminal, no locale."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.root,
            env=self._environment(),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.root / "started.log").open("ab") as log:
            return subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=self.root,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.root), "LANG": "C", **self.environment}


@pytest.fixture
def command() -> type[Command]:
    return Command


@pytest.fixture
def town(tmp_path: Path) -> Iterable[Town]:
    make_workspace(tmp_path / "town", name="City of Testing", domain="city.example", timezone="America/Los_Angeles")
    made = Town(tmp_path / "town")
    yield made
    made.store.close()


@pytest.fixture
def at() -> Callable[[str], dt.datetime]:
    return lambda text: dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
