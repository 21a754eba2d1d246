"""A small city whose mail comes back: three residents, one campaign that was accepted for all of them."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import insert

from outreach.bounces.reading import Reading, read
from outreach.store import tables
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.tokens import KeyRing, Purpose, return_path

KEYS = KeyRing({1: b"k" * 32})
PEOPLE = ("ada@example.com", "grace@gmail.com", "mary@example.org")


class NearReader:
    """Reads in this process; the worker has tests of its own."""

    def read(self, raw: bytes) -> Reading:
        return read(raw)


def envelope(person: int, campaign: int = 1) -> str:
    """The return path of a person's mail."""
    return return_path(KEYS.sign(Purpose.RETURN_PATH, campaign, person), domain="mail.city.example")


def dsn(
    address: str,
    *,
    to: str,
    diagnostic: str = "550 5.1.1 User unknown",
    status: str = "5.1.1",
    action: str = "failed",
    message_id: str = "<dsn1@mx.example.com>",
) -> bytes:
    """A delivery status notification as Postfix writes it."""
    return f"""From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
To: {to}
Subject: Undelivered Mail Returned to Sender
Message-ID: {message_id}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

<{address}>: host mx.example.com[192.0.2.1] said: {diagnostic}

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; {diagnostic}

--b1
Content-Type: text/rfc822-headers

Subject: Street sweeping
To: {address}
--b1--
""".encode()


def seed(store: Store, people: tuple[str, ...] = PEOPLE, *, campaigns: int = 1) -> None:
    at = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    with store.write() as connection:
        connection.execute(insert(tables.topic).values(id=3, name="Parking", key="parking"))
        connection.execute(
            insert(tables.subscriber),
            [{"id": n, "address": name, "attributes": {}, "created_at": at} for n, name in enumerate(people, 1)],
        )
        for number in range(1, campaigns + 1):
            connection.execute(
                insert(tables.campaign).values(
                    id=number,
                    name=f"sweeping-{number}",
                    file="campaigns/sweeping.md",
                    topic_id=3,
                    status="sent",
                    rule="everyone",
                    plan={},
                    plan_hash="",
                    frozen=len(people),
                    planned_at=at,
                    started_at=at,
                )
            )
            connection.execute(
                insert(tables.delivery),
                [
                    {"campaign_id": number, "subscriber_id": n, "state": State.ACCEPTED.value, "attempts": 1, "at": at}
                    for n in range(1, len(people) + 1)
                ],
            )
