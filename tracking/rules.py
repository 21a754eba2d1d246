"""Who made a hit: a versioned set of rules over what was recorded. A verdict is an opinion; the hit stays as it was.

By itself a hit shows a HEAD, a prefetch header, a crawler's name. The rest is in the company it keeps and in when
the mail was taken, so it is judged once SETTLED_SECONDS have passed:

    too soon        before the receiving server had taken the message, or a click or a browser's picture less than
                    five seconds after: the mail had to be shown, read and pointed at in between
    burst           a person's distinct links within a second: scanners follow all of them at once, a median
                    of 43 s after delivery (836 bursts looked at in craft-campaign#546); nobody clicks so fast
    beside          the same person's other hits from the same place, up to ten minutes around the burst; and
                    from any place a browser's fetch of the picture in the two minutes before it (the median
                    is 9 s): people's browsers fetch pictures when people read, which is hardly ever then
    scanner place   hits from a place that made bursts for several people within ten minutes around
    one domain      many people of one organisation's domain, from one place, within a minute

Not so: being quick beyond that (half a percent of the bursts begin within ten seconds, and half of them after 43),
coming from Microsoft (Outlook shows pictures through it), a later hit of a person whose mail was scanned. Time counts
from acceptance, never from the queue: a message may have waited there for hours.

Changing a rule means a new VERSION: `outreach events reclassify` judges again what was judged by an old one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from outreach.events import Flag, Kind
from outreach.store.events import Verdict
from tracking.machines import Agent, Network

VERSION = 2
SETTLED_SECONDS = 600
"""A hit is judged when its neighbours are known."""
BURST_MS = 1_000
BURST_LINKS = 3
"""Distinct links; all of them, where a message has fewer."""
SPREAD_MS, SPREAD_LINKS = 5_000, 5
"""A slower scanner: so many distinct links within so long."""
BESIDE_MS = 600_000
PICTURE_MS = 120_000
SOON_SECONDS = 5
EARLY_MS = 60_000
"""A hit that is earlier than acceptance by more is a matter of two machines' clocks, and says nothing."""
PLACE_PEOPLE = 3
"""Bursts for so many people make a place a scanner's."""
DOMAIN_PEOPLE, DOMAIN_MS = 8, 60_000
PUBLIC_DOMAINS = frozenset((
    "gmail.com", "googlemail.com", "yahoo.com", "ymail.com", "aol.com", "outlook.com", "hotmail.com", "live.com",
    "msn.com", "icloud.com", "me.com", "mac.com", "proton.me", "protonmail.com", "gmx.de", "gmx.net", "web.de",
    "t-online.de", "comcast.net", "att.net", "sbcglobal.net", "verizon.net", "cox.net", "charter.net",
    "bellsouth.net", "qq.com", "163.com", "mail.ru",
))  # fmt: skip
"""Anybody's mail: their users share a phone network's addresses without knowing each other."""


class Reason(IntEnum):
    """Why a verdict is what it is. The numbers are stored: never reuse one."""

    NOTHING_ODD = 0
    HEAD = 1
    PREFETCH = 2
    CRAWLER = 3
    NO_BROWSER = 4
    SCANNER_NETWORK = 5
    BURST = 6
    BESIDE_BURST = 7
    SCANNER_PLACE = 8
    ONE_DOMAIN = 9
    APPLE_PROXY = 10
    GOOGLE_PREFETCH = 11
    TOO_SOON = 12


class Fact(NamedTuple):
    """What was recorded of a hit, as far as rules look at it."""

    kind: int
    at_ms: int
    subscriber_id: int
    link: int
    agent_class: int
    network_class: int
    prefix_hash: bytes
    flags: int


class Opinion(NamedTuple):
    verdict: Verdict
    reason: Reason


PERSON = Opinion(Verdict.PERSON, Reason.NOTHING_ODD)
_CLICK, _OPEN = int(Kind.CLICK), int(Kind.OPEN)
_BROWSERS = (Agent.BROWSER, Agent.PHONE_BROWSER)
_HEAD, _PREFETCH = int(Flag.HEAD), int(Flag.PREFETCH)
_OPINIONS = {reason: Opinion(Verdict.MACHINE, reason) for reason in Reason} | {
    Reason.APPLE_PROXY: Opinion(Verdict.NOT_MEASURABLE, Reason.APPLE_PROXY)
}


