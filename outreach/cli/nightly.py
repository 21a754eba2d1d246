"""What `outreach cron` does once a night: what is kept too long goes, the list and its segments are counted for
their history, and a sample of the roll-up is compared.
"""

from __future__ import annotations

import datetime as dt

from outreach.cli.retention import keep_to
from outreach.cli.workspace import Workspace
from outreach.errors import OutreachError
from outreach.segmentation.catalogue import load_catalogue
from outreach.segmentation.counting import TooSlow, count
from outreach.segmentation.errors import RuleError
from outreach.segmentation.mentions import rule_hash
from outreach.segmentation.sql import compile_rule
from outreach.store import checkpoints, engagement_check, growth, segment_counts
from outreach.store.dialects import EPOCH

FROM_HOUR = 2
"""Of the organisation's clock."""
SAMPLE = 1_000
LONGEST_COUNT = 60.0
"""Seconds. A segment that takes longer has no count that night."""
MOMENT = dt.timedelta(milliseconds=1)
"""Before midnight: what the night finds happened on the day before."""
_DONE = "nightly:"


def nightly(workspace: Workspace) -> list[str]:
    """The troubles found; empty if all is well, or the night's work is done already or not due yet."""
    clock = workspace.now().astimezone(workspace.settings.zone)
    night = (clock.date() - EPOCH.date()).days
    if clock.hour < FROM_HOUR or not _begin(workspace, night):
        return []
    try:
        keep_to(workspace)
        with workspace.store.write() as connection:
            growth.count(connection, now=clock.replace(hour=0, minute=0, second=0, microsecond=0) - MOMENT)
        _count_segments(workspace, night)
        return _compare(workspace)
    except OutreachError as error:
        return [f"nightly: {error}"]


def _begin(workspace: Workspace, night: int) -> bool:
    """Take this night, so that runs which overlap do not both do it."""
    with workspace.store.read() as connection:
        if checkpoints.positions(connection, _DONE).get("night", 0) >= night:
            return False
    with workspace.store.write() as connection:
        checkpoints.locked_generation(connection)
        if checkpoints.positions(connection, _DONE).get("night", 0) >= night:
            return False
        checkpoints.move(connection, f"{_DONE}night", night)
    return True


def _count_segments(workspace: Workspace, night: int) -> None:
    rules = workspace.segments()
    counted: list[tuple[str, int, str]] = []
    with workspace.store.read() as connection:
        catalogue = load_catalogue(connection, segments=rules)
        for name, rule in rules.items():
            try:
                condition = compile_rule(rule, catalogue, now=workspace.now(), zone=workspace.settings.zone)
                people = count(connection, condition, seconds=LONGEST_COUNT)
            except (RuleError, TooSlow):
                continue  # `segments check` says what is wrong; a starter may name a field that this city lacks
            counted.append((name, people, rule_hash(rule, catalogue)))
    with workspace.store.write() as connection:
        for name, people, digest in counted:
            segment_counts.note(connection, name, day=night, people=people, rule_hash=digest)


def _compare(workspace: Workspace) -> list[str]:
    found = engagement_check.compare(workspace.store, zone=workspace.settings.zone, people=SAMPLE)
    return [found.sentence()] if found.different else []
