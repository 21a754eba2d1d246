"""`outreach campaigns check`: the gate, as a person reads it and as a script does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from outreach.campaigns.checking import Checked
from outreach.campaigns.checking import check as check_file
from outreach.cli.workspace import Workspace, open_workspace, print_json
from outreach.errors import Blocked
from outreach.preflight.dns import Resolver, SystemResolver
from outreach.preflight.findings import Finding, Severity

DNS_SECONDS = 2.0
_MARK = {Severity.BLOCK: ("✗", "red"), Severity.WARN: ("!", "yellow"), Severity.NOTE: ("·", "cyan")}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@click.option("--offline", is_flag=True, help="Do not ask the DNS about the sending domain.")
def check(file: Path, as_json: bool, offline: bool) -> None:
    """Say everything that is wrong with FILE, before anybody gets it. Nothing is planned or sent.

    Every language is compiled and every person's message rendered. Looked at are links, fields, size, accessibility,
    plain language, subject and sender, the footer, consent, the audience against last time, the schedule, and the
    sending domain's DNS.

    \b
    ✗ blocks: the campaign cannot be planned until it is mended (exit code 6)
    ! warns:  whoever approves the campaign should know
    · notes:  worth knowing
    """
    workspace = open_workspace()
    checked = look(workspace, file, resolver=None if offline else SystemResolver(seconds=DNS_SECONDS))
    if as_json:
        print_json(document(checked))
    else:
        show(checked)
    refuse(checked, shown=not as_json)


def look(workspace: Workspace, file: Path, *, resolver: Resolver | None = None) -> Checked:
    return check_file(
        workspace.store,
        workspace.settings,
        file,
        segments=workspace.segments(),
        now=workspace.now(),
        resolver=resolver,
    )


def document(checked: Checked) -> dict[str, object]:
    return {
        "file": str(checked.file),
        "languages": list(checked.languages),
        "audience": checked.audience,
        "excluded": dict(checked.excluded),
        "leaves": checked.leaves,
        "trial": bool(checked.trial),
        "blocked": checked.blocked,
        "findings": [as_document(finding) for finding in checked.findings],
    }


def as_document(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "severity": finding.severity.value,
        "place": finding.place,
        "problem": finding.problem,
        "fix": finding.fix,
    }


def show(checked: Checked) -> None:
    show_findings(checked.findings)
    people = "" if checked.audience is None else f"; {counted(checked.audience)} would get it"
    if not checked.findings:
        click.echo(f"{checked.file} is well: {', '.join(checked.languages)}{people}")
    else:
        counts = ", ".join(
            f"{sum(finding.severity is severity for finding in checked.findings)} {word}"
            for severity, word in (
                (Severity.BLOCK, "to mend"),
                (Severity.WARN, "to look at"),
                (Severity.NOTE, "to know"),
            )
        )
        click.echo(f"{checked.file}: {counts}{people}")
    if checked.audience is not None and checked.excluded:
        left_out = ", ".join(f"{count:,} {reason}" for reason, count in checked.excluded.items())
        chosen = checked.audience + sum(checked.excluded.values())
        click.echo(f"  the rule chooses {chosen:,}; left out: {left_out}")
    if checked.leaves:
        click.echo(f"  leaves {checked.leaves}, once approved, by `outreach cron`")
    if checked.trial:
        click.echo(f"  {checked.trial}")


def counted(people: int) -> str:
    return "1 person" if people == 1 else f"{people:,} people"


def show_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        mark, colour = _MARK[finding.severity]
        click.echo(
            f"{click.style(mark, fg=colour, bold=True)} {finding.place}: {finding.problem}".replace("\n", "\n    ")
        )
        click.echo(f"    {finding.check}: {finding.fix}")


def refuse(checked: Checked, *, shown: bool = False) -> None:
    """Blocked (exit code 6) if anything blocks. It says what, unless the findings are `shown` already."""
    if blocking := [finding for finding in checked.findings if finding.blocks]:
        more = f" and {len(blocking) - 1} more" if len(blocking) > 1 else ""
        why = f"{blocking[0].place}: {blocking[0].problem.splitlines()[0]}{more}"
        if shown:
            why = f"{len(blocking)} to mend, marked {_MARK[Severity.BLOCK][0]} above"
        raise Blocked(f"{checked.file} cannot be sent like this: {why}. Nobody has got anything")
