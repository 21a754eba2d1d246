"""One fault run: a city of a few people, something that goes wrong, the same command again until it is done."""

from __future__ import annotations

import atexit
import datetime as dt
import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import update

from benchmarks import _city as cities
from benchmarks._city import City
from outreach.errors import OutreachError
from outreach.sending import failpoints, workers
from outreach.sending.recovery import recover
from outreach.sending.workers import Orders
from outreach.store import tables
from outreach.testing import Fault, FaultServer, Manner, Verdict, oracle

PEOPLE = 12
LANES = 2
TRIES = 8
"""How often the command is run again before a run counts as not finished."""

_templates: dict[tuple[int, tuple[tuple[str, object], ...]], City] = {}
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.trust.scene"])


Case = Callable[[], "Run"]
"""Makes one fault happen and says what came of it."""


@dataclass(slots=True)
class Run:
    """What one fault run showed."""

    fault: str
    what: str
    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    in_doubt: int = 0
    allowed: int = 0
    """How many may be in doubt: the connections of what was killed or cut."""
    wrong: str = ""
    """Anything else that is not as promised."""
    fired: set[str] = field(default_factory=set)
    """Failpoints that fired."""

    @property
    def good(self) -> bool:
        return not (self.lost or self.duplicated or self.unexpected or self.wrong) and self.in_doubt <= self.allowed


class Scene:
    """A fresh city for one run. Use as a context; `judge` compares what the server took with the ledger."""

    def __init__(self, people: int = PEOPLE, **changes: object) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="outreach-trust-")
        self.city = _copy(people, Path(self._folder.name), changes)
        self.trace = self.city.folder / "trace"

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def orders(self, port: int, **changes: object) -> Orders:
        return replace(self.city.orders, **({"relay_url": f"smtp://127.0.0.1:{port}"} | changes))

    def send(self, port: int, **changes: object) -> OutreachError | None:
        """One run of the worker in this process; returns what stopped it."""
        try:
            workers.run(self.orders(port, **changes))
        except OutreachError as error:
            return error
        return None

    def finish(self, port: int, **changes: object) -> str:
        """Run the same command until nobody is left; what is wrong if that never comes."""
        trouble: object = None
        for _ in range(TRIES):
            self.settle()
            trouble = self.send(port, **changes)
            counts = self.city.counts()
            if not counts.get("waiting") and not counts.get("sending"):
                return ""
            self.resume()
        return f"not finished: {self.city.counts()} {trouble or ''}"

    def settle(self) -> None:
        """What a scheduler does first: settle dead workers."""
        store = self.city.open()
        recover(store, now=dt.datetime.now(dt.UTC))
        store.close()

    def age_leases(self, by: dt.timedelta) -> None:
        """Let so much time pass for what workers have claimed."""
        store = self.city.open()
        with store.write() as connection:
            connection.execute(update(tables.worker).values(heartbeat_at=dt.datetime.now(dt.UTC) - by))
        store.close()

    def resume(self) -> None:
        """What a person does after the breaker: mend it and go on."""
        store = self.city.open()
        with store.write() as connection:
            cities.campaigns.set_status(
                connection,
                self.city.orders.campaign_id,
                cities.Status.SENDING,
                only_from=(cities.Status.PAUSED,),
            )
        store.close()

    def start(
        self, point: str, port: int, *, act: str = "send", **changes: object
    ) -> multiprocessing.process.BaseProcess:
        """A worker in a process of its own, with a failpoint armed."""
        child = _forks.Process(target=_child, args=(act, self.orders(port, **changes), point, self.trace), daemon=True)
        child.start()
        return child

    def kill_at(self, point: str, port: int, *, act: str = "send") -> set[str]:
        """Run a worker that dies at a failpoint; which of them fired."""
        child = self.start(point, port, act=act)
        child.join(60)
        if child.is_alive():
            child.kill()
            child.join()
        return self.fired()

    def fired(self) -> set[str]:
        return set(self.trace.read_text().split()) if self.trace.exists() else set()

    def judge(self, run: Run, accepted: Iterable[str], wrong: str = "") -> Run:
        verdict: Verdict = oracle(accepted, self.city.ledger())
        run.lost, run.duplicated = len(verdict.lost), len(verdict.duplicated)
        run.unexpected, run.in_doubt = len(verdict.unexpected), len(verdict.in_doubt)
        run.wrong = run.wrong or wrong
        run.fired |= self.fired()
        return run


def with_faults(
    fault: str,
    what: str,
    faults: Iterable[Fault],
    *,
    allowed: int = 0,
    manner: Manner | None = None,
    people: int = PEOPLE,
    must_fire: bool = True,
    expect: Callable[[dict[str, int]], bool] | None = None,
    **changes: object,
) -> Run:
    """The commonest run: a server that fails as told, once; then everybody has to be accounted for."""
    run = Run(fault, what, allowed=allowed)
    with Scene(people) as scene, FaultServer(faults, manner=manner) as server:
        wrong = scene.finish(server.port, **changes)
        if must_fire and not server.fired:
            wrong = "the fault never struck"
        counts = scene.city.counts()
        if expect is not None and not expect(counts):
            wrong = f"ended as {counts}"
        return scene.judge(run, server.accepted_ids, wrong)


def _copy(people: int, folder: Path, changes: dict[str, object]) -> City:
    key = people, tuple(sorted(changes.items()))
    if key not in _templates:
        place = Path(tempfile.mkdtemp(prefix="outreach-trust-template-"))
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        _templates[key] = cities.build(place, people, port=1, lanes=LANES, **changes)  # type: ignore[arg-type]
    template = _templates[key]
    shutil.copytree(template.folder, folder, dirs_exist_ok=True)
    orders = replace(
        template.orders,
        database_url=f"sqlite:///{folder}/outreach.db",
        journal_folder=folder / "journal",
        token_keys=folder / "tokens",
        dkim_key=folder / "dkim.pem",
        retry_first=dt.timedelta(milliseconds=10),
        patience=dt.timedelta(seconds=2),
    )
    return City(folder, orders)


def _child(act: str, orders: Orders, point: str, trace: Path) -> None:
    """In the child: die where we are told to."""
    failpoints.arm(point, trace=trace)
    try:
        if act == "recover":
            store = cities.Store.open(orders.database_url)
            recover(store, now=dt.datetime.now(dt.UTC))
        else:
            workers.run(orders)
    except OutreachError:
        pass
