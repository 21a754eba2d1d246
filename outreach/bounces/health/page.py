"""The deliverability report as one self-contained page: no script, no font, no picture from anywhere."""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from outreach.bounces.health.advice import WORDS, stranger
from outreach.bounces.health.chance import percent
from outreach.bounces.health.figures import DAYS, FALSE_ALARM, RECENT, SPAM_STOP, SPAM_WARNING, Health, Provider
from outreach.bounces.providers import name
from outreach.bounces.reasons import Group, Reason

_CODE = re.compile(r"`([^`]{1,80})`")


def page(health: Health, advice: list[str]) -> str:
    """HTML. Everything from outside (server replies, reports) is escaped."""
    folder = files(__package__)
    style = folder.joinpath("page.css").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": lambda value: f"{value:,}", "percent": percent, "minutes": minutes}
    total = health.everything
    return environment.from_string(
        folder.joinpath("page.html").read_text("utf-8")
    ).render(
        health=health,
        total=total,
        advice=[_CODE.split(each) for each in advice],
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=base64.b64encode(sha256(style.encode()).digest()).decode(),
        name=name,
        words=WORDS,
        verdict=_verdict,
        headline=_headline(total),
        inbox=health.inbox_estimate(),
        strangers=[
            stranger(each.address, each.domain, each.count, each.refused)
            for each in health.sources
            if not each.passed and each.count >= 10
        ][:10],
        bars=_bars(total),
        false_alarm=round(1 / FALSE_ALARM),
        recent=RECENT,
        days=DAYS,
        warning=percent(SPAM_WARNING),
        stop=percent(SPAM_STOP),
    )


def minutes(value: float | None) -> str:
    """A span of time as people say it."""
    if value is None:
        return "–"
    if value < 1:
        return "under a minute"
    if value < 90:
        return f"{value:.0f} min"
    return f"{value / 60:.1f} h"


def _headline(total: Provider) -> str:
    if not total.handed_over:
        return "No mail was sent in these days."
    return (
        f"Of {total.handed_over:,} mails handed over, the receiving servers took {total.accepted:,} "
        f"({percent(total.acceptance.value)}) and refused {total.refused:,}."
    )


def _verdict(each: Provider) -> tuple[str, str]:
    """A class and a word for one provider's line."""
    rate = each.complaint_rate.value if each.complaint_rate.of >= 1000 or each.complaints >= 5 else 0.0
    worst = each.told_worst
    rate = max(rate, worst.complaint_rate or 0.0) if worst else rate
    if rate >= SPAM_STOP:
        return "bad", "too many complaints"
    if each.alarms:
        return "watch", "worse than before"
    if rate >= SPAM_WARNING:
        return "watch", "complaints"
    if each.handed_over >= 30 and each.acceptance.value < 0.95:
        return "watch", "many refused"
    return "good", "all well"


def _bars(total: Provider) -> list[tuple[str, int, float, str]]:
    """The commonest reasons, with their share of the longest bar."""
    common = total.reasons.most_common(8)
    longest = common[0][1] if common else 1
    return [(WORDS.get(reason, reason), count, 100 * count / longest, _whose(reason)) for reason, count in common]


def _whose(reason: str) -> str:
    """Who can mend it."""
    try:
        group = Reason(reason).group
    except ValueError:
        return ""
    if group.personal:
        return "about the person’s mailbox"
    if group in (Group.POLICY, Group.CONTENT, Group.AUTHENTICATION, Group.RATE):
        return "for us to mend"
    return "will pass by itself"
