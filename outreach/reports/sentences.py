"""What happened, in plain sentences: the first thing a report says, and what it says about its own figures."""

from __future__ import annotations

from outreach.reports.document import Report
from outreach.reports.words import day, number, people, percent, series, some
from outreach.store.campaigns import Status
from outreach.store.deliveries import State

STATE_WORDS = {
    State.WAITING: "waiting",
    State.SENDING: "being sent",
    State.ACCEPTED: "accepted",
    State.BOUNCED: "bounced",
    State.QUARANTINED: "quarantined",
    State.SUPPRESSED: "suppressed",
    State.EXCLUDED: "excluded",
    State.EXPIRED: "expired",
    State.CANCELLED: "cancelled",
    State.IN_DOUBT: "in doubt",
}
STATE_MEANINGS = {
    State.WAITING: "still to be sent",
    State.SENDING: "with a worker at this moment",
    State.ACCEPTED: "the receiving server took the message",
    State.BOUNCED: "the receiving server refused the message for good",
    State.QUARANTINED: "the message could not be written for this person",
    State.SUPPRESSED: "on the list of addresses we do not write to",
    State.EXCLUDED: "left out since the plan: unsubscribed, erased or over a limit",
    State.EXPIRED: "not taken by the receiving server before the time or the tries ran out",
    State.CANCELLED: "not sent because the campaign was stopped",
    State.IN_DOUBT: "handed over, but the answer was lost: it may have arrived",
}


def summary(report: Report) -> list[str]:
    """Three sentences: to whom and when, what became of it, what people did."""
    return [_sent(report), _arrived(report), _acted(report)]


def coverage(report: Report) -> str:
    """How far the number of opens can be believed."""
    figures = report.figures
    opens = figures.opens
    text = (
        "An open is noticed only where a mail program loads pictures, so more people may have read it than this says."
    )
    if opens.unmeasurable:
        text += (
            f" For {people(opens.unmeasurable)} it cannot be known:"
            " their mail programs load every picture, read or not."
            f" Opens are measurable for {percent(figures.measurable / max(1, figures.delivered))} of those delivered,"
            " and the share is of them."
        )
    if anonymous := opens.anonymous_hits + figures.clicks.anonymous_hits:
        text += f" {some(anonymous, 'hit', 'hits')} came from people who asked to be counted, but not known."
    return f"{text} {_machines(report)} Clicks are the firmer number."


def _machines(report: Report) -> str:
    hits = report.figures.opens.machine_hits + report.figures.clicks.machine_hits
    if not hits:
        return "No machine was seen opening or clicking."
    return f"{some(hits, 'request was', 'requests were')} made by machines such as virus scanners, and not counted."


def _sent(report: Report) -> str:
    campaign, books = report.campaign, report.balance
    about = f" about {report.topic}" if report.topic else ""
    if campaign.started_at is None:
        return (
            f"{report.organisation} has planned to write to {people(books.frozen)}{about};"
            f" {'it was approved but' if campaign.approved_at else 'it is not approved, and'} nothing has been sent."
        )
    wrote = f"On {day(campaign.started_at, report.zone)}, {report.organisation} wrote to an audience of"
    wrote += f" {people(books.frozen)}{about}"
    if books.open:
        state = {Status.PAUSED: "sending is paused", Status.STOPPED: "sending was stopped"}
        wrote += f"; {number(books.open)} are still to come, and {state.get(campaign.status, 'sending goes on')}"
    return f"{wrote}."


def _arrived(report: Report) -> str:
    books = report.balance
    took = f"{_everyone(books[State.ACCEPTED], books.frozen)} accepted by the receiving mail servers"
    rest = [
        f"{number(books[state])} {one if books[state] == 1 else many}"
        for state, one, many in (
            (State.BOUNCED, "bounced", "bounced"),
            (State.SUPPRESSED, "was held back by the suppression list", "were held back by the suppression list"),
            (State.EXCLUDED, "was left out after the plan", "were left out after the plan"),
            (State.QUARANTINED, "could not be written", "could not be written"),
            (State.EXPIRED, "expired", "expired"),
            (State.CANCELLED, "was cancelled", "were cancelled"),
            (State.IN_DOUBT, "is in doubt", "are in doubt"),
        )
        if books[state]
    ]
    return f"{took}; {series(rest)}." if rest else f"{took}."


def _everyone(accepted: int, frozen: int) -> str:
    if accepted == frozen and frozen > 1:
        return f"All {number(accepted)} messages were"
    return "1 message was" if accepted == 1 else f"{number(accepted) if accepted else 'No'} messages were"


def _acted(report: Report) -> str:
    figures = report.figures
    if not figures.opens.people and not figures.clicks.people:
        acted = "Nobody has been seen opening it yet"
    else:
        opened = f"At least {people(figures.opens.people)} opened it"
        acted = f"{opened} and {number(figures.clicks.people) if figures.clicks.people else 'nobody'} followed a link"
    left = f"{number(figures.left.people)} unsubscribed" if figures.left.people else "nobody unsubscribed"
    if figures.complaints:
        return f"{acted}; {left} and {number(figures.complaints)} marked it as spam."
    return f"{acted}; {left}."
