"""What is due when: occurrences of campaigns, and the items that digests gather."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, SmallInteger, String, Table, Text, text

from outreach.store.dialects import BigId, Document, Instant
from outreach.store.tables.base import main

_AT_ONCE = text("frequency = 0")

occurrence = Table(  # one moment at which a campaign file was due; its key is why nothing is due twice
    "occurrence",
    main,
    Column("file", String(200), primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("campaign_id", Integer),
    Column("state", String(12), nullable=False),  # schedule.State: claimed started missed refused
    Column("noted_at", Instant, nullable=False),
)

item = Table(  # one thing that happened in a topic: a campaign, or an entry of a feed
    "item",
    main,
    Column("id", Integer, primary_key=True),
    Column("topic_id", Integer, ForeignKey("topic.id"), nullable=False),
    Column("campaign_id", Integer, unique=True),
    Column("source", String(80), unique=True),  # the feed and the entry's own key, hashed
    Column("content", Document, nullable=False),  # {"en": {"title": …, "body": Markdown}}
    Column("published_at", Instant, index=True),  # NULL: its campaign has not started
    sqlite_autoincrement=True,
)

pending = Table(  # who waits for which item: decided when it was planned, gone when a digest has it
    "pending",
    main,
    Column("item_id", Integer, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigId, primary_key=True, autoincrement=False),
    Column("frequency", SmallInteger, nullable=False),  # consent.Frequency
    # Who wants an entry of a feed at once; looked for every minute, and nearly always nobody.
    Index("ix_pending_frequency", "frequency", "item_id", sqlite_where=_AT_ONCE, postgresql_where=_AT_ONCE),
    sqlite_with_rowid=False,
)

digest = Table(  # which items one person's digest carries; the delivery row beside it says what became of it
    "digest",
    main,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigId, primary_key=True, autoincrement=False),
    Column("carries", Document, nullable=False),  # the items' ids
    sqlite_with_rowid=False,
)

feed = Table(
    "feed",
    main,
    Column("url", String(400), primary_key=True),
    Column("etag", String(400)),
    Column("modified", String(80)),
    Column("fetched_at", Instant, nullable=False),
    Column("trouble", Text),
)
