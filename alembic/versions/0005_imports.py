"""Imports.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from outreach.store.dialects import BigId, Document, Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().opts["database"] != "main":
        return
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
