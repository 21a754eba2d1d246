"""Silent people are asked before anything else happens; and our own mailboxes say where mail lies."""

from __future__ import annotations

import datetime as dt
import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, insert, select, update

from outreach.bounces.sunset import Step, apply, asked_in, due, patience
from outreach.cli import main
from outreach.cli.workspace import open_workspace
from outreach.errors import ConfigurationError, OutreachError
from outreach.store import campaigns, placement, tables
from outreach.store.acting import shell_user
from outreach.store.database import Store
from outreach.store.deliveries import State
from tests.bounces.returned_mail import KEYS
from tracking.bounces import seeds
from tracking.bounces.imap import mailbox

MONTH = dt.timedelta(days=30)


def city(store: Store, now: dt.datetime, *, mails: int = 30) -> None:
    """Ada never reacts, Grace clicked last week, Mary gets only statutory mail; all joined two years ago."""
    long_ago = now - dt.timedelta(days=730)
    with store.write() as connection:
        for number, name, kind in ((1, "Parks", "regular"), (2, "Tax", "statutory")):
            connection.execute(insert(tables.topic).values(id=number, name=name, key=name.lower(), message_class=kind))
        for number, name in enumerate(("ada", "grace", "mary"), 1):
            connection.execute(
                insert(tables.subscriber).values(
                    id=number, address=f"{name}@example.com", attributes={}, created_at=long_ago
                )
            )
            clicked = now - dt.timedelta(days=7) if name == "grace" else None
            # opened yesterday: an open alone is no sign of life
            connection.execute(
                insert(tables.profile).values(
                    subscriber_id=number,
                    status=1,
                    joined_at=long_ago,
                    received=mails,
                    last_click_at=clicked,
                    last_open_at=now - dt.timedelta(days=1),
                )
            )
            for topic in (1, 2):
                connection.execute(
                    insert(tables.subscription).values(
                        topic_id=topic, subscriber_id=number, status=1, changed_at=long_ago
                    )
                )
        for number in range(1, mails + 1):
            kind = "statutory" if number > mails - 5 else "regular"
            begun = now - dt.timedelta(days=number)
            connection.execute(
                insert(tables.campaign).values(
                    id=number,
                    name=f"c{number}",
                    file="c.md",
                    message_class=kind,
                    status="sent",
                    rule="",
                    plan={},
                    plan_hash="",
                    frozen=3,
                    planned_at=begun,
                    started_at=begun,
                )
            )
            people = (3,) if kind == "statutory" else (1, 2)
            connection.execute(
                insert(tables.delivery),
                [
                    {
                        "campaign_id": number,
                        "subscriber_id": person,
                        "state": State.ACCEPTED.value,
                        "attempts": 1,
                        "at": begun,
                    }
                    for person in people
                ],
            )


def test_who_gets_more_mail_is_missed_sooner() -> None:
    assert [patience(count) for count in (90, 30, 12, 3)] == [60, 120, 180, 270]


def ask(store: Store, number: int, *, now: dt.datetime, state: State = State.ACCEPTED) -> list[int]:
    """Plan the question for everybody due, and send it. Who was asked."""
    values = {"file": "still.md", "message_class": "regular", "status": "sent", "rule": "", "plan": {}, "plan_hash": ""}
    with store.write() as connection:
        people = due(connection, now=now)
        to_ask = [each.subscriber_id for each in people if each.step is Step.ASK]
        moments = {"frozen": len(to_ask), "planned_at": now, "started_at": now}
        connection.execute(insert(tables.campaign).values(id=number, name=f"still-{number}", **values, **moments))
        row = {"campaign_id": number, "state": state.value, "attempts": 1, "at": now + dt.timedelta(days=2)}
        if to_ask:
            connection.execute(insert(tables.delivery), [{**row, "subscriber_id": each} for each in to_ask])
        return [each.subscriber_id for each in asked_in(connection, number, people, now=now)]


def test_asked_slowed_paused_and_statutory_mail_goes_on(store: Store, now: dt.datetime) -> None:
    city(store, now)
    assert ask(store, 101, now=now) == [1]
    assert ask(store, 102, now=now) == []
    steps = []
    for days in (31, 32, 61, 62, 92, 122):  # the question was taken two days after it was planned
        when = now + dt.timedelta(days=days)
        with store.write() as connection:
            found = due(connection, now=when)
            steps.append([(each.subscriber_id, each.step) for each in found])
            apply(connection, found, now=when)
            assert due(connection, now=when) == []
    assert steps == [[], [(1, Step.SLOW_DOWN)], [], [(1, Step.PAUSE)], [], []]
    with store.read() as connection:
        columns = (tables.subscription.c.topic_id, tables.subscription.c.status, tables.subscription.c.frequency)
        mine = select(*columns).where(tables.subscription.c.subscriber_id == 1).order_by(columns[0])
        assert [tuple(row) for row in connection.execute(mine)] == [(1, 0, 2), (2, 1, 0)]


@pytest.mark.parametrize("state", [State.CANCELLED, State.EXPIRED, State.BOUNCED])
def test_who_never_got_the_question_is_asked_again_and_nothing_else(
    sqlite_store: Store, now: dt.datetime, state: State
) -> None:
    city(sqlite_store, now)
    assert ask(sqlite_store, 101, now=now, state=state) == [1]
    with sqlite_store.write() as connection:
        assert due(connection, now=now + MONTH - dt.timedelta(days=1)) == []
        (again,) = due(connection, now=now + MONTH)
        assert (again.subscriber_id, again.step) == (1, Step.ASK)
        apply(connection, [again], now=now + MONTH)  # asking takes a campaign; nothing is done without one
        assert [each.step for each in due(connection, now=now + MONTH)] == [Step.ASK]


