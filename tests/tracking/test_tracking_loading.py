"""The service and its loader together, as `outreach track` runs them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sqlalchemy import select

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
