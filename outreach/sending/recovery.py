"""After a crash: settle what a dead worker had claimed, from its journal.

    answered in the journal     -> that outcome
    sent, never answered        -> in doubt (or again at once, where the campaign prefers a repeat to silence)
    claimed, never sent         -> ready again

If the machine itself restarted, or the worker ran on another machine, its journal cannot be
trusted to be whole: then everything it had claimed without an answer is in doubt. Recovery is one transaction for each
worker and may itself be killed and run again.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

from sqlalchemy import Connection

from outreach.bounces.classify import fault
from outreach.sending import journal
from outreach.sending.identity import Identity, is_alive, same_boot
from outreach.sending.ledger import LEASE
from outreach.sending.outcomes import Accepted, Refused, outcome_of
from outreach.store import campaigns, claims
from outreach.store.claims import Worker, Written
from outreach.store.database import Store
from outreach.store.deliveries import State

RESEND = "resend"


def recover(store: Store, *, now: dt.datetime) -> Counter[State]:
    """Settle the deliveries of every dead worker; counts what they turned out to be."""
    with store.read() as connection:
        dead = [worker for worker in claims.workers(connection) if _is_dead(worker, now=now)]
    found: Counter[State] = Counter()
    for worker in dead:
        with store.write() as connection:
            if worker.id in {each.id for each in claims.workers(connection)}:  # else another recovery was faster
                found += _settle(connection, worker, now=now)
                claims.forget(connection, worker.id)
        Path(worker.journal).unlink(missing_ok=True)
    return found


def _is_dead(worker: Worker, *, now: dt.datetime) -> bool:
    return not is_alive(_identity(worker)) or worker.heartbeat_at + LEASE < now


def _settle(connection: Connection, worker: Worker, *, now: dt.datetime) -> Counter[State]:
    entries = journal.read(Path(worker.journal))
    trusted = same_boot(_identity(worker))
    claimed: dict[int, list[Written]] = {}
    for campaign_id, claim_id, subscriber_id in claims.open_deliveries(connection, worker.id):
        state, reason = _verdict(entries.get((campaign_id, subscriber_id)), trusted=trusted)
        if state is State.IN_DOUBT and campaigns.get(connection, campaign_id).plan.get("in_doubt") == RESEND:
            state, reason = State.WAITING, "sent again: its outcome was in doubt"
        due_at = now if state is State.WAITING else None
        claimed.setdefault(campaign_id, []).append(Written(claim_id, subscriber_id, state, reason, due_at))
    found: Counter[State] = Counter()
    for campaign_id, results in claimed.items():
        claims.write_down(connection, campaign_id, results, now=now)
        found.update(result.state for result in results)
    return found


def _verdict(entry: journal.Entry | None, *, trusted: bool) -> tuple[State, str]:
    """What became of one claimed delivery, by the last word of the journal about it."""
    if entry is None:
        if trusted:
            return State.WAITING, "its worker died before it was sent"
        return State.IN_DOUBT, "its machine went down; whether it was sent is unknown"
    if entry.reply is None:
        return State.IN_DOUBT, "its worker died between sending it and the answer"
    match outcome_of(entry.reply, entry.verb):
        case Accepted(reply):
            return State.ACCEPTED, reply
        case Refused(reply, verb) if not fault(reply, verb=verb).ours:
            return State.BOUNCED, reply
        case other:
            return State.WAITING, other.reply


def _identity(worker: Worker) -> Identity:
    return Identity(worker.host, worker.boot, worker.pid, worker.started)
