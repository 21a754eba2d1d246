"""People's opens and clicks, rolled up for rules and reports, and how far that has got."""

from __future__ import annotations

from sqlalchemy import Column, Integer, SmallInteger, String, Table

from outreach.store.dialects import BigId, Instant
from outreach.store.tables.base import main

engagement = Table(
    "engagement",
    main,
    Column("scope_kind", SmallInteger, primary_key=True),  # 1 department, 2 topic, 3 campaign (who did something)
    Column("scope_id", Integer, primary_key=True),
    Column("subscriber_id", BigId, primary_key=True),
    Column("received", Integer, nullable=False, server_default="0"),
    Column("opens", Integer, nullable=False, server_default="0"),
    Column("clicks", Integer, nullable=False, server_default="0"),
    Column("unopened", Integer, nullable=False, server_default="0"),
    Column("last_sent_at", Instant),
    Column("last_open_at", Instant),
    Column("last_click_at", Instant),
    sqlite_with_rowid=False,
)

engagement_day = Table(
    "engagement_day",
    main,
    Column("kind", SmallInteger, primary_key=True),  # events.Kind: open or click
    Column("day", Integer, primary_key=True),  # days since 1970 in the organisation's zone
    Column("subscriber_id", BigId, primary_key=True),
    Column("campaign_id", Integer, primary_key=True),
    Column("department_id", Integer, nullable=False),  # the campaign's, as is the topic; 0: none
    Column("topic_id", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    sqlite_with_rowid=False,
)

segment_count = Table(  # one line a night for each segment: its history
    "segment_count",
    main,
    Column("name", String(120), primary_key=True),
    Column("day", Integer, primary_key=True),  # days since 1970 in the organisation's zone
    Column("people", Integer, nullable=False),
    Column("rule_hash", String(64), nullable=False),  # another hash: the rule was changed
    sqlite_with_rowid=False,
)

checkpoint = Table(  # how far a follower has read: moves in the same transaction as what it wrote
    "checkpoint",
    main,
    Column("name", String(60), primary_key=True),
    Column("position", BigId, nullable=False),
)
