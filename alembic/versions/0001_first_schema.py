"""The first schema: people, campaigns, deliveries, what came back, and engagement.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from outreach.store.dialects import BigId, Document, Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().opts["database"] == "main":
        upgrade_main()
    else:
        upgrade_events()


def upgrade_main() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("verb", sa.String(length=60), nullable=False),
        sa.Column("object", sa.String(length=200), nullable=False),
        sa.Column("detail", Document, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "checkpoint",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("position", BigId, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "claim",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Integer(), nullable=False),
        sa.Column("lease_until", Instant, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_claim_worker_id"), "claim", ["worker_id"], unique=False)
    op.create_table(
        "confirmation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("network", sa.LargeBinary(length=8), nullable=True),
        sa.Column("topics", Document, nullable=True),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column("text_version", sa.String(length=80), nullable=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("sent_at", Instant, nullable=True),
        sa.Column("confirmed_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confirmation")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_confirmation_at"), "confirmation", ["at"], unique=False)
    op.create_index(op.f("ix_confirmation_subscriber_id"), "confirmation", ["subscriber_id"], unique=False)
    op.create_table(
        "consent",
        sa.Column("id", BigId, nullable=False),
        sa.Column("subscriber_id", BigId, nullable=True),
        sa.Column("topic_id", sa.Integer(), nullable=True),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("text_version", sa.String(length=80), nullable=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("evidence", Document, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_index(
        "ix_consent_purpose",
        "consent",
        ["subscriber_id", "topic_id"],
        unique=False,
        sqlite_where=sa.text("purpose <> 'mail'"),
        postgresql_where=sa.text("purpose <> 'mail'"),
    )
    op.create_index(op.f("ix_consent_subscriber_id"), "consent", ["subscriber_id"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", BigId, autoincrement=False, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("claim_id", sa.Integer(), nullable=True),
        sa.Column("at", Instant, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("campaign_id", "subscriber_id", name=op.f("pk_delivery")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "department",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_department")),
        sa.UniqueConstraint("name", name=op.f("uq_department_name")),
    )
    op.create_table(
        "digest",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", BigId, autoincrement=False, nullable=False),
        sa.Column("carries", Document, nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "subscriber_id", name=op.f("pk_digest")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "engagement",
        sa.Column("scope_kind", sa.SmallInteger(), nullable=False),
        sa.Column("scope_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.Column("received", sa.Integer(), server_default="0", nullable=False),
        sa.Column("opens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("clicks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unopened", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_sent_at", Instant, nullable=True),
        sa.Column("last_open_at", Instant, nullable=True),
        sa.Column("last_click_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("scope_kind", "scope_id", "subscriber_id", name=op.f("pk_engagement")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "engagement_day",
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.Column("topic_id", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "kind", "day", "subscriber_id", "department_id", "topic_id", name=op.f("pk_engagement_day")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "feed",
        sa.Column("url", sa.String(length=400), nullable=False),
        sa.Column("etag", sa.String(length=400), nullable=True),
        sa.Column("modified", sa.String(length=80), nullable=True),
        sa.Column("fetched_at", Instant, nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_feed")),
    )
    op.create_table(
        "feedback",
        sa.Column("id", BigId, nullable=False),
        sa.Column("spool", sa.String(length=40), nullable=False),
        sa.Column("sequence", BigId, nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.Column("agent_class", sa.SmallInteger(), nullable=False),
        sa.Column("network_class", sa.SmallInteger(), nullable=False),
        sa.Column("prefix_hash", sa.LargeBinary(length=8), nullable=True),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("held", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint("spool", "sequence", name=op.f("uq_feedback_spool")),
    )
    op.create_index(op.f("ix_feedback_campaign_id"), "feedback", ["campaign_id"], unique=False)
    op.create_index(
        "ix_feedback_held",
        "feedback",
        ["held"],
        unique=False,
        sqlite_where=sa.text("held IS NOT NULL"),
        postgresql_where=sa.text("held IS NOT NULL"),
    )
    op.create_index(op.f("ix_feedback_subscriber_id"), "feedback", ["subscriber_id"], unique=False)
    op.create_table(
        "feedback_position",
        sa.Column("spool", sa.String(length=40), nullable=False),
        sa.Column("sequence", BigId, nullable=False),
        sa.PrimaryKeyConstraint("spool", name=op.f("pk_feedback_position")),
    )
    op.create_table(
        "field",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("type", sa.String(length=10), nullable=False),
        sa.Column("slot", sa.String(length=4), nullable=True),
        sa.Column("choices", Document, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_field")),
        sa.UniqueConstraint("slot", name=op.f("uq_field_slot")),
    )
    op.create_table(
        "import_person",
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.Column("attributes", Document, nullable=True),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column("joined_at", Instant, nullable=True),
        sa.Column("as_of", Instant, nullable=True),
        sa.Column("source", sa.String(length=40), nullable=True),
        sa.Column("dates", Document, nullable=True),
        sa.Column("before_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("import_id", "subscriber_id", name=op.f("pk_import_person")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "import_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("file", sa.String(length=400), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("result", Document, nullable=False),
        sa.Column("first_id", BigId, nullable=True),
        sa.Column("last_id", BigId, nullable=True),
        sa.Column("consent_from", BigId, nullable=True),
        sa.Column("consent_until", BigId, nullable=True),
        sa.Column("undone_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_run")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "import_subscription",
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("topic_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("frequency", sa.SmallInteger(), nullable=True),
        sa.Column("frequency_at", Instant, nullable=True),
        sa.Column("changed_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("import_id", "topic_id", "subscriber_id", name=op.f("pk_import_subscription")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "import_suppression",
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("subscriber_id", BigId, nullable=True),
        sa.Column("reason", sa.String(length=12), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=True),
        sa.Column("at", Instant, nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("import_id", "address", name=op.f("pk_import_suppression")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.String(length=32), nullable=False),
        sa.Column("generation", BigId, nullable=False),
        sa.Column("held", sa.Text(), nullable=True),
        sa.Column("held_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "mail_domain",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("provider", sa.String(length=60), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_mail_domain")),
    )
    op.create_table(
        "mailbox_position",
        sa.Column("mailbox", sa.String(length=400), nullable=False),
        sa.Column("validity", BigId, nullable=False),
        sa.Column("uid", BigId, nullable=False),
        sa.PrimaryKeyConstraint("mailbox", name=op.f("pk_mailbox_position")),
    )
    op.create_table(
        "occurrence",
        sa.Column("file", sa.String(length=200), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("noted_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("file", "at", name=op.f("pk_occurrence")),
    )
    op.create_table(
        "pending",
        sa.Column("item_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", BigId, autoincrement=False, nullable=False),
        sa.Column("frequency", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", "subscriber_id", name=op.f("pk_pending")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_pending_frequency",
        "pending",
        ["frequency", "item_id"],
        unique=False,
        sqlite_where=sa.text("frequency = 0"),
        postgresql_where=sa.text("frequency = 0"),
    )
    op.create_table(
        "provider_pause",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("provider", sa.String(length=255), nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("domain", "provider", name=op.f("pk_provider_pause")),
    )
    op.create_table(
        "received_report",
        sa.Column("id", BigId, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("organisation", sa.String(length=200), nullable=False),
        sa.Column("report", sa.String(length=200), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("begins_at", Instant, nullable=False),
        sa.Column("ends_at", Instant, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_received_report")),
        sa.UniqueConstraint("kind", "organisation", "report", name=op.f("uq_received_report_kind")),
    )
    op.create_table(
        "retry",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "due_at", "subscriber_id", name=op.f("pk_retry")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "returned_mail",
        sa.Column("id", BigId, nullable=False),
        sa.Column("key", BigId, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("sender", sa.String(length=320), nullable=False),
        sa.Column("subject", sa.String(length=400), nullable=False),
        sa.Column("why", sa.String(length=400), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("handled_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_returned_mail")),
        sa.UniqueConstraint("key", name=op.f("uq_returned_mail_key")),
    )
    op.create_table(
        "seed_placement",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("minutes", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=255), nullable=False),
        sa.Column("placement", sa.String(length=12), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "address", "minutes", name=op.f("pk_seed_placement")),
    )
    op.create_table(
        "segment_count",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("rule_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", "day", name=op.f("pk_segment_count")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("left_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("key", name=op.f("uq_staff_key")),
    )
    op.create_table(
        "strike",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", BigId, autoincrement=False, nullable=False),
        sa.Column("count", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "subscriber_id", name=op.f("pk_strike")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "subscriber",
        sa.Column("id", BigId, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("attributes", Document, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriber")),
        sa.UniqueConstraint("address", name=op.f("uq_subscriber_address")),
    )
    op.create_table(
        "suppression",
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("subscriber_id", BigId, nullable=True),
        sa.Column("reason", sa.String(length=12), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_suppression")),
    )
    op.create_index(op.f("ix_suppression_subscriber_id"), "suppression", ["subscriber_id"], unique=False)
    op.create_table(
        "throttle",
        sa.Column("provider", sa.String(length=60), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("filled_at", Instant, nullable=False),
        sa.Column("until", Instant, nullable=True),
        sa.Column("lanes", sa.Integer(), nullable=True),
        sa.Column("rate", sa.Float(), nullable=True),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_throttle")),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=120), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started", sa.String(length=32), nullable=False),
        sa.Column("journal", sa.Text(), nullable=False),
        sa.Column("heartbeat_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "profile",
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column("timezone", sa.String(length=40), nullable=True),
        sa.Column("joined_at", Instant, nullable=True),
        sa.Column("paused_until", Instant, nullable=True),
        sa.Column("tracking", sa.SmallInteger(), nullable=True),
        sa.Column("received", sa.Integer(), server_default="0", nullable=False),
        sa.Column("opens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("clicks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unopened", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_sent_at", Instant, nullable=True),
        sa.Column("last_open_at", Instant, nullable=True),
        sa.Column("last_click_at", Instant, nullable=True),
        sa.Column("t1", sa.Text(), nullable=True),
        sa.Column("t2", sa.Text(), nullable=True),
        sa.Column("t3", sa.Text(), nullable=True),
        sa.Column("t4", sa.Text(), nullable=True),
        sa.Column("t5", sa.Text(), nullable=True),
        sa.Column("t6", sa.Text(), nullable=True),
        sa.Column("t7", sa.Text(), nullable=True),
        sa.Column("t8", sa.Text(), nullable=True),
        sa.Column("t9", sa.Text(), nullable=True),
        sa.Column("t10", sa.Text(), nullable=True),
        sa.Column("t11", sa.Text(), nullable=True),
        sa.Column("t12", sa.Text(), nullable=True),
        sa.Column("t13", sa.Text(), nullable=True),
        sa.Column("t14", sa.Text(), nullable=True),
        sa.Column("t15", sa.Text(), nullable=True),
        sa.Column("t16", sa.Text(), nullable=True),
        sa.Column("n1", sa.Float(), nullable=True),
        sa.Column("n2", sa.Float(), nullable=True),
        sa.Column("n3", sa.Float(), nullable=True),
        sa.Column("n4", sa.Float(), nullable=True),
        sa.Column("n5", sa.Float(), nullable=True),
        sa.Column("n6", sa.Float(), nullable=True),
        sa.Column("n7", sa.Float(), nullable=True),
        sa.Column("n8", sa.Float(), nullable=True),
        sa.Column("n9", sa.Float(), nullable=True),
        sa.Column("n10", sa.Float(), nullable=True),
        sa.Column("n11", sa.Float(), nullable=True),
        sa.Column("n12", sa.Float(), nullable=True),
        sa.Column("n13", sa.Float(), nullable=True),
        sa.Column("n14", sa.Float(), nullable=True),
        sa.Column("n15", sa.Float(), nullable=True),
        sa.Column("n16", sa.Float(), nullable=True),
        sa.Column("d1", Instant, nullable=True),
        sa.Column("d2", Instant, nullable=True),
        sa.Column("d3", Instant, nullable=True),
        sa.Column("d4", Instant, nullable=True),
        sa.Column("d5", Instant, nullable=True),
        sa.Column("d6", Instant, nullable=True),
        sa.Column("d7", Instant, nullable=True),
        sa.Column("d8", Instant, nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_profile_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_profile")),
    )
    op.create_index(
        "ix_profile_tracking",
        "profile",
        ["tracking", "subscriber_id"],
        unique=False,
        sqlite_where=sa.text("tracking IS NOT NULL"),
        postgresql_where=sa.text("tracking IS NOT NULL"),
    )
    op.create_table(
        "provenance",
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.Column("as_of", Instant, nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("dates", Document, nullable=True),
        sa.Column("import_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_provenance_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_provenance")),
    )
    op.create_table(
        "report_row",
        sa.Column("report_id", BigId, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("count", BigId, nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("disposition", sa.String(length=40), nullable=False),
        sa.Column("header_from", sa.String(length=255), nullable=False),
        sa.Column("detail", Document, nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"], ["received_report.id"], name=op.f("fk_report_row_report_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("report_id", "number", name=op.f("pk_report_row")),
    )
    op.create_table(
        "sunset",
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.Column("step", sa.SmallInteger(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_sunset_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_sunset")),
    )
    op.create_table(
        "topic",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=True),
        sa.Column("message_class", sa.String(length=12), server_default="regular", nullable=False),
        sa.Column("document", Document, nullable=True),
        sa.ForeignKeyConstraint(["department_id"], ["department.id"], name=op.f("fk_topic_department_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topic")),
        sa.UniqueConstraint("key", name=op.f("uq_topic_key")),
    )
    op.create_table(
        "campaign",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("file", sa.String(length=200), nullable=False),
        sa.Column("topic_id", sa.Integer(), nullable=True),
        sa.Column("department_id", sa.Integer(), nullable=True),
        sa.Column("message_class", sa.String(length=16), server_default="regular", nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("plan", Document, nullable=False),
        sa.Column("plan_hash", sa.String(length=64), nullable=False),
        sa.Column("frozen", sa.Integer(), nullable=False),
        sa.Column("planned_at", Instant, nullable=False),
        sa.Column("approved_at", Instant, nullable=True),
        sa.Column("approved_by", sa.String(length=120), nullable=True),
        sa.Column("approval", Document, nullable=True),
        sa.Column("started_at", Instant, nullable=True),
        sa.Column("finished_at", Instant, nullable=True),
        sa.Column("not_after", Instant, nullable=True),
        sa.Column("claim_cursor", BigId, server_default="0", nullable=False),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["department_id"], ["department.id"], name=op.f("fk_campaign_department_id")),
        sa.ForeignKeyConstraint(["topic_id"], ["topic.id"], name=op.f("fk_campaign_topic_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("name", name=op.f("uq_campaign_name")),
    )
    op.create_table(
        "item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("topic_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(length=80), nullable=True),
        sa.Column("content", Document, nullable=False),
        sa.Column("published_at", Instant, nullable=True),
        sa.ForeignKeyConstraint(["topic_id"], ["topic.id"], name=op.f("fk_item_topic_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item")),
        sa.UniqueConstraint("campaign_id", name=op.f("uq_item_campaign_id")),
        sa.UniqueConstraint("source", name=op.f("uq_item_source")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_item_published_at"), "item", ["published_at"], unique=False)
    op.create_table(
        "subscription",
        sa.Column("topic_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("frequency", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("frequency_at", Instant, nullable=True),
        sa.Column("changed_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_subscription_subscriber_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["topic_id"], ["topic.id"], name=op.f("fk_subscription_topic_id")),
        sa.PrimaryKeyConstraint("topic_id", "subscriber_id", name=op.f("pk_subscription")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_subscription_person", "subscription", ["subscriber_id", "topic_id"], unique=False)
    op.create_table(
        "message",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("compiled", Document, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_message_campaign_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("campaign_id", "language", name=op.f("pk_message")),
    )

    fields = sa.table("field", sa.column("name"), sa.column("type"), sa.column("slot"))
    op.bulk_insert(
        fields,
        [
            {"name": "district", "type": "text", "slot": "t1"},
            {"name": "zip", "type": "text", "slot": "t2"},
            {"name": "renter", "type": "yesno", "slot": "n1"},
        ],
    )


def upgrade_events() -> None:
    op.create_table(
        "event",
        sa.Column("spool", sa.String(length=40), nullable=False),
        sa.Column("sequence", BigId, autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.Column("link", sa.SmallInteger(), nullable=False),
        sa.Column("agent_class", sa.SmallInteger(), nullable=False),
        sa.Column("network_class", sa.SmallInteger(), nullable=False),
        sa.Column("prefix_hash", sa.LargeBinary(length=8), nullable=True),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("reason", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("rules", sa.SmallInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("spool", "sequence", "at", name=op.f("pk_event")),
        postgresql_partition_by="RANGE (at)",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_event_campaign", "event", ["campaign_id", "kind", "subscriber_id"], unique=False)
    op.create_index(
        "ix_event_unjudged",
        "event",
        ["campaign_id", "at"],
        unique=False,
        sqlite_where=sa.text("verdict = 0"),
        postgresql_where=sa.text("verdict = 0"),
    )
    op.create_table(
        "event_position",
        sa.Column("spool", sa.String(length=40), nullable=False),
        sa.Column("sequence", BigId, nullable=False),
        sa.PrimaryKeyConstraint("spool", name=op.f("pk_event_position")),
    )

    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE event_default PARTITION OF event DEFAULT")
