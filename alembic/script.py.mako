"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().opts["database"] == "main":
        upgrade_main()
    else:
        upgrade_events()


def upgrade_main() -> None:
    pass


def upgrade_events() -> None:
    pass
