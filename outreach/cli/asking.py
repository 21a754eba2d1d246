"""What the segment commands share: a name or a rule, looked up, checked and compiled."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection

from outreach.cli.workspace import Workspace, open_workspace
from outreach.segmentation.catalogue import load_catalogue
from outreach.segmentation.counting import count as count_people
from outreach.segmentation.errors import RuleError
from outreach.segmentation.fields import Catalogue
from outreach.segmentation.files import Segment, named_or_written, texts
from outreach.segmentation.hints import closest, meant
from outreach.segmentation.horizon import beyond
from outreach.segmentation.json_form import from_json
from outreach.segmentation.printing import canonical
from outreach.segmentation.rules import Rule
from outreach.segmentation.sql import compile_rule
from outreach.store.rolling import first_days


@dataclass(frozen=True, slots=True)
class Asking:
    """One command's look at the store: the names that exist, and the segments there are."""

    workspace: Workspace
    segments: Mapping[str, Segment]
    catalogue: Catalogue

    def find(self, words: str) -> Segment:
        """A segment by its name; else the words are a rule, in text or as a JSON tree."""
        if words.lstrip().startswith("{"):
            return Segment("", canonical(from_json(_document(words))))
        found = named_or_written(words, self.segments)
        if not found.name and len(words.split()) == 1:
            near = closest(words, self.segments)
            fields = {name.casefold() for name in self.catalogue.fields}
            if near and words.casefold() not in fields | {"everyone", "everybody", "suppressed"}:
                raise RuleError(f"no segment is called {words!r}{meant(near)}", text=words, end=len(words))
        return found

    def expression(self, words: str) -> ColumnElement[bool]:
        """The compiled rule. RuleError if it is wrong."""
        return self.compiled(self.find(words).rule)

    def compiled(self, rule: str) -> ColumnElement[bool]:
        return compile_rule(rule, self.catalogue, now=self.workspace.now(), zone=self.workspace.settings.zone)

    def notes(self, rule: Rule | str, language: str) -> list[str]:
        """What a rule asks about days of which nothing is known."""
        today = self.workspace.now().astimezone(self.workspace.settings.zone).date()
        with self.workspace.store.read() as connection:
            return beyond(rule, self.catalogue, first_days(connection), language, today=today)


def ask() -> Asking:
    """The workspace around the current folder, ready to be asked."""
    workspace = open_workspace()
    segments = workspace.segment_files()
    with workspace.store.read() as connection:
        return Asking(workspace, segments, load_catalogue(connection, segments=texts(segments)))


def timed_count(connection: Connection, expression: ColumnElement[bool], *, seconds: float) -> tuple[int, float]:
    """How many people, and in how many milliseconds. TooSlow after `seconds`; 0 waits for ever."""
    started = time.perf_counter()
    people = count_people(connection, expression, seconds=seconds or None)
    return people, round((time.perf_counter() - started) * 1000, 1)


def _document(words: str) -> object:
    try:
        return json.loads(words)
    except (ValueError, RecursionError) as error:
        raise RuleError(f"this looks like a JSON tree and is not one: {error}") from None
