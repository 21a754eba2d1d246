"""Residents and scanners visit the real tracking service; its spool must say what they say they did."""

from __future__ import annotations

import sqlite3
from email.message import EmailMessage
from pathlib import Path

from outreach.events import Flag, Kind
from outreach.practice.answers import Envelope
from outreach.practice.mailboxes import Maildir
from outreach.practice.residents import Habits, act
from outreach.tokens import Purpose, click_base, open_url, unsubscribe_url
from tracking.testing import running, token

PEOPLE = 60


def deliver(folder: Path, base: str, subscriber: int) -> None:
    leave = unsubscribe_url(base, token(Purpose.UNSUBSCRIBE, subscriber))
    click = click_base(base, token(Purpose.CLICK, subscriber))
    message = EmailMessage()
    message["Message-ID"] = f"<{subscriber}@city.example>"
    message["List-Unsubscribe"] = f"<{leave}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(
        f'<a href="{click}0">Map</a> <a href="{click}1">Street</a> <a href="{leave}">Unsubscribe</a>'
        f'<img src="{open_url(base, token(Purpose.OPEN, subscriber))}" alt="">',
        subtype="html",
    )
    content = message.as_bytes().replace(b"\n", b"\r\n")
    Maildir(folder).keep(f"p{subscriber}@mail1.example", Envelope("b-1@city.example", (), content))


def hits(spool: Path) -> list[tuple[Kind, int, Flag]]:
    rows = []
    for path in spool.glob("*.spool"):
        connection = sqlite3.connect(path)
        rows += connection.execute("SELECT kind, subscriber_id, flags FROM hit").fetchall()
        connection.close()
    return [(Kind(kind), subscriber, Flag(flags)) for kind, subscriber, flags in rows]


def test_the_spool_holds_what_residents_and_scanners_did(tmp_path):
    mail = tmp_path / "mail"
    with running(tmp_path) as service:
        for subscriber in range(1, PEOPLE + 1):
            deliver(mail, f"http://127.0.0.1:{service.port}", subscriber)
        habits = Habits(unsubscribe=0.4, scanned=0.2, spread=0.1, pause=(0.01, 0.05))
        acts = act(mail, seed=2, habits=habits)
    recorded = hits(tmp_path / "spool")

    def seen(kind: Kind, *, people: bool) -> list[str]:
        # What a person's browser has and no practice scanner: a language, except behind the one-click button.
        return [
            f"p{subscriber}@mail1.example"
            for found, subscriber, flags in recorded
            if found is kind and (people == bool(flags & (Flag.ACCEPT_LANGUAGE | Flag.ONE_CLICK)))
        ]

    assert acts.failures == ()
    assert set(seen(Kind.OPEN, people=True)) == acts.opened
    assert len(seen(Kind.CLICK, people=True)) == acts.clicks > 0
    assert set(seen(Kind.CLICK, people=True)) == acts.clicked
    assert set(seen(Kind.UNSUBSCRIBE, people=True)) == acts.unsubscribed != frozenset()
    assert set(seen(Kind.OPEN, people=False)) == set(seen(Kind.CLICK, people=False)) == acts.scanned != frozenset()
    assert seen(Kind.UNSUBSCRIBE, people=False) == []