def at_once(fact: Fact) -> Opinion | None:
    """What a hit shows by itself; None while its company has to be looked at."""
    flags, agent, network = fact.flags, fact.agent_class, fact.network_class
    if flags & _HEAD:
        return _OPINIONS[Reason.HEAD]
    if flags & _PREFETCH:
        return _OPINIONS[Reason.PREFETCH]
    if agent == Agent.SCANNER:
        return _OPINIONS[Reason.CRAWLER]
    if agent in (Agent.NONE, Agent.OTHER):
        return _OPINIONS[Reason.NO_BROWSER]
    if fact.kind != _OPEN:
        # Scanners' networks also fetch pictures for people, but no pages: a person's click opens their own browser.
        if network in (Network.SCANNER, Network.MICROSOFT):
            return _OPINIONS[Reason.SCANNER_NETWORK]
        return None
    if agent == Agent.GOOGLE_PREFETCH and network == Network.GOOGLE:
        return _OPINIONS[Reason.GOOGLE_PREFETCH]
    if agent == Agent.BARE_MOZILLA or network == Network.APPLE:
        return _OPINIONS[Reason.APPLE_PROXY]
    return None


def judge(
    facts: Sequence[Fact],
    *,
    links: int = 0,
    domains: Mapping[int, str] | None = None,
    accepted: Mapping[int, int] | None = None,
    soon_seconds: int = SOON_SECONDS,
) -> list[Opinion]:
    """An opinion on each hit of one campaign, in their order.

    `links` is how many links the campaign has, if that is known; `domains` are those of the subscribers' addresses;
    `accepted` is when their messages were taken, in milliseconds since 1970, and what came less than `soon_seconds`
    after is too soon for a person; 0 looks at no times.
    """
    opinions: list[Opinion | None] = [at_once(fact) for fact in facts]
    people: dict[int, list[int]] = defaultdict(list)
    seen: set[int] = set()
    for place, fact in enumerate(facts):
        if fact.subscriber_id:
            people[fact.subscriber_id].append(place)
        if fact.kind == _CLICK:
            seen.add(fact.link)
    bursts: list[int] = []
    for places in people.values():
        if len(places) > 1:
            bursts += _bursts(facts, places, opinions, all_links=max(links, len(seen)))
    _scanner_places(facts, bursts, opinions)
    if domains:
        _one_domain(facts, domains, opinions)
    if accepted and soon_seconds:
        _too_soon(facts, accepted, opinions, soon_ms=1000 * soon_seconds)
    return [opinion or PERSON for opinion in opinions]


def _bursts(facts: Sequence[Fact], places: list[int], opinions: list[Opinion | None], *, all_links: int) -> list[int]:
    """Judge one person's bursts and what is beside them; the places of the bursts' hits."""
    clicks = sorted((place for place in places if facts[place].kind == _CLICK), key=lambda place: facts[place].at_ms)
    found = burst_of([facts[place] for place in clicks], all_links=all_links)
    if not found:
        return []
    burst = [clicks[number] for number in found]
    for place in burst:
        opinions[place] = _OPINIONS[Reason.BURST]
    for place in places:
        if opinions[place] is None and _is_beside(facts[place], (facts[other] for other in burst)):
            opinions[place] = _OPINIONS[Reason.BESIDE_BURST]
    return burst


def burst_of(clicks: Sequence[Fact], *, all_links: int) -> list[int]:
    """Which of one person's clicks, in the order of time, are part of a burst. A message of one link has none."""
    found: set[int] = set()
    for window, wanted in ((BURST_MS, max(2, min(BURST_LINKS, all_links))), (SPREAD_MS, SPREAD_LINKS)):
        first = 0
        for last, click in enumerate(clicks):
            while click.at_ms - clicks[first].at_ms > window:
                first += 1
            if last - first + 1 >= wanted and len({one.link for one in clicks[first : last + 1]}) >= wanted:
                found.update(range(first, last + 1))
    return sorted(found)


