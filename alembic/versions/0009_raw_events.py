"""Opens and clicks.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from outreach.store.dialects import BigId, Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().opts["database"] != "events":
        return
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
