"""Applying the rules to stored hits: soon after they came, or all over again when the rules have changed.

    judge_due      what is old enough to be judged and was not; for cron, often
    reclassify     everything, by the rules of now

Both only ever write verdicts; a hit is never changed or deleted, so either may be repeated or cut short.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from outreach.store import verdicts
from outreach.store.database import Store
from outreach.store.dialects import to_ms
from outreach.store.events import Verdict
from outreach.store.retention import traces_until
from outreach.store.verdicts import Hit, Judged
from tracking import rules
from tracking.rules import Fact, Opinion, Reason

_BATCH = 5_000
_NEIGHBOURS = dt.timedelta(milliseconds=rules.BESIDE_MS + rules.DOMAIN_MS)
"""How far back a verdict looks."""


@dataclass(slots=True)
class Reclassified:
    """What judging changed."""

    hits: int = 0
    changed: int = 0
    moved: Counter[tuple[Verdict, Verdict]] = field(default_factory=Counter)
    """How many hits went from one verdict to another."""


def judge_due(
    store: Store,
    *,
    now: dt.datetime,
    settled: int = rules.SETTLED_SECONDS,
    soon_seconds: int = rules.SOON_SECONDS,
) -> int:
    """Judge hits whose neighbours are all known: those older than `settled` seconds. How many were judged."""
    until = now - dt.timedelta(seconds=settled)
    with store.read_events() as connection:
        due = verdicts.waiting(connection, before=until)
    count = 0
    for campaign_id, first in sorted(due.items()):
        with store.read_events() as connection:
            hits = list(verdicts.hits(connection, campaign_id, since=first - _NEIGHBOURS))
            links = verdicts.links(connection, campaign_id)
        judged = [
            Judged(hit, opinion.verdict, opinion.reason)
            for hit, opinion in zip(hits, _opinions(store, campaign_id, hits, links, soon_seconds), strict=True)
            if hit.verdict == Verdict.UNJUDGED and hit.at < until
        ]
        _write(store, judged)
        count += len(judged)
    return count


def reclassify(
    store: Store, *, campaigns: Collection[int] | None = None, soon_seconds: int = rules.SOON_SECONDS
) -> Reclassified:
    """Judge every hit again, of all campaigns or of some, by the rules as they are now.

    Hits whose traces are gone (see `outreach.store.retention`) keep the verdict they have.
    """
    result = Reclassified()
    with store.read_events() as connection:
        wanted = sorted(verdicts.campaigns(connection) if campaigns is None else campaigns)
    with store.read() as connection:
        traced = traces_until(connection)
    for campaign_id in wanted:
        with store.read_events() as connection:
            hits = list(verdicts.hits(connection, campaign_id))
            links = verdicts.links(connection, campaign_id)
        result.hits += len(hits)
        judged = []
        for hit, opinion in zip(hits, _opinions(store, campaign_id, hits, links, soon_seconds), strict=True):
            if hit.at_ms >= traced and (hit.verdict, hit.reason, hit.rules) != (*opinion, rules.VERSION):
                judged.append(Judged(hit, *opinion))
                if hit.verdict != opinion.verdict:
                    result.moved[Verdict(hit.verdict), opinion.verdict] += 1
        _write(store, judged)
        result.changed += sum(one.hit.verdict != one.verdict for one in judged)
    return result


def _opinions(store: Store, campaign_id: int, hits: Sequence[Hit], links: int, soon_seconds: int) -> list[Opinion]:
    facts = [
        Fact(
            hit.kind,
            hit.at_ms,
            hit.subscriber_id,
            hit.link,
            hit.agent_class,
            hit.network_class,
            hit.prefix_hash,
            hit.flags,
        )
        for hit in hits
    ]
    with store.read() as connection:
        finished = verdicts.finished_at(connection, campaign_id)
        until_ms = to_ms(finished) + 1000 * soon_seconds if finished else math.inf
        early = rules.early(facts, until_ms=until_ms) if soon_seconds else set()
        return rules.judge(
            facts,
            links=links,
            domains=verdicts.domains(connection, rules.crowded(facts)),
            accepted=verdicts.accepted(connection, campaign_id, early),
            soon_seconds=soon_seconds,
        )


def _write(store: Store, judged: list[Judged]) -> None:
    for start in range(0, len(judged), _BATCH):
        with store.write_events() as connection:
            verdicts.write(connection, judged[start : start + _BATCH], version=rules.VERSION)


def words(reason: Reason) -> str:
    """A reason as a person reads it."""
    return reason.name.lower().replace("_", " ")
