"""Who may do what: every command has a kind, every role the kinds it may. What is not listed is for administrators."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a command does, as far as permission goes."""

    LOOK = "look"
    WRITE = "write"
    """Changes people, rules or campaigns, or sends what others approved."""
    APPROVE = "approve"
    ADMINISTER = "administer"
    SERVE = "serve"
    """Run by the machine, or before there is anybody: permission is the shell's."""


ROLES: Final = {
    "reader": frozenset({Kind.LOOK, Kind.SERVE}),
    "author": frozenset({Kind.LOOK, Kind.WRITE, Kind.SERVE}),
    "approver": frozenset({Kind.LOOK, Kind.WRITE, Kind.APPROVE, Kind.SERVE}),
    "administrator": frozenset(Kind),
}
ASKS: Final = {
    Kind.WRITE: "an author",
    Kind.APPROVE: "an approver",
    Kind.ADMINISTER: "an administrator",
    Kind.LOOK: "anybody on the staff",
    Kind.SERVE: "the machine",
}

_KINDS: Final = {
    Kind.SERVE: "init, demo, cron, cron next, track, worker, backup, restore, bounces collect, bounces listen, "
    "bounces take, bounces handled, events push",
    Kind.LOOK: "subscribers show, subscribers imports list, segments check, segments count, segments diff, "
    "segments explain, segments history, segments list, segments overlap, segments preview, fields list, "
    "templates list, templates preview, campaigns check, campaigns list, campaigns status, report, bounces classify, "
    "bounces history, bounces kept, bounces pauses, doctor, deliverability, events held, events summary, events tail, "
    "keys show, users list, audit show, audit verify, config show, store check-engagement",
    Kind.WRITE: "subscribers import, subscribers imports undo, subscribers pairs, subscribers suppress, "
    "campaigns correct, campaigns doubts, campaigns new, campaigns pause, campaigns plan, campaigns resume, "
    "campaigns send, campaigns stop, campaigns test, notify, events accept, events dismiss, deliverability import",
    Kind.APPROVE: "campaigns approve",
    Kind.ADMINISTER: "subscribers erase, subscribers export, subscribers release, fields free, fields use, "
    "events reclassify, keys rotate, users add, users leave, go-live, dkim new, resume, db upgrade, "
    "store rebuild-engagement",
}
COMMANDS: Final = {command: kind for kind, listed in _KINDS.items() for command in listed.split(", ")}


def kind_of(command: str) -> Kind:
    """A command that nobody gave a kind is for administrators."""
    return COMMANDS.get(command, Kind.ADMINISTER)


def allows(role: str, kind: Kind) -> bool:
    """Deny by default: an unknown role may nothing."""
    return kind in ROLES.get(role, frozenset())
