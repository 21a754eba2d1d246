"""What a person should look at, and nothing is done about: offices, throw-away domains, one person twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Text, cast, func, literal, select, type_coerce

from outreach.store import tables
from outreach.store.staging import Stage

_OFFICES: Final = (
    "abuse admin administrator billing contact enquiries feedback finance hello help helpdesk hostmaster hr info"
    " inquiries jobs legal mail marketing media no-reply noreply office postmaster press privacy sales security service"
    " spam staff support team webmaster"
)
_FOR_AN_HOUR: Final = (
    "10minutemail.com 20minutemail.com discard.email dispostable.com emailondeck.com fakeinbox.com getairmail.com"
    " getnada.com grr.la guerrillamail.biz guerrillamail.com guerrillamail.net guerrillamail.org guerrillamailblock.com"
    " mailcatch.com maildrop.cc mailinator.com mailinator.net mailnesia.com mailsac.com mintemail.com moakt.com"
    " mohmal.com mytemp.email sharklasers.com spam4.me spamgourmet.com temp-mail.org tempail.com tempmail.com"
    " tempmailo.com throwawaymail.com trashmail.com trashmail.de wegwerfmail.de yopmail.com yopmail.fr"
)
ROLES: Final = tuple(_OFFICES.split())
DISPOSABLE: Final = tuple(_FOR_AN_HOUR.split())
Pair = tuple[str, str, str]
"""Name and postcode, and the two addresses."""


def is_role(stage: Stage) -> ColumnElement[bool]:
    """Whether the address of a staged person is an office's."""
    return _part(stage.is_sqlite, stage.person.c.address, first=True).in_(ROLES)


def is_disposable(stage: Stage) -> ColumnElement[bool]:
    return _part(stage.is_sqlite, stage.person.c.address, first=False).in_(DISPOSABLE)


def gone(stage: Stage, system: str) -> Sequence[str]:
    """Addresses whose last word came from this system, and that its complete export no longer names."""
    person, provenance = tables.subscriber, tables.provenance
    found = (
        select(person.c.address)
        .join(provenance, provenance.c.subscriber_id == person.c.id)
        .where(provenance.c.source == system, person.c.address.not_in(select(stage.person.c.address)))
        .order_by(person.c.address)
    )
    return tuple(stage.connection.scalars(found))


def pairs(connection: Connection, *, limit: int = 1_000) -> list[Pair]:
    """People of the same first and last name and postcode, at different addresses."""
    person = tables.subscriber
    attributes = person.c.attributes

    def said(name: str) -> ColumnElement[Any]:
        if connection.dialect.name == "sqlite":
            return func.json_extract(type_coerce(attributes, Text), literal(f"$.{name}"))
        return func.jsonb_extract_path_text(attributes, name)

    who = func.lower(cast(said("first_name"), Text) + " " + cast(said("last_name"), Text))
    where = cast(said("zip"), Text)
    same = (
        select(who.label("who"), where.label("zip"))
        .where(who.is_not(None), where.is_not(None))
        .group_by(who, where)
        .having(func.count() > 1)
        .subquery()
    )
    rows = connection.execute(
        select(same.c.who, same.c.zip, person.c.address)
        .join(same, (who == same.c.who) & (where == same.c.zip))
        .order_by(same.c.who, same.c.zip, person.c.address)
    )
    found: list[Pair] = []
    before: tuple[str, str, str] | None = None
    for name, postcode, address in rows:
        if before and before[:2] == (name, postcode):
            found.append((f"{name}, {postcode}", before[2], address))
        before = (name, postcode, address)
        if len(found) >= limit:
            break
    return found


def _part(is_sqlite: bool, address: ColumnElement[str], *, first: bool) -> ColumnElement[str]:
    """What stands before or behind the @-sign."""
    if not is_sqlite:
        return func.split_part(address, "@", 1 if first else 2)
    at = func.instr(address, "@")
    return func.substr(address, 1, at - 1) if first else func.substr(address, at + 1)
