"""A report as one HTML file that needs nothing else: no network, no script, a phone is enough.

First what happened, in three sentences; then the charts, each with its numbers in a table. Every string is escaped by
the template, and the page's own policy forbids it to load anything, so that a server's reply or a link written by
somebody else can be shown without being obeyed.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from outreach.reports import charts, words
from outreach.reports.charts import Part
from outreach.reports.document import Report
from outreach.reports.metrics import Answers, Figures
from outreach.reports.rates import Rate
from outreach.reports.sentences import STATE_MEANINGS, STATE_WORDS, coverage, summary
from outreach.reports.series import Series
from outreach.store.deliveries import State

MOST_LINKS = 12
"""Links in the chart; the table has them all."""


@dataclass(frozen=True, slots=True)
class _Tile:
    name: str
    count: str
    share: str
    interval: str


@dataclass(frozen=True, slots=True)
class _Timed:
    """A chart over time, with the table behind it."""

    heading: str
    note: str
    chart: Markup
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def page(report: Report) -> str:
    """The whole file, UTF-8 once encoded."""
    style = _resource("page.css")
    return (
        _environment()
        .from_string(_resource("page.html"))
        .render(
            report=report,
            style=Markup(style),  # noqa: S704 - our own file, not a word of it from outside
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            summary=summary(report),
            coverage=coverage(report),
            tiles=_tiles(report.figures),
            balance=_balance(report),
            nobody=_nobody(report),
            balance_chart=_balance_chart(report),
            frozen_note=f"The audience was frozen with {words.people(report.balance.frozen)}; here is each of them.",
            accepted=_accepted(report),
            reading=_reading(report),
            reading_table=_reading_table(report),
            table=_table,
            links_chart=_links_chart(report.figures),
            answers_chart=_answers_chart(report.figures.answers),
            answers_note=_answers_note(report.figures),
            left=_left(report.figures),
            left_chart=_left_chart(report.figures),
            left_note=_left_note(report.figures),
            facts=_facts(report),
            made_at=words.moment(report.made_at, report.zone),
        )
    )


@cache
def _resource(name: str) -> str:
    return (files("outreach.reports") / name).read_text("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["number"] = words.number
    return environment


def _tiles(figures: Figures) -> list[_Tile]:
    return [
        _tile("Accepted", figures.accepted_rate, "tried"),
        _tile("Opened", figures.open_rate, "measurable" if figures.opens.unmeasurable else "delivered"),
        _tile("Followed a link", figures.click_rate, "delivered"),
        _tile("Unsubscribed", figures.leave_rate, "delivered"),
    ]


def _tile(name: str, rate: Rate, of: str) -> _Tile:
    """A figure with its denominator; with too few people for a share, only the two numbers."""
    share = rate.share_text if rate.share is None else f"{rate.share_text} of {words.number(rate.of)}"
    return _Tile(name, words.number(rate.count), f"{share} {of}" if rate.of else share, rate.interval_text)


# --- the balance ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    state: State
    name: str
    meaning: str
    count: int
    share: str
    reasons: tuple[object, ...]


def _balance(report: Report) -> list[_Line]:
    books = report.balance
    return [
        _Line(
            state,
            STATE_WORDS[state].capitalize(),
            STATE_MEANINGS[state],
            books[state],
            words.percent(books[state] / books.frozen),
            books.reasons.get(state, ()),
        )
        for state in State
        if books[state]
    ]


def _nobody(report: Report) -> str:
    """The states that nobody is in, as one line: an absence is information too, but a quiet one."""
    return words.series([STATE_WORDS[state] for state in State if not report.balance[state]], last="or")


def _balance_chart(report: Report) -> Markup:
    books = report.balance
    told = [f"{words.number(books[state])} {STATE_WORDS[state]}" for state in State if books[state]]
    # The largest part first: the eye compares the rest with it.
    order = sorted(State, key=lambda state: (state is not State.ACCEPTED, state))
    return charts.stacked(
        [Part(STATE_WORDS[state], books[state], state.word) for state in order],
        name="balance-chart",
        title="Where everybody's message is",
        description=f"One bar for {words.people(books.frozen)}: {words.series(told) or 'nobody'}.",
    )


# --- over time --------------------------------------------------------------------------------------------------


def _accepted(report: Report) -> _Timed | None:
    found = report.figures.accepted_over_time
    if found is None:
        return None
    half, most = (charts.clock(found.reached(share), found.grid, report.zone) for share in (0.5, 0.9))
    pace = f"Half of the messages had been accepted by {half}, nine in ten by {most}."
    if half == most:
        pace = f"Nine in ten messages had been accepted by {most}."
    step = words.span(found.grid.seconds)
    return _Timed(
        "Accepted",
        f"{pace} One column is {step}.",
        charts.columns(
            found,
            name="accepted-chart",
            title="Messages accepted over time",
            description=_told(found, report, "messages accepted"),
            colour="accepted",
            zone=report.zone,
        ),
        ("From", "Messages accepted"),
        tuple(
            (charts.clock(found.grid.beginning(step), found.grid, report.zone), words.number(count))
            for step, count in enumerate(found.counts)
        ),
    )


def _reading(report: Report) -> list[_Timed]:
    timed = (
        ("People who opened it, when they first did", report.figures.opens_over_time, "opened", "first opens"),
        ("People who followed a link, when they first did", report.figures.clicks_over_time, "clicked", "first clicks"),
    )
    return [
        _Timed(
            heading,
            "",
            charts.columns(
                found,
                name=f"{colour}-chart",
                title=heading,
                description=_told(found, report, what),
                colour=colour,
                zone=report.zone,
            ),
            (),
            (),
        )
        for heading, found, colour, what in timed
        if found is not None and found.total
    ]


def _reading_table(report: Report) -> _Timed | None:
    opens, clicks = report.figures.opens_over_time, report.figures.clicks_over_time
    if opens is None or clicks is None:
        return None
    rows = (
        (charts.clock(opens.grid.beginning(step), opens.grid, report.zone), words.number(opened), words.number(clicked))
        for step, (opened, clicked) in enumerate(zip(opens.counts, clicks.counts, strict=True))
    )
    return _Timed("", "", Markup(""), ("From", "First opens", "First clicks"), tuple(rows))


def _told(found: Series, report: Report, what: str) -> str:
    peak = charts.clock(found.grid.beginning(found.peak), found.grid, report.zone)
    return (
        f"{words.number(found.total)} {what} between {words.moment(found.grid.start, report.zone)} and"
        f" {words.moment(found.grid.end, report.zone)}, in steps of {words.span(found.grid.seconds)};"
        f" most, {words.number(found.counts[found.peak])}, in the step from {peak}."
    )


def _table(timed: _Timed) -> Markup:
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(Markup(' class="count"') if place else "", name)
        for place, name in enumerate(timed.columns)
    )
    body = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            row[0], Markup("").join(Markup('<td class="count">{}</td>').format(cell) for cell in row[1:])
        )
        for row in timed.rows
    )
    return Markup(
        "<details><summary>The numbers as a table</summary>"
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></details>"
    ).format(head, body)


# --- links, leaving, facts --------------------------------------------------------------------------------------


def _links_chart(figures: Figures) -> Markup:
    ranked = sorted(figures.links, key=lambda link: (-link.people, link.number))[:MOST_LINKS]
    told = [f"{link.url or f'link {link.number}'}: {words.number(link.people)}" for link in ranked]
    return charts.bars(
        [Part(link.url or f"link {link.number}", link.people, "clicked") for link in ranked],
        name="links-chart",
        title="People who followed each link",
        description="; ".join(told),
    )


def _answers_chart(answers: Answers | None) -> Markup | None:
    if answers is None or not answers.people:
        return None
    return charts.bars(
        [Part(answer.text, answer.people, "clicked") for answer in answers.answers],
        name="answers-chart",
        title=answers.question,
        description="; ".join(f"{answer.text}: {words.number(answer.people)}" for answer in answers.answers),
    )


def _answers_note(figures: Figures) -> str:
    answers = figures.answers
    if answers is None:
        return ""
    note = f"{words.people(answers.people)} answered: {figures.answer_rate.text}. Everybody's last answer counts."
    if answers.anonymous:
        note += f" {words.some(answers.anonymous, 'more answer', 'more answers')} came from people who give no name."
    if answers.machine_hits:
        note += f" {words.some(answers.machine_hits, 'answer was', 'answers were')} a machine's, and not counted."
    return note


def _left(figures: Figures) -> list[tuple[str, int]]:
    left = figures.left
    return [
        ("Unsubscribed from this topic", left.people - left.everything),
        ("Unsubscribed from everything", left.everything),
        ("Marked it as spam", figures.complaints),
        ("Unsubscribed, then came back", left.undone),
    ]


def _left_chart(figures: Figures) -> Markup | None:
    rows = _left(figures)[:3]
    if not any(count for _, count in rows):
        return None
    return charts.bars(
        [Part(name, count, "bounced") for name, count in rows],
        name="left-chart",
        title="People who left",
        description="; ".join(f"{name}: {words.number(count)}" for name, count in rows),
    )


def _left_note(figures: Figures) -> str:
    if not figures.left.people and not figures.complaints:
        return "Nobody unsubscribed, and nobody marked it as spam."
    note = f"{words.people(figures.left.people)} unsubscribed: {figures.leave_rate.text}."
    if figures.left.one_click:
        note += f" {words.number(figures.left.one_click)} of them with their mail program's own button."
    return note


def _facts(report: Report) -> list[tuple[str, str]]:
    campaign = report.campaign
    found = [
        ("Plan", campaign.name),
        ("Status", campaign.status.value),
        ("Audience", campaign.rule),
        (
            "Left out",
            "; ".join(f"{words.number(count)} {reason}" for reason, count in report.left_out.items() if count),
        ),
        ("From", str(campaign.plan.get("from") or "")),
        ("Planned", words.moment(campaign.planned_at, report.zone)),
        ("Approved", words.moment(campaign.approved_at, report.zone) if campaign.approved_at else "not yet"),
        ("Approved by", campaign.approved_by or ""),
        ("Started", words.moment(campaign.started_at, report.zone) if campaign.started_at else "not yet"),
        ("Finished", words.moment(campaign.finished_at, report.zone) if campaign.finished_at else "not yet"),
        ("Plan's hash", campaign.plan_hash),
    ]
    return [(name, words.plain(value, longest=1_000)) for name, value in found if value]
