"""Around every command: may this person do that, and if something changed, who changed it.

Whoever shows a token (OUTREACH_TOKEN) may what their role may. Without one the shell's permission counts, unless
`policy.require_token` is 1. Refusals are written down like changes; nobody's address is.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outreach.errors import ApprovalMissing, Blocked, OutreachError
from outreach.store.permissions import ASKS, Kind, allows, kind_of

if TYPE_CHECKING:
    from outreach.cli.workspace import Workspace

VARIABLE = "OUTREACH_TOKEN"
_OBJECTS = ("campaigns", "templates", "segments", "users", "notify", "report")
"""Commands whose argument names a thing of ours, and not a person who subscribed."""
_WATCHED = "outreach_watched"


def watch(command: click.Command, path: str) -> None:
    """Put permission and the audit log around a command and everything below it. Watched once, however often loaded."""
    if getattr(command, _WATCHED, False):
        return
    setattr(command, _WATCHED, True)
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            watch(each, f"{path} {name}")
    if command.callback is not None and (not isinstance(command, click.Group) or command.invoke_without_command):
        command.callback = _guarded(command.callback, path)


def _guarded(callback: Callable[..., Any], path: str) -> Callable[..., Any]:
    kind = kind_of(path)

    @functools.wraps(callback)
    def run(*arguments: Any, **named: Any) -> Any:
        thing = _object(path, named)
        try:
            _permit(path, kind)
            result = callback(*arguments, **named)
        except (ApprovalMissing, Blocked) as error:
            with contextlib.suppress(OutreachError):
                _note(path, kind, thing, {"refused": str(error)})
            raise
        _note(path, kind, thing, {})
        return result

    return run


def _permit(path: str, kind: Kind) -> None:
    """ApprovalMissing unless whoever is at the keyboard may do this."""
    if kind is Kind.SERVE or (workspace := _workspace()) is None:
        return
    from outreach.campaigns import credentials
    from outreach.store import audit, staff

    token = os.environ.get(VARIABLE, "")
    try:
        with workspace.store.read() as connection:
            if not staff.count(connection):
                return
            if not token and not workspace.settings.number("policy.require_token"):
                return
            member = credentials.current(connection)
    finally:
        workspace.store.close()
    assert member is not None
    audit.acting.set(member.name)
    if not allows(member.role, kind):
        raise ApprovalMissing(
            f"{member.name} is {'an' if member.role[0] in 'aeiou' else 'a'} {member.role}; "
            f"`outreach {path}` asks for {ASKS[kind]}"
        )


def _note(path: str, kind: Kind, thing: str, detail: dict[str, str]) -> None:
    if kind in (Kind.SERVE, Kind.LOOK) and not detail:
        return
    if (workspace := _workspace()) is None:
        return
    from outreach.store import audit

    try:
        with workspace.store.write() as connection:
            audit.note(connection, verb=path, object=thing, detail=detail, now=workspace.now())
    finally:
        workspace.store.close()


def _object(path: str, named: dict[str, Any]) -> str:
    """What a command is about, if that is not a person."""
    if path.partition(" ")[0] not in _OBJECTS:
        return ""
    value = next((named[each] for each in ("name", "file", "campaign", "target") if each in named), "")
    return Path(str(value)).name if value else ""


def _workspace() -> Workspace | None:
    """The workspace around the current folder; None where there is none yet, or its tables are of another time."""
    from outreach.cli.workspace import open_workspace

    try:
        return open_workspace()
    except OutreachError:
        return None
