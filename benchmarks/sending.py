"""Sending end to end, beside smtp-source, nodemailer and aiosmtplib with dkimpy, on the same sink in the same run.

What is measured of us is everything: recipients from SQLite, suppression and consent looked at, 31 KB composed with
ten links, signed with RSA-2048, journal on, handed over, outcomes in SQLite. smtp-source sends one constant message.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.policy import SMTP
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks import _city as cities
from outreach.sending import supervisor, workers
from outreach.sending.journal import Journal
from outreach.sending.ledger import Ledger
from outreach.sending.outcomes import Verb
from outreach.sending.pipeline import FLUSH_AFTER, recipient
from outreach.store.claims import Claimed
from outreach.store.deliveries import State
from outreach.testing import Proxy

HERE = Path(__file__).parent


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


PORT, CHEAP = _free_port(), _free_port()
"""Two runs at a time must not share a sink: the first to end would take it away in the middle of the other."""
LANES = 20
ROUNDS = 3 if "--full" in sys.argv else 2


def main() -> None:
    full = "--full" in sys.argv
    people, peer = (100_000, 6_000) if full else (5_000, 200)
    with tempfile.TemporaryDirectory(prefix="outreach-bench-") as folder:
        place = Path(folder)
        (place / "dkim.pem").write_bytes(cities.key())
        # Workers are our own forks here, so that the system tells us what they cost.
        supervisor._context = lambda: get_context("fork")
        with _smtp_sink() as sinks:
            _beside_peers(place, people, peer, sinks)
        if shutil.which("cc"):
            with _cheap_sink(place) as sinks:
                _cheap(place, people, sinks)
        _far_away(place)
        _steps(place)
        _memory(place, (1_000, 8_000) if not full else (10_000, 1_000_000))


@dataclass(frozen=True, slots=True)
class Race:
    """One run: messages a second, and CPU seconds for each message, ours and the sink's."""

    rate: float
    client: float
    sink: float

    @property
    def quiet(self) -> float:
        """Messages a second that two cores with nothing else to do could reach, at 93 % busy, by CPU time."""
        return 0.93 * 2 / (self.client + self.sink) if self.client else 0.0


def _raced(count: int, race: Callable[[int], float], sinks: list[int]) -> Race:
    mine, theirs = _children(), _of(sinks)
    rate = race(count)
    return Race(rate, (_children() - mine) / count, (_of(sinks) - theirs) / count) if rate else Race(0.0, 0.0, 0.0)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _of(processes: list[int]) -> float:
    """CPU seconds that other processes have used (proc(5), fields 14 and 15)."""
    fields = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in processes]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def _race(racers: dict[str, tuple[int, Callable[[int], float]]], sinks: list[int]) -> dict[str, Race]:
    """Everybody in turns, so that a loaded machine is loaded for all; the median of each."""
    found: dict[str, list[Race]] = {name: [] for name in racers}
    for _ in range(ROUNDS):
        for name, (count, race) in racers.items():
            found[name].append(_raced(count, race, sinks))
    races = {
        name: Race(*(statistics.median(getattr(each, part) for each in all_) for part in ("rate", "client", "sink")))
        for name, all_ in found.items()
    }
    limit = next(iter(races.values()))
    print("| | messages/s | of smtp-source | CPU µs: client | sink | two quiet cores, by CPU | of smtp-source |")
    print("|---|---|---|---|---|---|---|")
    for name, each in races.items():
        # smtp-source is one process and the sink another: neither can use more than a core.
        best = min(0.97 / limit.client, 0.97 / limit.sink)
        quiet = best if each is limit else min(each.quiet, 0.97 / each.sink if each.sink else 0.0)
        print(
            f"| {name} | {each.rate:,.0f} | {each.rate / limit.rate:.2f} | {each.client * 1e6:,.0f} | "
            f"{each.sink * 1e6:,.0f} | {quiet:,.0f} | {quiet / best:.2f} |"
            if each.rate
            else f"| {name} | not installed | | | | | |"
        )
    print(flush=True)
    return races


