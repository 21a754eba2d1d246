"""One worker: opens the store for itself, sends what is due, and waits for what will be soon.

`supervisor` runs it in processes of their own; nothing here knows of that.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from outreach import clock
from outreach.errors import Interrupted
from outreach.events import Choice
from outreach.rendering.compose import Composer
from outreach.rendering.dkim import Signer
from outreach.rendering.message import CompiledMessage
from outreach.sending.archive import Archive
from outreach.sending.breaker import Breaker
from outreach.sending.gate import UNASKED
from outreach.sending.ledger import Ledger
from outreach.sending.mx import KEEP, keep_looking
from outreach.sending.pipeline import Pipeline
from outreach.sending.quiet import QuietHours
from outreach.sending.retry import RetryPolicy
from outreach.sending.shaping import load as load_shaping
from outreach.sending.signing import Key, signer
from outreach.sending.throttle import Throttle
from outreach.sending.transports import Transport
from outreach.sending.transports.address import signs_itself, transport_for
from outreach.sending.transports.lane import COMMAND_TIMEOUT, DOT_TIMEOUT
from outreach.sending.warmup import Warmup
from outreach.sending.warmup import load as load_warmup
from outreach.store import campaigns, claims, throttles
from outreach.store.campaigns import Campaign, Status
from outreach.store.caps import Reached
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.topics import EMERGENCY
from outreach.tokens import KeyRing, load_keys

Progress = Callable[[Counter[State]], None]

AUTOMATIC = ("transactional", "confirmation", "digest")
"""Classes of messages that no person sent off (RFC 3834, 5)."""
REPORT_EVERY = 0.25
CACHE_MB = 4
"""A worker walks through its campaign once: pages that it has passed are of no more use to it."""
COLLECT_AFTER = 20_000
"""Objects more than before, until rings of them are looked for: a few MB."""
LOOK_EVERY = 0.25
"""Seconds between two looks for what has become due."""


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
    dkim_key: Key | None
    """None: the relay signs."""
    dkim_selector: str
    unsubscribe_mailbox: str
    retry_first: dt.timedelta
    max_attempts: int
    patience: dt.timedelta
    """How long to wait for a retry to become due before leaving it to the next run."""
    dkim_second_key: Key | None = None
    dkim_second_selector: str = ""
    command_timeout: float = COMMAND_TIMEOUT
    dot_timeout: float = DOT_TIMEOUT
    crew: int = 1
    """Among how many workers this send is divided."""
    throttle: str = "adaptive"
    """Or "shaped": the shaping table's limits hold from the start."""
    workspace: Path | None = None
    """Where the workspace's own shaping.toml is looked for."""
    quiet_hours: str = ""
    archive: Path | None = None
    """The folder of this campaign's archive; None: what was said to whom is not kept."""
    tracking_default: str = "individual"
    """What is recorded of people who said nothing about it: none, aggregate or individual."""
    zone: str = "UTC"
    stalled_after: float = 90.0
    """Seconds of silence after which a worker is ended; longer than the store may keep one waiting."""


