"""Answers to a message's question, as the report counts and shows them."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable

from rich.console import Console
from sqlalchemy import insert

from outreach.events import Kind
from outreach.rendering.questions import Question
from outreach.reports.document import Report
from outreach.reports.page import page
from outreach.reports.terminal import show
from outreach.store import campaigns
from outreach.store.campaigns import Campaign
from outreach.store.database import Store
from outreach.store.events import Verdict
from outreach.store.tables import event

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
ASKED = Question("How was your <visit>?", ("Very good", "Good", "[red]Not[/red] good"))


def answered(store: Store, *said: tuple[int, int, Verdict]) -> None:
    """Each with person and answer, one a minute."""
    rows = [
        {
            "spool": "q", "sequence": number, "kind": Kind.ANSWER.value, "campaign_id": 1, "subscriber_id": person,
            "at": NOON + dt.timedelta(minutes=number), "link": answer, "agent_class": 7, "network_class": 1, "flags": 0,
            "verdict": verdict.value,
        }
        for number, (person, answer, verdict) in enumerate(said, 1)
    ]  # fmt: skip
    with store.write_events() as connection:
        connection.execute(insert(event), rows)


def asking(store: Store) -> None:
    with store.write() as connection:
        for language, question in (("de", None), ("en", ASKED.to_document())):
            campaigns.add_message(connection, 1, language, compiled={"question": question}, hash="x")


def test_everybodys_last_answer_counts_and_no_machines(
    store: Store, small_sweeping: Callable[..., Campaign], report_of: Callable[..., Report]
) -> None:
    found = small_sweeping(40)
    asking(store)
    person, machine = Verdict.PERSON, Verdict.MACHINE
    answered(
        store, (1, 0, person), (2, 0, person), (1, 2, person), (3, 1, Verdict.UNJUDGED), (4, 0, machine), (0, 1, person)
    )
    report = report_of(found)
    asked = report.to_json()["question"]
    assert {name: asked[name] for name in ("text", "people", "anonymous", "machine_hits")} == {
        "text": "How was your <visit>?", "people": 3, "anonymous": 1, "machine_hits": 1,
    }  # fmt: skip
    assert [(each["text"], each["people"], each["anonymous"]) for each in asked["answers"]] == [
        ("Very good", 1, 0), ("Good", 1, 1), ("[red]Not[/red] good", 1, 0),
    ]  # fmt: skip
    shown = page(report)
    assert "How was your &lt;visit&gt;?" in shown
    assert "3 people answered: " in shown
    assert "1 more answer came from people who give no name. 1 answer was a machine&#39;s, and not counted." in shown
    out = io.StringIO()
    show(report, Console(file=out, width=100))
    assert "“How was your <visit>?”" in out.getvalue()
    assert "[red]Not[/red] good" in out.getvalue()


def test_a_message_without_a_question_says_nothing_of_one(
    store: Store, small_sweeping: Callable[..., Campaign], report_of: Callable[..., Report]
) -> None:
    report = report_of(small_sweeping(10))
    assert report.to_json()["question"] is None
    assert "answered" not in page(report)


def test_a_question_nobody_answered_yet_is_shown_all_the_same(
    store: Store, small_sweeping: Callable[..., Campaign], report_of: Callable[..., Report]
) -> None:
    found = small_sweeping(10)
    asking(store)
    shown = page(report_of(found))
    assert "0 people answered" in shown
    assert "Very good" in shown
