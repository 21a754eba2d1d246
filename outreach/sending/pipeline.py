"""The send pipeline. Start reading here.

    claim -> gate -> compose -> sign -> hand over -> write down

A campaign's deliveries were frozen when it was planned: one row for each person, in exactly one
state. Sending works through those rows, and may be killed and started again at any point: nobody
is lost, and nobody is written to twice but those the ledger names as in doubt.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from outreach.bounces.classify import fault
from outreach.events import Choice
from outreach.rendering.compose import Composer
from outreach.rendering.errors import ComposeError
from outreach.rendering.message import Message, Recipient
from outreach.sending.archive import Archive
from outreach.sending.breaker import Breaker
from outreach.sending.gate import gate
from outreach.sending.ledger import Ledger
from outreach.sending.outcomes import Accepted, Deferred, Outcome, Refused, Unknown, Unsent, Verb
from outreach.sending.quiet import QuietHours
from outreach.sending.retry import RetryPolicy
from outreach.sending.throttle import Throttle, asks_to_slow_down
from outreach.sending.transports import Lane, Ready, RelayUnreachable, Transport
from outreach.sending.turns import Turns
from outreach.store.campaigns import Campaign, Status
from outreach.store.claims import Claimed
from outreach.store.deliveries import State

T = TypeVar("T")

BATCH = 16
"""Messages composed and signed together."""
FLUSH_AFTER = 1000
"""Outcomes committed together …"""
FLUSH_EVERY = 0.5
"""… or after this many seconds, whichever comes first."""
ABOUT_THE_RECIPIENT = frozenset({Verb.RCPT, Verb.DATA, Verb.DOT})
"""Where a 4yz may be the recipient's provider speaking through the relay; before that it is the relay's own."""
RECONNECTS = 5
"""How often in a row a lane may be lost before its worker gives up for now."""


class Pipeline:
    """Sends one campaign through one transport, on several lanes at once."""

    def __init__(
        self,
        campaign: Campaign,
        *,
        ledger: Ledger,
        composers: Mapping[str, Composer],
        transport: Transport,
        retry: RetryPolicy,
        breaker: Breaker,
        throttle: Throttle,
        quiet: QuietHours | None = None,
        otherwise: Choice = Choice.INDIVIDUAL,
        archive: Archive | None = None,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._campaign = campaign
        self._ledger = ledger
        self._composers = composers
        self._transport = transport
        self._retry = retry
        self._breaker = breaker
        self._throttle = throttle
        self._words: Mapping[str, str] = campaign.plan.get("values") or {}
        self._quiet = quiet if campaign.message_class == "regular" else None
        self._otherwise = otherwise
        self._archive = archive
        self._clock = clock
        self._ready: deque[Ready] = deque()
        self._turns = Turns(ledger, throttle, passes=self._passes)
        self._with_lanes: set[int] = set()
        """Whose messages the lanes have asked for, and not yet said how they ended."""
        self._lanes, self._open = 1, 0
        self._trouble: Exception | None = None
        self.failure: Exception | None = None
        """What ended the run although there was more to do: it concerns everybody."""
        self.stopping = False
        """Set to finish what is on the wire and begin nothing new."""
        self.yielding = False
        """True while an emergency needs our connections: nothing new begins until it is over."""

    async def send(self, *, lanes: int) -> None:
        """Hand over everything that is due now, on up to `lanes` connections.

        Each outcome reaches the journal before the next message on its lane leaves, so a crash can
        leave at most one message in doubt for each lane. If something fails that concerns everybody (no relay, no room
        to write), what is on the wire is finished and written down, nothing new begins, and the failure is raised.
        """
        self._lanes, self._open = lanes, 0
        first = await self._reopen()  # before anything is claimed: no relay, nothing to undo
        self.flush()
        flusher = asyncio.create_task(self._flush_regularly())
        try:
            opened: list[Lane | None] = [first, *[None] * (lanes - 1)]
            await asyncio.gather(*(self._work(lane) for lane in opened))
        finally:
            flusher.cancel()
            left = len(self._ready)
            self._set_aside()
        self.flush()
        if self.failure is not None:
            raise self.failure
        if left and self._trouble is not None and not self._held:
            raise self._trouble

    async def _work(self, lane: Lane | None) -> None:
        """One lane: hand over one message after the other until there is none, or no relay."""
        lost = 0
        try:
            while self._fill() or await self._turn_comes():
                if not self._ready:
                    continue
                if self._too_many(lane):
                    if lane is not None:
                        await self._close(lane)
                        lane = None
                    await self._turns.come()
                    continue
                if lane is None:
                    lane = await self._reopen(lost)
                before = lane.handed_over
                await lane.run(self)
                lost = 0 if lane.is_open or lane.handed_over > before else lost + 1
                if not lane.is_open:
                    await self._close(lane)
                    lane = None
        except RelayUnreachable as error:
            # The other lanes may still be good; if none is, `send` reports this.
            self._trouble = error
        except Exception as error:
            self._fail(error)
        finally:
            if lane is not None:
                await self._close(lane)

    async def _reopen(self, lost: int = 0) -> Lane:
        """A new lane in place of one that was lost `lost` times in a row without getting anything through."""
        if lost >= RECONNECTS:
            raise RelayUnreachable(
                f"the relay dropped {lost} connections in a row; everything unsent is still waiting: "
                "run the same command again"
            )
        self._open += 1
        try:
            if lost:
                await asyncio.sleep(min(0.1 * 2**lost, 5))
            return await self._transport.open()
        except BaseException:
            self._open -= 1
            raise

    async def _close(self, lane: Lane) -> None:
        self._open -= 1
        await lane.close()

    def _too_many(self, lane: Lane | None) -> bool:
        """True if this lane's connection, or the one it is about to open, is one that other campaigns may have."""
        return self._open > self._share if lane is not None else self._open >= self._share

    @property
    def _share(self) -> int:
        """How many lanes we may have: the connections are for all campaigns that are being sent."""
        return max(1, self._lanes // (1 + self._ledger.neighbours))

    # What the lanes call: the feed

    def next(self) -> Ready | None:
        """The next message to hand over."""
        if self._open > self._share or not self._fill():
            return None
        ready = self._ready.popleft()
        self._with_lanes.add(ready.claimed.subscriber_id)
        return ready

    def sending(self, ready: Ready) -> bool:
        """The final dot may leave from now on, unless we were told to stop meanwhile."""
        if not self.stopping:
            self._ledger.sending(ready.claimed)
        return not self.stopping

    def done(self, ready: Ready, outcome: Outcome) -> None:
        """An attempt has ended."""
        self._with_lanes.discard(ready.claimed.subscriber_id)
        self._throttle.ended(ready.claimed)
        self._turns.wake(2)
        self._write_down(ready.claimed, outcome)
        if self._ledger.unwritten >= FLUSH_AFTER:
            self._attempt(partial(self._ledger.flush, look=False))

    # The steps

    def _fill(self) -> bool:
        """Claim, gate and compose a batch when there is no message in hand; True if there is one."""
        if self._throttle.resting:
            self._set_aside()
            return False
        while not self._ready and not self._held:
            people = self._attempt(lambda: self._turns.take(BATCH))
            if not people:
                return False
            self._compose(people)
        return not self._held

    def _set_aside(self) -> None:
        """Hand back whoever is on no lane: who waits for long is claimed anew, and passes the gate anew."""
        self._ready.clear()
        self._throttle.clear()
        if self._ledger.hand_back(besides=self._with_lanes):
            self.flush()

    async def _turn_comes(self) -> bool:
        """Wait a moment if there is somebody who only has to wait; False if there is nobody."""
        if self._held or not self._turns.waiting:
            return False
        await self._turns.come()
        return True

    @property
    def _held(self) -> bool:
        return self.stopping or self.yielding

    def _passes(self, claimed: Claimed) -> bool:
        left_out = gate(claimed, message_class=self._campaign.message_class)
        if left_out is not None:
            self._ledger.settle(claimed, left_out.state, left_out.reason)
            return False
        if self._campaign.not_after is not None and self._clock() > self._campaign.not_after:
            self._ledger.settle(claimed, State.EXPIRED, "too late")
            return False
        if self._quiet and (morning := self._quiet.until(self._clock(), zone=claimed.timezone)):
            self._ledger.put_off(claimed, "quiet hours", due_at=morning)
            return False
        return True

    def _compose(self, batch: list[Claimed]) -> None:
        """Compose and sign; a person whose message cannot be made is quarantined, and stops nobody else."""
        for group in _groups(batch):
            composer = self._composers[group[0].language]
            people, now = [self._recipient(claimed) for claimed in group], self._clock()
            with self._ledger.composing(group):
                messages = composer.compose_many(people, now=now)
            both = zip(people, messages, strict=True)
            made = [person for person, message in both if isinstance(message, Message)]
            if self._attempt(partial(self._keep, group[0].language, made, now)) is None:
                return  # whoever was claimed is handed back
            for claimed, message in zip(group, messages, strict=True):
                if isinstance(message, ComposeError):
                    self._ledger.settle(claimed, State.QUARANTINED, str(message))
                else:
                    self._ready.append(Ready(claimed, message))

    def _keep(self, language: str, made: list[Recipient], at: dt.datetime) -> int:
        """Note what is about to be said to whom; to how many people."""
        if self._archive is not None:
            self._archive.keep(language, made, at=at)
        return len(made)

    def _recipient(self, claimed: Claimed) -> Recipient:
        return recipient(claimed, self._words, otherwise=self._otherwise)

    def _write_down(self, claimed: Claimed, outcome: Outcome) -> None:
        """What an outcome means for the delivery. Only a fault of the address touches the person."""
        settle = partial(self._ledger.settle, claimed)
        match outcome:
            case Accepted(reply):
                self._ledger.answered(claimed, Verb.DOT, reply)
                self._breaker.accepted()
                settle(State.ACCEPTED, reply)
            case Deferred(reply, verb):
                self._ledger.answered(claimed, verb, reply)
                self._try_again(claimed, reply, not_before=self._heed(claimed, outcome))
            case Refused(reply, verb) if fault(reply, verb=verb).ours:
                self._ledger.answered(claimed, verb, reply)
                self._try_again(claimed, reply)
                self.stopping |= self._breaker.refused(reply, verb=verb)
            case Refused(reply, verb):
                self._ledger.answered(claimed, verb, reply)
                settle(State.BOUNCED, outcome.told)
            case Unsent(reason):
                settle(State.WAITING, reason, due_at=self._clock())
            case Unknown(reason):
                settle(State.IN_DOUBT, reason)

    def _heed(self, claimed: Claimed, asked: Deferred) -> dt.datetime | None:
        """Do as a 4yz asks about our pace. If it is the relay's own wish to be left alone: until when."""
        if asked.verb in ABOUT_THE_RECIPIENT:
            self._throttle.put_off(claimed)
            if asks_to_slow_down(asked.reply):
                self._attempt(partial(self._throttle.told, claimed, asked.reply))
        if asked.retry_after is None:
            return None
        return self._attempt(partial(self._throttle.rest, asked.retry_after, asked.reply))

    def _try_again(self, claimed: Claimed, reply: str, *, not_before: dt.datetime | None = None) -> None:
        due_at = self._retry.next_attempt(claimed.attempts, now=self._clock(), not_after=self._campaign.not_after)
        if due_at is not None and not_before is not None:
            due_at = max(due_at, not_before)
        state = State.EXPIRED if due_at is None else State.WAITING
        self._ledger.settle(claimed, state, reply, due_at=due_at)

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY)
            self.flush()

    def flush(self) -> None:
        """Commit outcomes, say that we live, and look whether the campaign may go on."""
        self._attempt(self._flush)

    def _flush(self) -> None:
        self._ledger.flush()
        self._throttle.refresh()
        self._turns.wake()
        self.yielding = self._ledger.overtaken
        if self._ledger.status is not Status.SENDING:
            self.stopping = True

    def _attempt(self, act: Callable[[], T]) -> T | None:
        """What cannot be recorded must not be sent: a store that fails ends the run, after what is on the wire."""
        try:
            return act()
        except Exception as error:
            self._fail(error)
            return None

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        self.stopping = True


def _groups(batch: list[Claimed]) -> list[list[Claimed]]:
    """What is composed together: one language; whoever a worker died at is made alone, to know for certain."""
    groups: dict[tuple[str, int], list[Claimed]] = {}
    for claimed in batch:
        groups.setdefault((claimed.language, claimed.subscriber_id if claimed.strikes else 0), []).append(claimed)
    return list(groups.values())


def recipient(
    claimed: Claimed, words: Mapping[str, str] = MappingProxyType({}), *, otherwise: Choice = Choice.INDIVIDUAL
) -> Recipient:
    """What the composer asks about a person; `words` are this campaign's own and win.

    `otherwise` is what is recorded of people who said nothing about it.
    """
    attributes = {
        **claimed.attributes,
        **words,
        "email": claimed.address,
        "language": claimed.locale,
        "joined": claimed.joined_at,
    }
    choice = claimed.tracking or otherwise
    tracked, named = choice != Choice.NONE, choice != Choice.AGGREGATE
    return Recipient(claimed.subscriber_id, str(claimed.address), attributes, tracked, named)
