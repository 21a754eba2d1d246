"""Who may do what: role × object × verb, as one table. What is not in it is denied.

Commands and pages name a verb and an object; tables of the database belong to an object, so that a change which nobody
thought to ask about is refused all the same (outreach.store.acting). A role is held in one department or in the whole
house. What belongs to a department (campaigns, topics, its staff) asks for the role there; residents belong to nobody's
department, and whoever is an author anywhere may look after their data.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Object(StrEnum):
    """What things there are, as far as permission goes."""

    PEOPLE = "people"
    CONTENT = "content"
    """Segments, templates, topics, fields."""
    CAMPAIGN = "campaign"
    EVENT = "event"
    """Opens, clicks, bounces, reports of mailbox providers."""
    STAFF = "staff"
    HOUSE = "house"
    """Settings, keys, the database itself."""
    AUDIT = "audit"


class Verb(StrEnum):
    """What can be done to them."""

    LOOK = "look"
    CHANGE = "change"
    SEND = "send"
    STOP = "stop"
    APPROVE = "approve"
    EXPORT = "export"
    ERASE = "erase"
    MANAGE = "manage"


Rights = Mapping[Object, frozenset[Verb]]

EVERYTHING: Final[Rights] = {
    Object.PEOPLE: frozenset({Verb.LOOK, Verb.CHANGE, Verb.EXPORT, Verb.ERASE}),
    Object.CONTENT: frozenset({Verb.LOOK, Verb.CHANGE, Verb.MANAGE}),
    Object.CAMPAIGN: frozenset({Verb.LOOK, Verb.CHANGE, Verb.SEND, Verb.STOP, Verb.APPROVE}),
    Object.EVENT: frozenset({Verb.LOOK, Verb.CHANGE, Verb.MANAGE}),
    Object.STAFF: frozenset({Verb.LOOK, Verb.MANAGE}),
    Object.HOUSE: frozenset({Verb.LOOK, Verb.MANAGE}),
    Object.AUDIT: frozenset({Verb.LOOK}),
}
"""What can be done at all. Nobody changes the audit log: it only grows."""

_READER: Final[Rights] = {thing: frozenset({Verb.LOOK}) for thing in Object}
_AUTHOR: Final[Rights] = {
    **_READER,
    Object.PEOPLE: frozenset({Verb.LOOK, Verb.CHANGE}),
    Object.CONTENT: frozenset({Verb.LOOK, Verb.CHANGE}),
    Object.CAMPAIGN: frozenset({Verb.LOOK, Verb.CHANGE, Verb.SEND, Verb.STOP}),
    Object.EVENT: frozenset({Verb.LOOK, Verb.CHANGE}),
}
_APPROVER: Final[Rights] = {**_AUTHOR, Object.CAMPAIGN: EVERYTHING[Object.CAMPAIGN]}
ROLES: Final[Mapping[str, Rights]] = {
    "reader": _READER,
    "author": _AUTHOR,
    "approver": _APPROVER,
    "administrator": EVERYTHING,
}
"""From the one who may least to the one who may most."""

IN_A_DEPARTMENT: Final = frozenset({Verb.LOOK, Verb.CHANGE, Verb.SEND, Verb.STOP, Verb.APPROVE})
"""What a role in one department is enough for where a thing belongs to no department; the rest is the house's."""

Right = tuple[Verb, Object]
MACHINE: Final = None
"""Run by the machine, or before there is anybody: permission is the shell's."""

