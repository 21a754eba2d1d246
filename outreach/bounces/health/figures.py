"""The figures of the deliverability report, with what each is divided by."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection

from outreach.bounces.health.chance import Share, chance_of_so_many
from outreach.bounces.providers import provider
from outreach.store import bounces, placement, received_reports, throttles
from outreach.store.database import Store

DAYS = 28
RECENT = 7
FALSE_ALARM = 0.001
"""An alarm is false in fewer than one of a thousand reports, over all providers together."""
SPAM_WARNING, SPAM_STOP = 0.001, 0.003
"""Gmail and Yahoo: stay below 0.1 %, never reach 0.3 % of the mail that was accepted."""
SHOWN = 8
MX_KNOWN = dt.timedelta(days=365)
"""A domain that changes its provider shows by a new look-up; an old one is better than none."""
TOLD_BY = {"google": "google", "snds": "microsoft"}


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something got worse in the last week, and it is hardly chance."""

    what: str
    recent: Share
    before: Share
    chance: float


@dataclass(frozen=True, slots=True)
class Told:
    """One day as the provider itself sees us: Google's Postmaster Tools, Microsoft's SNDS."""

    about: str
    day: str
    complaint_rate: float | None
    recipients: int
    colour: str
    trap_hits: int

    @property
    def when(self) -> str:
        """The day as people write it."""
        day = dt.date.fromisoformat(self.day)
        return f"{day.day} {day:%B}"


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
    told: list[Told] = field(default_factory=list)
    """What the provider says of us itself, the latest last."""

    def add(self, other: Provider) -> None:
        """Count another one's mail as mine."""
        self.accepted += other.accepted
        self.deferred += other.deferred
        self.waiting += other.waiting
        self.refused += other.refused
        self.complaints += other.complaints
        self.reasons += other.reasons
        self.placement += other.placement

    @property
    def told_worst(self) -> Told | None:
        """The day with the highest complaint rate that the provider told."""
        rated = [each for each in self.told if each.complaint_rate is not None]
        return max(rated, key=lambda each: each.complaint_rate or 0.0, default=None)

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
            total.add(each)
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
    found: dict[str, Provider] = {}
    with store.read() as connection:
        names = _Names(throttles.domains(connection, since=now - MX_KNOWN))
        _sent(connection, found, names, since)
        _returned(connection, found, names, since, now)
        _from_outside(connection, found, since)
        _alarms(connection, found, names, since, now)
        ordered = sorted(found.values(), key=lambda each: (-each.handed_over - each.waiting, each.name))
        return Health(
            organisation,
            since,
            now,
            providers=tuple(_folded(ordered)),
            pauses=tuple(bounces.pauses(connection, now=now)),
            kept=bounces.waiting(connection),
            sources=tuple(received_reports.sources(connection, since=since)),
            tls_failures=tuple(received_reports.tls_failures(connection, since=since)),
            reports=received_reports.reports(connection, since=since),
        )


@dataclass(frozen=True, slots=True)
class _Names:
    """Which provider a receiving domain is at: by itself, or by its MX as sending looked it up."""

    by_mx: dict[str, str]

    def of(self, domain: str) -> str:
        return provider(f"@{domain}", by_mx=self.by_mx)

    def added(self, counts: dict[str, int]) -> Counter[str]:
        total: Counter[str] = Counter()
        for domain, count in counts.items():
            total[self.of(domain)] += count
        return total


def _at(found: dict[str, Provider], name: str) -> Provider:
    return found.setdefault(name, Provider(name))


def _sent(connection: Connection, found: dict[str, Provider], names: _Names, since: dt.datetime) -> None:
    times: dict[str, list[float]] = {}
    for domain, entry in placement.deliveries(connection, since=since).items():
        mine = _at(found, names.of(domain))
        mine.accepted += entry.accepted
        mine.deferred += entry.deferred
        mine.waiting += entry.waiting
        mine.refused += entry.bounced
        times.setdefault(mine.name, []).extend(entry.minutes)
    for name, minutes in times.items():
        minutes.sort()
        if minutes:
            mine = found[name]
            mine.t50, mine.t90 = minutes[len(minutes) // 2], minutes[int(len(minutes) * 0.9)]


def _returned(
    connection: Connection, found: dict[str, Provider], names: _Names, since: dt.datetime, now: dt.datetime
) -> None:
    for (name, reason, _), count in placement.bounces(connection, since=since, until=now).items():
        _at(found, names.of(name)).reasons[reason] += count
    for name, count in names.added(placement.complaints(connection, since=since, until=now)).items():
        _at(found, name).complaints += count


def _from_outside(connection: Connection, found: dict[str, Provider], since: dt.datetime) -> None:
    """What our own mailboxes there show, and what the provider tells us about ourselves."""
    for name, counts in placement.placements(connection, since=since).items():
        _at(found, name).placement += counts
    for kind, about, detail in received_reports.told(connection, kinds=tuple(TOLD_BY), since=since):
        _at(found, TOLD_BY[kind]).told.append(Told(about, **detail))


def _alarms(
    connection: Connection, found: dict[str, Provider], names: _Names, since: dt.datetime, now: dt.datetime
) -> None:
    week = now - dt.timedelta(days=RECENT)
    spans = ((week, now), (since, week))
    handed = [names.added(placement.accepted_between(connection, since=begin, until=end)) for begin, end in spans]
    returned = [_by_name(placement.bounces(connection, since=begin, until=end), names) for begin, end in spans]
    complained = [names.added(placement.complaints(connection, since=begin, until=end)) for begin, end in spans]
    looks = max(1, 2 * len(found))
    for name, mine in found.items():
        for what, both in (("refused", returned), ("complaints", complained)):
            recent, before = (Share(min(c[name], h[name]), h[name]) for c, h in zip(both, handed, strict=True))
            alarm = _alarm(what, recent, before)
            if alarm is not None and alarm.chance < FALSE_ALARM / looks:
                mine.alarms.append(alarm)


def _alarm(what: str, recent: Share, before: Share) -> Alarm | None:
    if not recent.count or recent.value <= before.value:
        return None
    return Alarm(what, recent, before, chance_of_so_many(recent.count, recent.of, before.count, before.of))


def _by_name(counts: dict[tuple[str, str, str], int], names: _Names) -> Counter[str]:
    """By provider; a bounce from before its domain's MX was known says the domain."""
    total: Counter[str] = Counter()
    for (name, _, _), count in counts.items():
        total[names.of(name)] += count
    return total


def _folded(providers: list[Provider]) -> list[Provider]:
    """The biggest ones, and all the small ones as one: their shares are mostly chance."""
    if len(providers) <= SHOWN + 1:
        return providers
    rest = Provider(f"{len(providers) - SHOWN} smaller ones")
    for each in providers[SHOWN:]:
        rest.add(each)
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
                "told": [asdict(told) for told in each.told],
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