def _beside_peers(place: Path, people: int, peer: int, sinks: list[int]) -> None:
    """Everybody against one smtp-sink."""
    print("Against Postfix's smtp-sink, 31 KB:\n")
    races = _race(
        {
            "smtp-source -d -s 10 (C, constant, unsigned)": (people, _smtp_source),
            "Outreach, unsigned, 2 workers": (people, lambda count: _ours(place, count, signed=False)),
            "Outreach, signed, 2 workers": (people, lambda count: _ours(place, count, signed=True)),
            "nodemailer, pool, DKIM, 2 processes": (peer, lambda count: _nodemailer(place, count)),
            "aiosmtplib, email.message, dkimpy, 2 processes": (peer // 4, lambda count: _aiosmtplib(place, count)),
        },
        sinks,
    )
    signed = races["Outreach, signed, 2 workers"]
    for name, each in list(races.items())[3:]:
        if each.rate:
            by_cpu = (each.client + each.sink) / (signed.client + signed.sink)
            print(f"signed, Outreach is {signed.rate / each.rate:.1f} times {name} ({by_cpu:.1f} by CPU time)")
    print(flush=True)


def _cheap(place: Path, people: int, sinks: list[int]) -> None:
    """A sink that costs next to nothing shows the client alone."""
    print("Against a sink that costs next to nothing (two processes):\n")
    _race(
        {
            "smtp-source -d -s 10": (people, lambda count: _smtp_source(count, port=CHEAP)),
            "Outreach, unsigned, 2 workers": (people, lambda count: _ours(place, count, signed=False, port=CHEAP)),
            "Outreach, signed, 2 workers": (people, lambda count: _ours(place, count, signed=True, port=CHEAP)),
        },
        sinks,
    )


def _far_away(place: Path) -> None:
    """20 ms round trip, 5 connections: what pipelining is for."""
    with _smtp_sink(), Proxy(PORT, delay=0.010) as proxy:
        ours = _ours(place, 1_000, signed=False, port=proxy.port, count=1, lanes=5)
        theirs = asyncio.run(_plain_aiosmtplib(300, proxy.port, connections=5))
    print("| 20 ms round trip, 5 connections | messages/s |\n|---|---|")
    print(
        f"| Outreach | {ours:,.0f} |\n| aiosmtplib | {theirs:,.0f} |\n\n{ours / theirs:.1f} times aiosmtplib\n",
        flush=True,
    )


def _steps(place: Path) -> None:
    """What each step of the chain costs, in CPU time of one process."""
    people = 2_000
    city = cities.build(place / "steps", people, port=1, compiled=cities.big_message())
    store, campaign = city.open(), city.campaign()
    unsigned = workers.composer(cities.big_message(), campaign, replace(city.orders, dkim_key=None))
    signing = workers.composer(cities.big_message(), campaign, city.orders)
    costs: dict[str, float] = {}

    def timed(name: str, act: Callable[[], object]) -> None:
        begun = time.process_time()
        act()
        costs[name] = (time.process_time() - begun) / people * 1e6

    with Ledger(store, campaign.id, folder=city.orders.journal_folder, clock=workers._now) as ledger:
        claimed: list[Claimed] = []

        def claim() -> None:
            while batch := ledger.claim(16):
                claimed.extend(batch)

        timed("claim, with suppression and consent", claim)
        recipients = [recipient(each) for each in claimed]
        now = workers._now()
        for start in range(0, 400, 16):  # warm, as after the first second of a send
            unsigned.compose_many(recipients[start : start + 16], now=now)
        timed("compose", lambda: [unsigned.compose_many(recipients[n : n + 16], now=now) for n in range(0, people, 16)])
        timed("sign", lambda: [signing.compose_many(recipients[n : n + 16], now=now) for n in range(0, people, 16)])
        costs["sign"] -= costs["compose"]
        journal = Journal(place / "steps.journal")

        def write() -> None:
            for each in claimed:
                journal.sending(1, each.subscriber_id)
                journal.answered(1, each.subscriber_id, Verb.DOT, "250 2.0.0 Ok")

        timed("journal", write)

        def settle() -> None:
            for each in claimed:
                ledger.settle(each, State.ACCEPTED, "250 2.0.0 Ok")
                if ledger.unwritten >= FLUSH_AFTER:
                    ledger.flush()
            ledger.flush()

        timed("write down", settle)
    store.close()
    print("| step | CPU µs for each message |\n|---|---|")
    for name, cost in costs.items():
        print(f"| {name} | {cost:,.0f} |")
    print(f"| all but the connection | {sum(costs.values()):,.0f} |\n", flush=True)


def _memory(place: Path, sizes: tuple[int, int]) -> None:
    print("| people | worker's largest memory, MB |\n|---|---|")
    with _smtp_sink():
        for people in sizes:
            city = _city(place, people, signed=False, port=PORT)
            ours, theirs = get_context("spawn").Pipe()
            child = get_context("spawn").Process(target=_measured, args=(city.orders, theirs))
            child.start()
            print(f"| {people:,} | {ours.recv():.0f} |", flush=True)
            child.join()


def _measured(orders: workers.Orders, channel: Any) -> None:
    workers.run(orders)
    # Not ru_maxrss: a process begins with its parent's, who has just made the city.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    channel.send(int(status["VmHWM"].split()[0]) / 1024)


def _city(place: Path, people: int, *, signed: bool, port: int, lanes: int = LANES) -> cities.City:
    folder = Path(tempfile.mkdtemp(dir=place))
    city = cities.build(folder, people, port=port, compiled=cities.big_message(), lanes=lanes)
    return city if signed else cities.City(folder, replace(city.orders, dkim_key=None))


def _ours(
    place: Path, people: int, *, signed: bool, port: int = PORT, count: int = 2, lanes: int = LANES, tls: bool = False
) -> float:
    city = _city(place, people, signed=signed, port=port, lanes=lanes)
    orders = replace(city.orders, relay_url=f"smtp://localhost:{port}", require_tls=True) if tls else city.orders
    workers.composer(
        cities.big_message(), city.campaign(), city.orders
    )  # imported and compiled once, as in a long send
    begun = time.monotonic()
    tally = supervisor.send(orders, count=count)
    took = time.monotonic() - begun
    counts = city.counts()
    if counts != {"accepted": people}:  # a sink that hangs up leaves doubts, also in a benchmark
        print(f"  ended as {counts}: {_doubts(city)}", file=sys.stderr)
    assert sum(counts.values()) == people, tally
    shutil.rmtree(city.folder)
    return people / took


def _doubts(city: cities.City) -> dict[str, int]:
    store = city.open()
    with store.read() as connection:
        found = cities.deliveries.reasons(connection, city.orders.campaign_id, State.IN_DOUBT)
    store.close()
    return found


def _smtp_source(count: int, *, port: int = PORT) -> float:
    program = shutil.which("smtp-source", path="/usr/sbin:/usr/libexec/postfix:/usr/lib/postfix/sbin")
    if program is None:
        return 0.0
    command = [program, "-d", "-s", "10", "-m", str(count), "-l", "31000", f"127.0.0.1:{port}"]
    begun = time.monotonic()
    subprocess.run(command, check=True)
    return count / (time.monotonic() - begun)


def _nodemailer(place: Path, count: int, *, port: int = PORT, tls: bool = False) -> float:
    home = Path(os.environ.get("OUTREACH_NODEMAILER", place / "node"))
    if not (home / "node_modules" / "nodemailer").is_dir():
        home.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        if npm is None or subprocess.run([npm, "install", "--silent", "nodemailer"], cwd=home).returncode:
            return 0.0
    command = ["node", str(HERE / "_nodemailer.js"), str(port), str(count // 2), str(place / "dkim.pem")]
    command += ["tls"] if tls else []
    begun = time.monotonic()
    crew = [subprocess.Popen(command, cwd=home) for _ in range(2)]
    assert [each.wait() for each in crew] == [0, 0]
    return count / (time.monotonic() - begun)


def _aiosmtplib(place: Path, count: int, *, port: int = PORT, tls: bool = False) -> float:
    context = get_context("spawn")
    begun = time.monotonic()
    orders = count // 2, str(place / "dkim.pem"), port, tls
    crew = [context.Process(target=_dkimpy_worker, args=orders) for _ in range(2)]
    for each in crew:
        each.start()
    for each in crew:
        each.join()
    return count / (time.monotonic() - begun)


def _dkimpy_worker(count: int, key: str, port: int, tls: bool) -> None:
    pem = Path(key).read_bytes()
    asyncio.run(_plain_aiosmtplib(count, port, connections=10, pem=pem, tls=tls))


async def _plain_aiosmtplib(
    count: int, port: int, *, connections: int, pem: bytes | None = None, tls: bool = False
) -> float:
    """What one would write first: email.message for each person, dkimpy, one aiosmtplib connection for each task."""
    import aiosmtplib
    import dkim

    numbers = iter(range(count))
    html = "<p>Crews will sweep the streets on the second and fourth Monday of the month. " * 300

    async def work() -> None:
        client = aiosmtplib.SMTP(hostname="localhost" if tls else "127.0.0.1", port=port, start_tls=tls)
        await client.connect()
        for number in numbers:
            message = EmailMessage(policy=SMTP)
            message["From"], message["To"] = "works@city.example", f"resident{number}@mail.example"
            message["Subject"] = f"Street sweeping, resident {number}"
            message.set_content("Crews will sweep the streets. " * 75)
            message.add_alternative(html, subtype="html")
            data = message.as_bytes()
            if pem is not None:
                data = dkim.sign(data, b"s1", b"city.example", pem) + data
            await client.sendmail("works@city.example", [f"resident{number}@mail.example"], data)
        await client.quit()

    begun = time.monotonic()
    await asyncio.gather(*(work() for _ in range(connections)))
    return count / (time.monotonic() - begun)


@contextmanager
def _smtp_sink() -> Iterator[list[int]]:
    program = shutil.which("smtp-sink", path="/usr/sbin:/usr/libexec/postfix:/usr/lib/postfix/sbin")
    if program is None:
        sys.exit("this benchmark needs Postfix's smtp-sink and smtp-source (Debian: apt install postfix)")
    user = ["-u", "root"] if os.geteuid() == 0 else []
    with _running([program, *user, f"127.0.0.1:{PORT}", "1000"]) as sink:
        yield [sink]


@contextmanager
def _cheap_sink(place: Path) -> Iterator[list[int]]:
    program = str(place / "sink")
    subprocess.run(["cc", "-O2", "-o", program, str(HERE / "_sink.c")], check=True)
    with _running([program, str(CHEAP)]) as one, _running([program, str(CHEAP)]) as other:
        yield [one, other]


@contextmanager
def _running(command: list[str]) -> Iterator[int]:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    if process.poll() is not None:
        sys.exit(f"{command[0]} did not start: its port is taken")
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()
