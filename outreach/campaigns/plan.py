"""Planning: freeze the audience, compile the messages, and bind both by a hash. Nothing is sent.

What is approved is this plan; `send` refuses if the message, a link, the sender or a frozen row
differs from it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Select, and_, or_

from outreach.campaigns import audience, items, later
from outreach.campaigns.compiling import compile_all
from outreach.campaigns.definition import CampaignError, Definition, load
from outreach.campaigns.estimate import Estimate, estimate
from outreach.campaigns.frequency import frequency
from outreach.campaigns.pictures import Pictures
from outreach.campaigns.series import item_hash, stands_for
from outreach.campaigns.terms import plan_hash, terms
from outreach.errors import Blocked
from outreach.rendering.message import CompiledMessage
from outreach.segmentation.catalogue import load_catalogue
from outreach.segmentation.errors import RuleError
from outreach.segmentation.fields import Catalogue
from outreach.segmentation.mentions import rule_hash, segments_of
from outreach.segmentation.sql import compile_rule
from outreach.settings import Settings
from outreach.store import campaigns, deliveries, topics
from outreach.store.campaigns import Campaign
from outreach.store.database import Store
from outreach.store.tables import profile
from outreach.store.topics import Topic


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
    takes: Estimate | None = None
    """How long sending it will take, by provider; it is a guess, and part of what is approved."""
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
    series: Campaign | None = None,
    sealed: Callable[[Connection, int], object] | None = None,
    planned_by: str = "",
    findings: Sequence[Mapping[str, str]] = (),
    among: Callable[[Connection], ColumnElement[bool]] | None = None,
) -> Planned:
    """Freeze one campaign file's audience and messages as a new plan.

    One transaction: after an error (CampaignError, RuleError, TemplateError, Blocked for an empty
    audience) nothing is left behind. `occurrence`: plan this moment of a recurring campaign, which was approved as
    `series`; `sealed` is called with the new campaign in the same transaction, and what it raises undoes the plan.
    `planned_by` and the gate's `findings` are part of what is approved. `among`: nobody but
    these, whomever the rule chooses.
    """
    written = _read(store, settings, path, segments=segments, now=now, occurrence=occurrence)
    with store.write() as connection:
        written = written if among is None else replace(written, rule=and_(written.rule, among(connection)))
        topic = _topic(connection, written)
        name = campaigns.next_name(connection, written.main.name)
        chosen = _choose(connection, written, topic, settings, name=name, now=now)
        at_once, readers = later.split(chosen.people, topic, written.item)
        campaign_id = _add(connection, written, topic, name=name, now=now)
        frozen = _freeze(connection, campaign_id, written, at_once, now=now)
        in_digests = later.wait(connection, campaign_id, readers, topic=topic, item=written.item)
        if frozen + in_digests == 0:
            raise _nobody(written, chosen)
        takes = estimate(connection, campaign_id, workspace=settings.root, now=now)
        document = {
            **terms(written.main, written.messages, settings, name=name, topic=topic, now=now),
            **_whom(connection, campaign_id, chosen, frozen=frozen, in_digests=in_digests),
            **_record(written),
            "cap": str(frequency(settings).cap(topic.message_class) or ""),
            "estimate": takes.document(),
            "planned_by": planned_by,
            "findings": [dict(finding) for finding in findings],
            **(_whose_word(connection, settings, series, reaches=frozen + in_digests) if series else {}),
        }
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
        tuple(written.messages),
        schedule=written.timing.shown,
        takes=takes,
        in_digests=in_digests,
    )


@dataclass(frozen=True, slots=True)
class _Written:
    """A campaign file as it stands: what of a plan can be made before anything is locked."""

    path: Path
    definitions: Mapping[str, Definition]
    messages: Mapping[str, CompiledMessage]
    catalogue: Catalogue
    rule: ColumnElement[bool]
    timing: later.Timing
    images: tuple[str, ...]
    """The workspace's own, by the names they are published under."""
    item: Mapping[str, items.Words]
    """What it is in digests; empty where nobody can ask for them."""
    again: bool
    """One moment of a recurring campaign, which is for everybody again."""

    @property
    def main(self) -> Definition:
        return next(iter(self.definitions.values()))


