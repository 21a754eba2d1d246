"""A simulated day after a big send: what people, proxies and scanners ask of the tracking service, and who it was.

    for act in acts(PUBLISHED, seed=1): act.hit, act.person

Each act is a request as it would arrive (time, user agent, address), so the service's own reading of
it is part of the test; who made it is kept beside, for the score only. `PUBLISHED` has the timing that
administrators of real scanners reported (836 bursts in craft-campaign#546: 66 % begin 20 to 60 s
after delivery, 28 % after 1 to 5 minutes, all links within a second, the picture 9 s before).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from outreach.events import Kind

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_{} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/17.{} Mobile/15E148 Safari/604.1"
)
ANDROID = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Mobile Safari/537.36"
)
OUTLOOK = "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.{}; Pro)"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE = "Mozilla/5.0"
MINUTE, HOUR = 60.0, 3600.0


class Act(NamedTuple):
    """One request: what arrives, and who made it."""

    at: float
    """Seconds after the send began."""
    kind: Kind
    subscriber_id: int
    link: int
    agent: str
    client: str
    person: bool


@dataclass(frozen=True, slots=True)
class Habits:
    """A day's shares and timings, in seconds."""

    links: int = 6
    sending: float = 30 * MINUTE
    apple: float = 0.5
    """Mailboxes whose pictures Apple fetches, read or not."""
    scanned: float = 0.05
    opened: float = 0.24
    clicked: float = 0.04
    """Of all people; all of them opened."""
    second_click: float = 0.3
    burst_after: tuple[tuple[float, float, float], ...] = (
        (0.005, 0, 10),
        (0.022, 10, 20),
        (0.664, 20, 60),
        (0.283, 60, 300),
        (0.019, 300, 1800),
        (0.007, 1800, 20_000),
    )
    """Share, from, to."""
    burst_seconds: float = 0.9
    """All links within."""
    picture_before: float = 9.0
    picture_spread: float = 5.0
    same_place: float = 0.9
    """Scanners that fetch the picture from where they follow the links."""
    disguised: float = 0.8
    """Scanners under a browser's name."""
    scanner_places: int = 400
    homes: int = 30_000
    """Networks (/24) that people are in: fewer than people, as telephone companies share addresses."""
    think: tuple[float, float] = (2.0, 90.0)
    """Between a person's clicks."""


PUBLISHED = Habits()


def acts(habits: Habits, *, people: int, seed: int) -> Iterator[Act]:
    """Everything that is asked in a day, in the order of time. People are numbered from 1."""
    dice = Random(seed)
    lives = (sorted(_life(habits, person, people, dice)) for person in range(1, people + 1))
    yield from heapq.merge(*[[act] for life in lives for act in life])


def accepted(habits: Habits, person: int, *, people: int) -> float:
    """When a person's server took the message, in seconds since the send began."""
    return habits.sending * person / people


def _life(habits: Habits, person: int, people: int, dice: Random) -> Iterator[Act]:
    taken = accepted(habits, person, people=people)
    apple = dice.random() < habits.apple
    phone = dice.random() < 0.5
    gmail = not apple and dice.random() < 0.45
    home = _address(11, dice.randrange(habits.homes), dice)
    version = dice.randint(110, 140)
    browser = (IPHONE.format(version % 7, version % 7) if apple else ANDROID.format(version)) if phone else ""
    browser = browser or CHROME.format(version)
    if dice.random() < habits.scanned:
        yield from _scanner(habits, person, taken, dice)
    if apple:
        at = taken + dice.expovariate(1 / (20 * MINUTE))
        yield Act(at, Kind.OPEN, person, 0, APPLE, _address(17, dice.randrange(4000), dice), False)
    if dice.random() >= habits.opened:
        return
    at = taken + dice.lognormvariate(7.6, 1.6)
    if not apple:
        agent, client = (GMAIL, _address(66, dice.randrange(64), dice)) if gmail else (browser, home)
        if not gmail and not phone and dice.random() < 0.3:
            agent = OUTLOOK.format(16000 + version)
        yield Act(at, Kind.OPEN, person, 0, agent, client, True)
    if dice.random() < habits.clicked / habits.opened:
        wanted = 2 if dice.random() < habits.second_click else 1
        for link in dice.sample(range(habits.links), min(wanted, habits.links)):
            at += dice.uniform(*habits.think)
            yield Act(at, Kind.CLICK, person, link, browser, home, True)


def _scanner(habits: Habits, person: int, taken: float, dice: Random) -> Iterator[Act]:
    share = dice.random() * sum(share for share, _, _ in habits.burst_after)
    begin = 0.0
    for part, first, last in habits.burst_after:
        begin = dice.uniform(first, last)
        share -= part
        if share <= 0:
            break
    place = dice.randrange(habits.scanner_places)
    client = _address(52, place, dice)
    if dice.random() < habits.disguised:
        agent = CHROME.format(dice.randint(100, 140))
    else:
        agent = dice.choice(("", "python-requests/2.31", "Mozilla/5.0 (compatible; LinkChecker/1.0)"))
    picture = begin - max(0.2, dice.gauss(habits.picture_before, habits.picture_spread))
    other = client if dice.random() < habits.same_place else _address(53, dice.randrange(4000), dice)
    if picture > 0:
        yield Act(taken + picture, Kind.OPEN, person, 0, agent, other, False)
    for link in range(habits.links):
        at = taken + begin + dice.uniform(0, habits.burst_seconds)
        yield Act(at, Kind.CLICK, person, link, agent, client, False)


def _address(first: int, network: int, dice: Random) -> str:
    """An address of a /24, by number, below one /8. Google's pictures come from the range that it publishes."""
    if first == 66:
        return f"66.249.{80 + network % 16}.{dice.randint(1, 254)}"
    return f"{first}.{network // 256 % 256}.{network % 256}.{dice.randint(1, 254)}"