_COMMANDS: Final[Mapping[Right | None, str]] = {
    MACHINE: "init, demo, cron, cron next, track, worker, backup, restore, bounces collect, bounces listen, "
    "bounces take, bounces handled, events push",
    (Verb.LOOK, Object.PEOPLE): "subscribers growth, subscribers show, subscribers imports list",
    (Verb.CHANGE, Object.PEOPLE): "subscribers import, subscribers imports undo, subscribers pairs, "
    "subscribers suppress",
    (Verb.EXPORT, Object.PEOPLE): "campaigns archive, subscribers export",
    (Verb.ERASE, Object.PEOPLE): "subscribers erase, subscribers release",
    (Verb.LOOK, Object.CONTENT): "segments check, segments count, segments diff, segments explain, segments history, "
    "segments list, segments overlap, segments preview, segments words, fields list, templates list, templates preview",
    (Verb.MANAGE, Object.CONTENT): "fields free, fields use, subscribers topics",
    (Verb.LOOK, Object.CAMPAIGN): "campaigns check, campaigns list, campaigns status, report",
    (Verb.CHANGE, Object.CAMPAIGN): "campaigns ask, campaigns correct, campaigns new, campaigns plan, campaigns test",
    (Verb.SEND, Object.CAMPAIGN): "campaigns doubts, campaigns resume, campaigns send, notify",
    (Verb.STOP, Object.CAMPAIGN): "campaigns pause, campaigns stop",
    (Verb.APPROVE, Object.CAMPAIGN): "campaigns approve, campaigns relink",
    (Verb.LOOK, Object.EVENT): "bounces classify, bounces history, bounces kept, bounces pauses, deliverability, "
    "events held, events summary, events tail, store check-engagement",
    (Verb.CHANGE, Object.EVENT): "deliverability import, deliverability seeds, engagement import, events accept, "
    "events dismiss",
    (Verb.MANAGE, Object.EVENT): "deliverability sunset, events reclassify, store rebuild-engagement",
    (Verb.LOOK, Object.STAFF): "users list, users verify",
    (Verb.MANAGE, Object.STAFF): "users add, users leave, users role, users shell",
    (Verb.LOOK, Object.HOUSE): "doctor, keys show, config show",
    (Verb.MANAGE, Object.HOUSE): "keys rotate, go-live, dkim new, resume, retention, db upgrade",
    (Verb.LOOK, Object.AUDIT): "audit show, audit verify",
}
COMMANDS: Final = {command: right for right, listed in _COMMANDS.items() for command in listed.split(", ")}

PAGES: Final[Mapping[str, Right]] = {
    "approve": (Verb.APPROVE, Object.CAMPAIGN),
    "refuse": (Verb.APPROVE, Object.CAMPAIGN),
    "stop": (Verb.STOP, Object.CAMPAIGN),
}
"""What the buttons of the staff's pages do."""

_TABLES: Final[Mapping[Object | None, str]] = {
    Object.PEOPLE: "subscriber profile subscription consent suppression confirmation provenance sunset strike "
    "import_run import_person import_subscription import_suppression",
    Object.CONTENT: "topic department field",
    Object.CAMPAIGN: "campaign message delivery retry claim worker throttle turn warmup provider_pause digest item "
    "pending occurrence feed owner staff_link",
    Object.EVENT: "event event_position feedback feedback_position returned_mail mailbox_position mail_domain "
    "received_report report_row seed_placement",
    Object.STAFF: "staff staff_role",
    Object.HOUSE: "alembic_version alembic_version_events",
    Object.AUDIT: "audit",
    # What is written down when somebody only looks: how far was read, how many there were, who we are.
    None: "checkpoint segment_count listed movement engagement engagement_day installation",
}
TABLES: Final = {table: thing for thing, listed in _TABLES.items() for table in listed.split()}


def right_of(command: str) -> Right | None:
    """A command that nobody listed is for administrators."""
    return COMMANDS.get(command, (Verb.MANAGE, Object.HOUSE))


def allows(role: str, verb: Verb, thing: Object) -> bool:
    """Deny by default: an unknown role may nothing."""
    return verb in ROLES.get(role, {}).get(thing, frozenset())


def least(verb: Verb, thing: Object) -> str:
    """The role that is enough for it, for a sentence: who may least comes first."""
    return next((role for role in ROLES if allows(role, verb, thing)), "nobody")


def may_write(role: str, table: str) -> bool:
    """Whether a role changes any of what a table belongs to. A table that nobody listed is for nobody."""
    if table not in TABLES:
        return False
    thing = TABLES[table]
    return thing is None or bool(ROLES.get(role, {}).get(thing, frozenset()) - {Verb.LOOK})
