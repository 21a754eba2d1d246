"""The two databases' table lists, and how constraints are named."""

from __future__ import annotations

from typing import Final

from sqlalchemy import MetaData

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
main = MetaData(naming_convention=_NAMES)
events = MetaData(naming_convention=_NAMES)
LAST_ID: Final = 2**31 - 1
"""The largest number in a column of type Integer; PostgreSQL refuses to look for a larger one."""
