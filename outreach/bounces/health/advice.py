"""The next things to do, in words, the gravest first. One rule a function: what it looks at, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from outreach.bounces.health.chance import percent
from outreach.bounces.health.figures import SPAM_STOP, SPAM_WARNING, Health
from outreach.bounces.providers import name
from outreach.bounces.reasons import Group, Reason

MOST = 3
WORDS = {
    "userunknown": "the address does not exist",
    "hostunknown": "the domain does not exist",
    "hasmoved": "the person has moved",
    "notaccept": "the domain takes no mail",
    "mailboxfull": "the mailbox is full",
    "suspend": "the mailbox is closed",
    "filtered": "the person's own filter",
    "exceedlimit": "too big for that mailbox",
    "rejected": "our sender address was not accepted",
    "blocked": "our server is on a block list",
    "badreputation": "our reputation",
    "policyviolation": "their policy",
    "norelaying": "not their mail",
    "requireptr": "our server has no proper name",
    "securityerror": "access denied",
    "suppressed": "the relay's own suppression list",
    "spamdetected": "taken for spam",
    "virusdetected": "taken for harmful",
    "contenterror": "the message's content",
    "mesgtoobig": "the message is too big",
    "notcompliantrfc": "the message's form",
    "ratelimited": "we sent too fast",
    "toomanyconn": "too many connections",
    "greylisted": "asked to come again",
    "authfailure": "our SPF, DKIM or DMARC failed",
    "failedstarttls": "no encrypted connection",
    "credentials": "the relay did not know us",
    "networkerror": "the network",
    "expired": "nobody answered for days",
    "systemerror": "trouble at their server",
    "systemfull": "their server is full",
    "mailererror": "trouble at their server",
    "syntaxerror": "a misunderstanding between servers",
    "onhold": "not understood",
    "undefined": "not told",
}
"""Each reason as the end of "refused, because of …" would say it."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to do. `gravity`: the higher, the sooner."""

    gravity: int
    text: str


def next_steps(health: Health) -> list[str]:
    """The three next things to do; one reassuring sentence if there is nothing."""
    found = sorted((each for rule in RULES for each in rule(health)), key=lambda each: -each.gravity)
    if found:
        return [each.text for each in found[:MOST]]
    if not health.everything.handed_over:
        return ["Nothing was sent in these days. Run `outreach doctor` before the next campaign."]
    return ["Nothing needs to be done: mail is accepted, and people do not complain."]


def _complaints(health: Health) -> Iterator[Advice]:
    for each in health.providers:
        rate = each.complaint_rate
        if rate.of < 1000 and rate.count < 5:
            continue
        low, _ = rate.interval
        if rate.value >= SPAM_STOP:
            yield Advice(
                100,
                f"Stop sending to {name(each.name)} until you know why: {percent(rate.value)} of "
                "the people there called our "
                f"mail spam, and above {percent(SPAM_STOP)} their provider stops helping. "
                f"Look at what was sent to whom.",
            )
        elif rate.value >= SPAM_WARNING and low > SPAM_WARNING / 4:
            yield Advice(
                80,
                f"Fewer mails, better aimed, to {name(each.name)}: {percent(rate.value)} of the "
                "people there called our mail "
                f"spam; stay below {percent(SPAM_WARNING)}.",
            )


def _told(health: Health) -> Iterator[Advice]:
    """What the provider itself says of us, which no complaint of ours can show: Google names nobody."""
    for each in health.providers:
        worst, recent = each.told_worst, each.told[-14:]
        if worst is not None and (rate := worst.complaint_rate or 0.0) >= SPAM_WARNING:
            stop = rate >= SPAM_STOP
            yield Advice(
                98 if stop else 75,
                f"Write to fewer people at {name(each.name)}: by its own count, {percent(rate)} of the readers there "
                f"pressed “spam” on {worst.when} (mail of {worst.about}). "
                + (
                    f"From {percent(SPAM_STOP)} on, mail goes into the junk folder until a whole week was better."
                    if stop
                    else f"Stay below {percent(SPAM_WARNING)}."
                ),
            )
        if red := [told for told in recent if told.colour == "RED" or told.trap_hits]:
            last = red[-1]
            what = "most of it was put into junk" if last.colour == "RED" else f"{last.trap_hits} went to spam traps"
            yield Advice(
                65,
                f"Look at what {last.about} sent on {last.when}: {name(each.name)} says that {what}. "
                "Traps are addresses nobody ever subscribed: see where the newest ones come from.",
            )


