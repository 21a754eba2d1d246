"""What came back.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from outreach.store.dialects import BigId, Document, Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().opts["database"] != "main":
        return
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
        "mailbox_position",
        sa.Column("mailbox", sa.String(length=400), nullable=False),
        sa.Column("validity", BigId, nullable=False),
        sa.Column("uid", BigId, nullable=False),
        sa.PrimaryKeyConstraint("mailbox", name=op.f("pk_mailbox_position")),
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
