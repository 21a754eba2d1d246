"""A new sending domain sends a little more every day, and a provider's connections are shared by all sends."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import _city as cities
from outreach.errors import ConfigurationError
from outreach.sending import workers
from outreach.sending.shaping import OTHER, Limits, Shaping
from outreach.sending.throttle import Throttle
from outreach.sending.warmup import STEPS, Curve, Warmup, load
from outreach.store import throttles, warming
from outreach.store.claims import Claimed
from outreach.store.database import Store
from outreach.store.warming import Day
from outreach.testing import FaultServer

NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
TODAY = NOON.date()
CURVE = Curve("news.city.example", (10, 20, 40))
SHAPING = Shaping({
    "google": Limits("google", connections=6, per_second=100, domains=("gmail.com",)),
    OTHER: Limits(OTHER, connections=20, per_second=100),
})  # fmt: skip


def person(number: int, domain: str = "gmail.com") -> Claimed:
    return Claimed(1, number, 1, "en", f"resident{number}@{domain}", {}, None, None, 1, None, 1, None, None)


def before(days: int, sent: int, deferred: int = 0) -> Day:
    return Day(TODAY - dt.timedelta(days=days), sent, deferred)


@pytest.mark.parametrize(
    ("days", "limit"),
    [
        ([], 10),
        ([before(1, 10)], 20),
        ([before(9, 5), before(1, 10)], 40),  # half of a step is enough, and a pause takes nothing away
        ([before(1, 4)], 10),  # hardly used: nothing was learnt of us
        ([before(1, 10, deferred=1)], 10),  # a tenth was put off
        ([before(3, 10), before(2, 20), before(1, 40)], None),
        ([before(0, 10)], 10),  # today does not count for today
    ],
)
def test_a_step_is_climbed_after_a_day_that_went_well(days: list[Day], limit: int | None) -> None:
    assert CURVE.limit(days, TODAY) == limit


@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 100_000)), max_size=40))
def test_no_day_allows_more_than_the_next_step(days: list[tuple[int, int]]) -> None:
    curve = Curve("city.example", STEPS)
    history = [before(len(days) - at, *figures) for at, figures in enumerate(days)]
    limits = [curve.limit(history[:at], history[at].day) for at in range(len(history))]
    for one, following in pairwise(limits):
        assert one is None or following is None or following in (one, STEPS[STEPS.index(one) + 1])
        assert one is not None or following is None


def line(store, worker: int = 1, now: dt.datetime = NOON, **options) -> Throttle:
    return Throttle(store, SHAPING, enforced=True, clock=lambda: now, worker=worker, **options)


def warm(**options) -> Warmup:
    return Warmup([CURVE], zone=dt.UTC, **options)


def sent(throttle: Throttle, people: int, *, first: int = 1) -> tuple[int, list[dt.datetime]]:
    """How many went at once, and when the others' turn may come."""
    later = [due for each in range(first, first + people) if (due := throttle.line_up(person(each)))]
    went = 0
    while batch := throttle.take(16):
        went += len(batch)
        for each in batch:
            throttle.ended(each)
    return went, later + [due for _, due in throttle.for_tomorrow()]


def test_beyond_the_days_share_people_wait_for_tomorrow_and_two_workers_share_it(store) -> None:
    one, other = line(store, 1, warmup=warm()), line(store, 2, warmup=warm())
    assert sent(one, 4) == (4, [])
    went, later = sent(other, 20)
    assert (went, later) == (6, [])  # they are in line; the next look finds nothing left
    later_now = NOON + dt.timedelta(seconds=1)
    other._clock = lambda: later_now
    assert sent(other, 2, first=30) == (0, [dt.datetime(2026, 11, 22, tzinfo=dt.UTC)] * 16)
    with store.read() as connection:
        assert warming.days(connection, "news.city.example", "google") == [Day(TODAY, 10, 0)]


def test_what_the_law_asks_for_is_counted_and_goes_out(store) -> None:
    assert sent(line(store, warmup=warm(mandatory=True)), 30) == (30, [])
    with store.read() as connection:
        assert warming.days(connection, "news.city.example", "google")[0].sent == 30