def _read(
    store: Store,
    settings: Settings,
    path: Path,
    *,
    segments: Mapping[str, str],
    now: dt.datetime,
    occurrence: dt.datetime | None,
) -> _Written:
    definitions = load(path, default_language=settings.text("organisation.language"))
    main = next(iter(definitions.values()))
    with store.read() as connection:
        catalogue = load_catalogue(connection, segments=segments)
        topic = topics.find(connection, main.topic)
    pictures = Pictures.of(settings)
    known = catalogue.fields
    messages = compile_all(definitions, settings, known_fields=known, pictures=pictures)
    item: Mapping[str, items.Words] = {}
    if topic is not None and later.delays(settings, topic):
        item = items.contents(definitions, settings, known_fields=known, pictures=pictures)
    return _Written(
        path,
        definitions,
        messages,
        catalogue,
        _rule(main, catalogue, now=now, zone=settings.zone),
        later.timing(main, settings, now=now, occurrence=occurrence),
        images=tuple(pictures.publish(settings.data)),
        item=item,
        again=occurrence is not None,
    )


def _topic(connection: Connection, written: _Written) -> Topic:
    topic = topics.find(connection, written.main.topic)
    if topic is None:
        known = ", ".join(sorted(each.name for each in written.catalogue.topics)) or "none yet; import some first"
        raise CampaignError(f"{written.path}: no topic is called {written.main.topic!r}; there are {known}")
    return topic


def _choose(
    connection: Connection, written: _Written, topic: Topic, settings: Settings, *, name: str, now: dt.datetime
) -> audience.Audience:
    wave = "" if written.again else written.main.name
    purpose = audience.Purpose(topic.id, topic.message_class, file=wave, name=name)
    return audience.choose(connection, written.rule, purpose=purpose, frequency=frequency(settings), now=now)


def _add(connection: Connection, written: _Written, topic: Topic, *, name: str, now: dt.datetime) -> int:
    """The campaign and its messages, not sealed yet."""
    campaign_id = campaigns.add(
        connection,
        name=name,
        file=written.main.name,
        topic_id=topic.id,
        department_id=topic.department_id,
        message_class=topic.message_class,
        rule=written.main.to,
        plan={},
        plan_hash="",
        frozen=0,
        planned_at=now,
        not_after=written.timing.not_after,
    )
    for language, message in written.messages.items():
        campaigns.add_message(connection, campaign_id, language, compiled=message.to_document(), hash=message.hash)
    return campaign_id


def _freeze(
    connection: Connection, campaign_id: int, written: _Written, people: Select[tuple[int]], *, now: dt.datetime
) -> int:
    default = written.main.language
    return deliveries.freeze(
        connection,
        campaign_id,
        people,
        languages={each: _speaks(each) for each in written.messages if each != default},
        default_language=default,
        now=now,
    )


def _nobody(written: _Written, chosen: audience.Audience) -> EmptyAudience:
    left_out = "; ".join(f"{count} left out: {reason}" for reason, count in chosen.excluded.items())
    return EmptyAudience(
        f"{written.path}: nobody would get this campaign ({left_out or 'the rule matches nobody'}). "
        f"Nothing was planned. Look with: outreach segments count {written.main.to!r}"
    )


def _whom(
    connection: Connection, campaign_id: int, chosen: audience.Audience, *, frozen: int, in_digests: int
) -> dict[str, Any]:
    """Who was frozen, and how many are not written to, by reason."""
    return {
        "audience": frozen,
        "audience_hash": deliveries.audience_hash(connection, campaign_id),
        "excluded": chosen.excluded,
        "in_digests": in_digests,
    }


def _whose_word(connection: Connection, settings: Settings, series: Campaign, *, reaches: int) -> dict[str, Any]:
    """Whose approval an occurrence stands on, if that is good for so many people."""
    return stands_for(connection, series, reaches=reaches, above=settings.number("policy.approval_above"))


def _record(written: _Written) -> dict[str, Any]:
    """What was meant at that moment: the rule's segments and a hash over both, images, words in digests, the time."""
    rule, catalogue = written.main.to, written.catalogue
    return {
        "segments": segments_of(rule, catalogue),
        "rule_hash": rule_hash(rule, catalogue),
        "images": list(written.images),
        **({"item": item_hash(written.item)} if written.item else {}),
        **written.timing.document(),
    }


def _rule(main: Definition, catalogue: Catalogue, *, now: dt.datetime, zone: ZoneInfo) -> ColumnElement[bool]:
    try:
        return compile_rule(main.to, catalogue, now=now, zone=zone)
    except RuleError as error:
        raise CampaignError(f"{main.path}, line {main.to_line}, `to:` {error}") from None


def _speaks(language: str) -> ColumnElement[bool]:
    return or_(profile.c.locale == language, profile.c.locale.like(f"{language}-%"))
