"""Where values came from and what each import did."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, SmallInteger, String, Table, Text

from outreach.store.dialects import BigId, Document, Instant
from outreach.store.tables.base import main

provenance = Table(  # how old each value is, so that the order in which files come in cannot matter
    "provenance",
    main,
    Column("subscriber_id", BigId, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
    Column("as_of", Instant, nullable=False),  # the source's own date of every value not named in `dates`
    Column("source", String(40), nullable=False),
    Column("dates", Document),  # {"zip": [milliseconds, "salesforce"]}: values with another date or source
    Column("import_id", Integer),  # which import wrote this last; NULL: the person, or a colleague, has since
)

import_run = Table(
    "import_run",
    main,
    Column("id", Integer, primary_key=True),
    Column("file", String(400), nullable=False),
    Column("source", String(40), nullable=False),  # mailchimp, govdelivery, …; csv when we do not know the system
    Column("hash", String(64), nullable=False),  # of the file as it was read
    Column("at", Instant, nullable=False),
    Column("result", Document, nullable=False),  # the counts, as shown
    # What is needed to take it back: the numbers it gave to new people, and its lines of the consent log.
    Column("first_id", BigId),
    Column("last_id", BigId),
    Column("consent_from", BigId),
    Column("consent_until", BigId),
    Column("undone_at", Instant),
    sqlite_autoincrement=True,
)

import_person = Table(  # people we knew, as they were before an import changed them
    "import_person",
    main,
    Column("import_id", Integer, primary_key=True),
    Column("subscriber_id", BigId, primary_key=True),
    Column("attributes", Document),  # NULL: only the dates changed
    Column("locale", String(16)),
    Column("joined_at", Instant),
    Column("as_of", Instant),  # NULL: there was no note of it
    Column("source", String(40)),
    Column("dates", Document),
    Column("before_id", Integer),  # provenance.import_id
    sqlite_with_rowid=False,
)

import_subscription = Table(  # the same of subscriptions of people we knew; status NULL: there was none
    "import_subscription",
    main,
    Column("import_id", Integer, primary_key=True),
    Column("topic_id", Integer, primary_key=True),
    Column("subscriber_id", BigId, primary_key=True),
    Column("status", SmallInteger),
    Column("frequency", SmallInteger),
    Column("frequency_at", Instant),
    Column("changed_at", Instant),
    sqlite_with_rowid=False,
)

import_suppression = Table(  # the same of suppressions; reason NULL: there was none
    "import_suppression",
    main,
    Column("import_id", Integer, primary_key=True),
    Column("address", String(320), primary_key=True),
    Column("subscriber_id", BigId),
    Column("reason", String(12)),
    Column("source", String(200)),
    Column("at", Instant),
    Column("detail", Text),
    sqlite_with_rowid=False,
)
