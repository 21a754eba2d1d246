"""Who we write to, what they asked for, and whom we must leave alone."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, SmallInteger, String, Table, Text, text

from outreach.store.dialects import BigId, Document, Instant
from outreach.store.tables.base import main

TEXT_SLOTS = tuple(f"t{n}" for n in range(1, 17))
NUMBER_SLOTS = tuple(f"n{n}" for n in range(1, 17))
DATE_SLOTS = tuple(f"d{n}" for n in range(1, 9))
SCANNED = (
    *("subscriber_id", "status", "locale", "joined_at"),
    *("t1", "n1", "t2", "n2", "d1", "t3", "n3", "t4", "n4", "d2"),  # slots are given out in this order
)
_CHOSE = text("tracking IS NOT NULL")
_NARROW = text("purpose <> 'mail'")

subscriber = Table(
    "subscriber",
    main,
    Column("id", BigId, primary_key=True),
    Column("address", String(320), nullable=False, unique=True),  # normalised once, on entry
    Column("attributes", Document, nullable=False),  # every value we know: for templates, export and audit
    Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,  # the number of somebody erased lives on in consent and old links: nobody gets it again
)

profile = Table(
    "profile",
    main,
    Column("subscriber_id", BigId, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
    Column("status", SmallInteger, nullable=False),  # subscribers.Status
    Column("locale", String(16)),
    Column("timezone", String(40)),
    Column("digest_hour", SmallInteger),  # by their own clock; NULL: the organisation's digests.at
    Column("joined_at", Instant),
    Column("paused_until", Instant),  # of those whose status says so
    Column("tracking", SmallInteger),  # events.Choice; NULL: the organisation's default
    # Engagement over everything, so that the commonest rules need no join.
    Column("received", Integer, nullable=False, server_default="0"),
    Column("opens", Integer, nullable=False, server_default="0"),
    Column("clicks", Integer, nullable=False, server_default="0"),
    Column("unopened", Integer, nullable=False, server_default="0"),  # campaigns received since the last open
    Column("last_sent_at", Instant),
    Column("last_open_at", Instant),
    Column("last_click_at", Instant),
    # Typed slots for the attributes that rules use (field.slot names one): no DDL at run time.
    *(Column(name, Text) for name in TEXT_SLOTS),
    *(Column(name, Float) for name in NUMBER_SLOTS),
    *(Column(name, Instant) for name in DATE_SLOTS),
    # Those who chose are few, and the tracking service wants to know them every second.
    Index("ix_profile_tracking", "tracking", "subscriber_id", sqlite_where=_CHOSE, postgresql_where=_CHOSE),
    # What rules and freezes ask most, a third as wide as the row and in its order: SQLite scans this instead. None of
    # it changes when engagement does. PostgreSQL would not gain.
    Index("ix_profile_rules", *SCANNED, info={"only": "sqlite"}).ddl_if(dialect="sqlite"),
)

field = Table(
    "field",
    main,
    Column("name", String(60), primary_key=True),
    Column("type", String(10), nullable=False),  # text number date yesno choice
    Column("slot", String(4), unique=True),
    Column("choices", Document),  # the values a choice may have; NULL: any
)

department = Table(
    "department",
    main,
    Column("id", Integer, primary_key=True),
    Column("name", String(120), nullable=False, unique=True),
)

topic = Table(
    "topic",
    main,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("key", String(200), nullable=False, unique=True),  # the name, folded, by which it is found
    Column("department_id", Integer, ForeignKey("department.id")),
    Column("message_class", String(12), nullable=False, server_default="regular"),  # regular statutory emergency
    Column("document", Document),  # names in other languages, consent text
)

subscription = Table(
    "subscription",
    main,
    Column("topic_id", Integer, ForeignKey("topic.id"), primary_key=True),
    Column("subscriber_id", BigId, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
    Column("status", SmallInteger, nullable=False),  # subscribers.SubscriptionStatus
    Column("frequency", SmallInteger, nullable=False, server_default="0"),  # 0 at once, 1 daily, 2 weekly
    Column("frequency_at", Instant),  # when somebody asked for that frequency; NULL: nobody has
    Column("changed_at", Instant, nullable=False),
    Index("ix_subscription_person", "subscriber_id", "topic_id"),
    sqlite_with_rowid=False,
)

consent = Table(
    "consent",
    main,
    Column("id", BigId, primary_key=True),
    Column("subscriber_id", BigId, index=True),  # outlives the person: no foreign key
    Column("topic_id", Integer),  # NULL: everything
    Column("purpose", String(40), nullable=False),
    Column("given", Boolean(create_constraint=False), nullable=False),  # False: withdrawn
    Column("source", String(200), nullable=False),
    Column("text_version", String(80)),
    Column("at", Instant, nullable=False),
    Column("evidence", Document),
    # Consent for one purpose only is rare, and looked for at every freeze.
    Index("ix_consent_purpose", "subscriber_id", "topic_id", sqlite_where=_NARROW, postgresql_where=_NARROW),
)

suppression = Table(
    "suppression",
    main,
    Column("address", String(320), primary_key=True),  # or, after erasure, its keyed hash
    Column("subscriber_id", BigId, index=True),
    Column("reason", String(12), nullable=False),  # bounce complaint manual unsubscribe erased
    Column("source", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    Column("detail", Text),
)

listed = Table(  # who was on the list when it was last counted
    "listed",
    main,
    Column("subscriber_id", BigId, primary_key=True, autoincrement=False),  # outlives the person: no foreign key
)

movement = Table(  # who came onto the list and who went; append-only, so that every figure of growth adds up
    "movement",
    main,
    Column("id", BigId, primary_key=True),
    Column("subscriber_id", BigId, nullable=False, index=True),
    Column("kind", SmallInteger, nullable=False),  # growth.Kind
    Column("at", Instant, nullable=False),  # when the list was counted
)