def _pauses(health: Health) -> Iterator[Advice]:
    for each in health.pauses:
        yield Advice(
            90,
            f"{name(each.provider)} refuses mail from {each.domain}, so it rests there until "
            f"{each.until:%d %B, %H:%M} UTC: "
            f"“{each.reason[:160]}”. Run `outreach doctor`; nobody was suppressed for it.",
        )


def _authentication(health: Health) -> Iterator[Advice]:
    count = health.everything.reasons[Reason.AUTH_FAILURE.value]
    if count:
        yield Advice(
            95,
            f"Mend the domain's records: {count:,} mails were refused because SPF, DKIM or DMARC failed. "
            "`outreach doctor` shows the exact record to publish.",
        )


def _alarms(health: Health) -> Iterator[Advice]:
    for each in health.providers:
        for alarm in each.alarms:
            what = "mails came back from" if alarm.what == "refused" else "people complained at"
            yield Advice(
                70,
                f"Look into {name(each.name)}: {percent(alarm.recent.value)} of {what} "
                f"{name(each.name)} in the last week, "
                f"{percent(alarm.before.value)} in the weeks before. That is hardly chance.",
            )


def _lists(health: Health) -> Iterator[Advice]:
    total = health.everything
    gone = sum(count for reason, count in total.reasons.items() if Reason(reason).group is Group.GONE)
    if total.handed_over >= 500 and gone / total.handed_over > 0.02:
        yield Advice(
            60,
            f"Clean up where addresses come from: {gone:,} of {total.handed_over:,} "
            f"({percent(gone / total.handed_over)}) do not exist. More than 2 % makes providers distrust everything.",
        )


def _strangers(health: Health) -> Iterator[Advice]:
    for each in health.sources:
        failed = each.count - each.passed
        if failed >= 100 and not each.passed:
            yield Advice(
                50,
                f"{stranger(each.address, each.domain, each.count, each.refused)} "
                "If it is a machine of yours, let it sign; if not, move DMARC on to p=reject.",
            )


def _kept(health: Health) -> Iterator[Advice]:
    if health.kept:
        yield Advice(
            30 + min(health.kept, 20),
            f"Read what no rule could settle: {health.kept:,} returned mails wait in `outreach bounces kept`.",
        )


def _tls(health: Health) -> Iterator[Advice]:
    for host, kind, count in health.tls_failures[:1]:
        yield Advice(
            40, f"{count:,} deliveries to {host or 'us'} could not be encrypted ({kind}); look at its certificate."
        )


def _no_reports(health: Health) -> Iterator[Advice]:
    if health.everything.accepted >= 5000 and not health.reports.get("dmarc"):
        yield Advice(
            20,
            "Nobody tells us who else sends in our name: publish a DMARC record with rua= (`outreach doctor` shows it) "
            "and let the reports come into the mailbox of bounces.imap_url.",
        )


def stranger(address: str, domain: str, count: int, refused: int) -> str:
    """One unknown source, as a sentence."""
    fate = f"{percent(refused / count)} were refused or put aside." if refused else "receivers let it through."
    return f"An unknown source ({address}) sent {count:,} mails as {domain}; {fate}"


RULES: tuple[Callable[[Health], Iterator[Advice]], ...] = (
    _complaints,
    _told,
    _authentication,
    _pauses,
    _alarms,
    _lists,
    _strangers,
    _tls,
    _kept,
    _no_reports,
)
