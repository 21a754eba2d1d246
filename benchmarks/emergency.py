"""An emergency while a big campaign is on its way to a slow server: when does its first message leave, when its last?

The server takes `DELAY` for each message on each connection, so that its speed is known: connections / DELAY. The
emergency should be through in the time that speed allows for its people, and the campaign go on after it.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import _city as cities
from outreach.practice.answers import Answer, Envelope, Receiver
from outreach.practice.smtpd import SmtpServer
from outreach.sending import supervisor

DELAY, LANES, WORKERS = 0.02, 20, 2
URGENT = "Urgent"


class SlowRelay(Receiver):
    """Notes when each message of the emergency came, and how many others did."""

    def __init__(self) -> None:
        self.urgent: list[float] = []
        self.others = 0

    def message(self, envelope: Envelope) -> Answer | None:
        if envelope.content.find(b"Feedback-ID: urgent") >= 0:
            self.urgent.append(time.time())
        else:
            self.others += 1
        return Answer(delay=DELAY)


def main() -> None:
    full = "--full" in sys.argv
    people, urgent = (260_000, 10_000) if full else (8_000, 1_000)
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    relay = context.Process(target=_serve, args=(theirs,), daemon=True)
    relay.start()
    port = ours.recv()
    with tempfile.TemporaryDirectory(prefix="outreach-emergency-") as folder:
        city = cities.build(Path(folder), people, port=port, lanes=LANES)
        bulk = threading.Thread(target=supervisor.send, args=(city.orders,), kwargs={"count": WORKERS})
        bulk.start()
        time.sleep(3)
        store = city.open()
        number = cities.add_campaign(
            store, cities.small_message(), urgent, message_class="emergency", feedback="urgent:2:3:city"
        )
        store.close()
        begun = time.time()
        supervisor.send(replace(city.orders, campaign_id=number), count=WORKERS)
        alarm = cities.City(city.folder, replace(city.orders, campaign_id=number)).counts()
        if full:
            print("the campaign goes on; it is waited for", flush=True)
        bulk.join()
        counts = city.counts()
    ours.send("end")
    times, others = ours.recv()
    relay.join()
    allowed = urgent * 0.95 * DELAY / LANES
    times.sort()
    print("| emergency, while a campaign is being sent | seconds |\n|---|---:|")
    print(f"| its first message | {times[0] - begun:.2f} |")
    print(f"| 95 % of {urgent:,} people | {times[int(urgent * 0.95) - 1] - begun:.2f} |")
    print(f"| as fast as the server alone allows | {allowed:.2f} |")
    print(f"\nthe emergency ended as {alarm}, the campaign of {people:,} as {counts}; the server took {others:,} of it")
    assert alarm == {"accepted": urgent}
    assert counts == {"accepted": people}
    assert (len(times), others) == (urgent, people)


def _serve(channel: Connection) -> None:
    import asyncio

    receiver = SlowRelay()

    async def run() -> None:
        server = SmtpServer(receiver)
        channel.send(await server.listen())
        await asyncio.get_running_loop().run_in_executor(None, channel.recv)
        await server.close()

    asyncio.run(run())
    channel.send((receiver.urgent, receiver.others))


if __name__ == "__main__":
    main()
