"""The terms of a plan: what is approved with it, as one document, and the hash that binds it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outreach.addresses import slug
from outreach.campaigns.definition import Definition
from outreach.errors import ConfigurationError
from outreach.rendering.message import CompiledMessage
from outreach.settings import Settings
from outreach.store.topics import Topic


def terms(
    main: Definition,
    messages: Mapping[str, CompiledMessage],
    settings: Settings,
    *,
    name: str,
    topic: Topic,
    now: dt.datetime,
) -> dict[str, Any]:
    """Everything that is approved and does not depend on who gets it: words, links, sender, topic, addresses."""
    domain = sending_domain(settings, main)
    short = slug(topic.name, otherwise="all")
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
        "list_id": f"{topic.name} <{short}.{domain}>",
        "feedback_id": f"{name}:{short}:{topic.message_class}:{slug(domain, otherwise='')[:15]}",
        "in_doubt": main.in_doubt
        or ("resend" if topic.message_class == "emergency" else settings.text("policy.in_doubt")),
        "planned_at": now.isoformat(),
    }


def plan_hash(document: Mapping[str, Any]) -> str:
    """SHA-256 over everything that was approved, in one canonical spelling."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sending_domain(settings: Settings, definition: Definition) -> str:
    """The domain that signs, makes the Message-ID and takes the bounces: mail.domain, else the sender's own."""
    domain = settings.text("mail.domain") or definition.sender.address.rpartition("@")[2]
    if not domain:
        raise ConfigurationError("mail.domain is not set and the sender's address has no domain")
    return domain.lower()


def _within(path: Path, root: Path) -> Path:
    """The path as seen from the workspace, so that a plan is the same wherever the workspace lies."""
    resolved = path.resolve()
    return resolved.relative_to(root) if resolved.is_relative_to(root) else resolved
