"""Many rows of whole numbers handed to the database as one bound parameter, to be joined like a table.

SQLAlchemy prepares every parameter of every row by itself; for thousands of rows that costs more than the statement.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Subquery, Text, bindparam, func, select, type_coerce
from sqlalchemy.dialects.postgresql import ARRAY

from outreach.store.dialects import Instant

Numbers = tuple[int | None, ...]


def given(connection: Connection, names: Sequence[str], rows: Sequence[Numbers]) -> Subquery:
    """A table with these columns and rows, for one statement of this connection."""
    if connection.dialect.name == "postgresql":
        arrays = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in names]
        each = (
            func.unnest(*(bindparam(None, column, ARRAY(BigInteger)) for column in arrays))
            .table_valued(*names, name="each_row")
            .render_derived()
        )
        return select(*(type_coerce(each.c[name], BigInteger).label(name) for name in names)).subquery()
    each = func.json_each(bindparam(None, json.dumps(rows), Text)).table_valued("value", name="each_row")
    return select(
        *(
            type_coerce(func.json_extract(each.c.value, f"$[{number}]"), BigInteger).label(name)
            for number, name in enumerate(names)
        )
    ).subquery()


def moment(connection: Connection, milliseconds: ColumnElement[Any]) -> ColumnElement[Any]:
    """A given column of milliseconds since 1970 as a moment of the store's own kind."""
    if connection.dialect.name == "postgresql":
        return type_coerce(func.to_timestamp(milliseconds / 1000.0), Instant)
    return type_coerce(milliseconds, Instant)
