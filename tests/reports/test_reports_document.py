"""The figures against the truth, their JSON, and how they read in a terminal. On both databases."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable

from rich.console import Console
from sqlalchemy import delete, insert, update

from outreach.events import Kind
from outreach.reports.document import Report
from outreach.reports.sentences import coverage, summary
from outreach.reports.terminal import show
from outreach.store import campaigns
from outreach.store.campaigns import Campaign
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.events import Verdict
from outreach.store.tables import campaign, delivery, event, feedback

Planner = Callable[..., Campaign]
Reporter = Callable[..., Report]
NOW = dt.datetime(2026, 11, 22, 20, 0, tzinfo=dt.UTC)


def in_terminal(report: Report) -> str:
    out = io.StringIO()
    show(report, Console(file=out, width=100))
    return out.getvalue()


def test_people_are_told_from_machines_and_counted_once(store: Store, sweeping: tuple, report_of: Reporter) -> None:
    found, truth = sweeping
    figures = report_of(found).figures
    everybody = set().union(*truth.clicked.values())
    assert figures.opens.people == len(truth.opened)
    assert figures.opens.hits > len(truth.opened)
    assert figures.clicks.people == len(everybody)
    assert [link.people for link in figures.links] == [len(truth.clicked[number]) for number in range(3)]
    assert figures.opens.machine_hits + figures.clicks.machine_hits == truth.machine_hits
    assert figures.left.people == len(truth.unsubscribed)
    assert figures.complaints == len(truth.complained)
    assert figures.delivered == truth.states[State.ACCEPTED]
    assert (figures.open_rate.count, figures.open_rate.of) == (len(truth.opened), figures.delivered)


def test_over_time_adds_up_to_the_figures(store: Store, sweeping: tuple, report_of: Reporter) -> None:
    found, truth = sweeping
    figures = report_of(found).figures
    assert figures.accepted_over_time is not None
    assert figures.accepted_over_time.total == truth.states[State.ACCEPTED]
    assert figures.opens_over_time is not None
    assert figures.opens_over_time.total == figures.opens.people
    assert figures.clicks_over_time is not None
    assert figures.clicks_over_time.total == figures.clicks.people
    assert figures.opens_over_time.grid == figures.clicks_over_time.grid


def test_the_last_word_on_leaving_counts(store: Store, small_sweeping: Planner, report_of: Reporter) -> None:
    found = small_sweeping(10)
    said = [(Kind.UNSUBSCRIBE, 1), (Kind.UNSUBSCRIBE, 2), (Kind.UNDO, 2), (Kind.UNDO, 3), (Kind.UNSUBSCRIBE, 1)]
    with store.write() as connection:
        connection.execute(delete(feedback))
        for number, (kind, person) in enumerate(said, 1):
            connection.execute(
                insert(feedback).values(
                    spool="b", sequence=number, kind=kind.value, at=NOW, campaign_id=1, subscriber_id=person,
                    agent_class=7, network_class=1, flags=0,
                )
            )  # fmt: skip
    left = report_of(found).figures.left
    assert (left.people, left.everything, left.undone) == (1, 0, 1)


def test_a_message_that_came_back_within_three_days_was_not_delivered(
    store: Store, sweeping: tuple, report_of: Reporter
) -> None:
    found, _ = sweeping
    with store.write() as connection:
        took = list(connection.execute(
            delivery.select().where(delivery.c.state == State.ACCEPTED.value).limit(3)
        ))  # fmt: skip
        for number, (row, days, detail) in enumerate(
            zip(took, (1, 2, 4), (None, '{"hard": false}', None), strict=True)
        ):
            connection.execute(
                insert(feedback).values(
                    spool="b", sequence=number, kind=Kind.BOUNCE.value, at=row.at + dt.timedelta(days=days),
                    campaign_id=1, subscriber_id=row.subscriber_id, agent_class=0, network_class=0, flags=0,
                    detail=detail,
                )
            )  # fmt: skip
    figures = report_of(found).figures
    assert (figures.late_bounces, figures.delivered) == (1, 1_959)


def test_opens_that_cannot_be_measured_are_neither_people_nor_machines(
    store: Store, sweeping: tuple, report_of: Reporter
) -> None:
    found, truth = sweeping
    only_proxied = min(truth.opened - set().union(*truth.clicked.values()))
    with store.write_events() as connection:
        connection.execute(
            update(event).where(event.c.subscriber_id == only_proxied).values(verdict=Verdict.NOT_MEASURABLE.value)
        )
    report = report_of(found)
    assert (report.figures.opens.people, report.figures.opens.unmeasurable) == (len(truth.opened) - 1, 1)
    assert "For 1 person it cannot be known" in coverage(report)


def test_the_json_is_one_versioned_document(store: Store, sweeping: tuple, report_of: Reporter) -> None:
    found, truth = sweeping
    document = json.loads(json.dumps(report_of(found).to_json()))
    assert document["version"] == 1
    assert document["campaign"] == "street-sweeping-1"
    assert document["balance"]["frozen"] == 2_000 == sum(document["balance"].values()) - 2_000
    assert document["left_out"] == {"suppressed": 21, "did not ask for it": 16}
    assert document["approved_by"] == "Maria Okafor"
    assert document["planned_at"] == "2026-11-19T15:00:00+00:00"
    assert document["opens"]["people"] == len(truth.opened)
    assert document["rates"]["clicks"] == {
        "count": 138,
        "of": 1_960,
        "share": 0.070408,
        "low": 0.059902,
        "high": 0.082595,
    }
    assert sum(document["over_time"]["opens"]["counts"]) == document["opens"]["people"]


def test_three_plain_sentences(store: Store, sweeping: tuple, report_of: Reporter) -> None:
    found, _ = sweeping
    assert summary(report_of(found)) == [
        "On Thursday, 19 November 2026, City of Example wrote to an audience of 2,000 people about"
        " Parking & street sweeping.",
        "1,960 messages were accepted by the receiving mail servers; 26 bounced, 7 were held back by the suppression"
        " list, 5 were left out after the plan and 2 are in doubt.",
        "At least 610 people opened it and 138 followed a link; 13 unsubscribed.",
    ]


def test_before_anything_is_sent_the_report_says_so(store: Store, small_sweeping: Planner, report_of: Reporter) -> None:
    small_sweeping(3)
    with store.write() as connection:
        connection.execute(update(campaign).values(started_at=None, finished_at=None, status="approved"))
        connection.execute(update(delivery).values(state=State.WAITING.value, at=None))
        connection.execute(delete(feedback))
    with store.write_events() as connection:
        connection.execute(delete(event))
    with store.read() as connection:
        report = report_of(campaigns.get(connection, 1))
    assert summary(report) == [
        "City of Example has planned to write to 3 people about Parking & street sweeping;"
        " it was approved but nothing has been sent.",
        "No messages were accepted by the receiving mail servers.",
        "Nobody has been seen opening it yet; nobody unsubscribed.",
    ]
    assert report.to_json()["over_time"] == {"accepted": None, "opens": None, "clicks": None}
    assert "it balances" in in_terminal(report)


def test_the_terminal_shows_everything_and_obeys_nothing(
    store: Store, small_sweeping: Planner, report_of: Reporter
) -> None:
    found = small_sweeping(40, subject="[red]Now[/red] \x1b[2J\u202egnipeews")
    text = in_terminal(report_of(found, organisation="City\x07 of [bold]Example"))
    assert "[red]Now[/red] [2J gnipeews" in text
    assert "City of [bold]Example" in text
    assert not {"\x1b", "\u202e", "\x07"} & set(text)
    assert "frozen           40  it balances" in text
