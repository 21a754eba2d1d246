"""Around every command: who is at work, may they do that, and if something changed, who changed it.

Whoever shows a token (OUTREACH_TOKEN), or is one of the staff at the shell, may what their roles may. For anybody else
the shell's permission counts, unless `policy.require_token` is 1. The store checks every change again (store.acting).
Refusals are written down like changes; nobody's address is.
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
from outreach.logs import redact
from outreach.store.permissions import Object, Right, Verb, right_of

if TYPE_CHECKING:
    from outreach.cli.workspace import Workspace
    from outreach.store.acting import Actor

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
        command.callback = guarded(command.callback, path)


def guarded(callback: Callable[..., Any], path: str) -> Callable[..., Any]:
    """The callback of the command `path`, run by whoever is at work and only if they may."""
    right = right_of(path)

    @functools.wraps(callback)
    def run(*arguments: Any, **named: Any) -> Any:
        if right is None:
            return callback(*arguments, **named)
        from outreach.store import acting

        thing = _object(path, named)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(acting.as_(_actor(right)))
                acting.require(right, what=f"`outreach {path}`")
                result = callback(*arguments, **named)
            except (ApprovalMissing, Blocked) as error:
                with contextlib.suppress(OutreachError):
                    _note(path, thing, {"refused": redact(str(error))})
                raise
            if right[0] is not Verb.LOOK:
                _note(path, thing, {})
            return result

    return run


def _actor(right: Right) -> Actor:
    """Who is at work; the machine where nobody has been added yet, or nobody needs to say who they are.

    Who works here is always somebody's word: nobody is added without a token.
    """
    from outreach.campaigns import credentials
    from outreach.store import acting, staff

    if (workspace := _workspace()) is None:
        return acting.MACHINE
    try:
        with workspace.store.read() as connection:
            if not staff.count(connection):
                return acting.MACHINE
            try:
                member = credentials.current(connection)
            except ApprovalMissing:
                strict = workspace.settings.number("policy.require_token") or right == (Verb.MANAGE, Object.STAFF)
                if strict or os.environ.get(VARIABLE):
                    raise
                return acting.MACHINE
    finally:
        workspace.store.close()
    return member.actor if member else acting.MACHINE


def _note(path: str, thing: str, detail: dict[str, str]) -> None:
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
