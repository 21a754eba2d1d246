"""The workspace a command works in: its settings, its open store, and the clock."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from outreach import clock, logs
from outreach.campaigns.compiling import content_folders
from outreach.segmentation.files import Segment, load_segments, texts
from outreach.settings import Settings, load_settings
from outreach.store import migrations
from outreach.store.database import Store

TOKENS = Path("keys") / "tokens"


@dataclass(frozen=True, slots=True)
class Workspace:
    """One city's folder, opened."""

    settings: Settings
    store: Store

    @property
    def root(self) -> Path:
        return self.settings.root

    @property
    def token_keys(self) -> Path:
        return self.root / TOKENS

    def now(self) -> dt.datetime:
        return clock.now()

    def segments(self) -> dict[str, str]:
        """The rule of each segment by name."""
        return texts(self.segment_files())

    def segment_files(self) -> dict[str, Segment]:
        """Each segment by name: the workspace's own, and the starters that come with Outreach."""
        found: dict[str, Segment] = {}
        for folder in [*content_folders("segments"), self.root / "segments"]:
            if folder.is_dir():
                found |= load_segments(folder)
        return found


def open_workspace(*, check: bool = True) -> Workspace:
    """The workspace around the current folder. ConfigurationError if there is none, or its tables are not ours."""
    settings = load_settings()
    if settings.log_file is not None and not logs.is_begun():
        logs.begin("outreach", file=settings.log_file, level=settings.text("log.level"))
    store = Store.open(settings.database_url)
    if context := click.get_current_context(silent=True):
        context.find_root().call_on_close(store.close)
    if check:
        migrations.check(store)
    return Workspace(settings, store)


def print_json(document: Any) -> None:
    """The one JSON document a command with --json prints on stdout."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))