def _is_beside(fact: Fact, burst: Iterable[Fact]) -> bool:
    picture = fact.kind == _OPEN and fact.agent_class in _BROWSERS
    return any(
        (fact.prefix_hash == one.prefix_hash and abs(fact.at_ms - one.at_ms) <= BESIDE_MS)
        or (picture and 0 <= one.at_ms - fact.at_ms <= PICTURE_MS)
        for one in burst
    )


def _scanner_places(facts: Sequence[Fact], bursts: list[int], opinions: list[Opinion | None]) -> None:
    """Several people's bursts within ten minutes of a hit, so that what came hours ago need not be known."""
    moments: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for place in bursts:
        if prefix := facts[place].prefix_hash:
            moments[prefix].append((facts[place].at_ms, facts[place].subscriber_id))
    known = {
        prefix: sorted(found)
        for prefix, found in moments.items()
        if len({person for _, person in found}) >= PLACE_PEOPLE
    }
    if not known:
        return
    for place, fact in enumerate(facts):
        found = known.get(fact.prefix_hash)
        if found is None or opinions[place] is not None:
            continue
        first = bisect_left(found, (fact.at_ms - BESIDE_MS, 0))
        last = bisect_left(found, (fact.at_ms + BESIDE_MS + 1, 0))
        if len({person for _, person in found[first:last]}) >= PLACE_PEOPLE:
            opinions[place] = _OPINIONS[Reason.SCANNER_PLACE]


def early(facts: Iterable[Fact], *, until_ms: float) -> set[int]:
    """People with a hit before `until_ms`: of whom it has to be known when their message was taken."""
    return {fact.subscriber_id for fact in facts if fact.at_ms < until_ms and fact.subscriber_id}


def _too_soon(
    facts: Sequence[Fact], accepted: Mapping[int, int], opinions: list[Opinion | None], *, soon_ms: int
) -> None:
    """Mail programs' pictures only before acceptance: one may stand open, and show what arrives at once."""
    for place, fact in enumerate(facts):
        taken = accepted.get(fact.subscriber_id)
        if taken is None or opinions[place] is not None:
            continue
        shows_itself = fact.kind == _OPEN and fact.agent_class not in _BROWSERS
        if -EARLY_MS < fact.at_ms - taken < (0 if shows_itself else soon_ms):
            opinions[place] = _OPINIONS[Reason.TOO_SOON]


def crowded(facts: Sequence[Fact]) -> set[int]:
    """People who clicked where several others did too: only their domains need to be known."""
    people: dict[bytes, set[int]] = defaultdict(set)
    for fact in facts:
        if fact.kind == _CLICK and fact.prefix_hash and fact.subscriber_id:
            people[fact.prefix_hash].add(fact.subscriber_id)
    return {person for found in people.values() if len(found) >= DOMAIN_PEOPLE for person in found}


def _one_domain(facts: Sequence[Fact], domains: Mapping[int, str], opinions: list[Opinion | None]) -> None:
    """Clicks only: an office reads the mayor's mail at nine, and its mail programs load the pictures at nine."""
    groups: dict[tuple[bytes, str], list[tuple[int, int]]] = defaultdict(list)
    for place, fact in enumerate(facts):
        if fact.kind == _CLICK and opinions[place] is None and fact.prefix_hash:
            domain = domains.get(fact.subscriber_id, "")
            if domain and domain not in PUBLIC_DOMAINS:
                groups[fact.prefix_hash, domain].append((fact.at_ms, place))
    for hits in groups.values():
        if len(hits) < DOMAIN_PEOPLE:
            continue
        hits.sort()
        times = [at for at, _ in hits]
        for number, (at, _) in enumerate(hits):
            near = hits[number : bisect_right(times, at + DOMAIN_MS)]
            if len({facts[place].subscriber_id for _, place in near}) >= DOMAIN_PEOPLE:
                for _, place in near:
                    opinions[place] = _OPINIONS[Reason.ONE_DOMAIN]
