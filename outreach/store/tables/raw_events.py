"""Opens and clicks, append-only, in a database of their own."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, SmallInteger, String, Table, text

from outreach.store.dialects import BigId, Instant
from outreach.store.tables.base import events

_OPEN = text("verdict = 0")

event = Table(  # opens and clicks, append-only; on PostgreSQL a partition for each month
    "event",
    events,
    Column("spool", String(40), primary_key=True),
    Column("sequence", BigId, primary_key=True, autoincrement=False),
    Column("at", Instant, primary_key=True),  # only because PostgreSQL wants the partition's column in the key
    Column("kind", SmallInteger, nullable=False),
    Column("campaign_id", Integer, nullable=False),
    Column("subscriber_id", BigId, nullable=False),
    Column("link", SmallInteger, nullable=False),
    Column("agent_class", SmallInteger, nullable=False),
    Column("network_class", SmallInteger, nullable=False),
    Column("prefix_hash", LargeBinary(8)),
    Column("flags", Integer, nullable=False),
    Column("verdict", SmallInteger, nullable=False, server_default="0"),  # events.Verdict: 0 not judged yet
    Column("reason", SmallInteger, nullable=False, server_default="0"),  # tracking.rules.Reason: why
    Column("rules", SmallInteger, nullable=False, server_default="0"),  # the version of the rules that said so
    Index("ix_event_campaign", "campaign_id", "kind", "subscriber_id"),
    Index("ix_event_unjudged", "campaign_id", "at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (at)",
)

event_position = Table(
    "event_position",
    events,
    Column("spool", String(40), primary_key=True),
    Column("sequence", BigId, nullable=False),
)
