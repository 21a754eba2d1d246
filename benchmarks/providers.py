"""Five providers with their own rate, connections and tempers behind one relay: how near to a clairvoyant scheduler?

A clairvoyant knows every quota and never asks too much: the slowest provider's people divided by its rate. We know the
table (99 % of each quota, as an operator would write it) and share each provider's bucket between two processes.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import _city as cities
from outreach.practice.answers import Answer, Envelope, Receiver, reply
from outreach.practice.smtpd import SmtpServer
from outreach.sending import supervisor

CARE = 0.99


@dataclass(frozen=True, slots=True)
class Quota:
    """What a provider allows, and what it says to whoever asks for more."""

    name: str
    domain: str
    share: int
    """Of a hundred people."""
    rate: float
    connections: int
    temper: str


QUOTAS = (
    Quota("google", "gmail.com", 48, 300, 5, "421 4.7.28 unusual rate of mail, slow down"),
    Quota("microsoft", "outlook.com", 20, 90, 5, "451 4.7.500 server busy"),
    Quota("yahoo", "yahoo.com", 12, 70, 10, "421 4.7.0 [TSS04] temporarily deferred"),
    Quota("apple", "icloud.com", 8, 45, 10, "450 4.2.0 too many messages"),
    Quota("other", "mail.example", 12, 200, 20, "452 4.5.3 too many recipients"),
)


class QuotaRelay(Receiver):
    """Hands everything straight on, and passes the providers' tempers back."""

    def __init__(self, quotas: tuple[Quota, ...]) -> None:
        self._quotas = {each.domain: each for each in quotas}
        self._tokens = {each.domain: each.rate for each in quotas}
        self._filled = dict.fromkeys(self._quotas, time.monotonic())
        self._open: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.last = 0.0

    def recipient(self, sender: str, address: str) -> Answer | None:
        domain = address.rpartition("@")[2]
        quota, now = self._quotas[domain], time.monotonic()
        self._tokens[domain] = min(quota.rate, self._tokens[domain] + (now - self._filled[domain]) * quota.rate)
        self._filled[domain] = now
        if self._tokens[domain] < 1 or self._open[domain] >= quota.connections:
            self.refused[quota.name] += 1
            return reply(quota.temper)
        self._tokens[domain] -= 1
        self._open[domain] += 1
        return None

    def message(self, envelope: Envelope) -> Answer | None:
        domain = envelope.recipients[0].rpartition("@")[2]
        self._open[domain] -= 1
        self.accepted[self._quotas[domain].name] += 1
        self.last = time.monotonic()
        return None


def main() -> None:
    full = "--full" in sys.argv
    people, faster = (260_000, 1.0) if full else (4_500, 0.3)
    quotas = tuple(replace(each, rate=each.rate * faster) for each in QUOTAS)
    domains = tuple(each.domain for each in quotas for _ in range(each.share))
    relay = QuotaRelay(quotas)
    with tempfile.TemporaryDirectory(prefix="outreach-providers-") as folder, _Serving(relay) as port:
        city = cities.build(Path(folder), people, port=port, domains=domains, lanes=20)
        Path(folder, "shaping.toml").write_text("".join(_section(each) for each in quotas))
        begun = time.monotonic()
        supervisor.send(replace(city.orders, throttle="shaped", workspace=Path(folder)), count=2)
        took = relay.last - begun
    mine = Counter(domains[each % len(domains)] for each in range(1, people + 1))
    best = max(mine[each.domain] / each.rate - 1 for each in quotas)  # every bucket begins with a second's worth
    print("| provider | people | quota, messages/s | accepted | asked too much |\n|---|---|---|---|---|")
    for each in quotas:
        print(
            f"| {each.name} | {mine[each.domain]:,} | {each.rate:,.0f} on {each.connections} | "
            f"{relay.accepted[each.name]:,} | {relay.refused[each.name]:,} |"
        )
    print(f"\nall accepted after {took:.1f} s; a clairvoyant needs {best:.1f} s: {took / best:.2f} times", flush=True)
    assert sum(relay.accepted.values()) == people


def _section(quota: Quota) -> str:
    return (
        f'[{quota.name}]\ndomains = ["{quota.domain}"]\nconnections = {quota.connections}\n'
        f"per_second = {quota.rate * CARE}\n"
    )


class _Serving:
    """The relay, in a thread of its own."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def __enter__(self) -> int:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._server = SmtpServer(self._receiver)
        return asyncio.run_coroutine_threadsafe(self._server.listen(), self._loop).result(10)

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._server.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)


if __name__ == "__main__":
    main()
