"""What people ask of us by themselves, before they are subscribers or without being asked."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, String, Table

from outreach.store.dialects import BigId, Document, Instant
from outreach.store.tables.base import main

confirmation = Table(  # mail that asks the holder of an address whether it was really they who asked
    "confirmation",
    main,
    Column("id", Integer, primary_key=True),
    Column("kind", String(8), nullable=False),  # signup, address (a new one), held (what we hold)
    Column("subscriber_id", BigId, nullable=False, index=True),
    Column("address", String(320), nullable=False),  # where the mail goes
    Column("domain", String(255), nullable=False),
    Column("network", LargeBinary(8)),  # keyed hash of where the wish came from
    Column("topics", Document),  # {topic id: frequency}
    Column("locale", String(16)),
    Column("text_version", String(80)),
    Column("at", Instant, nullable=False, index=True),
    Column("sent_at", Instant),
    Column("confirmed_at", Instant),
    sqlite_autoincrement=True,
)