def run(orders: Orders, *, progress: Progress | None = None) -> Counter[State]:
    """One worker, in this process: send until nothing is due within the orders' patience, or somebody stops it."""
    store = Store.open(orders.database_url, cache_mb=CACHE_MB)
    try:
        with store.read() as connection:
            campaign = campaigns.get(connection, orders.campaign_id)
            documents = campaigns.messages(connection, orders.campaign_id)
        messages = {language: CompiledMessage.from_document(document) for language, document in documents.items()}
        composers = {language: composer(message, campaign, orders) for language, message in messages.items()}
        archive = _archive(messages, orders)
        transport = transport_for(
            orders.relay_url,
            hello=orders.domain,
            workspace=orders.workspace or Path(),
            require_tls=orders.require_tls,
            command_timeout=orders.command_timeout,
            dot_timeout=orders.dot_timeout,
        )
        with _seldom_collected(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
            work = _work(
                store, campaign, composers=composers, archive=archive, transport=transport, orders=orders,
                progress=progress,
            )  # fmt: skip
            return runner.run(work)
    finally:
        store.close()


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Nothing that is made for a message refers to itself: to look for such rings at the usual pace finds none."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop halves what the connections cost; where there is none, asyncio's own loop does the same work."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def composer(
    compiled: CompiledMessage, campaign: Campaign, orders: Orders, *, tokens: KeyRing | None = None
) -> Composer:
    """The composer of one language of a campaign. `tokens`: other keys than the orders' own."""
    plan = campaign.plan
    return Composer(
        compiled,
        campaign_id=campaign.id,
        tokens=tokens or load_keys(orders.token_keys),
        tracking_url=orders.tracking_url,
        domain=orders.domain,
        list_id=str(plan["list_id"]),
        feedback_id=str(plan["feedback_id"]),
        unsubscribe_mailbox=orders.unsubscribe_mailbox or None,
        signer=_signer(orders),
        automatic=campaign.message_class in AUTOMATIC,
    )


def _signer(orders: Orders) -> Signer | None:
    return signer(
        None if signs_itself(orders.relay_url) else orders.dkim_key,
        selector=orders.dkim_selector,
        domain=orders.domain,
        second=orders.dkim_second_key,
        second_selector=orders.dkim_second_selector,
    )


def _archive(documents: Mapping[str, CompiledMessage], orders: Orders) -> Archive | None:
    """Where it is noted what is said to whom."""
    if orders.archive is None:
        return None
    signed = _signer(orders)
    second = signed.second if signed else None
    terms = {
        "key": load_keys(orders.token_keys).newest,
        "tracking_url": orders.tracking_url,
        "unsubscribe_mailbox": orders.unsubscribe_mailbox,
        "selector": signed.selector if signed else "",
        "second_selector": second.selector if second else "",
    }
    return Archive(orders.archive, terms=terms, fields={name: each.fields for name, each in documents.items()})


async def _work(
    store: Store,
    campaign: Campaign,
    *,
    composers: dict[str, Composer],
    archive: Archive | None,
    transport: Transport,
    orders: Orders,
    progress: Progress | None,
) -> Counter[State]:
    breaker, now = Breaker(orders.crew), clock.hands()
    urgent = campaign.message_class == EMERGENCY
    caps = Reached.of(campaign)
    with Ledger(store, campaign.id, folder=orders.journal_folder, clock=now, urgent=urgent, caps=caps) as ledger:
        throttle = _throttle(store, campaign, orders, worker=ledger.worker_id)
        pipeline = Pipeline(
            campaign,
            ledger=ledger,
            composers=composers,
            archive=archive,
            transport=transport,
            retry=RetryPolicy(orders.retry_first, orders.max_attempts),
            breaker=breaker,
            throttle=throttle,
            quiet=QuietHours.parse(orders.quiet_hours, zone=orders.zone),
            otherwise=Choice[orders.tracking_default.upper()],
            clock=now,
        )
        interrupted = _stop_on_signals(pipeline)
        reporting = asyncio.create_task(_report(pipeline, ledger, progress))
        looking = asyncio.create_task(keep_looking(throttle))
        try:
            while True:
                await pipeline.send(lanes=orders.lanes)
                if not await _more_soon(store, campaign.id, pipeline, patience=orders.patience):
                    break
            if pipeline.failure is not None:
                raise pipeline.failure
        finally:
            reporting.cancel()
            looking.cancel()
            if breaker.reason is not None:
                _pause(store, campaign.id, breaker.reason)
    if progress is not None:
        progress(ledger.tally)
    if interrupted.is_set():
        raise Interrupted("stopped as asked; everybody else is still waiting. Run the same command again to go on")
    return ledger.tally


def _throttle(store: Store, campaign: Campaign, orders: Orders, *, worker: int) -> Throttle:
    with store.read() as connection:
        domains = throttles.domains(connection, since=_now() - KEEP)
    relays = [urlsplit(url).hostname or url for url in orders.relay_url.split()]
    curves = load_warmup(orders.workspace, [orders.domain, *relays])
    mandatory = campaign.message_class in UNASKED
    return Throttle(
        store,
        load_shaping(orders.workspace),
        enforced=orders.throttle == "shaped",
        clock=_now,
        domains=domains,
        worker=worker,
        warmup=Warmup(curves, zone=ZoneInfo(orders.zone), mandatory=mandatory) if curves else None,
    )


async def _more_soon(store: Store, campaign_id: int, pipeline: Pipeline, *, patience: dt.timedelta) -> bool:
    """Wait for a retry that is due soon, or for an emergency to pass; True if there is something to send then."""
    give_up = _now() + patience
    while not pipeline.stopping:
        pipeline.flush()
        if not pipeline.yielding:
            with store.read() as connection:
                left = claims.remaining(connection, campaign_id)
            if left.unclaimed or (left.next_due is not None and left.next_due <= _now()):
                return True
            if left.next_due is None or left.next_due > give_up:
                return False
        await asyncio.sleep(LOOK_EVERY)
    return False


async def _report(pipeline: Pipeline, ledger: Ledger, progress: Progress | None) -> None:
    """Say how far we are, which also says that we live; with nobody listening any more, stop."""
    while progress is not None:
        try:
            progress(ledger.tally.copy())
        except OSError:
            pipeline.stopping = True
            return
        await asyncio.sleep(REPORT_EVERY)


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
    return clock.now()
