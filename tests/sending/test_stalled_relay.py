"""A relay that is alive and says nothing for a while: nobody is in doubt, and nobody twice."""

import os
import signal
import threading
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import _city as cities
from outreach.sending import workers
from outreach.testing import Fault, FaultServer, oracle


def _serve(channel: Connection) -> None:
    """The relay, in a process of its own, so that all of it can be stopped; then what it took."""
    with FaultServer([Fault("DOT", delay=0.002, times=None)]) as server:
        channel.send(server.port)
        channel.recv()
        channel.send(server.accepted_ids)


def test_a_relay_that_is_stopped_for_a_while_leaves_nobody_in_doubt(tmp_path: Path) -> None:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    relay = context.Process(target=_serve, args=(theirs,), daemon=True)
    relay.start()
    port, seen = ours.recv(), threading.Event()
    city = cities.build(tmp_path, 1_500, port=port, compiled=cities.big_message(), lanes=10)

    def stall() -> None:
        seen.wait(60)
        for _ in range(3):
            os.kill(relay.pid or 0, signal.SIGSTOP)
            threading.Event().wait(0.7)  # long enough for every lane to wait for a reply with its next envelope written
            os.kill(relay.pid or 0, signal.SIGCONT)
            threading.Event().wait(0.05)

    stalling = threading.Thread(target=stall)
    stalling.start()
    workers.run(
        replace(city.orders, relay_url=f"smtp://127.0.0.1:{port}", dkim_key=None),
        progress=lambda tally: seen.set() if sum(tally.values()) else None,
    )
    seen.set()
    stalling.join()
    ours.send("done")
    taken = ours.recv()
    relay.join()
    assert city.counts() == {"accepted": 1_500}
    assert oracle(taken, city.ledger()).balanced
