"""On time.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from outreach.store.dialects import BigId, Document, Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().opts["database"] != "main":
        return
    op.create_table(
        "digest",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", BigId, autoincrement=False, nullable=False),
        sa.Column("carries", Document, nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "subscriber_id", name=op.f("pk_digest")),
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
