"""The names that exist in this city's store, for rules to use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection, select

from outreach.segmentation.fields import STANDARD, Catalogue, Field, Topic, Type
from outreach.store import tables

_RESERVED_COLUMNS = ("email", "language", "joined")
"""Fields that live in columns of their own whatever the table `field` says."""
_A_DAY = dt.timedelta(days=1)
"""By which the day in the organisation's zone may differ from the one in UTC."""


def load_catalogue(connection: Connection, *, segments: Mapping[str, str]) -> Catalogue:
    """Fields, topics, departments and campaigns of the store, with the segments' texts by name."""
    topics = connection.execute(
        select(tables.topic.c.id, tables.topic.c.name, tables.topic.c.department_id).order_by(tables.topic.c.id)
    )
    departments = connection.execute(select(tables.department.c.name, tables.department.c.id))
    made = tables.campaign
    campaigns = connection.execute(select(made.c.name, made.c.id, made.c.planned_at, made.c.started_at)).all()
    return Catalogue(
        fields=_fields(connection),
        topics=tuple(Topic(row.id, row.name, row.department_id) for row in topics),
        departments={row.name: row.id for row in departments},
        campaigns={row.name: row.id for row in campaigns},
        begun={row.id: min(row.planned_at, row.started_at or row.planned_at).date() - _A_DAY for row in campaigns},
        segments=dict(segments),
    )


def _fields(connection: Connection) -> dict[str, Field]:
    found = dict(STANDARD)
    for row in connection.execute(select(tables.field).order_by(tables.field.c.name)):
        if row.name in _RESERVED_COLUMNS or '"' in row.name:  # SQLite's JSON paths cannot say a quote
            continue
        standard = found.get(row.name, Field(row.name, Type.TEXT))
        known = row.type in tuple(Type)
        kind = Type(row.type) if known else standard.type
        found[row.name] = replace(standard, type=kind, column=row.slot, choices=tuple(row.choices or ()))
    return found
