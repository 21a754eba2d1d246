"""Simulated residents and mail scanners, acting over real HTTP on the mail that really arrived.

Some people open, some of those click one link or two, a few leave, some press "spam". One mailbox in
twenty sits behind a scanner, which fetches the pixel and then every link at once, often under a
browser's name but without a browser's manners; `X-Practice-Scanner: 1` marks it. What they did is
returned, to be compared with what the report says.

Who does what depends on the seed, the address and the Message-ID only. A message that was acted upon
moves to `cur/`, so that residents who were interrupted go on where they stopped.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import urlencode, urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

from outreach.practice.browser import Browser, NoAnswer, Page, shape, stay_here
from outreach.practice.letters import Glance, Letter, glance, read
from outreach.practice.mailboxes import fate
from outreach.practice.manners import BROWSERS, DISGUISED_SCANNER, IMAGE, NAVIGATION, PERSON, SCANNER
from tracking.webhooks.feedback import HEADER, sign

CONNECTIONS = 32
"""Requests under way at a time."""


@dataclass(frozen=True, slots=True)
class Habits:
    """Shares of people, and seconds of theirs."""

    open: float = 0.42
    click: float = 0.3
    """Of those who open."""
    second_click: float = 0.35
    """Of those who click."""
    unsubscribe: float = 0.03
    """Of those who open; every other one by the mail program's own button (RFC 8058)."""
    scanned: float = 0.05
    """Of all mailboxes."""
    disguised: float = 0.5
    """Of the scanners: their User-Agent is a browser's, so that only the burst gives them away."""
    spread: float = 2.0
    """Seconds over which people get to their mail."""
    pause: tuple[float, float] = (1.3, 2.0)
    """Seconds between a person's acts: more than a second, for whoever is faster looks like a scanner."""


@dataclass(frozen=True, slots=True)
class Acts:
    """What happened, by address in lower case, as far as the service answered."""

    opened: frozenset[str]
    clicked: frozenset[str]
    unsubscribed: frozenset[str]
    complained: frozenset[str]
    """Pressed "spam"."""
    scanned: frozenset[str]
    opens: int
    clicks: int
    scanner_hits: int
    failures: tuple[str, ...]
    """One sentence for each request that was not answered as a mail program must be able to expect."""


class _Failure(Exception):
    pass


def act(
    folder: Path,
    *,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    via: tuple[str, int] | None = None,
    habits: Habits = Habits(),
    webhook_secret: bytes | None = None,
) -> Acts:
    """Let residents and scanners act on every unread message of a mailbox server's folder.

    `progress` is told how many of how many messages are dealt with. `via` is where the tracking
    service listens, if the links name a public address. ConfigurationError if they lead away from
    this computer otherwise. With the service's `webhook_secret`, complaints are reported to it.
    """
    return asyncio.run(
        act_in_loop(folder, seed=seed, progress=progress, via=via, habits=habits, webhook_secret=webhook_secret)
    )


async def act_in_loop(
    folder: Path,
    *,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    via: tuple[str, int] | None = None,
    habits: Habits = Habits(),
    webhook_secret: bytes | None = None,
) -> Acts:
    """As `act`, in a running event loop."""
    town = _Town(seed, habits, via, webhook_secret)
    letters = [glance(path) for path in sorted((folder / "new").glob("*.eml"))]
    done = 0

    async def live(letter: Glance) -> None:
        nonlocal done
        await town.receive(letter)
        os.rename(letter.path, folder / "cur" / letter.path.name)
        done += 1
        progress(done, len(letters))

    try:
        async with asyncio.TaskGroup() as group:
            for letter in letters:
                group.create_task(live(letter))
                await asyncio.sleep(0)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return town.acts()


