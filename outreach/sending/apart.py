"""Mail that is in no ledger, for staff: test mails, and what they are asked and told. Handed over once, at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from outreach.errors import TryAgain
from outreach.rendering.message import Message
from outreach.sending.outcomes import Accepted, Outcome
from outreach.sending.transports import NOBODY, Ready, Transport
from outreach.sending.transports.address import transport_for
from outreach.settings import Settings

SECONDS: Final = 30.0


def hand_over(settings: Settings, messages: Sequence[Message]) -> None:
    """Give a few messages to the relay. TryAgain, with its reply, for the first that it did not take."""
    transport = transport_for(
        settings.text("relay.url"),
        hello=settings.text("mail.domain") or "localhost",
        workspace=settings.root,
        require_tls=settings.text("relay.tls") == "require",
        command_timeout=SECONDS,
        dot_timeout=SECONDS,
    )
    asyncio.run(_hand_over(transport, messages))


async def _hand_over(transport: Transport, messages: Sequence[Message]) -> None:
    lane, feed = await transport.open(), _Mails(messages)
    try:
        await lane.run(feed)
    finally:
        await lane.close()
    for outcome in feed.outcomes:
        if not isinstance(outcome, Accepted):
            said = getattr(outcome, "reply", "") or getattr(outcome, "reason", "")
            raise TryAgain(
                f"the relay did not take the mail to staff: {said}. Is it the right one? It is set as relay.url in "
                "outreach.toml"
            )


class _Mails:
    """A feed of messages that are in no ledger."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._waiting = list(messages)
        self.outcomes: list[Outcome] = []

    def next(self) -> Ready | None:
        return Ready(NOBODY, self._waiting.pop(0)) if self._waiting else None

    def sending(self, ready: Ready) -> bool:
        return True

    def done(self, ready: Ready, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
