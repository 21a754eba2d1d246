"""Sending an approved plan, and pausing, resuming and stopping it.

`send` may be killed and called again, or called twenty times at once: the ledger sees to it that
everybody gets the message and nobody gets it twice.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from sqlalchemy import Connection

from outreach import clock
from outreach.campaigns import later
from outreach.campaigns.approval import refuse_drift, refuse_edited, refuse_unapproved
from outreach.campaigns.asking import announcing
from outreach.campaigns.pictures import refuse_missing
from outreach.campaigns.relinking import published
from outreach.campaigns.trial import refuse_trial
from outreach.errors import Blocked, ConfigurationError
from outreach.rendering.questions import Question
from outreach.sending.recovery import recover
from outreach.sending.supervisor import crew_size
from outreach.sending.supervisor import send as hand_over
from outreach.sending.workers import Orders, Progress, run
from outreach.settings import Settings
from outreach.store import campaigns, claims, deliveries, digests, seeding
from outreach.store.campaigns import Campaign, Status
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.installation import refuse_restored
from outreach.store.topics import EMERGENCY
from outreach.tokens import Purpose, load_keys
from tracking.links import LinkTable, publish

_log = logging.getLogger(__name__)

STOP_SECONDS = 5.0
"""How long `stop` waits for what is on the wire before it says who has the message."""
SEEDS = "seeds.toml"


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a campaign stands after a run of `send`."""

    campaign: Campaign
    counts: Counter[State]
    recovered: Counter[State]
    """What a crashed earlier run had left open."""
    next_due: dt.datetime | None
    """When the next retry is due; None if nothing is left to do."""


def check(store: Store, settings: Settings, name: str) -> Campaign:
    """The campaign, if it may be sent: ApprovalMissing or Blocked otherwise."""
    with store.read() as connection:
        campaign = campaigns.find(connection, name)
        refuse_unapproved(campaign)
        if campaign.status is Status.APPROVED:
            refuse_drift(connection, campaign)
            refuse_trial(connection, settings, campaign, now=_now())
    if campaign.status is Status.APPROVED:
        refuse_edited(store, campaign, settings)
        refuse_missing(campaign.plan.get("images", []), settings.data)
        later.refuse_untimely(campaign, now=_now())
    if campaign.status is Status.STOPPED:
        raise Blocked(f"{campaign.name} was stopped; it cannot be sent any more. Plan it again")
    refuse_paused(campaign)
    return campaign


def refuse_paused(campaign: Campaign) -> None:
    if campaign.status is Status.PAUSED:
        raise Blocked(
            f"{campaign.name} is paused: {campaign.pause_reason or 'by hand'}. "
            f"When that is mended: outreach campaigns resume {campaign.name}"
        )


def send(
    store: Store,
    settings: Settings,
    campaign: Campaign,
    *,
    orders: Orders,
    workers: int | None,
    progress: Progress | None,
) -> Sent:
    """Send what is due now, after settling what a crashed run left; see `check` first.

    `workers`: how many processes; None is as many as pay, 0 sends in this one.
    """
    refuse_restored(store, settings.data, now=_now())
    recovered = recover(store, now=_now())
    if campaign.status is not Status.FINISHED:
        begins = _start(store, settings, campaign)
        with _announced(store, settings, campaign, orders) if begins else nullcontext():
            if not _too_late(store, campaign):
                if workers == 0:
                    run(orders, progress=progress)
                else:
                    hand_over(orders, count=workers or crew_size(campaign.frozen), progress=progress)
            _finish(store, campaign.id)
    return standing(store, campaign.id, recovered=recovered)


def _announced(store: Store, settings: Settings, campaign: Campaign, orders: Orders) -> AbstractContextManager[None]:
    return announcing(store, settings, campaign, token_keys=orders.token_keys, now=_now())


def standing(store: Store, campaign_id: int, *, recovered: Counter[State] | None = None) -> Sent:
    """Where a campaign stands right now."""
    with store.read() as connection:
        return Sent(
            campaigns.get(connection, campaign_id),
            deliveries.counts(connection, campaign_id),
            Counter() if recovered is None else recovered,
            claims.remaining(connection, campaign_id).next_due,
        )


def pause(store: Store, name: str, *, reason: str) -> Campaign:
    return _move(store, name, Status.PAUSED, only_from=(Status.SENDING,), pause_reason=reason)


def resume(store: Store, name: str) -> Campaign:
    """Let a paused campaign be sent again; `send` goes on where it was."""
    return _move(store, name, Status.SENDING, only_from=(Status.PAUSED,), pause_reason=None)


