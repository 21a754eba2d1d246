"""What people ask of us by themselves.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from outreach.store.dialects import BigId, Document, Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().opts["database"] != "main":
        return
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
