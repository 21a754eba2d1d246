"""How many codes were typed for somebody's address: as many as for a link, no more.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().opts["database"] == "main":
        op.add_column("staff", sa.Column("code_tries", sa.Integer(), server_default="0", nullable=False))
