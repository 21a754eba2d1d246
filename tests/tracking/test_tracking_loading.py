"""The service and its loader together, as `outreach track` runs them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text

from outreach.errors import TryAgain
from outreach.events import Kind
from outreach.store import tables
from outreach.store.database import Store
from outreach.tokens import Purpose
from tracking.testing import eventually, running, token


def left(store: Store) -> set[int]:
    subscription = tables.subscription
    with store.read() as connection:
        query = select(subscription.c.subscriber_id).where(subscription.c.topic_id == 3, subscription.c.status == 2)
        return set(connection.execute(query).scalars())


def children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def test_an_unsubscribe_binds_within_a_second_and_the_last_ones_when_the_service_stops(
    city: Store, tmp_path: Path
) -> None:
    url = city.main.url.render_as_string(hide_password=False)
    with running(tmp_path, database_url=url) as service:
        assert service.post(f"/u/{token(Purpose.UNSUBSCRIBE, 1)}", "List-Unsubscribe=One-Click").status == 200
        eventually(lambda: left(city) == {1})
        service.get(f"/c/{token(Purpose.CLICK, 2)}/0")
        service.post(f"/u/{token(Purpose.UNSUBSCRIBE, 2)}")
        service.stop()
        assert service.process.returncode == 0
    assert left(city) == {1, 2}
    with city.read_events() as connection:
        assert connection.execute(select(tables.event.c.kind)).scalars().all() == [Kind.CLICK]


def test_a_killed_loader_is_started_again(sqlite_city: Store, tmp_path: Path) -> None:
    with running(tmp_path, database_url=sqlite_city.main.url.render_as_string()) as service:
        [loader] = [pid for pid in children(service.process.pid) if "spawn_main" in command_line(pid)]
        os.kill(loader, signal.SIGKILL)
        service.post(f"/u/{token(Purpose.UNSUBSCRIBE, 3)}")
        eventually(lambda: left(sqlite_city) == {3})


def test_a_killed_service_leaves_no_loader_behind_and_nothing_unloaded(sqlite_city: Store, tmp_path: Path) -> None:
    with running(tmp_path, database_url=sqlite_city.main.url.render_as_string()) as service:
        below = children(service.process.pid)
        service.post(f"/u/{token(Purpose.UNSUBSCRIBE, 1)}")
        service.kill()
        eventually(lambda: left(sqlite_city) == {1})
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
def test_while_the_database_is_stopped_redirects_work_and_the_events_arrive_when_it_is_back(
    city: Store, postgres_url: str, tmp_path: Path
) -> None:
    name = city.main.url.database
    administrator = create_engine(postgres_url, isolation_level="AUTOCOMMIT")

    def database(*, running: bool) -> None:
        with administrator.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {str(running).lower()}"))
            if not running:
                ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                connection.execute(text(ending), {"name": name})

    url = city.main.url.render_as_string(hide_password=False)
    with running(tmp_path, database_url=url) as service:
        database(running=False)
        with pytest.raises(TryAgain), city.read() as connection:
            connection.execute(text("SELECT 1"))
        assert service.get(f"/c/{token(Purpose.CLICK, 2)}/0").headers["location"] == "https://city.example/sweeping"
        assert service.get(f"/o/{token(Purpose.OPEN, 3)}.gif").status == 200
        assert service.post(f"/u/{token(Purpose.UNSUBSCRIBE, 1)}", "List-Unsubscribe=One-Click").status == 200
        assert service.get("/healthz").status == 200
        database(running=True)
        eventually(lambda: left(city) == {1}, seconds=40)
        eventually(lambda: kinds(city) == [Kind.OPEN, Kind.CLICK], seconds=40)
    administrator.dispose()


def kinds(store: Store) -> list[int]:
    with store.read_events() as connection:
        return sorted(connection.execute(select(tables.event.c.kind)).scalars())
