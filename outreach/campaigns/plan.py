"""Planning: freeze the audience, compile the messages, and bind both by a hash. Nothing is sent.

What is approved is this plan; `send` refuses if the message, a link, the sender or a frozen row
differs from it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, or_

from outreach.campaigns import audience, later
from outreach.campaigns.compiling import compile_all
from outreach.campaigns.definition import CampaignError, Definition, load
from outreach.campaigns.frequency import frequency
from outreach.errors import Blocked, ConfigurationError
from outreach.rendering.message import CompiledMessage
from outreach.segmentation.catalogue import load_catalogue
from outreach.segmentation.errors import RuleError
from outreach.segmentation.fields import Catalogue
from outreach.segmentation.mentions import rule_hash, segments_of
from outreach.segmentation.sql import compile_rule
from outreach.settings import Settings
from outreach.store import campaigns, deliveries, topics
from outreach.store.database import Store
from outreach.store.tables import profile


class EmptyAudience(Blocked):
    """The rule chooses nobody who may get it."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, as `campaigns plan` reports it."""

    name: str
    audience: int
    excluded: Mapping[str, int]
    hash: str
    links: tuple[str, ...]
    languages: tuple[str, ...]
    schedule: str = ""
    """When it is due: local time and UTC; empty: whenever it is sent."""
    in_digests: int = 0
    """People who asked to hear about the topic daily or weekly: they get it in their next digest."""


def plan(
    store: Store,
    settings: Settings,
    path: Path,
    *,
    segments: Mapping[str, str],
    now: dt.datetime,
    occurrence: dt.datetime | None = None,
    sealed: Callable[[Connection, int], None] | None = None,
    planned_by: str = "",
    findings: Sequence[Mapping[str, str]] = (),
) -> Planned:
    """Freeze one campaign file's audience and messages as a new plan.

    One transaction: after an error (CampaignError, RuleError, TemplateError, Blocked for an empty
    audience) nothing is left behind. `occurrence`: plan this moment of a recurring campaign; `sealed` is called
    with the new campaign in the same transaction, and what it raises undoes the plan. `planned_by` and the gate's
    `findings` are part of what is approved.
    """
    definitions = load(path, default_language=settings.text("organisation.language"))
    main = next(iter(definitions.values()))
    with store.read() as connection:
        catalogue = load_catalogue(connection, segments=segments)
    messages = compile_all(definitions, settings, known_fields=catalogue.fields)
    rule = _rule(main, catalogue, now=now, zone=settings.zone)
    timing = later.timing(main, settings, now=now, occurrence=occurrence)
    with store.write() as connection:
        topic = topics.find(connection, main.topic)
        if topic is None:
            known = ", ".join(sorted(each.name for each in catalogue.topics)) or "none yet; import some first"
            raise CampaignError(f"{path}: no topic is called {main.topic!r}; there are {known}")
        name = campaigns.next_name(connection, main.name)
        wave = "" if occurrence else main.name  # the next occurrence is for everybody again
        purpose = audience.Purpose(topic.id, topic.message_class, file=wave, name=name)
        chosen = audience.choose(connection, rule, purpose=purpose, frequency=frequency(settings), now=now)
        at_once, readers = later.split(settings, chosen.people, topic)
        document = _document(main, messages, settings, name=name, topic=topic, now=now)
        campaign_id = campaigns.add(
            connection,
            name=name,
            file=main.name,
            topic_id=topic.id,
            department_id=topic.department_id,
            message_class=topic.message_class,
            rule=main.to,
            plan={},
            plan_hash="",
            frozen=0,
            planned_at=now,
            not_after=timing.not_after,
        )
        for language, message in messages.items():
            campaigns.add_message(connection, campaign_id, language, compiled=message.to_document(), hash=message.hash)
        frozen = deliveries.freeze(
            connection,
            campaign_id,
            at_once,
            languages={each: _speaks(each) for each in messages if each != main.language},
            default_language=main.language,
            now=now,
        )
        in_digests = later.wait(connection, campaign_id, readers, topic=topic, definitions=definitions)
        if frozen + in_digests == 0:
            left_out = "; ".join(f"{count} left out: {reason}" for reason, count in chosen.excluded.items())
            raise EmptyAudience(
                f"{path}: nobody would get this campaign ({left_out or 'the rule matches nobody'}). "
                f"Nothing was planned. Look with: outreach segments count {main.to!r}"
            )
        document |= {
            "audience": frozen,
            "audience_hash": deliveries.audience_hash(connection, campaign_id),
            "excluded": chosen.excluded,
            "in_digests": in_digests,
            "planned_by": planned_by,
            "findings": [dict(finding) for finding in findings],
            **timing.document(),
        } | _record(main.to, catalogue)
        digest = plan_hash(document)
        campaigns.seal(connection, campaign_id, plan=document, plan_hash=digest, frozen=frozen)
        if sealed is not None:
            sealed(connection, campaign_id)
    return Planned(
        name,
        frozen,
        chosen.excluded,
        digest,
        tuple(document["links"]),
        tuple(messages),
        schedule=timing.shown,
        in_digests=in_digests,
    )


