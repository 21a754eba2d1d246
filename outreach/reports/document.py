"""A report as a value: everything said about one campaign at one moment. How it looks is decided elsewhere.

    report = build(store, campaign, links=urls, organisation="City of Example", zone=zone, now=now)
    report.to_json()

Building one checks the balance first: a campaign whose books do not balance has no report.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from outreach.rendering.questions import Question
from outreach.reports import words
from outreach.reports.balance import Balance, balance
from outreach.reports.metrics import Acts, Answers, Figures, figures
from outreach.reports.rates import Rate
from outreach.reports.series import Series
from outreach.store.campaigns import Campaign, messages
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.tables import department, topic

VERSION = 1
"""Of the JSON form. Names are added within a version, never changed or taken away."""


@dataclass(frozen=True, slots=True)
class Report:
    """What happened to one campaign, as known at `made_at`. Strings from outside are harmless in it already."""

    organisation: str
    campaign: Campaign
    subject: str
    topic: str
    department: str
    left_out: Mapping[str, int]
    """People the rule chose who were not put into the audience, by reason."""
    balance: Balance
    figures: Figures
    zone: ZoneInfo
    made_at: dt.datetime

    @property
    def title(self) -> str:
        return words.without_fields(self.subject) or words.plain(self.campaign.name)

    @property
    def about(self) -> str:
        """A note on who it is: topic and department, as far as they are known."""
        return " · ".join(part for part in (self.topic, self.department) if part)

    def to_json(self) -> dict[str, Any]:
        """One JSON document. Moments are ISO 8601 in UTC, rates shares of 1 (or null when there are too few)."""
        figures, campaign = self.figures, self.campaign
        return {
            "version": VERSION,
            "campaign": campaign.name,
            "id": campaign.id,
            "organisation": self.organisation,
            "subject": self.subject,
            "topic": self.topic,
            "department": self.department,
            "rule": campaign.rule,
            "status": campaign.status.value,
            "planned_at": _iso(campaign.planned_at),
            "approved_at": _iso(campaign.approved_at),
            "approved_by": campaign.approved_by,
            "started_at": _iso(campaign.started_at),
            "finished_at": _iso(campaign.finished_at),
            "made_at": _iso(self.made_at),
            "left_out": dict(self.left_out),
            "balance": self.balance.as_json(),
            "reasons": {
                state.word: {reason.text: reason.count for reason in reasons}
                for state, reasons in self.balance.reasons.items()
            },
            "accepted": self.balance[State.ACCEPTED],
            "bounced": self.balance[State.BOUNCED],
            "delivered": figures.delivered,
            "late_bounces": figures.late_bounces,
            "opens": _acts(figures.opens),
            "clicks": _acts(figures.clicks),
            "unsubscribes": {
                "people": figures.left.people,
                "everything": figures.left.everything,
                "one_click": figures.left.one_click,
                "undone": figures.left.undone,
            },
            "complaints": {"people": figures.complaints},
            "rates": {
                "accepted": _rate(figures.accepted_rate),
                "opens": _rate(figures.open_rate),
                "clicks": _rate(figures.click_rate),
                "unsubscribes": _rate(figures.leave_rate),
                "complaints": _rate(figures.complaint_rate),
                "answers": _rate(figures.answer_rate),
            },
            "links": [
                {"number": link.number, "url": link.url, "people": link.people, "machine_hits": link.machine_hits}
                for link in figures.links
            ],
            "question": _answers(figures.answers),
            "over_time": {
                "accepted": _series(figures.accepted_over_time),
                "opens": _series(figures.opens_over_time),
                "clicks": _series(figures.clicks_over_time),
            },
        }


def build(
    store: Store,
    campaign: Campaign,
    *,
    links: Sequence[str],
    organisation: str,
    zone: ZoneInfo,
    now: dt.datetime,
) -> Report:
    """The report of a campaign as it stands. Raises DoesNotBalance if its deliveries do not add up.

    `links` are the message's destinations in the order of their numbers, as the link table has them.
    """
    with store.read() as main, store.read_events() as events:
        ledger = balance(main, campaign.id)
        ledger.check()
        found = figures(
            main,
            events,
            campaign.id,
            balance=ledger,
            links=[words.plain(url, longest=500) for url in links],
            zone=zone,
            question=_question(main, campaign.id),
        )
        topic_name = _name(main, topic, campaign.topic_id)
        department_name = _name(main, department, campaign.department_id)
    return Report(
        organisation=words.plain(organisation),
        campaign=campaign,
        subject=words.plain(str(campaign.plan.get("subject") or "")),
        topic=topic_name,
        department=department_name,
        left_out={
            words.plain(str(reason)): int(count) for reason, count in (campaign.plan.get("excluded") or {}).items()
        },
        balance=ledger,
        figures=found,
        zone=zone,
        made_at=now,
    )


def _question(main: Connection, campaign_id: int) -> Question | None:
    """What the message asks: in English if it was written in it, or else in its first language."""
    documents = messages(main, campaign_id)
    for language in ("en", *documents):
        if language in documents and (asked := documents[language]["question"]):
            return Question.from_document(asked)
    return None


def _name(main: Connection, table: Any, number: int | None) -> str:
    name = main.execute(select(table.c.name).where(table.c.id == number)).scalar() if number is not None else None
    return words.plain(name or "")


def _iso(at: dt.datetime | None) -> str | None:
    return at.astimezone(dt.UTC).isoformat(timespec="seconds") if at else None


def _acts(acts: Acts) -> dict[str, int]:
    return {
        "people": acts.people,
        "hits": acts.hits,
        "machine_hits": acts.machine_hits,
        "not_measurable": acts.unmeasurable,
        "anonymous_hits": acts.anonymous_hits,
    }


def _answers(answers: Answers | None) -> dict[str, Any] | None:
    if answers is None:
        return None
    return {
        "text": answers.question,
        "people": answers.people,
        "anonymous": answers.anonymous,
        "machine_hits": answers.machine_hits,
        "answers": [
            {"number": number, "text": each.text, "people": each.people, "anonymous": each.anonymous}
            for number, each in enumerate(answers.answers)
        ],
    }


def _rate(rate: Rate) -> dict[str, int | float | None]:
    share, low, high = (None if value is None else round(value, 6) for value in (rate.share, rate.low, rate.high))
    return {"count": rate.count, "of": rate.of, "share": share, "low": low, "high": high}


def _series(series: Series | None) -> dict[str, Any] | None:
    if series is None:
        return None
    return {"start": _iso(series.grid.start), "seconds": series.grid.seconds, "counts": list(series.counts)}
