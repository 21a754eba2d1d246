"""Twenty senders, poisoned data, people who leave, and an emergency in the middle of a bulk send."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from sqlalchemy import insert, update

from benchmarks import _city as cities
from outreach.errors import OutreachError
from outreach.store import tables
from outreach.testing import Fault, FaultServer
from tests.trust.scene import LANES, PEOPLE, Case, Run, Scene


def cases(*, full: bool) -> Iterator[Case]:
    for _ in range(3 if full else 1):
        yield _twenty
    yield from (partial(_poisoned, what, first_name) for what, first_name in POISON.items())
    yield _canaries
    yield _edited
    yield partial(_left_meanwhile, "suppressed")
    yield partial(_left_meanwhile, "erased")
    yield partial(_left_meanwhile, "moved")
    yield _emergency


def _twenty() -> Run:
    run = Run("F-40", "twenty senders of one campaign at once")
    with Scene(400) as scene, FaultServer() as server:
        crew = [scene.start("", server.port) for _ in range(20)]
        for each in crew:
            each.join(120)
        wrong = scene.finish(server.port)
        return scene.judge(run, server.accepted_ids, wrong)


POISON = {
    "no first name": None,
    "a number for a name": 7,
    "10 MB for a name": "x" * 10_000_000,
    "NUL and CR LF . CR LF": "Eve\x00\r\n.\r\nMAIL FROM:<eve@evil.example>\r\n",
    "a header": "Eve\r\nBcc: everybody@city.example",
    "right to left and emoji": "‮\U0001f9d1‍\U0001f692 \u0627\u0644\u0633\u0644\u0627\u0645",
    "a template": "{{ subscriber.__class__ }}{% for x in range(10**9) %}{% endfor %}",
    "a lone surrogate": "\\ud800",
}


def _poisoned(what: str, first_name: object) -> Run:
    run = Run("F-52", f"one person's data: {what}")
    with Scene() as scene, FaultServer() as server:
        store = scene.city.open()
        with store.write() as connection:
            person = tables.subscriber.c.id == 5
            connection.execute(update(tables.subscriber).where(person).values(attributes={"first_name": first_name}))
        store.close()
        wrong = scene.finish(server.port)
        counts = scene.city.counts()
        if counts.get("accepted", 0) < PEOPLE - 1 or counts.get("accepted", 0) + counts.get("quarantined", 0) != PEOPLE:
            wrong = str(counts)
        if any(len(each.recipients) != 1 or b"\nBcc:" in each.content for each in server.accepted):
            wrong = "one person's data reached somebody else"
        return scene.judge(run, server.accepted_ids, wrong)


def _canaries() -> Run:
    """Everybody's message holds their own mark and nobody else's."""
    run = Run("F-53", "1,000 people, each with a mark of their own")
    with Scene(1_000) as scene, FaultServer() as server:
        store = scene.city.open()
        with store.write() as connection:
            for person in range(1, 1_001):
                mine = tables.subscriber.c.id == person
                connection.execute(
                    update(tables.subscriber).where(mine).values(attributes={"first_name": f"mark{person:06}x"})
                )
        store.close()
        wrong = scene.finish(server.port, lanes=5)
        for each in server.accepted:
            number = int(each.recipients[0].partition("@")[0].removeprefix("resident"))
            marks = set(_marks(each.content))
            if marks != {f"mark{number:06}x".encode()}:
                wrong = f"{each.recipients[0]} reads {sorted(marks)}"
        return scene.judge(run, server.accepted_ids, wrong)


def _marks(content: bytes) -> list[bytes]:
    import re

    return re.findall(rb"mark\d{6}x", content)


def _edited() -> Run:
    """The files the campaign was planned from are edited and deleted while it is sent: the plan is what leaves."""
    run = Run("F-54", "the message is edited during the send")
    with Scene() as scene, FaultServer() as server:
        scene.kill_at("dotted:4", server.port)
        (scene.city.folder / "sweeping.md").write_text("something else")
        run.allowed = LANES
        wrong = scene.finish(server.port)
        if any(b"sweeping" not in each.content for each in server.accepted):
            wrong = "another message left"
        return scene.judge(run, server.accepted_ids, wrong)


def _left_meanwhile(how: str) -> Run:
    """Somebody is suppressed, erased or moves after the plan and before the claim: the last look sees it."""
    run = Run("F-55", f"{how} between plan and claim")
    with Scene() as scene, FaultServer() as server:
        store = scene.city.open()
        with store.write() as connection:
            mine = tables.subscriber.c.id == 5
            if how == "suppressed":
                connection.execute(
                    insert(tables.suppression).values(
                        address="resident5@mail.example", reason="complaint", source="test", at=cities.NOON
                    )
                )
            elif how == "erased":
                connection.execute(tables.subscriber.delete().where(mine))
            else:
                connection.execute(update(tables.subscriber).where(mine).values(address="new5@mail.example"))
        store.close()
        wrong = scene.finish(server.port)
        reached = {each.recipients[0] for each in server.accepted}
        if "resident5@mail.example" in reached or ("new5@mail.example" in reached) != (how == "moved"):
            wrong = "the old address was used"
        return scene.judge(run, server.accepted_ids, wrong)


def _emergency() -> Run:
    """An emergency during a bulk send to a slow relay: no more go ahead of it than the relay takes in a second."""
    run = Run("F-62", "an emergency overtakes a running bulk send")
    slow = 0.02  # seconds for each message, on each connection
    with Scene(400) as scene, FaultServer([Fault("DOT", delay=slow, times=None)]) as server:
        bulk = scene.start("", server.port)
        while len(server.accepted) < 20:
            time.sleep(0.01)
        store = scene.city.open()
        alarm = cities.add_campaign(store, cities.small_message(), 40, message_class="emergency")
        store.close()
        urgent = cities.City(scene.city.folder, scene.orders(server.port, campaign_id=alarm))
        wanted = set(urgent.ledger())
        ahead = len(server.accepted_ids)
        trouble: OutreachError | None = scene.send(server.port, campaign_id=alarm)
        bulk.join(60)
        first = next(nth for nth, each in enumerate(server.accepted_ids) if each in wanted)
        wrong = str(trouble or "") or ("" if first - ahead <= LANES / slow else f"{first - ahead} went ahead of it")
        if urgent.counts() != {"accepted": 40} or scene.city.counts() != {"accepted": 400}:
            wrong = f"{urgent.counts()} {scene.city.counts()}"
        return scene.judge(run, [each for each in server.accepted_ids if each not in wanted], wrong)
