"""What we ship: two packages and their content, nothing else at the top; every command documented."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest

from outreach.cli import COMMANDS, main

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_exactly_our_two_packages(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"outreach", "tracking"}


def test_the_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    run = "import sys; sys.path.insert(0, sys.argv.pop(1)); from outreach.cli import main; main()"

    def outreach(*arguments: str, cwd: Path) -> str:
        command = [sys.executable, "-P", "-c", run, str(site), *arguments]
        return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout

    outreach("init", "city", cwd=tmp_path)
    assert "engaged" in outreach("segments", "list", cwd=tmp_path / "city")
    (tmp_path / "city" / "people.csv").write_text("email\nada@mail.example\n")
    outreach("subscribers", "import", "people.csv", "--topic", "City news", "--source", "form", cwd=tmp_path / "city")
    assert "1 person" in outreach("campaigns", "plan", "campaigns/welcome.md", cwd=tmp_path / "city")


def commands(group: click.Command, path: str = "outreach") -> list[tuple[str, click.Command]]:
    if not isinstance(group, click.Group):
        return [(path, group)]
    context = click.Context(group)
    children = [(name, group.get_command(context, name)) for name in group.list_commands(context)]
    return [found for name, child in children if child for found in commands(child, f"{path} {name}")]


def test_every_command_says_what_it_is_for() -> None:
    silent = [path for path, command in commands(main) if not (command.help or "").strip()]
    assert silent == []


def test_every_command_group_is_in_the_readme_or_the_docs() -> None:
    text = "\n".join(
        path.read_text("utf-8") for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md")]
    )
    assert [name for name in COMMANDS if f"outreach {name}" not in text] == []


def test_no_module_has_grown_into_two() -> None:
    lengths = {
        path: len(path.read_text("utf-8").splitlines())
        for part in ("outreach", "tracking")
        for path in (ROOT / part).rglob("*.py")
    }
    assert {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > 400} == {}
