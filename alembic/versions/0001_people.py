"""People.

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
    if op.get_context().opts["database"] != "main":
        return
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
        "department",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_department")),
        sa.UniqueConstraint("name", name=op.f("uq_department_name")),
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
        "subscriber",
        sa.Column("id", BigId, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("attributes", Document, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriber")),
        sa.UniqueConstraint("address", name=op.f("uq_subscriber_address")),
        sqlite_autoincrement=True,
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
        "profile",
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column("timezone", sa.String(length=40), nullable=True),
        sa.Column("digest_hour", sa.SmallInteger(), nullable=True),
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
        "listed",
        sa.Column("subscriber_id", BigId, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_listed")),
    )
    op.create_table(
        "movement",
        sa.Column("id", BigId, nullable=False),
        sa.Column("subscriber_id", BigId, nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_movement")),
    )
    op.create_index(op.f("ix_movement_subscriber_id"), "movement", ["subscriber_id"], unique=False)

    op.bulk_insert(
        sa.table("field", sa.column("name"), sa.column("type"), sa.column("slot")),
        [
            {"name": "district", "type": "text", "slot": "t1"},
            {"name": "zip", "type": "text", "slot": "t2"},
            {"name": "renter", "type": "yesno", "slot": "n1"},
        ],
    )
