"""Who may do what: role × object × verb, through the command line and in the store, with no hole.

The pages have theirs in test_operating_desk.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import false, insert, select, update

from outreach.campaigns import credentials
from outreach.cli import COMMANDS, main, watching
from outreach.errors import ApprovalMissing
from outreach.store import acting, audit, permissions, staff, tables
from outreach.store.acting import Actor, Grant
from outreach.store.permissions import EVERYTHING, ROLES, Object, Verb, allows, right_of

MATRIX = """
              people                   content            campaign                      event              staff
reader        look                     look               look                          look               look
author        look+change              look+change        look+change+send+stop         look+change        look
approver      look+change              look+change        look+change+send+stop+approve look+change        look
administrator look+change+export+erase look+change+manage look+change+send+stop+approve look+change+manage look+manage
"""
"""The house and the audit log: everybody looks, administrators manage the house, nobody changes the log."""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command there is, as it is typed."""

    def walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield path, command
        if isinstance(command, click.Group):
            for name, each in command.commands.items():
                yield from walk(each, f"{path} {name}")

    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        yield from walk(command, name)


def test_the_matrix_is_what_we_say_it_is_and_has_no_hole():
    heads, *rows = [line.split() for line in MATRIX.strip().splitlines()]
    for role, *cells in rows:
        for thing, cell in zip(heads, cells, strict=True):
            assert {verb.value for verb in ROLES[role][Object(thing)]} == set(cell.split("+")), (role, thing)
        assert ROLES[role][Object.AUDIT] == {Verb.LOOK}
        assert (Verb.MANAGE in ROLES[role][Object.HOUSE]) == (role == "administrator")
        assert set(ROLES[role]) == set(Object)
    for verb in Verb:
        for thing in Object:
            answers = [allows(role, verb, thing) for role in ROLES]
            assert answers == sorted(answers), "who may more may everything that others may"
            assert not allows("visitor", verb, thing)
            assert verb in EVERYTHING[thing] or not any(answers)


def test_every_command_and_every_table_has_its_place_in_the_matrix():
    listed = [command for listed in permissions._COMMANDS.values() for command in listed.split(", ")]
    assert sorted(listed) == sorted(set(listed)), "in two places"
    assert {path for path, _ in commands()} - set(permissions.COMMANDS) == set(), "list these in store/permissions.py"
    known = {*tables.main.tables, *tables.events.tables}
    assert known - set(permissions.TABLES) == set(), "say in store/permissions.py what these tables belong to"
    assert right_of("a command from tomorrow") == (Verb.MANAGE, Object.HOUSE)


class Hall:
    """Everybody who might come to the command line, and every command with its body taken out."""

    def __init__(self, town, monkeypatch) -> None:
        self.monkeypatch, self.ran = monkeypatch, []
        self.tokens = {"nobody": "", "a stranger": credentials.new_token()}
        with town.store.write() as connection:
            connection.execute(insert(tables.department).values(id=7, name="Parks"))
            for who, role, department in (
                *((role, role, None) for role in ("administrator", *ROLES) if role),
                ("gone", "administrator", None),
                ("parks", "administrator", "Parks"),
            ):
                if staff.find(connection, who):
                    continue
                self.tokens[who] = credentials.new_token()
                key = credentials.public_key(self.tokens[who])
                staff.add(
                    connection, who, address=f"{who}@city.example", role=role, public_key=key, now=at_noon(),
                    department=department,
                )  # fmt: skip
            staff.leave(connection, staff.find(connection, "gone"), now=at_noon())
        (town.root / "a-file").write_text("x", "utf-8")

    def tries(self, who: str, path: str, command: click.Command) -> bool:
        """Whether the command's own body is reached."""
        original = command.callback.__wrapped__
        body = functools.wraps(original)(lambda *_arguments, **_named: self.ran.append(path))
        self.monkeypatch.setattr(command, "callback", watching.guarded(body, path))
        self.ran.clear()
        environment = {"OUTREACH_TOKEN": self.tokens[who], "OUTREACH_POLICY_REQUIRE_TOKEN": "1"}
        done = CliRunner().invoke(main, [*path.split(), *words_for(command)], env=environment)
        reached = self.ran[-1:] == [path]  # a group's own body may run before
        assert done.exit_code == (0 if reached else 4), f"{who}: {path}: {done.output}"
        return reached


