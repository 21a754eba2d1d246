"""What the demo tells: real commands with their real output, in the order a city would use them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from outreach.cli.progress import bar
from outreach.cli.workspace import open_workspace
from outreach.practice.city import TOPICS, make_exports
from outreach.practice.residents import act
from outreach.store import campaigns, engagement
from outreach.store.campaigns import Status
from outreach.store.database import Store
from tracking.webhooks.feedback import load_secret

TOPIC = TOPICS[0]
IN_DOUBT = 5
RULE = f'topic is "{TOPIC}" and not district in (9, 10)'
CAMPAIGN = f"""\
---
subject: Street sweeping in district {{{{ district | default("yours") }}}} starts Monday
to: {RULE}
topic: {TOPIC}
from: Riverton Public Works <works@riverton.example>
preheader: Please move your car by 8 in the morning
---
Hello {{{{ first_name | default("neighbour") }}}},

sweeping in **district {{{{ district | default("yours") }}}}** starts on Monday. Please move your car by 8:00.

**[See your street](https://riverton.example/sweeping)**

- [Where you may park meanwhile](https://riverton.example/parking)
- [Report a missed street](https://riverton.example/311)

{{% if renter %}}
Renters: your landlord has the schedule, too.
{{% endif %}}

Thank you for keeping the storm drains clear.
"""
CAMPAIGN_ES = """\
---
subject: La limpieza de calles en el distrito {{ district | default("suyo") }} empieza el lunes
preheader: Por favor, mueva su coche antes de las 8 de la mañana
---
Hola {{ first_name | default("vecino") }}:

la limpieza en el **distrito {{ district | default("suyo") }}** empieza el lunes. Mueva su coche antes de las 8:00.

**[Vea su calle](https://riverton.example/sweeping)**

- [Dónde puede aparcar mientras tanto](https://riverton.example/parking)
- [Avise de una calle olvidada](https://riverton.example/311)

Gracias por mantener limpios los desagües.
"""


class Story:
    """One practice city, from its old systems' exports to a report."""

    def __init__(self, root: click.Command, folder: Path, *, people: int, seed: int) -> None:
        self._root = root
        self._folder = folder
        self._people = people
        self._seed = seed

    def until_sent(self) -> None:
        """Everything a city's staff does, up to the last accepted message."""
        self._import()
        self._choose()
        self._send(self._plan())

    def residents_act(self) -> None:
        """Residents and scanners open, click and leave, over real HTTP, by the mails that really arrived."""
        self._title("Residents read their mail (and 1 mailbox in 20 sits behind a link scanner)")
        mailboxes = self._folder / "mailboxes"
        with bar("residents", total=sum(1 for _ in (mailboxes / "new").glob("*.eml"))) as advance:
            acts = act(
                mailboxes,
                seed=self._seed,
                progress=lambda done, _total: advance(done),
                webhook_secret=load_secret(self._folder / "keys" / "webhook"),
            )
        click.echo(
            f"In truth {len(acts.opened):,} people opened, {len(acts.clicked):,} clicked, "
            f"{len(acts.unsubscribed):,} unsubscribed, {len(acts.complained):,} complained; "
            f"{len(acts.scanned):,} mailboxes were scanned by machines ({acts.scanner_hits:,} hits). "
            "The report below knows only what a tracking service can see."
        )
        for failure in acts.failures[:5]:
            click.echo(f"  ! {failure}", err=True)

    def tell_results(self) -> None:
        """Fold what came back into everybody's engagement, and show the report."""
        workspace = open_workspace()
        name = _latest(workspace.store)
        assert name is not None
        self._title("Tell people from machines, then see what happened")
        self._run("events", "reclassify", name)  # cron does it by itself, ten minutes after each hit
        engagement.fold(workspace.store, zone=workspace.settings.zone)
        report = self._folder / "report.html"
        self._run("report", name)
        self._run("report", name, "--html", str(report))
        self._run("segments", "count", f'clicked within 1 day and topic is "{TOPIC}"')
        self._run("segments", "count", f'not topic is "{TOPIC}"')
        click.echo(f"\nThe report: {report}\nThe workspace, to play with: cd {self._folder}")

    def _import(self) -> None:
        if _latest(open_workspace().store):
            return
        self._title(f"{self._people:,} residents, scattered over the exports of four old systems")
        city = make_exports(self._folder / "exports", people=self._people, seed=self._seed)
        for file in city.files:
            self._run("subscribers", "import", str(file.relative_to(self._folder)))

    def _choose(self) -> None:
        self._title("Say whom in a sentence, and see at once how many that is")
        self._run("segments", "explain", RULE)
        self._run("segments", "count", RULE)

    def _plan(self) -> str:
        name = _latest(open_workspace().store)
        if name is None:
            self._title("Write one text file")
            file = Path("campaigns") / "street-sweeping.md"
            (self._folder / file).write_text(CAMPAIGN, "utf-8")
            (self._folder / file).with_suffix(".es.md").write_text(CAMPAIGN_ES, "utf-8")
            click.echo(click.style(CAMPAIGN, dim=True))
            self._title("Plan it, have it approved, send it")
            self._run("campaigns", "plan", str(file))
            name = _latest(open_workspace().store)
            assert name is not None
        with open_workspace().store.read() as connection:
            if campaigns.find(connection, name).status is Status.PLANNED:
                self._run("campaigns", "approve", name, "--by", "Dana Lee")
        return name

    def _send(self, name: str) -> None:
        if self._run("campaigns", "send", name, "--yes", may_end_with=(0, IN_DOUBT)) == IN_DOUBT:
            click.echo(
                "  (In doubt: those mailboxes took the message and cut the line before saying so. "
                "Others would lose these people or write to them twice; we name them.)"
            )

    def _title(self, text: str) -> None:
        click.echo("\n" + click.style(f"── {text} ", bold=True) + "\n")

    def _run(self, *arguments: str, may_end_with: tuple[int, ...] = (0,)) -> int:
        """Run a command as if it had been typed; the demo ends where it fails."""
        click.echo(click.style(f"$ outreach {shlex.join(arguments)}", fg="cyan"))
        result = self._root.main(list(arguments), prog_name="outreach", standalone_mode=False)
        code = result if isinstance(result, int) else 0
        if code not in may_end_with:
            sys.exit(code)
        return code


def _latest(store: Store) -> str | None:
    with store.read() as connection:
        found = campaigns.every(connection)
    return found[-1].name if found else None