def test_what_was_put_off_is_counted_and_what_was_not_used_is_given_back(store) -> None:
    throttle = line(store, warmup=warm())
    for number in range(8):
        throttle.line_up(person(number))
    for each in throttle.take(3):
        throttle.put_off(each)
        throttle.ended(each)
    throttle.clear()
    throttle.refresh()
    with store.read() as connection:
        assert warming.days(connection, "news.city.example", "google") == [Day(TODAY, 3, 3)]


def test_a_send_stops_at_its_share_and_goes_on_tomorrow(tmp_path: Path) -> None:
    city = cities.build(tmp_path, 12, port=1)
    (tmp_path / "warmup.toml").write_text('["city.example"]\nsteps = [5, 9]\n')
    with FaultServer() as server:
        orders = replace(city.orders, relay_url=f"smtp://127.0.0.1:{server.port}", workspace=tmp_path)
        workers.run(replace(orders, patience=dt.timedelta(0)))
        assert len(server.accepted) == 5
    assert city.counts() == {"accepted": 5, "waiting": 7}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('["city.example"]\nsteps = [5, 4]\n', "go down"),
        ('["city.example"]\nsteps = []\n', "above nothing"),
        ('["city.example"]\nper_day = 3\n', "steps"),
        ("steps = [1]\n", "steps"),
        ("[city", "cannot be used"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "warmup.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=complaint):
        load(tmp_path, ["city.example"])


def test_only_our_own_domains_are_warmed_up(tmp_path: Path) -> None:
    assert load(tmp_path, ["city.example"]) == ()
    (tmp_path / "warmup.toml").write_text('["City.example"]\n["10.0.0.7"]\nsteps = [5]\n')
    assert load(tmp_path, ["city.example", "relay.city.example"]) == (Curve("city.example", STEPS),)
    assert load(tmp_path, ["10.0.0.7"]) == (Curve("10.0.0.7", (5,)),)


def held(store, worker: int, *, wanted: int, using: int = 0, limit: int = 6) -> int:
    with store.write() as connection:
        throttles.grant(connection, "google", 0, rate=1, burst=1, now=NOON)
        return throttles.share(connection, "google", worker, wanted=wanted, using=using, limit=limit)


def test_a_providers_connections_are_shared_by_all_workers_and_never_exceeded(store) -> None:
    assert held(store, 1, wanted=9) == 6  # alone: all of them
    assert held(store, 2, wanted=9) == 0  # somebody new has to wait until some end
    assert held(store, 1, wanted=9, using=6) == 3  # its part, now that another wants some
    assert held(store, 2, wanted=9) == 0  # six are on their way still
    assert held(store, 1, wanted=9, using=4) == 3
    assert held(store, 2, wanted=9) == 2
    assert held(store, 1, wanted=9, using=3) == 3
    assert held(store, 2, wanted=9, using=2) == 3
    assert held(store, 1, wanted=1) == 1
    assert held(store, 2, wanted=9) == 5  # what one does not want the other may have
    with store.write() as connection:
        throttles.give_back(connection, 2)
    assert held(store, 1, wanted=9) == 6


@pytest.fixture(scope="module")
def sqlite_store_once(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("turns")
    for file in sqlite_template.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    store = Store.open(f"sqlite:///{folder}/outreach.db")
    yield store
    store.close()


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 12)), min_size=1, max_size=60), st.integers(1, 9))
def test_whatever_workers_ask_for_there_are_never_too_many(sqlite_store_once, asked, limit: int) -> None:
    store, using = sqlite_store_once, {}
    with store.write() as connection:
        for worker in range(1, 5):
            throttles.give_back(connection, worker)
    for worker, wanted in asked:
        using[worker] = min(using.get(worker, 0), wanted)  # some of its messages have ended
        may = held(store, worker, wanted=wanted, using=using[worker], limit=limit)
        using[worker] = max(using[worker], may)
        assert sum(using.values()) <= limit
