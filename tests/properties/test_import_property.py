"""Whatever several systems say about a few people: every order of the files gives the same city."""

from __future__ import annotations

import datetime as dt
import tempfile
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from outreach.errors import UsageError
from outreach.store import tables
from outreach.store.database import Store
from outreach.subscribers.importing import import_file
from tests.subscribers.people_files import (
    govdelivery,
    listmonk,
    mailchimp,
    mailchimp_unsubscribed,
    salesforce,
    written,
)

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
people = st.sampled_from(["ada@x.example", "<BOB@x.example>", " eve@x.example", "nobody"])
days = st.integers(1, 4).map(lambda day: f"2024-01-0{day}")
names = st.sampled_from(["", "Dvořák", "Dvo?ák", "Lee"])
districts = st.sampled_from(["", "1", "2"])
topics = st.sampled_from(["", "Housing", "housing", "Parking & street sweeping"])

FILES = {
    "mailchimp": st.lists(
        st.builds(
            lambda who, day, name, district, topic: {
                "Email Address": who,
                "LAST_CHANGED": f"{day} 10:00:00",
                "OPTIN_TIME": f"{day} 09:00:00",
                "Last Name": name,
                "District": district,
                "TAGS": topic,
            },
            people,
            days,
            names,
            districts,
            topics,
        ),
        max_size=4,
    ).map(lambda rows: mailchimp(*rows)),
    "unsubscribed": st.lists(people, max_size=2).map(lambda who: mailchimp_unsubscribed(*who)),
    "salesforce": st.lists(
        st.builds(
            lambda who, day, name, district, out: {
                "E-Mail": who,
                "Last Activity": f"{day[8:]}.{day[5:7]}.{day[:4]}",
                "Nachname": name,
                "Council District": district and f"District {district}",
                "Email Opt Out": out,
            },
            people,
            days,
            names,
            districts,
            st.sampled_from(["0", "0", "1"]),
        ),
        max_size=4,
    ).map(lambda rows: salesforce(*rows)),
    "govdelivery": st.lists(
        st.builds(
            lambda who, day, topic, often: (who, "EMAIL", topic, f"{day[5:7]}/{day[8:]}/{day[:4]} 02:58 PM", often),
            people,
            days,
            topics,
            st.sampled_from(["Immediate", "Daily Digest", "Weekly Digest", ""]),
        ),
        max_size=4,
    ).map(lambda rows: govdelivery(*rows)),
    "listmonk": st.lists(
        st.builds(
            lambda who, day, name, district, status: (
                who,
                f"Ada {name}".strip(),
                {"district": district and int(district), "language": "es"},
                status,
                f"{day}T10:00:00Z",
            ),
            people,
            days,
            names,
            districts,
            st.sampled_from(["enabled", "enabled", "blocklisted"]),
        ),
        max_size=3,
    ).map(lambda rows: listmonk(*rows)),
}


@settings(max_examples=25)
@given(st.fixed_dictionaries(FILES), st.permutations(list(FILES)))
def test_every_order_of_the_files_gives_the_same_city(
    sqlite_store: Store, files: dict[str, str], order: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = count()
        paths = {name: written(Path(folder), f"{name}.csv", content) for name, content in files.items()}

        def city(names: list[str]) -> Any:
            empty(sqlite_store)
            for name in names:
                now = NOW + dt.timedelta(minutes=next(clock))
                result = import_file(sqlite_store, paths[name], now=now, rejects_folder=Path(folder) / "rejects")
                parts = (result.new, result.changed, result.unchanged, result.duplicates, result.rejected)
                assert result.rows == sum(parts) + result.suppressed
            return state(sqlite_store)

        assert city(list(FILES)) == city(order)


def empty(store: Store) -> None:
    with store.write() as connection:
        for table in ("subscription", "consent", "suppression", "provenance", "profile", "subscriber", "topic"):
            connection.execute(delete(tables.main.tables[table]))


def state(store: Store) -> Any:
    """Everybody, what they asked for, and who must not be written to."""
    subscriber, profile, subscription = tables.subscriber.c, tables.profile.c, tables.subscription.c
    with store.read() as connection:
        return (
            connection.execute(
                select(subscriber.address, subscriber.attributes, profile.locale, profile.joined_at, profile.t1)
                .join(tables.profile, profile.subscriber_id == subscriber.id)
                .order_by(subscriber.address)
            ).all(),
            connection.execute(
                select(subscriber.address, tables.topic.c.key, *tables.subscription.c[2:])
                .join_from(tables.subscription, tables.subscriber, subscriber.id == subscription.subscriber_id)
                .join(tables.topic, tables.topic.c.id == subscription.topic_id)
                .order_by(subscriber.address, tables.topic.c.key)
            ).all(),
            connection.execute(
                select(*[tables.suppression.c[name] for name in ("address", "reason", "source", "at")]).order_by(
                    tables.suppression.c.address
                )
            ).all(),
        )


headers = st.sampled_from(
    [b"", b"email,attributes,status,uuid,topics,joined,opt_out,language\n", b"Email Address;Name;District\r\n"]
)
pieces = st.sampled_from(
    [
        b'{"email": "ada@x.example", "dogs": 1e999, "cat": "\\u0000\\ud800"}\n',
        b'ada@x.example,"{""a"": 1e999, ""b"": ""\\u0000"", ""c"": [1]}",enabled,u,"Housing;x",0001-01-01,0,en\n',
        b'bob@x.example,"{""n"": NaN}",enabled\n',
        b'eve@x.example,"{""n"": ' + b"[" * 2000 + b'}",enabled,u,,31.12.9999,,' + b"en-abcdefgh" * 9 + b"\n",
        b"ada@x.example;Ren\xe9e\x00;4\n",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b'"',
        b"\r",
        b"\n\n",
        b",,,;;;\t",
        "ﷺ".encode() * 90,
    ]
)


@settings(max_examples=60)
@given(headers, st.lists(st.one_of(pieces, st.binary(max_size=6)), min_size=1, max_size=7).map(b"".join))
def test_any_bytes_are_imported_to_the_row_or_refused_in_words(store: Store, header: bytes, rest: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.csv"
        path.write_bytes(header + rest)
        refused = ""
        try:
            result = import_file(store, path, now=NOW, rejects_folder=Path(folder) / "rejects")
        except UsageError as error:
            refused = str(error)
        if refused:
            assert str(path) in refused
        else:
            parts = (result.new, result.changed, result.unchanged, result.duplicates, result.rejected)
            assert result.rows == sum(parts) + result.suppressed
