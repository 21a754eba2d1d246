"""What rules ask of the profile most, narrow enough to be scanned in a third of the pages. SQLite only.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_PERSON = ["subscriber_id", "status", "locale", "joined_at"]
_SLOTS = ["t1", "n1", "t2", "n2", "d1", "t3", "n3", "t4", "n4", "d2"]


def upgrade() -> None:
    if op.get_context().opts["database"] == "main" and op.get_bind().dialect.name == "sqlite":
        op.create_index("ix_profile_rules", "profile", _PERSON + _SLOTS, unique=False)
