"""Providers and how they like to be sent to; quiet hours by the clock on the recipient's wall."""

import asyncio
import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from outreach.errors import ConfigurationError
from outreach.sending import mx
from outreach.sending.quiet import _WEEKDAYS, QuietHours
from outreach.sending.shaping import OTHER, Limits, Shaping, load
from outreach.sending.throttle import Throttle, asks_to_slow_down
from outreach.store import throttles
from outreach.store.claims import Claimed

NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)


def person(number: int, domain: str) -> Claimed:
    return Claimed(1, number, 1, "en", f"resident{number}@{domain}", {}, None, None, 1, None, 1, None, None)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> dt.datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        self.now += dt.timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shaping() -> Shaping:
    return Shaping({
        "google": Limits("google", connections=5, per_second=10, domains=("gmail.com",), mx=("google.com",)),
        OTHER: Limits(OTHER, connections=20, per_second=100),
    })  # fmt: skip


def test_a_citys_own_domain_at_google_shares_googles_limits() -> None:
    table = load()
    assert table.by_mx(["aspmx.l.google.com."]) == "google"
    assert table.by_mx(["city-example.mail.protection.outlook.com"]) == "microsoft"
    assert table.by_mx(["mx.evilgoogle.com"]) == OTHER
    assert table.by_domain()["hotmail.com"] == "microsoft"


def test_a_workspaces_own_table_replaces_a_provider_and_mistakes_are_named(tmp_path) -> None:
    (tmp_path / "shaping.toml").write_text('[google]\nconnections = 1\nper_second = 2\ndomains = ["gmail.com"]\n')
    assert load(tmp_path).limits["google"].per_second == 2
    (tmp_path / "shaping.toml").write_text("[google]\nper_minute = 2\n")
    with pytest.raises(ConfigurationError, match="per_minute"):
        load(tmp_path)


def test_while_nobody_asks_for_anything_people_go_as_they_come(store, shaping, clock) -> None:
    assert not Throttle(store, shaping, enforced=False, clock=clock).active


def test_an_enforced_table_limits_rate_and_messages_on_their_way(store, shaping, clock) -> None:
    line = Throttle(store, shaping, enforced=True, clock=clock)
    people = [person(number, "gmail.com") for number in range(20)]
    assert [line.line_up(each) for each in people] == [None] * 20
    line.refresh()
    first = line.take(16)
    assert len(first) == 4  # the bucket holds four tenths of a second
    assert line.take(16) == []
    clock.pass_(seconds=0.3)
    second = line.take(16)
    assert len(second) == 1  # three would be in the bucket, and five may be on their way
    for each in [*first, *second]:
        line.ended(each)
    assert len(line.take(16)) == 2


def test_what_workers_had_in_hand_before_a_standstill_does_not_leave_at_once(store, clock) -> None:
    table = Shaping({"google": Limits("google", connections=50, per_second=10, domains=("gmail.com",)),
                     OTHER: Limits(OTHER, connections=20, per_second=100)})  # fmt: skip
    lines = [Throttle(store, table, enforced=True, clock=clock, worker=number) for number in (1, 2)]
    for line in lines:
        for number in range(20):
            line.line_up(person(number, "gmail.com"))
        line.refresh()  # each has what the bucket holds: four tenths of a second
        clock.pass_(seconds=0.5)
    clock.pass_(seconds=10)  # another program had the processors
    assert sum(len(line.take(16)) for line in lines) == 4


def test_two_workers_share_one_bucket(store, shaping, clock) -> None:
    lines = [Throttle(store, shaping, enforced=True, clock=clock) for _ in range(2)]
    for line in lines:
        for number in range(10):
            line.line_up(person(number, "gmail.com"))
        line.refresh()
    taken = 0
    for line in lines:
        while batch := line.take(16):
            taken += len(batch)
            for each in batch:
                line.ended(each)
    assert taken == 4


def test_whoever_is_beyond_the_line_comes_back_at_the_providers_pace(store, shaping, clock) -> None:
    line = Throttle(store, shaping, enforced=True, clock=clock)
    due = [line.line_up(person(number, "gmail.com")) for number in range(25)]
    assert due[:20] == [None] * 20
    waits = [(each - NOON).total_seconds() for each in due[20:] if each]
    assert waits == pytest.approx([2.1, 2.2, 2.3, 2.4, 2.5])


def test_an_unusual_rate_stops_ten_minutes_then_one_then_one_more(store, shaping, clock) -> None:
    line, other = (Throttle(store, shaping, enforced=False, clock=clock) for _ in range(2))
    line.told(person(1, "gmail.com"), "421 4.7.28 Our system has detected an unusual rate of unsolicited mail")
    other.refresh()
    for each in (line, other):  # every worker obeys
        each.line_up(person(2, "gmail.com"))
        each.refresh()
        assert each.take(16) == []
    clock.pass_(minutes=10, seconds=1)
    for number in range(3, 9):
        line.line_up(person(number, "gmail.com"))
    line.refresh()
    assert len(line.take(16)) == 1
    clock.pass_(minutes=1)
    line.refresh()
    line.refresh()
    assert len(line.take(16)) == 1  # two at once now, one is still on its way
    assert line.line_up(person(10, "mail.example")) is None  # and nobody else waits for Google
    assert [each.address for each in line.take(16)] == ["resident10@mail.example"]


