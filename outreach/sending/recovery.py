"""After a crash: settle what a dead worker had claimed, from its journal.

    answered in the journal     -> that outcome
    sent, never answered        -> in doubt (or again at once, where the campaign prefers a repeat to silence)
    claimed, never sent         -> ready again
    being made for the 2nd time -> quarantined: making it kills workers

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
from outreach.sending.failpoints import reach
from outreach.sending.identity import Identity, end, is_alive, same_boot, this_process
from outreach.sending.ledger import LEASE
from outreach.sending.outcomes import Accepted, Refused, outcome_of
from outreach.store import campaigns, claims
from outreach.store.claims import Worker, Written
from outreach.store.database import Store
from outreach.store.deliveries import State

RESEND = "resend"
MAX_STRIKES = 2


def recover(store: Store, *, now: dt.datetime) -> Counter[State]:
    """Settle the deliveries of every dead worker; counts what they turned out to be."""
    with store.read() as connection:
        dead = [worker for worker in claims.workers(connection) if _is_gone(worker, now=now)]
    found: Counter[State] = Counter()
    for worker in dead:
        reach("recovering")
        with store.write() as connection:
            if worker.id in {each.id for each in claims.workers(connection)}:  # else another recovery was faster
                found += _settle(connection, worker, now=now)
                claims.forget(connection, worker.id)
            reach("recovered")
        reach("forgotten")
        Path(worker.journal).unlink(missing_ok=True)
    return found


def _is_gone(worker: Worker, *, now: dt.datetime) -> bool:
    """True if that process is dead, or has slept through its lease and was ended: it must not wake up and go on."""
    identity = _identity(worker)
    if not is_alive(identity):
        return True
    return worker.heartbeat_at + LEASE < now and (identity.host != this_process().host or end(identity))


def _settle(connection: Connection, worker: Worker, *, now: dt.datetime) -> Counter[State]:
    entries = journal.read(Path(worker.journal))
    trusted = same_boot(_identity(worker))
    poisonous = _poisonous(connection, Path(worker.journal))
    claimed: dict[int, list[Written]] = {}
    for campaign_id, claim_id, subscriber_id in claims.open_deliveries(connection, worker.id):
        state, reason = _verdict(entries.get((campaign_id, subscriber_id)), trusted=trusted)
        if (campaign_id, subscriber_id) == poisonous:
            state, reason = State.QUARANTINED, "making this message ended its worker twice"
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
        case Refused(reply, verb) as refused if not fault(reply, verb=verb).ours:
            return State.BOUNCED, refused.told
        case other:
            return State.WAITING, other.reply


def _poisonous(connection: Connection, path: Path) -> journal.Key | None:
    """Whose message ended its worker for the second time. After a first time each is made alone, so it is certain."""
    found = journal.suspects(path)
    if found is None:
        return None
    campaign_id, people = found
    strikes = claims.strike_all(connection, campaign_id, people)
    return (campaign_id, people[0]) if len(people) == 1 and strikes[people[0]] >= MAX_STRIKES else None


def _identity(worker: Worker) -> Identity:
    return Identity(worker.host, worker.boot, worker.pid, worker.started)