def at_noon():
    import datetime as dt

    return dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def words_for(command: click.Command) -> Iterator[str]:
    """Some words that a command takes."""
    for parameter in command.params:
        if not parameter.required:
            continue
        if isinstance(parameter, click.Option):
            yield parameter.opts[0]
            if parameter.is_flag:
                continue
        kind = parameter.type
        if isinstance(kind, click.Choice):
            yield str(kind.choices[0])
        elif isinstance(kind, click.Path | click.File):
            yield "a-file" if getattr(kind, "file_okay", True) else "."
        else:
            yield "1"


@pytest.mark.parametrize("who", [*ROLES, "parks", "nobody", "a stranger", "gone"])
def test_each_role_gets_as_far_as_the_matrix_says_and_no_further(who, town, monkeypatch):
    monkeypatch.chdir(town.root)
    hall = Hall(town, monkeypatch)
    for path, command in commands():
        right = right_of(path)
        if right is None:
            wanted = True  # what the machine runs; whoever can start it owns the files
        elif who in ROLES:
            wanted = allows(who, *right)
        elif who == "parks":  # a department's administrator: the house is not theirs
            wanted = right[0] in permissions.IN_A_DEPARTMENT or right[1] is Object.STAFF
        else:
            wanted = False
        assert hall.tries(who, path, command) == wanted, path
    refused = sum(1 for path, _ in commands() if right_of(path) and not (who in ROLES and allows(who, *right_of(path))))
    with town.store.read() as connection:
        assert list(audit.breaks(connection)) == []
        written = sum("refused" in each.detail for each in audit.entries(connection))
    if who != "parks":
        assert written == refused


@pytest.mark.parametrize("role", [*ROLES, "nobody"])
def test_the_store_itself_refuses_every_change_that_a_role_may_not_make(role, store):
    actor = Actor("Ada", (Grant(role),) if role in ROLES else ())
    for table in (*tables.main.tables.values(), *tables.events.tables.values()):
        begin = store.write if table.name in tables.main.tables else store.write_events
        nothing = select(*table.columns).where(false())
        changes = {
            "insert": insert(table).from_select([column.name for column in table.columns], nothing),
            "update": update(table).where(false()).values({next(iter(table.columns)).name: None}),
            "delete": table.delete().where(false()),
        }
        for verb, statement in changes.items():
            thing = permissions.TABLES[table.name]
            if table.name == "audit":
                wanted = verb == "insert"
            elif thing is None:
                wanted = role in ROLES
            else:
                wanted = any(allows(role, each, thing) for each in EVERYTHING[thing] - {Verb.LOOK})
            assert passes(begin, actor, statement) == wanted, (role, verb, table.name)
    assert passes(store.read, actor, select(tables.campaign.c.id)) == (role in ROLES)


def passes(begin, actor: Actor, statement) -> bool:
    try:
        with acting.as_(actor), begin() as connection:
            connection.execute(statement)
    except ApprovalMissing:
        return False
    return True


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'x'",
        "DELETE FROM audit",
        "DROP TABLE campaign",
        "DELETE FROM staff",
        "insert or replace into staff_role values (1, 0, 'administrator')",
        "WITH x AS (SELECT 1) DELETE FROM staff_role",
        "VACUUM",
    ],
)
def test_text_that_goes_past_the_tables_is_refused_too(statement, sqlite_store):
    with (
        acting.as_(Actor("Ada", (Grant("approver"),))),
        pytest.raises(ApprovalMissing),
        sqlite_store.write() as connection,
    ):
        connection.exec_driver_sql(statement)