def test_other_complaints_halve_the_rate_until_it_has_healed(store, shaping, clock) -> None:
    line = Throttle(store, shaping, enforced=False, clock=clock)
    line.told(person(1, "gmail.com"), "421 4.7.0 [TSS04] Messages temporarily deferred")
    with store.read() as connection:
        assert throttles.slowed(connection)["google"].rate == 5
    clock.pass_(minutes=1)
    for _ in range(9):
        clock.pass_(minutes=1)
        line.refresh()
    assert not line.active
    with store.read() as connection:
        assert throttles.slowed(connection) == {}


def test_reserved_domains_are_never_looked_up() -> None:
    assert asyncio.run(mx.hosts("mail.example")) == []


@pytest.mark.parametrize(
    ("zone", "hour", "until"),
    [("UTC", 22, 8), ("UTC", 7, 8), ("UTC", 8, None), ("UTC", 20, None), ("America/Los_Angeles", 12, 16),
     (None, 12, None),
     ("Mars/Olympus", 12, None), ("Asia/Tokyo", 13, 23)],
)  # fmt: skip
def test_quiet_hours_go_by_the_recipients_zone(zone: str | None, hour: int, until: int | None) -> None:
    quiet = QuietHours.parse("21:00-08:00", zone="UTC")
    assert quiet is not None
    ends = quiet.until(NOON.replace(hour=hour), zone=zone)
    assert (ends and ends.astimezone(dt.UTC).hour) == until
    assert ends is None or ends > NOON.replace(hour=hour)


@pytest.mark.parametrize(
    ("text", "now", "until"),
    [
        ("21:00-08:00, sunday", "2026-11-21 22:00", "2026-11-23 08:00"),  # Saturday night, over Sunday, to Monday
        ("sunday", "2026-11-22 00:00", "2026-11-23 00:00"),
        ("sunday", "2026-11-21 23:59", None),
        ("21:00-08:00 12-24, 12-25, 2026-12-26", "2026-12-23 21:30", "2026-12-28 08:00"),  # the 27th is a Sunday below
        ("12-25", "2027-12-25 10:00", "2027-12-26 00:00"),
        ("2026-12-25", "2027-12-25 10:00", None),
    ],
)
def test_quiet_days(text: str, now: str, until: str | None) -> None:
    quiet = QuietHours.parse(text + (", sunday" if "2026-12-26" in text else ""), zone="Europe/Berlin")
    assert quiet is not None
    berlin = ZoneInfo("Europe/Berlin")
    ends = quiet.until(dt.datetime.fromisoformat(now).replace(tzinfo=berlin), zone=None)
    assert (ends and f"{ends.astimezone(berlin):%Y-%m-%d %H:%M}") == until


@pytest.mark.parametrize("text", ["02-30", "2026-02-29", "sunday-monday", ", ".join(_WEEKDAYS)])
def test_quiet_days_that_cannot_be(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"policy\.quiet_hours is"):
        QuietHours.parse(text, zone="UTC")


def test_no_quiet_hours_and_wrong_ones() -> None:
    assert QuietHours.parse("", zone="UTC") is None
    with pytest.raises(ConfigurationError, match="21:00-08:00"):
        QuietHours.parse("at night", zone="UTC")


def test_a_person_in_quiet_hours_waits_for_the_morning_and_it_is_no_attempt(tmp_path) -> None:
    from benchmarks import _city as cities
    from outreach.sending import workers

    city = cities.build(tmp_path, 5, port=1)
    now = dt.datetime.now(dt.UTC)
    hours = f"{now - dt.timedelta(hours=1):%H:%M}-{now + dt.timedelta(hours=2):%H:%M}"
    from outreach.testing import FaultServer

    with FaultServer() as server:
        workers.run(
            replace(
                city.orders, relay_url=f"smtp://127.0.0.1:{server.port}", quiet_hours=hours, patience=dt.timedelta(0)
            )
        )
        assert server.accepted == []
    assert city.counts() == {"waiting": 5}


@pytest.mark.parametrize(
    ("reply", "asks"),
    [
        ("421 4.7.28 Our system has detected an unusual rate of unsolicited mail", True),
        ("421 4.7.0 [TSS04] Messages temporarily deferred", True),
        ("451 4.7.500 Server busy. Please try again later", True),
        ("452 4.5.3 too many recipients", True),
        ("451 4.7.1 Greylisting in action, slow down", False),
        ("452 4.2.2 mailbox full", False),
        ("451 4.3.0 temporary failure", False),
    ],
)
def test_what_asks_us_to_slow_down_and_what_only_asks_us_to_come_back(reply: str, asks: bool) -> None:
    assert asks_to_slow_down(reply) is asks


def test_a_small_domain_speaks_for_itself_only(store, shaping, clock) -> None:
    line = Throttle(store, shaping, enforced=False, clock=clock)
    line.told(person(1, "small.example"), "421 too many messages")
    line.line_up(person(2, "small.example"))
    line.line_up(person(3, "mail.example"))
    assert [each.address for each in line.take(16)] == ["resident3@mail.example"]
