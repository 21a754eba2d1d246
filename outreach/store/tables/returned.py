"""What came back: events that bind us, reports, and mail that nobody could read."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from outreach.store.dialects import BigId, Document, Instant
from outreach.store.tables.base import main

_HELD = text("held IS NOT NULL")

feedback = Table(  # events that bind us: unsubscribe, complaint, bounce, preferences
    "feedback",
    main,
    Column("id", BigId, primary_key=True),
    Column("spool", String(40), nullable=False),
    Column("sequence", BigId, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("campaign_id", Integer, nullable=False, index=True),
    Column("subscriber_id", BigId, nullable=False, index=True),
    Column("agent_class", SmallInteger, nullable=False),
    Column("network_class", SmallInteger, nullable=False),
    Column("prefix_hash", LargeBinary(8)),
    Column("flags", Integer, nullable=False),
    Column("detail", Text),
    Column("held", SmallInteger),  # events.Hold: looks like a scanner's; NULL: nothing odd about it
    UniqueConstraint("spool", "sequence"),
    Index("ix_feedback_held", "held", sqlite_where=_HELD, postgresql_where=_HELD),
)

feedback_position = Table(
    "feedback_position",
    main,
    Column("spool", String(40), primary_key=True),
    Column("sequence", BigId, nullable=False),
)

provider_pause = Table(  # a sending domain rests at a provider that refuses it
    "provider_pause",
    main,
    Column("domain", String(255), primary_key=True),
    Column("provider", String(255), primary_key=True),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("refusals", Integer, nullable=False),
)

returned_mail = Table(  # what came back and no rule could settle: for people to look at
    "returned_mail",
    main,
    Column("id", BigId, primary_key=True),
    Column("key", BigId, nullable=False, unique=True),  # of its content: the same mail again is no other
    Column("at", Instant, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("sender", String(320), nullable=False),
    Column("subject", String(400), nullable=False),
    Column("why", String(400), nullable=False),
    Column("file", Text, nullable=False),
    Column("handled_at", Instant),
)

mailbox_position = Table(  # how far a mailbox was read; another UIDVALIDITY means another mailbox (RFC 9051, 2.3.1.1)
    "mailbox_position",
    main,
    Column("mailbox", String(400), primary_key=True),
    Column("validity", BigId, nullable=False),
    Column("uid", BigId, nullable=False),
)

received_report = (
    Table(  # DMARC aggregates (RFC 9990), TLS reports (RFC 8460), days told by Google and SNDS: one row each
        "received_report",
        main,
        Column("id", BigId, primary_key=True),
        Column("kind", String(8), nullable=False),  # dmarc tls google snds
        Column("organisation", String(200), nullable=False),
        Column("report", String(200), nullable=False),
        Column("domain", String(255), nullable=False),
        Column("begins_at", Instant, nullable=False),
        Column("ends_at", Instant, nullable=False),
        Column("at", Instant, nullable=False),
        UniqueConstraint("kind", "organisation", "report"),
    )
)

report_row = Table(  # one source of a DMARC aggregate, or one failure of a TLS report
    "report_row",
    main,
    Column("report_id", BigId, ForeignKey("received_report.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("source", String(200), nullable=False),  # an IP address; for TLS the receiving host
    Column("count", BigId, nullable=False),
    Column("passed", Boolean(create_constraint=False), nullable=False),
    Column("disposition", String(40), nullable=False),
    Column("header_from", String(255), nullable=False),
    Column("detail", Document, nullable=False),
)

seed_placement = Table(  # where a message to a mailbox of our own came to lie
    "seed_placement",
    main,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("address", String(320), primary_key=True),
    Column("minutes", Integer, primary_key=True, autoincrement=False),  # after acceptance: 5, 30 or 120
    Column("provider", String(255), nullable=False),
    Column("placement", String(12), nullable=False),  # inbox tab junk missing
    Column("at", Instant, nullable=False),
)

sunset = Table(  # who has not been heard of for long, and what was done about it last
    "sunset",
    main,
    Column("subscriber_id", BigId, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
    Column("step", SmallInteger, nullable=False),  # bounces.sunset.Step: 1 asked, 2 slowed down, 3 paused
    Column("at", Instant, nullable=False),
)
