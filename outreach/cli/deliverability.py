"""`outreach deliverability`: where every mail went, by provider, and the three next things to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from outreach.bounces.sunset import Silent
    from outreach.cli.workspace import Workspace


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write one self-contained HTML file.")
@click.option("--days", default=28, show_default=True, type=click.IntRange(8, 366))
@click.pass_context
def deliverability(ctx: click.Context, as_json: bool, html: Path | None, days: int) -> None:
    """Show where mail went, by receiving provider, and what to do next.

    \b
    outreach deliverability
    outreach deliverability --html deliverability.html
    outreach deliverability import report.xml.gz      a DMARC or TLS report that came another way
    outreach deliverability import snds.csv           what Microsoft or Google tell about us
    """
    if ctx.invoked_subcommand:
        return
    from outreach.bounces.health.advice import next_steps
    from outreach.bounces.health.figures import as_json as form
    from outreach.bounces.health.figures import collect
    from outreach.bounces.health.page import page
    from outreach.cli.workspace import open_workspace, print_json

    workspace = open_workspace()
    organisation = workspace.settings.text("organisation.name")
    health = collect(workspace.store, organisation=organisation, now=workspace.now(), days=days)
    advice = next_steps(health)
    if html:
        html.write_text(page(health, advice), "utf-8")
    if as_json:
        print_json(form(health, advice))
        return
    if html:
        click.echo(f"the page is in {html}")
        return
    for number, text in enumerate(advice, 1):
        click.echo(f"{number}. {text}")
    click.echo()
    click.echo(f"{'provider':24} {'accepted':>9} {'refused':>8} {'waiting':>8} {'spam':>6}  t50 / t90 minutes")
    for each in health.providers:
        times = f"{each.t50:.0f} / {each.t90:.0f}" if each.t50 is not None and each.t90 is not None else "–"
        numbers = f"{each.accepted:9,} {each.refused:8,} {each.waiting:8,} {each.complaints:6,}"
        click.echo(f"{each.name[:24]:24} {numbers}  {times}")


@deliverability.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_(files: tuple[Path, ...]) -> None:
    """Take DMARC aggregate and TLS reports from FILES: XML or JSON, plain, gzip or zip.

    Also what providers tell about us: the spam rate of Google's Postmaster Tools (the dashboard's CSV, or the JSON of
    its interface) and Microsoft's SNDS (CSV). Taking a file twice changes nothing.
    """
    from outreach.bounces.unpacking import MAX_IN
    from outreach.cli.workspace import open_workspace
    from tracking.bounces.reports import take_file

    workspace = open_workspace()
    domain = workspace.settings.text("mail.domain")
    for path in files:
        with path.open("rb") as file:
            count = take_file(workspace.store, file.read(MAX_IN + 1), now=workspace.now(), domain=domain)
        click.echo(f"{path}: {count} reports" if count else f"{path}: no report we know")


@deliverability.command()
@click.option("--apply", "act", is_flag=True, help="Take the steps that are due; without it they are only counted.")
@click.option(
    "--ask", type=click.Path(path_type=Path), help="Plan the campaign in this FILE for who is due to be asked."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def sunset(act: bool, ask: Path | None, as_json: bool) -> None:
    """Who has not been heard of for long: ask, then write less, then pause. Statutory and emergency mail goes on.

    \b
    outreach deliverability sunset                                    count only
    outreach deliverability sunset --ask campaigns/still-there.md     plan the question; approve and send it as ever
    outreach deliverability sunset --apply                            write less to who was asked a month ago, or pause

    Of --ask's FILE the rule (to:), the topic, consent and the gate (campaigns check) hold as in every campaign;
    whoever is not due is left out.
    """
    from collections import Counter

    from outreach.bounces.sunset import Step, apply, due
    from outreach.cli.workspace import open_workspace, print_json

    workspace = open_workspace()
    with workspace.store.write() as connection:
        people = due(connection, now=workspace.now())
        if act:
            apply(connection, people, now=workspace.now())
    planned = _ask(workspace, ask, people, quiet=as_json) if ask else None
    counts = Counter(each.step for each in people)
    if as_json:
        steps = {step.name.lower(): count for step, count in sorted(counts.items())}
        print_json({"applied": act, "steps": steps, "plan": planned})
        return
    for step, count in sorted(counts.items()):
        click.echo(f"{count:,} {'are now' if act and step is not Step.ASK else 'would be'} {step.word}")
    if planned:
        click.echo(f"planned {planned}; approve it with: outreach campaigns approve {planned} --by NAME")
    elif counts[Step.ASK]:
        click.echo("to ask them: outreach deliverability sunset --ask campaigns/FILE.md")


def _ask(workspace: Workspace, file: Path, people: Sequence[Silent], *, quiet: bool) -> str:
    """Check and plan the question, as `campaigns plan` does, and note who is asked, together. The plan's name."""
    from outreach.bounces.sunset import asked_in, asking
    from outreach.cli.planning import through_the_gate

    now = workspace.now()
    _, planned = through_the_gate(
        workspace,
        file,
        quiet=quiet,
        among=lambda connection: asking(connection, people),
        sealed=lambda connection, campaign_id: asked_in(connection, campaign_id, people, now=now),
    )
    return planned.name


@deliverability.command()
def seeds() -> None:
    """Look into the seed mailboxes of seeds.toml for every message that is due to be looked for."""
    from outreach.cli.workspace import open_workspace
    from outreach.errors import OutreachError

    if troubles := look_at_seeds(open_workspace()):
        raise OutreachError("; ".join(troubles))


def look_at_seeds(workspace: Workspace) -> list[str]:
    """For cron too. Troubles in words."""
    from outreach.tokens import load_keys
    from tracking.bounces.seeds import FILE, load, look

    found = load(workspace.root / FILE)
    if not found:
        return []
    domain = workspace.settings.text("mail.domain")
    return look(workspace.store, found, keys=load_keys(workspace.token_keys), domain=domain, now=workspace.now())
