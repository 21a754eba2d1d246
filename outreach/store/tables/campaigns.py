"""What is sent to whom, and who is sending it right now."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    false,
)

from outreach.store.dialects import BigId, Document, Instant
from outreach.store.tables.base import main

campaign = Table(
    "campaign",
    main,
    Column("id", Integer, primary_key=True),
    Column("name", String(120), nullable=False, unique=True),  # file stem and a running number: parking-3
    Column("file", String(200), nullable=False),
    Column("topic_id", Integer, ForeignKey("topic.id")),
    Column("department_id", Integer, ForeignKey("department.id")),
    Column("message_class", String(16), nullable=False, server_default="regular"),
    Column("recurring", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("status", String(12), nullable=False, index=True),  # campaigns.Status; cron asks for few of them
    Column("rule", Text, nullable=False),
    Column("plan", Document, nullable=False),  # everything approved, as shown; its hash is next
    Column("plan_hash", String(64), nullable=False),
    Column("frozen", Integer, nullable=False),
    Column("planned_at", Instant, nullable=False),
    Column("approved_at", Instant),
    Column("approved_by", String(120)),
    Column("approval", Document),  # who signed the plan's hash, when, and the signature
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("not_after", Instant),
    Column("claim_cursor", BigId, nullable=False, server_default="0"),  # everyone up to here was claimed once
    Column("pause_reason", Text),
    Index("ix_campaign_recurring", "recurring", "file"),  # asked every minute, of all the campaigns there ever were
)

message = Table(
    "message",
    main,
    Column("campaign_id", Integer, ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True),
    Column("language", String(16), primary_key=True),
    Column("compiled", Document, nullable=False),  # rendering.CompiledMessage, ready for the wire
    Column("hash", String(64), nullable=False),
)

delivery = Table(
    "delivery",
    main,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigId, primary_key=True, autoincrement=False),
    Column("state", SmallInteger, nullable=False),  # deliveries.State
    Column("language", String(16)),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("claim_id", Integer),
    Column("at", Instant),  # of the last change of state
    Column("reason", Text),  # the server's reply, or why this person was left out
    sqlite_with_rowid=False,
)

retry = Table(
    "retry",
    main,
    Column("campaign_id", Integer, primary_key=True),
    Column("due_at", Instant, primary_key=True),
    Column("subscriber_id", BigId, primary_key=True),
    sqlite_with_rowid=False,
)

claim = Table(
    "claim",
    main,
    Column("id", Integer, primary_key=True),  # ascending: it is the fence
    Column("campaign_id", Integer, nullable=False),
    Column("worker_id", Integer, nullable=False, index=True),
    Column("lease_until", Instant, nullable=False),
    Column("size", Integer, nullable=False),
    sqlite_autoincrement=True,
)

throttle = Table(  # one bucket for each mailbox provider, shared by all workers
    "throttle",
    main,
    Column("provider", String(255), primary_key=True),  # or a domain that speaks for itself
    Column("tokens", Float, nullable=False),
    Column("filled_at", Instant, nullable=False),
    Column("until", Instant),  # nothing is handed over before
    Column("lanes", Integer),  # so many at once, where the provider asked for fewer than our table says
    Column("rate", Float),  # a second
    Column("reply", Text),  # the provider's words; NULL: it asks for nothing
    Column("at", Instant, nullable=False),
)

turn = Table(  # how many messages at once to a provider each worker may have on their way
    "turn",
    main,
    Column("provider", String(255), primary_key=True),
    Column("worker_id", Integer, primary_key=True, autoincrement=False),
    Column("held", Integer, nullable=False),
    Column("wanted", Integer, nullable=False),
)

warmup = Table(  # how much a new sending domain or address has sent to a provider, day by day
    "warmup",
    main,
    Column("source", String(255), primary_key=True),
    Column("provider", String(255), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("sent", Integer, nullable=False),
    Column("deferred", Integer, nullable=False),
)

mail_domain = Table(  # whose servers take a domain's mail, by its MX
    "mail_domain",
    main,
    Column("domain", String(255), primary_key=True),
    Column("provider", String(60), nullable=False),
    Column("at", Instant, nullable=False),
)

strike = Table(  # whose message was being made when a worker died: two strikes, and it is made no more
    "strike",
    main,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigId, primary_key=True, autoincrement=False),
    Column("count", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)

worker = Table(
    "worker",
    main,
    Column("id", Integer, primary_key=True),
    Column("host", String(120), nullable=False),
    Column("boot", String(64), nullable=False),  # changes when the machine restarts
    Column("pid", Integer, nullable=False),
    Column("started", String(32), nullable=False),  # of the process: a pid is used again
    Column("journal", Text, nullable=False),
    Column("heartbeat_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)