def _record(rule: str, catalogue: Catalogue) -> dict[str, Any]:
    """The public record of whom was meant: the segments' texts of that moment, and a hash over them and the rule."""
    segments = segments_of(rule, catalogue)
    return {"segments": segments, "rule_hash": rule_hash(rule, catalogue)}


def plan_hash(document: Mapping[str, Any]) -> str:
    """SHA-256 over everything that was approved, in one canonical spelling."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _document(
    main: Definition,
    messages: Mapping[str, CompiledMessage],
    settings: Settings,
    *,
    name: str,
    topic: topics.Topic,
    now: dt.datetime,
) -> dict[str, Any]:
    domain = sending_domain(settings, main)
    slug = _slug(topic.name)
    return {
        "version": 1,
        "campaign": name,
        "file": str(_within(main.path, settings.root)),
        "subject": main.subject,
        "from": f"{main.sender.name} <{main.sender.address}>",
        "topic": topic.name,
        "message_class": topic.message_class,
        "rule": main.to,
        "drill": main.drill,
        "messages": {language: message.hash for language, message in messages.items()},
        "links": list([*messages.values()][-1].links),
        "domain": domain,
        "tracking_url": settings.tracking_url,
        "list_id": f"{topic.name} <{slug}.{domain}>",
        "feedback_id": f"{name}:{slug}:{topic.message_class}:{_slug(domain)[:15]}",
        "in_doubt": main.in_doubt
        or ("resend" if topic.message_class == "emergency" else settings.text("policy.in_doubt")),
        "planned_at": now.isoformat(),
    }


def sending_domain(settings: Settings, definition: Definition) -> str:
    """The domain that signs, makes the Message-ID and takes the bounces: mail.domain, else the sender's own."""
    domain = settings.text("mail.domain") or definition.sender.address.rpartition("@")[2]
    if not domain:
        raise ConfigurationError("mail.domain is not set and the sender's address has no domain")
    return domain.lower()


def _rule(main: Definition, catalogue: Catalogue, *, now: dt.datetime, zone: ZoneInfo) -> ColumnElement[bool]:
    try:
        return compile_rule(main.to, catalogue, now=now, zone=zone)
    except RuleError as error:
        raise CampaignError(f"{main.path}, line {main.to_line}, `to:` {error}") from None


def _within(path: Path, root: Path) -> Path:
    """The path as seen from the workspace, so that a plan is the same wherever the workspace lies."""
    resolved = path.resolve()
    return resolved.relative_to(root) if resolved.is_relative_to(root) else resolved


def _speaks(language: str) -> ColumnElement[bool]:
    return or_(profile.c.locale == language, profile.c.locale.like(f"{language}-%"))


def _slug(text: str) -> str:
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in text.lower()).split()) or "all"
