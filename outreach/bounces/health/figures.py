"""The figures of the deliverability report, with what each is divided by."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from outreach.bounces.health.chance import Share, chance_of_so_many
from outreach.bounces.providers import provider
from outreach.store import bounces, placement, received_reports
from outreach.store.database import Store

DAYS = 28
RECENT = 7
FALSE_ALARM = 0.001
"""An alarm is false in fewer than one of a thousand reports, over all providers together."""
SPAM_WARNING, SPAM_STOP = 0.001, 0.003
"""Gmail and Yahoo: stay below 0.1 %, never reach 0.3 % of the mail that was accepted."""
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something got worse in the last week, and it is hardly chance."""

    what: str
    recent: Share
    before: Share
    chance: float


@dataclass(slots=True)
class Provider:
    """Where mail to one provider went."""

    name: str
    accepted: int = 0
    deferred: int = 0
    waiting: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    complaints: int = 0
    t50: float | None = None
    """Minutes from a campaign's start until half of its mail was accepted."""
    t90: float | None = None
    placement: Counter[str] = field(default_factory=Counter)
    alarms: list[Alarm] = field(default_factory=list)

    @property
    def handed_over(self) -> int:
        return self.accepted + self.refused

    @property
    def acceptance(self) -> Share:
        return Share(self.accepted, self.handed_over)

    @property
    def complaint_rate(self) -> Share:
        return Share(self.complaints, self.accepted)

    @property
    def inbox(self) -> Share:
        """Inbox and its tabs, of our own mailboxes there."""
        return Share(self.placement["inbox"] + self.placement["tab"], self.placement.total())


@dataclass(frozen=True, slots=True)
class Health:
    """Everything the report shows."""

    organisation: str
    since: dt.datetime
    until: dt.datetime
    providers: tuple[Provider, ...]
    pauses: tuple[bounces.Pause, ...]
    kept: int
    sources: tuple[received_reports.Source, ...]
    tls_failures: tuple[tuple[str, str, int], ...]
    reports: dict[str, int]

    @property
    def everything(self) -> Provider:
        """All providers together."""
        total = Provider("everybody")
        for each in self.providers:
            total.accepted += each.accepted
            total.deferred += each.deferred
            total.waiting += each.waiting
            total.refused += each.refused
            total.complaints += each.complaints
            total.reasons += each.reasons
            total.placement += each.placement
        return total

    def inbox_estimate(self) -> tuple[float, float, float] | None:
        """The share of our people's mail in the inbox with its interval, each provider weighted by our people there.

        None where no provider has mailboxes of ours. The variances add up as those of separate samples do.
        """
        seeded = [each for each in self.providers if each.placement.total()]
        people = sum(each.accepted for each in seeded)
        if not people:
            return None
        middle = low = high = 0.0
        for each in seeded:
            weight, share = each.accepted / people, each.inbox
            bottom, top = share.interval
            middle += weight * share.value
            low += (weight * (share.value - bottom)) ** 2
            high += (weight * (top - share.value)) ** 2
        return middle, max(0.0, middle - low**0.5), min(1.0, middle + high**0.5)


