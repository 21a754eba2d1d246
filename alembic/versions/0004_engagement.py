"""Engagement, rolled up.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from outreach.store.dialects import BigId, Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().opts["database"] != "main":
        return
    op.create_table(
        "checkpoint",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("position", BigId, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_checkpoint")),
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
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.Column("topic_id", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "day", "subscriber_id", "campaign_id", name=op.f("pk_engagement_day")),
        sqlite_with_rowid=False,
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