def test_a_click_begins_anew(sqlite_store: Store, now: dt.datetime) -> None:
    city(sqlite_store, now)
    assert ask(sqlite_store, 101, now=now) == [1]
    with sqlite_store.write() as connection:
        clicked = update(tables.profile).where(tables.profile.c.subscriber_id == 1)
        connection.execute(clicked.values(last_click_at=now + dt.timedelta(days=3)))
        assert due(connection, now=now + MONTH * 2) == []


def test_the_question_is_a_campaign_among_who_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, list(arguments), env={"OUTREACH_MODE": "live"}, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.stdout

    run("init", str(tmp_path / "town"))
    monkeypatch.chdir(tmp_path / "town")
    Path("people.csv").write_text("email\n" + "".join(f"p{n}@example.com\n" for n in range(1, 41)), "utf-8")
    run("subscribers", "import", "people.csv", "--topic", "Parks", "--source", "form")
    with open_workspace().store.write() as connection:
        _make_silent(connection, now=dt.datetime.now(dt.UTC))
    Path("campaigns/still.md").write_text(
        '---\nsubject: Do you still want our mail about parks?\nto: topic is "Parks"\ntopic: Parks\n'
        "from: Parks <parks@city.example>\n---\nHello,\n\n[Yes, still](https://city.example/yes)\n",
        "utf-8",
    )
    hosts = Path("outreach.toml").read_text("utf-8")
    Path("outreach.toml").write_text(hosts + '\n[gate]\nlink_hosts = "other.example"\n', "utf-8")
    run("deliverability", "sunset", "--ask", "campaigns/still.md", code=6)  # the gate stands here, too
    Path("outreach.toml").write_text(hosts, "utf-8")
    found = json.loads(run("deliverability", "sunset", "--ask", "campaigns/still.md", "--json"))
    assert found["steps"] == {"ask": 3}
    with open_workspace().store.read() as connection:
        frozen = select(tables.campaign.c.frozen).where(tables.campaign.c.name == found["plan"])
        assert connection.execute(frozen).scalar_one() == 3
        assert campaigns.find(connection, found["plan"]).plan["planned_by"] == f"shell user {shell_user()}"
        assert len(connection.execute(select(tables.sunset)).all()) == 3
    assert "would be" not in run("deliverability", "sunset")  # the question is on its way
    run("deliverability", "sunset", "--ask", "campaigns/still.md", code=6)  # nobody is left to be asked


def _make_silent(connection: Connection, *, now: dt.datetime) -> None:
    """Three of the town's people got thirty mails and never reacted; the others joined yesterday."""
    joined = update(tables.profile).values(joined_at=now - dt.timedelta(days=700), received=30)
    connection.execute(joined.where(tables.profile.c.subscriber_id <= 3))
    connection.execute(update(tables.consent).values(at=now - dt.timedelta(days=700)))
    values = {"file": "c.md", "message_class": "regular", "status": "sent", "rule": "", "plan": {}, "plan_hash": ""}
    for number in range(1, 31):
        begun = {"planned_at": now - dt.timedelta(days=number), "started_at": now - dt.timedelta(days=number)}
        connection.execute(insert(tables.campaign).values(id=number, name=f"c{number}", frozen=3, **begun, **values))
        row = {"campaign_id": number, "state": State.ACCEPTED.value, "attempts": 1, "at": begun["started_at"]}
        connection.execute(insert(tables.delivery), [{**row, "subscriber_id": each} for each in (1, 2, 3)])


def test_each_look_is_made_once_when_due(sqlite_store: Store, now: dt.datetime) -> None:
    city(sqlite_store, now, mails=6)
    begun = now - dt.timedelta(days=1)
    mine = [
        seeds.Seed("ada@example.com", mailbox("imap://a:b@imap.gmail.com/INBOX")),
        seeds.Seed("grace@example.com", mailbox("imap://a:b@127.0.0.1/INBOX")),
    ]
    asked: list[tuple[str, str]] = []

    def place_of(seed: seeds.Seed, message_id: str) -> str:
        asked.append((seed.address, message_id))
        if seed.address.startswith("grace"):
            raise OutreachError("away")
        return "junk"

    for minutes in (1, 6, 7, 31, 200):
        when = begun + dt.timedelta(minutes=minutes)
        seeds.look(sqlite_store, mine, keys=KEYS, domain="city.example", now=when, place_of=place_of)
    with sqlite_store.read() as connection:
        assert placement.looked_at(connection, 1) == {("ada@example.com", each) for each in (5, 30, 120)}
        found = placement.placements(connection, since=begun - dt.timedelta(days=1))
    assert dict(found["google"]) == {"junk": 1}
    assert len({message_id for address, message_id in asked if address.startswith("ada")}) == 1


def test_seeds_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "seeds.toml"
    assert seeds.load(path) == []
    path.write_text('[[seed]]\naddress = "Seed@gmail.com"\nimap = "imaps://seed:x@imap.gmail.com/INBOX"\n')
    assert [each.address for each in seeds.load(path)] == ["seed@gmail.com"]
    path.write_text("[[seed]]\n")
    with pytest.raises(ConfigurationError, match="address and an imap"):
        seeds.load(path)


def test_positions_are_spread_by_chance() -> None:
    drawn = [seeds.positions(1000, 10, dice=random.Random(n)) for n in range(50)]
    middle = sum(sum(each) for each in drawn) / (50 * 10)
    assert 450 < middle < 560
    assert all(len(set(each)) == 10 for each in drawn)
