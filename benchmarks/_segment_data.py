"""A made-up city for the segments benchmark: for each person 5 subscriptions, 20 deliveries and about 20 events.

Made once for each size with set-based SQL, kept in a folder outside the checkout, and upgraded like any other. What
people did is spread by a fixed hash, so that both databases hold the same city.
"""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from pathlib import Path

from sqlalchemy import Connection, insert, text, update

from outreach.store import migrations, receipts, slots
from outreach.store.database import Store
from outreach.store.dialects import to_ms
from outreach.store.events import Verdict
from outreach.store.tables import campaign, checkpoint, department, event_position, topic

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
TOPICS, DEPARTMENTS, DAYS = 60, 12, 730
SUBSCRIPTIONS, DELIVERIES = 6, 20
FOLDER = Path(tempfile.gettempdir()) / "outreach-benchmark-city"
DAY = 86_400_000


def hashed(first: str, second: str, salt: int) -> str:
    """SQL for a number from 0 to 2,147,483,646 that looks like chance."""
    mixed = f"({first}) * 7368787 + CAST({second} AS BIGINT) * 15485863 + {salt * 32452843}"
    return f"(({mixed}) % 2147483647 * 48271 % 2147483647)"


class City:
    """One size in one database, being made."""

    def __init__(self, store: Store, people: int) -> None:
        self.store, self.people = store, people
        self.postgres = not store.is_sqlite

    def make(self) -> None:
        started = time.monotonic()
        migrations.upgrade(self.store)
        with self.store.write() as connection:
            self._people(connection)
            self._subscriptions(connection)
            campaigns = self._campaigns(connection)
        for number, at in campaigns:
            self._send(number, at)
        self._events(campaigns)
        self._roll_up([number for number, _ in campaigns])
        receipts.fold_campaigns(self.store)
        for engine in {self.store.main, self.store.events}:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE" if self.postgres else "PRAGMA wal_checkpoint(TRUNCATE)"))
        print(f"  made a city of {self.people:,} in {time.monotonic() - started:.0f} s", flush=True)

    def _numbers(self, last: int) -> str:
        if self.postgres:
            return f"(SELECT x::bigint AS x FROM generate_series(1, {last}) AS n(x)) AS n"
        return (
            f"(WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {last}) SELECT x FROM n) AS n"
        )

    def _moment(self, milliseconds: str) -> str:
        return f"to_timestamp(({milliseconds}) / 1000.0)" if self.postgres else f"({milliseconds})"

    def _people(self, connection: Connection) -> None:
        now = to_ms(NOW)
        joined = f"{now} - {hashed('x', '1', 3)} % 1825 * {DAY}"
        nothing = "'{}'::jsonb" if self.postgres else "'{}'"
        connection.execute(
            text(
                f"INSERT INTO subscriber (id, address, attributes, created_at) SELECT x, 'p' || x || '@city.example', "
                f"{nothing}, {self._moment(str(now))} FROM {self._numbers(self.people)}"
            )
        )
        slots.use(connection, "age_band", kind="number")  # n2: district, zip and renter have slots from the start
        connection.execute(
            text(
                "INSERT INTO profile (subscriber_id, status, locale, joined_at, t1, t2, n1, n2) SELECT x, "
                f"CASE WHEN {hashed('x', '1', 1)} % 100 < 97 THEN 1 ELSE 2 END, "
                f"CASE WHEN {hashed('x', '1', 2)} % 100 < 70 THEN 'en' WHEN {hashed('x', '1', 2)} % 100 < 88 THEN 'es' "
                "ELSE 'vi' END, "
                f"{self._moment(joined)}, "
                f"CASE WHEN {hashed('x', '1', 4)} % 100 < 5 THEN NULL "
                f"ELSE CAST(1 + {hashed('x', '1', 5)} % 9 AS TEXT) END, "
                f"CAST(97200 + {hashed('x', '1', 6)} % 40 AS TEXT), {hashed('x', '1', 7)} % 2, "
                f"1 + {hashed('x', '1', 8)} % 6 FROM {self._numbers(self.people)}"
            )
        )
        connection.execute(
            text(
                "INSERT INTO suppression (address, subscriber_id, reason, source, at) "
                f"SELECT 'p' || x || '@city.example', x, 'bounce', 'benchmark', {self._moment(str(now))} "
                f"FROM {self._numbers(self.people)} WHERE {hashed('x', '1', 9)} % 100 < 2"
            )
        )

    def _subscriptions(self, connection: Connection) -> None:
        connection.execute(
            insert(department), [{"id": one, "name": f"Department {one}"} for one in range(1, DEPARTMENTS + 1)]
        )
        connection.execute(
            insert(topic),
            [
                {"id": one, "name": f"Topic {one}", "key": f"topic {one}", "department_id": 1 + one % DEPARTMENTS}
                for one in range(1, TOPICS + 1)
            ],
        )
        draw = f"{hashed('x', 'k', 10)} % 1000"
        drawn = " UNION ALL ".join(f"SELECT {k} AS k" for k in range(SUBSCRIPTIONS))
        connection.execute(
            text(
                "INSERT INTO subscription (topic_id, subscriber_id, status, frequency, changed_at) "
                f"SELECT DISTINCT 1 + {TOPICS} * ({draw}) * ({draw}) / 1000000 AS t, x, 1, 0, "
                f"{self._moment(str(to_ms(NOW) - 730 * DAY))} FROM {self._numbers(self.people)}, ({drawn}) AS draws "
                "ORDER BY t, x"
            )
        )

    def _campaigns(self, connection: Connection) -> list[tuple[int, int]]:
        """One after another, each to everybody of its topic, until there are enough deliveries."""
        sizes = dict(
            connection.execute(text("SELECT topic_id, count(*) FROM subscription GROUP BY topic_id")).tuples().all()
        )
        order: list[int] = []
        total = 0
        while total < DELIVERIES * self.people:
            order.append(1 + (len(order) * 37 + len(order) // TOPICS) % TOPICS)
            total += sizes.get(order[-1], 0)
        made = []
        for number, topic_id in enumerate(order, 1):
            at = NOW - dt.timedelta(days=DAYS * (len(order) - number) / len(order), hours=4)
            values = {"topic_id": topic_id, "department_id": 1 + topic_id % DEPARTMENTS, "status": "finished"}
            moments = dict.fromkeys(("planned_at", "approved_at", "started_at"), at)
            moments["finished_at"] = at + dt.timedelta(hours=1)
            connection.execute(
                insert(campaign).values(
                    id=number,
                    name=f"campaign-{number}",
                    file="c",
                    rule="everyone",
                    plan={},
                    plan_hash="",
                    frozen=0,
                    **values,
                    **moments,
                )
            )
            made.append((number, to_ms(at)))
        return made

    def _send(self, number: int, at: int) -> None:
        with self.store.write() as connection:
            connection.execute(
                text(
                    "INSERT INTO delivery (campaign_id, subscriber_id, state, language, attempts, at) "
                    f"SELECT {number}, s.subscriber_id, 3, 'en', 1, {self._moment(str(at))} "
                    "FROM subscription s JOIN campaign c ON c.topic_id = s.topic_id "
                    f"WHERE c.id = {number} AND s.status = 1 ORDER BY s.subscriber_id"
                )
            )

    def _events(self, campaigns: list[tuple[int, int]]) -> None:
        """A person opens as their number inclines them (42 of 100), clicks 11; machines open 38 and click 6 of 100."""
        kinds = " UNION ALL ".join(f"SELECT {k} AS k" for k in range(4))
        source = "delivery" if self.postgres else "city.delivery"
        person = "d.subscriber_id"
        for number, at in campaigns:
            chance = f"{hashed(person, str(number), 11)} % 10000"
            moment = self._moment(f"{at} + 60000 * (1 + {hashed(person, str(number), 12)} % 2880) + k * 5000")
            opens = f"{chance} < ({person} * 7919 % 100) * 85"
            machine = f"{hashed(person, f'{number} + k', 13)} % 100"
            with self.store.events.connect() as connection:
                if not self.postgres:
                    connection.exec_driver_sql("ATTACH ? AS city", (str(self.store.main.url.database),))
                connection.execute(
                    text(
                        "INSERT INTO event (spool, sequence, at, kind, campaign_id, subscriber_id, link, agent_class, "
                        f"network_class, flags, verdict, reason, rules) SELECT 'g{number}', {person} * 4 + k, "
                        f"{moment}, CASE WHEN k IN (0, 1) THEN 1 ELSE 2 END, {number}, {person}, 0, 1, 1, 0, "
                        f"CASE WHEN k IN (0, 2) THEN {Verdict.PERSON.value} ELSE {Verdict.MACHINE.value} END, 0, 0 "
                        f"FROM {source} d, ({kinds}) AS kinds WHERE d.campaign_id = {number} AND ("
                        f"(k = 0 AND {opens}) OR (k = 1 AND {machine} < 38) "
                        f"OR (k = 2 AND {opens} AND {machine} < 26) OR (k = 3 AND {machine} < 6)) "
                        f"ORDER BY {person}, k"
                    )
                )
                connection.execute(insert(event_position).values(spool=f"g{number}", sequence=2**40))
                connection.commit()
                if not self.postgres:
                    connection.exec_driver_sql("DETACH city")

    def _roll_up(self, campaigns: list[int]) -> None:
        """What the fold would have written: in this city nobody opens or clicks the same thing twice."""
        raw = "event" if self.postgres else "raw.event"
        day = f"CAST(floor(extract(epoch FROM at) / {DAY // 1000}) AS integer)" if self.postgres else f"at / {DAY}"
        figures = (
            "sum(CASE WHEN kind = 1 THEN 1 ELSE 0 END), sum(CASE WHEN kind = 2 THEN 1 ELSE 0 END), "
            "max(CASE WHEN kind = 1 THEN at END), max(CASE WHEN kind = 2 THEN at END)"
        )
        scopes = {1: "c.department_id", 2: "c.topic_id", 3: "c.id"}
        human = f"verdict = {Verdict.PERSON.value}"
        source = f"{raw} e JOIN campaign c ON c.id = e.campaign_id"
        statements = [
            f"INSERT INTO engagement (scope_kind, scope_id, subscriber_id, opens, clicks, last_open_at, last_click_at) "
            f"SELECT {kind}, {scope}, e.subscriber_id, {figures} FROM {source} WHERE {human} "
            f"GROUP BY {scope}, e.subscriber_id ORDER BY 2, 3"
            for kind, scope in scopes.items()
        ]
        statements.append(
            "INSERT INTO engagement_day (kind, day, subscriber_id, campaign_id, department_id, topic_id, count) "
            f"SELECT kind, {day}, e.subscriber_id, c.id, c.department_id, c.topic_id, count(*) FROM {source} "
            f"WHERE {human} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
        )
        statements.append(
            "UPDATE profile SET opens = s.o, clicks = s.k, last_open_at = s.lo, last_click_at = s.lk FROM "
            "(SELECT subscriber_id, sum(opens) AS o, sum(clicks) AS k, max(last_open_at) AS lo, "
            "max(last_click_at) AS lk FROM engagement WHERE scope_kind = 1 GROUP BY subscriber_id) AS s "
            "WHERE profile.subscriber_id = s.subscriber_id"
        )
        with self.store.main.connect() as connection:
            if not self.postgres:
                path = Path(str(self.store.main.url.database)).with_name("events.db")
                connection.exec_driver_sql("ATTACH ? AS raw", (str(path),))
            for statement in statements:
                connection.execute(text(statement))
            rows = [{"name": f"engagement:g{number}", "position": 2**40} for number in campaigns]
            connection.execute(insert(checkpoint), rows)
            connection.execute(update(campaign).values(frozen=1))
            connection.commit()
            if not self.postgres:
                connection.exec_driver_sql("DETACH raw")


def sqlite_city(people: int) -> Store:
    folder = FOLDER / f"sqlite-{people}"
    store = Store.open(f"sqlite:///{folder}/outreach.db")
    if not (folder / "made").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            file.unlink()
        City(store, people).make()
        (folder / "made").touch()
    migrations.upgrade(store)  # tables may be newer than the city
    return store


def postgres_city(server: str, people: int) -> Store:
    """`server` is the URL of one on which databases may be made."""
    name = f"city_{people}"
    admin = Store.open(server)
    url = admin.main.url
    with admin.main.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        known = connection.execute(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}).scalar()
        if not known:
            connection.execute(text("DROP DATABASE IF EXISTS being_made"))
            connection.execute(text("CREATE DATABASE being_made"))
            making = Store.open(url.set(database="being_made").render_as_string(hide_password=False))
            City(making, people).make()
            making.close()
            connection.execute(text(f"ALTER DATABASE being_made RENAME TO {name}"))
    admin.close()
    store = Store.open(url.set(database=name).render_as_string(hide_password=False))
    migrations.upgrade(store)
    return store