def collect(store: Store, *, organisation: str, now: dt.datetime, days: int = DAYS) -> Health:
    """Read the figures of the last days."""
    since = now - dt.timedelta(days=days)
    week = now - dt.timedelta(days=RECENT)
    found: dict[str, Provider] = {}

    def at(name: str) -> Provider:
        return found.setdefault(name, Provider(name))

    with store.read() as connection:
        times: dict[str, list[float]] = {}
        for domain, entry in placement.deliveries(connection, since=since).items():
            mine = at(provider(f"@{domain}"))
            mine.accepted += entry.accepted
            mine.deferred += entry.deferred
            mine.waiting += entry.waiting
            mine.refused += entry.bounced
            times.setdefault(mine.name, []).extend(entry.minutes)
        for name, minutes in times.items():
            minutes.sort()
            if minutes:
                at(name).t50, at(name).t90 = minutes[len(minutes) // 2], minutes[int(len(minutes) * 0.9)]
        for (name, reason, _), count in placement.bounces(connection, since=since, until=now).items():
            at(name).reasons[reason] += count
        for domain, count in placement.complaints(connection, since=since, until=now).items():
            at(provider(f"@{domain}")).complaints += count
        for name, counts in placement.placements(connection, since=since).items():
            at(name).placement += counts
        handed = [
            _by_provider(placement.accepted_between(connection, since=begin, until=end))
            for begin, end in ((week, now), (since, week))
        ]
        returned = [
            _by_name(placement.bounces(connection, since=begin, until=end))
            for begin, end in ((week, now), (since, week))
        ]
        complained = [
            _by_provider(placement.complaints(connection, since=begin, until=end))
            for begin, end in ((week, now), (since, week))
        ]
        pauses = tuple(bounces.pauses(connection, now=now))
        kept = bounces.waiting(connection)
        sources = tuple(received_reports.sources(connection, since=since))
        tls_failures = tuple(received_reports.tls_failures(connection, since=since))
        reports = received_reports.reports(connection, since=since)
    looks = max(1, 2 * len(found))
    for name, mine in found.items():
        for what, both in (("refused", returned), ("complaints", complained)):
            recent, before = (Share(min(c[name], h[name]), h[name]) for c, h in zip(both, handed, strict=True))
            alarm = _alarm(what, recent, before)
            if alarm is not None and alarm.chance < FALSE_ALARM / looks:
                mine.alarms.append(alarm)
    ordered = sorted(found.values(), key=lambda each: (-each.handed_over - each.waiting, each.name))
    return Health(
        organisation,
        since,
        now,
        providers=tuple(_folded(ordered)),
        pauses=pauses,
        kept=kept,
        sources=sources,
        tls_failures=tls_failures,
        reports=reports,
    )


def _alarm(what: str, recent: Share, before: Share) -> Alarm | None:
    if not recent.count or recent.value <= before.value:
        return None
    return Alarm(what, recent, before, chance_of_so_many(recent.count, recent.of, before.count, before.of))


def _by_provider(counts: dict[str, int]) -> Counter[str]:
    total: Counter[str] = Counter()
    for domain, count in counts.items():
        total[provider(f"@{domain}")] += count
    return total


def _by_name(counts: dict[tuple[str, str, str], int]) -> Counter[str]:
    total: Counter[str] = Counter()
    for (name, _, _), count in counts.items():
        total[name] += count
    return total


def _folded(providers: list[Provider]) -> list[Provider]:
    """The biggest ones, and all the small ones as one: their shares are mostly chance."""
    if len(providers) <= SHOWN + 1:
        return providers
    rest = Provider(f"{len(providers) - SHOWN} smaller ones")
    for each in providers[SHOWN:]:
        rest.accepted += each.accepted
        rest.deferred += each.deferred
        rest.waiting += each.waiting
        rest.refused += each.refused
        rest.complaints += each.complaints
        rest.reasons += each.reasons
        rest.placement += each.placement
        rest.alarms += each.alarms
    return [*providers[:SHOWN], rest]


def as_json(health: Health, advice: list[str]) -> dict[str, Any]:
    """The form of `outreach deliverability --json`."""
    estimate = health.inbox_estimate()
    return {
        "since": health.since,
        "until": health.until,
        "next": advice,
        "providers": [
            {
                "name": each.name,
                "accepted": each.accepted,
                "deferred": each.deferred,
                "waiting": each.waiting,
                "refused": each.refused,
                "reasons": dict(each.reasons.most_common()),
                "acceptance": each.acceptance.as_json(),
                "complaint_rate": each.complaint_rate.as_json(),
                "t50_minutes": each.t50,
                "t90_minutes": each.t90,
                "placement": dict(each.placement),
                "alarms": [
                    {
                        "what": alarm.what,
                        "recent": alarm.recent.as_json(),
                        "before": alarm.before.as_json(),
                        "chance": alarm.chance,
                    }
                    for alarm in each.alarms
                ],
            }
            for each in health.providers
        ],
        "inbox": None if estimate is None else dict(zip(("share", "low", "high"), estimate, strict=True)),
        "false_alarm_rate": FALSE_ALARM,
        "pauses": [
            {"domain": each.domain, "provider": each.provider, "until": each.until, "reason": each.reason}
            for each in health.pauses
        ],
        "kept": health.kept,
        "reports": health.reports,
        "sources": [
            {
                "address": each.address,
                "domain": each.domain,
                "count": each.count,
                "passed": each.passed,
                "refused": each.refused,
            }
            for each in health.sources
        ],
    }
