"""Which installation this is, who may do what, and what they did."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, String, Table, Text

from outreach.store.dialects import BigId, Document, Instant
from outreach.store.tables.base import main

installation = Table(  # which database this is: a restored or copied one must not send by itself
    "installation",
    main,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("epoch", String(32), nullable=False),
    Column("generation", BigId, nullable=False),
    Column("held", Text),  # why nothing may be sent
    Column("held_at", Instant),
)

staff = Table(
    "staff",
    main,
    Column("id", Integer, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("key", String(120), nullable=False, unique=True),  # the name, folded
    Column("address", String(320), nullable=False),  # test mails and trial campaigns may go there
    Column("role", String(16), nullable=False),  # author approver administrator
    Column("public_key", LargeBinary(32), nullable=False),  # of the token, which only its owner has
    Column("created_at", Instant, nullable=False),
    Column("left_at", Instant),
)

audit = Table(  # append-only; each row's hash covers the one before
    "audit",
    main,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("who", String(200), nullable=False),
    Column("verb", String(60), nullable=False),
    Column("object", String(200), nullable=False),
    Column("detail", Document, nullable=False),
    Column("hash", String(64), nullable=False),
)