def stop(
    store: Store,
    name: str,
    *,
    now: dt.datetime,
    reason: str | None = None,
    only_from: tuple[Status, ...] = tuple(Status),
) -> tuple[Campaign, int]:
    """End a campaign for good; returns it and how many people will not get it. What is on the wire ends as it ends.

    Blocked if nothing more would come of it, or if it is none of `only_from` any more.
    """
    with store.write() as connection:
        campaign = campaigns.find(connection, name)
        refuse_over(connection, campaign)
        values = {"finished_at": now, "pause_reason": reason}
        if not campaigns.set_status(connection, campaign.id, Status.STOPPED, only_from=only_from, **values):
            raise Blocked(f"{campaign.name} is already {campaigns.status(connection, campaign.id)}")
        cancelled = deliveries.cancel_waiting(connection, campaign.id, reason="stopped", now=now)
        cancelled += digests.withdraw(connection, campaign.id)
        return campaigns.get(connection, campaign.id), cancelled


def refuse_over(connection: Connection, campaign: Campaign) -> None:
    """Blocked for a campaign that ended. One that is finished may go on in digests that were not gathered yet."""
    waits = campaign.status is Status.FINISHED and digests.waiting_for(connection, campaign.id)
    if campaign.status in (Status.FINISHED, Status.STOPPED) and not waits:
        raise Blocked(f"{campaign.name} is already {campaign.status}")


def until_nothing_is_on_the_wire(store: Store, campaign_id: int) -> Counter[State]:
    """Wait, at most STOP_SECONDS, until workers have written down what they were handing over; the counts then."""
    deadline = time.monotonic() + STOP_SECONDS
    while True:
        with store.read() as connection:
            counts = deliveries.counts(connection, campaign_id)
        if not counts[State.SENDING] or time.monotonic() > deadline:
            return counts
        time.sleep(0.1)


def message_ids(campaign: Campaign, people: list[int], *, token_keys: Path) -> list[str]:
    """The Message-ID that each of these people's message has, as the relay's log shows it."""
    keys = load_keys(token_keys)
    domain = campaign.plan["domain"]
    return [f"<{keys.sign(Purpose.MESSAGE_ID, campaign.id, person)}@{domain}>" for person in people]


def _start(store: Store, settings: Settings, campaign: Campaign) -> bool:
    """Publish the links, which must be there before the first mail, then let workers claim. False if they might."""
    _publish_links(store, settings, campaign)
    now = _now()
    with store.write() as connection:
        begins = campaigns.set_status(
            connection, campaign.id, Status.SENDING, only_from=(Status.APPROVED,), started_at=now
        )
        if begins:
            later.begin(connection, campaign, now=now)
            if campaign.message_class != EMERGENCY:
                place_seeds(connection, settings.root / SEEDS, campaign)
    return begins


def _publish_links(store: Store, settings: Settings, campaign: Campaign) -> None:
    """Write the plan's links, once: where they lead may have been changed since (`relink`), and stays so."""
    folder = settings.data / "links"
    if published(folder, campaign) is not None:
        return
    with store.read() as connection:
        documents = campaigns.messages(connection, campaign.id)
    table = LinkTable(
        links=tuple(campaign.plan["links"]),
        topic_id=campaign.topic_id,
        topic=str(campaign.plan["topic"]),
        organisation=settings.text("organisation.name"),
        language=settings.text("organisation.language"),
        questions={
            language: Question.from_document(document["question"])
            for language, document in documents.items()
            if document["question"]
        },
        plan=campaign.plan_hash,
    )
    publish(folder, campaign.id, table)


def place_seeds(connection: Connection, path: Path, campaign: Campaign) -> None:
    """Draw a place in the send for each mailbox of our own. A file that cannot be read keeps nobody's mail back."""
    if not path.exists():
        return
    from tracking.bounces import seeds  # and with it an IMAP client, which only who has such mailboxes needs

    try:
        ours = seeds.load(path)
    except ConfigurationError as error:  # `cron` says so as well, when it looks into them
        _log.warning("%s begins without the mailboxes of our own: %s", campaign.name, error)
        return
    seeds.place(connection, campaign.id, ours, count=campaign.frozen, dice=SystemRandom())


def _too_late(store: Store, campaign: Campaign) -> bool:
    """Late is a decision: past `not_after` nothing leaves any more."""
    now = _now()
    if campaign.not_after is None or now <= campaign.not_after:
        return False
    with store.write() as connection:
        deliveries.expire_waiting(connection, campaign.id, now=now)
    return True


def _finish(store: Store, campaign_id: int) -> None:
    with store.write() as connection:
        counts = deliveries.counts(connection, campaign_id)
        if not any(counts[state] for state in State if state.open):
            campaigns.set_status(
                connection, campaign_id, Status.FINISHED, only_from=(Status.SENDING,), finished_at=_now()
            )
            seeding.forget(connection, campaign_id)


def _move(
    store: Store, name: str, status: Status, *, only_from: tuple[Status, ...], pause_reason: str | None
) -> Campaign:
    with store.write() as connection:
        campaign = campaigns.find(connection, name)
        if not campaigns.set_status(connection, campaign.id, status, only_from=only_from, pause_reason=pause_reason):
            expected = " or ".join(only_from)
            raise Blocked(
                f"{campaign.name} is {campaign.status}; only a campaign that is {expected} can become {status}"
            )
        return campaigns.get(connection, campaign.id)


def _now() -> dt.datetime:
    return clock.now()
