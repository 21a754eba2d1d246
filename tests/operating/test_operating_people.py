"""Who may do what, and that every refusal and change is written down."""

from __future__ import annotations

import itertools

import click
import pytest

from outreach.cli import COMMANDS, main
from outreach.store import permissions
from outreach.store.permissions import Kind, allows, kind_of


def commands() -> list[str]:
    """Every command there is, as it is typed."""

    def walk(command: click.Command, path: str):
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield path
        if isinstance(command, click.Group):
            for name, each in command.commands.items():
                yield from walk(each, f"{path} {name}")

    context = click.Context(main)
    found = []
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        found.extend(walk(command, name))
    return found


def test_every_command_is_watched_and_the_matrix_has_no_hole():
    matrix = {
        (role, command): allows(role, kind_of(command))
        for role, command in itertools.product(permissions.ROLES, commands())
    }
    assert all(isinstance(answer, bool) for answer in matrix.values())
    for command in commands():
        assert matrix["administrator", command]
        # Who may more may everything that others may.
        ranks = [matrix[role, command] for role in ("reader", "author", "approver", "administrator")]
        assert ranks == sorted(ranks), command
    assert not allows("visitor", Kind.LOOK)
    assert kind_of("a command from tomorrow") is Kind.ADMINISTER


def test_nobody_but_their_kind_gets_through_the_command_line(command, tmp_path):
    command(tmp_path).run("init", "city")
    city = command(tmp_path / "city")
    tokens = {}
    for role in ("administrator", "reader", "author", "approver"):
        said = city.run("users", "add", role.title(), "--address", f"{role}@city.example", "--role", role)
        (tokens[role],) = [word for word in said.stdout.split() if word.startswith("outreach-")]
        city.environment["OUTREACH_TOKEN"] = tokens["administrator"]
    refused = {
        "reader": ("campaigns", "plan", "campaigns/welcome.md"),
        "author": ("campaigns", "approve", "welcome-1", "--by", "Author"),
        "approver": ("users", "add", "Eve", "--address", "eve@city.example"),
    }
    for role, words in refused.items():
        city.environment["OUTREACH_TOKEN"] = tokens[role]
        assert f"{role.title()} is a" in city.run(*words, code=4).stderr
        city.run("campaigns", "list")
    city.environment["OUTREACH_TOKEN"] = tokens["administrator"]
    city.run("users", "leave", "Reader")
    city.environment["OUTREACH_TOKEN"] = tokens["reader"]
    assert "belongs to nobody here" in city.run("campaigns", "list", code=4).stderr
    city.environment["OUTREACH_TOKEN"] = tokens["administrator"]
    log = [(each["who"], each["verb"], "refused" in each["detail"]) for each in city.json("audit", "show")]
    assert ("Author", "campaigns approve", True) in log
    assert ("Approver", "users add", True) in log
    assert ("Administrator", "users leave", False) in log
    assert "the chain is whole" in city.run("audit", "verify").stdout


@pytest.mark.parametrize("name", sorted(permissions.COMMANDS))
def test_no_command_is_in_two_kinds(name):
    listed = [command for listed in permissions._KINDS.values() for command in listed.split(", ")]
    assert listed.count(name) == 1
