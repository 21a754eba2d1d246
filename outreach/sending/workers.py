"""Worker processes: each opens the store for itself, sends what is due, and waits for what will be soon."""

from __future__ import annotations

import asyncio
import datetime as dt
import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from outreach.errors import ConfigurationError, Interrupted
from outreach.rendering import dkim
from outreach.rendering.compose import Composer
from outreach.rendering.message import CompiledMessage
from outreach.sending.breaker import Breaker
from outreach.sending.ledger import Ledger
from outreach.sending.pipeline import Pipeline
from outreach.sending.retry import RetryPolicy
from outreach.sending.transports import Transport
from outreach.sending.transports.smtp import Relay, SmtpTransport
from outreach.store import campaigns, claims
from outreach.store.campaigns import Campaign, Status
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.tokens import load_keys

Progress = Callable[[Counter[State]], None]


@dataclass(frozen=True, slots=True)
class Orders:
    """Everything a worker needs to know; it can travel to another process."""

    database_url: str
    campaign_id: int
    journal_folder: Path
    relay_url: str
    require_tls: bool
    lanes: int
    tracking_url: str
    domain: str
    token_keys: Path
    dkim_key: Path
    dkim_selector: str
    unsubscribe_mailbox: str
    retry_first: dt.timedelta
    max_attempts: int
    patience: dt.timedelta
    """How long to wait for a retry to become due before leaving it to the next run."""


def send(orders: Orders, *, workers: int = 1, progress: Progress | None = None) -> Counter[State]:
    """Send what is due with `workers` processes, and count how deliveries ended in this run."""
    if workers == 1:
        return run(orders, progress=progress)
    context = multiprocessing.get_context("spawn")
    share = replace(orders, lanes=max(1, orders.lanes // workers))
    with context.Pool(workers) as pool:
        tallies = pool.map(run, [share] * workers)
    return sum(tallies, Counter())


def run(orders: Orders, *, progress: Progress | None = None) -> Counter[State]:
    """One worker: send until nothing is due within the orders' patience, or somebody stops it."""
    store = Store.open(orders.database_url)
    try:
        with store.read() as connection:
            campaign = campaigns.get(connection, orders.campaign_id)
            documents = campaigns.messages(connection, orders.campaign_id)
        composers = {
            language: composer(CompiledMessage.from_document(document), campaign, orders)
            for language, document in documents.items()
        }
        relay = Relay.parse(orders.relay_url, require_tls=orders.require_tls)
        return asyncio.run(
            _work(
                store,
                campaign,
                composers=composers,
                transport=SmtpTransport(relay, hello=orders.domain),
                orders=orders,
                progress=progress,
            )
        )
    finally:
        store.close()


def composer(compiled: CompiledMessage, campaign: Campaign, orders: Orders) -> Composer:
    """The composer of one language of a campaign."""
    plan = campaign.plan
    return Composer(
        compiled,
        campaign_id=campaign.id,
        tokens=load_keys(orders.token_keys),
        tracking_url=orders.tracking_url,
        domain=orders.domain,
        list_id=str(plan["list_id"]),
        feedback_id=str(plan["feedback_id"]),
        unsubscribe_mailbox=orders.unsubscribe_mailbox or None,
        signer=dkim.load(
            _read_key(orders.dkim_key), domain=orders.domain, selector=orders.dkim_selector, place=str(orders.dkim_key)
        ),
    )


def _read_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the DKIM key {path} cannot be read ({error.strerror}); restore it, or make a new one with "
            "`outreach dkim new` and publish its DNS record. Nothing was sent"
        ) from None


async def _work(
    store: Store,
    campaign: Campaign,
    *,
    composers: dict[str, Composer],
    transport: Transport,
    orders: Orders,
    progress: Progress | None,
) -> Counter[State]:
    breaker = Breaker()
    with Ledger(store, campaign.id, folder=orders.journal_folder, clock=_now) as ledger:
        pipeline = Pipeline(
            campaign,
            ledger=ledger,
            composers=composers,
            transport=transport,
            retry=RetryPolicy(orders.retry_first, orders.max_attempts),
            breaker=breaker,
            clock=_now,
        )
        interrupted = _stop_on_signals(pipeline)
        reporting = asyncio.create_task(_report(ledger, progress))
        try:
            while True:
                await pipeline.send(lanes=orders.lanes)
                if pipeline.stopping or not await _more_soon(store, campaign.id, patience=orders.patience):
                    break
        finally:
            reporting.cancel()
        if breaker.reason is not None:
            _pause(store, campaign.id, breaker.reason)
        if progress is not None:
            progress(ledger.tally)
    if interrupted.is_set():
        raise Interrupted("stopped as asked; everybody else is still waiting. Run the same command again to go on")
    return ledger.tally


async def _more_soon(store: Store, campaign_id: int, *, patience: dt.timedelta) -> bool:
    """Wait for the next retry if it is due soon; True if there is something to send then."""
    with store.read() as connection:
        left = claims.remaining(connection, campaign_id)
    if left.unclaimed:
        return True
    if left.next_due is None or left.next_due - _now() > patience:
        return False
    await asyncio.sleep(max(0.0, (left.next_due - _now()).total_seconds()))
    return True


async def _report(ledger: Ledger, progress: Progress | None) -> None:
    while progress is not None:
        progress(ledger.tally)
        await asyncio.sleep(0.1)


def _stop_on_signals(pipeline: Pipeline) -> asyncio.Event:
    """Let Ctrl-C and SIGTERM finish what is on the wire and begin nothing new."""
    interrupted = asyncio.Event()

    def stop() -> None:
        pipeline.stopping = True
        interrupted.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop)
        except (NotImplementedError, RuntimeError, ValueError):
            break  # not the main thread, or not a Unix: then the signal raises as usual
    return interrupted


def _pause(store: Store, campaign_id: int, reason: str) -> None:
    with store.write() as connection:
        campaigns.set_status(connection, campaign_id, Status.PAUSED, only_from=(Status.SENDING,), pause_reason=reason)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