@dataclass(slots=True)
class _Town:
    seed: int
    habits: Habits
    via: tuple[str, int] | None
    webhook_secret: bytes | None = None
    opened: list[str] = field(default_factory=list)
    clicked: list[str] = field(default_factory=list)
    unsubscribed: list[str] = field(default_factory=list)
    complained: list[str] = field(default_factory=list)
    scanned: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTIONS))

    def acts(self) -> Acts:
        return Acts(
            opened=frozenset(self.opened),
            clicked=frozenset(self.clicked),
            unsubscribed=frozenset(self.unsubscribed),
            complained=frozenset(self.complained),
            scanned=frozenset(self.scanned),
            opens=len(self.opened),
            clicks=len(self.clicked),
            scanner_hits=len(self.scanned),
            failures=tuple(self.failures),
        )

    async def receive(self, mail: Glance) -> None:
        dice = Random(f"{self.seed}/{mail.address}/{mail.message_id}")
        scanned = Random(f"{self.seed}/{mail.address}").random() < self.habits.scanned
        opens = dice.random() < self.habits.open
        complains = fate(mail.address) == "complain"
        if not (scanned or opens or complains):
            return
        letter = read(mail.path, mail.address)
        for url in filter(None, (letter.pixel, letter.unsubscribe)):
            stay_here(url, via=self.via)
        if scanned:
            await self._scan(letter, dice)
        if opens:
            await self._live(letter, dice)
        if complains:
            await self._complain(letter)

    async def _complain(self, letter: Letter) -> None:
        """Press "spam": the mailbox provider's feedback loop reports it, signed, by the mail's own token."""
        self.complained.append(letter.address)
        if self.webhook_secret is None:
            return
        report = {"events": [{"kind": "complaint", "token": letter.unsubscribe.rpartition("/")[2]}]}
        body = json.dumps(report)
        signature = sign(body.encode(), secret=self.webhook_secret, at=int(time.time()))
        headers = {"Content-Type": "application/json", HEADER.decode("ascii"): signature}
        provider = Browser({"User-Agent": "Practice feedback loop"}, home="127.251.0.1", via=self.via)
        target = urljoin(letter.unsubscribe, "/hooks/feedback")
        try:
            answer = await self._wait(lambda: provider.post(target, body, headers))
        except _Failure as failure:
            self.failures.append(str(failure))
        else:
            if not 200 <= answer.status < 300:
                self.failures.append(f"the complaint at {shape(target)} was answered {answer.status}")

    async def _scan(self, letter: Letter, dice: Random) -> None:
        manners = DISGUISED_SCANNER if dice.random() < self.habits.disguised else SCANNER
        browser = Browser(manners, home=f"127.250.0.{dice.randint(1, 9)}", via=self.via)
        # Only our own service is visited; where its links lead is the world, and practice stays at home.
        ours = [url for url in letter.links if _origin(url) == _origin(letter.pixel or letter.unsubscribe)]
        await asyncio.sleep(dice.uniform(0, self.habits.spread))
        for urls in ([letter.pixel] if letter.pixel else [], ours):
            for good in await asyncio.gather(*(self._visit(browser, url) for url in urls)):
                if good:
                    self.scanned.append(letter.address)

    async def _visit(self, browser: Browser, url: str) -> bool:
        try:
            await self._fetch(browser, url, {})
        except _Failure as failure:
            self.failures.append(str(failure))
            return False
        return True

    async def _live(self, letter: Letter, dice: Random) -> None:
        home = f"127.{dice.randint(1, 240)}.{dice.randint(0, 255)}.{dice.randint(1, 254)}"
        person = Browser({**PERSON, "User-Agent": dice.choice(BROWSERS)}, home=home, via=self.via)
        wanted = 0 if dice.random() >= self.habits.click else 1 + (dice.random() < self.habits.second_click)
        links = dice.sample(letter.clicks, min(wanted, len(letter.clicks)))
        leaves = dice.random() < self.habits.unsubscribe
        by_button = letter.one_click and dice.random() < 0.5
        pauses = [dice.uniform(*self.habits.pause) for _ in range(3)]
        await asyncio.sleep(dice.uniform(0, self.habits.spread))
        try:
            if letter.pixel:
                await self._fetch(person, letter.pixel, IMAGE)
                self.opened.append(letter.address)
            for link in links:
                await asyncio.sleep(pauses.pop())
                await self._fetch(person, link, NAVIGATION)
                self.clicked.append(letter.address)
            if leaves and letter.unsubscribe:
                await asyncio.sleep(pauses.pop())
                await (self._leave_by_button if by_button else self._leave_by_page)(person, letter)
                self.unsubscribed.append(letter.address)
        except _Failure as failure:
            self.failures.append(str(failure))

    async def _leave_by_button(self, person: Browser, letter: Letter) -> None:
        page = await self._wait(lambda: person.post(letter.unsubscribe, "List-Unsubscribe=One-Click", {}))
        if not 200 <= page.status < 300:  # RFC 8058 3.1: no redirects
            raise _Failure(f"one-click POST {shape(letter.unsubscribe)} answered {page.status}")

    async def _leave_by_page(self, person: Browser, letter: Letter) -> None:
        page = await self._fetch(person, letter.unsubscribe, NAVIGATION)
        form = LexborHTMLParser(page.body.decode("utf-8", "replace")).css_first("form[method=post i]")
        if form is None:
            raise _Failure(f"the page {shape(letter.unsubscribe)} has no form to post")
        fields = {
            name: node.attributes.get("value") or ""
            for node in form.css("input[type=hidden], button")
            if (name := node.attributes.get("name"))
        }
        target = urljoin(letter.unsubscribe, form.attributes.get("action") or "")
        answer = await self._wait(lambda: person.post(target, urlencode(fields), NAVIGATION))
        if not 200 <= answer.status < 400:
            raise _Failure(f"POST {shape(target)} answered {answer.status}")

    async def _fetch(self, browser: Browser, url: str, extra: Mapping[str, str]) -> Page:
        page = await self._wait(lambda: browser.get(url, extra))
        redirects = 300 <= page.status < 400 and "location" in page.headers
        if page.status != 200 and not redirects:
            raise _Failure(f"GET {shape(url)} answered {page.status}")
        return page

    async def _wait(self, ask: Callable[[], Awaitable[Page]]) -> Page:
        async with self.gate:
            try:
                return await ask()
            except NoAnswer as problem:
                raise _Failure(str(problem)) from None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
