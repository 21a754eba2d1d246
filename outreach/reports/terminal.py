"""A report in a terminal: tables when somebody watches, plain lines when the output goes into a pipe."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from outreach.reports import words
from outreach.reports.document import Report
from outreach.reports.metrics import Answers
from outreach.reports.rates import Rate
from outreach.reports.sentences import STATE_MEANINGS, STATE_WORDS, coverage, summary
from outreach.store.deliveries import State

_COLOURS = {State.ACCEPTED: "green", State.BOUNCED: "red", State.IN_DOUBT: "yellow"}


def show(report: Report, console: Console) -> None:
    """Print the report. Everything is a Text, never markup: `[red]` in a subject stays what it is."""
    console.print(Text(report.title, style="bold"))
    console.print(Text(f"{report.campaign.name} · {report.campaign.status}", style="dim"))
    for sentence in summary(report):
        console.print(Padding(Text(sentence), (0, 0)))
    console.print()
    console.print(_balance(report))
    console.print(_figures(report))
    if report.figures.links:
        console.print(_links(report))
    if report.figures.answers:
        console.print(_answers(report.figures.answers))
    console.print(Text(coverage(report), style="dim"))


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=Text(title), title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for place, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if place == 1 else "left", style="", no_wrap=place == 1)
    return table


def _balance(report: Report) -> Table:
    books = report.balance
    table = _table("The balance", "state", "people", "meaning")
    for state in State:
        style = _COLOURS.get(state, "") if books[state] else "dim"
        table.add_row(
            Text(STATE_WORDS[state], style=style),
            Text(words.number(books[state]), style=style),
            Text(STATE_MEANINGS[state], style="dim"),
        )
        for reason in books.reasons.get(state, ()):
            table.add_row(Text(""), Text(""), Text(f"{words.number(reason.count)} × {reason.text}", style="dim"))
    table.add_row(Text("frozen", style="bold"), Text(words.number(books.frozen), style="bold"), Text("it balances"))
    table.add_row()
    return table


def _figures(report: Report) -> Table:
    figures = report.figures
    table = _table("What people did", "", "people", "share (95 % interval)", "machines, not counted")
    rows: list[tuple[str, int, Rate, int | None]] = [
        ("opened", figures.opens.people, figures.open_rate, figures.opens.machine_hits),
        ("followed a link", figures.clicks.people, figures.click_rate, figures.clicks.machine_hits),
        ("unsubscribed", figures.left.people, figures.leave_rate, None),
        ("marked as spam", figures.complaints, figures.complaint_rate, None),
    ]
    for name, count, rate, machines in rows:
        hits = "" if machines is None else words.some(machines, "request", "requests")
        table.add_row(Text(name), Text(words.number(count)), Text(rate.text), Text(hits))
    table.add_row()
    return table


def _links(report: Report) -> Table:
    table = _table("Links", "destination", "people")
    for link in sorted(report.figures.links, key=lambda link: -link.people):
        table.add_row(Text(link.url or f"link {link.number}", overflow="fold"), Text(words.number(link.people)))
    table.add_row()
    return table


def _answers(answers: Answers) -> Table:
    columns = ("answer", "people", "without a name") if answers.anonymous else ("answer", "people")
    table = _table(f"“{answers.question}”", *columns)
    for answer in answers.answers:
        cells = [Text(answer.text, overflow="fold"), Text(words.number(answer.people))]
        table.add_row(*cells, *([Text(words.number(answer.anonymous))] if answers.anonymous else []))
    table.add_row()
    return table
