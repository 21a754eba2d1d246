"""What is different from the last plan of the same campaign file: what an approver looks at first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from outreach.store import campaigns
from outreach.store.campaigns import Campaign

_SHOWN = (("subject", "subject"), ("from", "sender"), ("topic", "topic"), ("rule", "rule"), ("domain", "domain"))


def from_last(connection: Connection, campaign: Campaign) -> list[str]:
    """One line for each difference from the plan before, in words; empty for the first."""
    before = last(connection, campaign)
    return list(_lines(before, campaign)) if before is not None else []


def last(connection: Connection, campaign: Campaign) -> Campaign | None:
    """The plan of the same file before this one."""
    return next(campaigns.of_file(connection, campaign.file, before=campaign.id), None)


def _lines(old: Campaign, new: Campaign) -> Iterator[str]:
    if old.reaches != new.reaches:
        yield f"people: {old.reaches:,} then, {new.reaches:,} now"
    for name, word in _SHOWN:
        if old.plan.get(name) != new.plan.get(name):
            yield f"{word}: {old.plan.get(name)} then, {new.plan.get(name)} now"
    yield from _texts(old.plan.get("messages", {}), new.plan.get("messages", {}))
    for link in new.plan.get("links", []):
        if link not in old.plan.get("links", []):
            yield f"new link: {link}"
    for link in old.plan.get("links", []):
        if link not in new.plan.get("links", []):
            yield f"link gone: {link}"


def _texts(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for language in sorted({*old, *new}):
        if language not in old:
            yield f"new language: {language}"
        elif language not in new:
            yield f"language gone: {language}"
        elif old[language] != new[language]:
            yield f"the message in {language} is another"
