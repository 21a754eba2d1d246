"""Local times, the two days a year when clocks change, and rules."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach import clock
from outreach.campaigns.schedule import ScheduleError, how, in_words, not_after, parse, resolve
from outreach.errors import ConfigurationError

LOS_ANGELES = zoneinfo.ZoneInfo("America/Los_Angeles")
ZONES = sorted(zone for zone in zoneinfo.available_timezones() if zone not in ("localtime", "Factory"))


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def test_a_time_is_the_zone_s_own():
    once = parse("2026-12-01 09:00 America/Los_Angeles", default_zone="UTC")
    assert list(once.occurrences()) == [utc("2026-12-01 17:00")]
    assert list(parse("2026-12-01 09:00", default_zone="Europe/Berlin").occurrences()) == [utc("2026-12-01 08:00")]


def test_an_hour_may_lack_its_zero():
    assert parse("2026-11-30 8:30", default_zone="UTC").first == dt.datetime.fromisoformat("2026-11-30 08:30")
    assert list(parse("FREQ=DAILY;COUNT=1 from 2026-11-30 8:30", default_zone="UTC").occurrences())


def test_a_moment_in_words_names_the_day_in_utc_where_it_is_another():
    said = in_words(utc("2026-12-01 04:30"), "America/Los_Angeles")
    assert said == "Monday, 30 November 2026, 20:30 America/Los_Angeles (UTC 2026-12-01 04:30)"


def test_a_time_that_the_change_skips_is_the_next_minute_that_exists():
    half_past_two = dt.datetime.fromisoformat("2027-03-14 02:30")
    assert resolve(half_past_two, LOS_ANGELES) == utc("2027-03-14 10:00")
    assert how(half_past_two, LOS_ANGELES) == "02:30 does not exist on that day in America/Los_Angeles; it is 03:00"


def test_a_time_that_comes_twice_is_the_first():
    half_past_one = dt.datetime.fromisoformat("2026-11-01 01:30")
    assert resolve(half_past_one, LOS_ANGELES) == utc("2026-11-01 08:30")
    assert "comes twice" in how(half_past_one, LOS_ANGELES)


def test_nine_o_clock_stays_nine_o_clock_when_summer_time_begins():
    weekly = parse("FREQ=WEEKLY;BYDAY=MO from 2027-03-08 09:00 America/Los_Angeles", default_zone="UTC")
    assert list(islice(weekly.occurrences(), 2)) == [utc("2027-03-08 17:00"), utc("2027-03-15 16:00")]
    assert weekly.due(after=utc("2027-03-08 17:00"), until=utc("2027-03-15 16:00")) == [utc("2027-03-15 16:00")]


def test_two_skipped_times_that_become_one_moment_are_due_once():
    often = parse("FREQ=HOURLY;BYMINUTE=15,45 from 2027-03-14 01:45 America/Los_Angeles", default_zone="UTC")
    assert list(islice(often.occurrences(), 3)) == [
        utc("2027-03-14 09:45"),
        utc("2027-03-14 10:00"),
        utc("2027-03-14 10:15"),
    ]


def changes(zone: zoneinfo.ZoneInfo) -> list[dt.datetime]:
    """The moments of 2025 to 2027 at which a zone's clock changes, to the minute."""
    found = []
    day = utc("2025-01-01 00:00")
    while day < utc("2028-01-01 00:00"):
        low, high = day, day + dt.timedelta(days=1)
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
            before = low.astimezone(zone).utcoffset()
            while high - low > dt.timedelta(minutes=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
            found.append(high.replace(second=0, microsecond=0))
        day += dt.timedelta(days=1)
    return found


@pytest.mark.parametrize("zone", [zoneinfo.ZoneInfo(name) for name in ZONES[::7]], ids=lambda zone: zone.key)
def test_around_every_change_a_daily_time_comes_once_a_day(zone):
    for change in changes(zone):
        for minutes in (-61, -30, -1, 0, 1, 30, 59):
            wall = (change + dt.timedelta(minutes=minutes)).astimezone(zone).replace(tzinfo=None)
            first = wall - dt.timedelta(days=2)
            daily = parse(f"FREQ=DAILY;COUNT=5 from {first:%Y-%m-%d %H:%M} {zone.key}", default_zone="UTC")
            due = list(daily.occurrences())
            assert len(due) == 5
            assert [at.astimezone(zone).date() for at in due] == [first.date() + dt.timedelta(days=n) for n in range(5)]
            assert due == sorted(set(due))


@given(
    st.datetimes(utc("2025-01-01").replace(tzinfo=None), utc("2028-01-01").replace(tzinfo=None)), st.sampled_from(ZONES)
)
def test_a_resolved_time_exists_and_is_never_earlier_than_it_was_written(local, name):
    local = local.replace(second=0, microsecond=0)
    zone = zoneinfo.ZoneInfo(name)
    assert resolve(local, zone).astimezone(zone).replace(tzinfo=None) >= local


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tomorrow", "is no time we can read"),
        ("2026-02-30 09:00", "no date and time that exists"),
        ("2026-12-01 09:00 Mars/Olympus", "is no time zone"),
        ("FREQ=MINUTELY from 2026-12-01 09:00", "every minute"),
        ("FREQ=OFTEN from 2026-12-01 09:00", "no rule of RFC 5545"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;UNTIL=20300101T000000 from 2026-12-01 09:00", "never comes"),
        ("FREQ=DAILY;INTERVAL=0 from 2026-12-01 09:00", "a whole number from 1"),
        ("FREQ=DAILY;INTERVAL=-1;COUNT=2 from 2026-12-01 09:00", "a whole number from 1"),
        ("FREQ=DAILY;UNTIL=20300101T000000Z from 2026-12-01 09:00", "without the Z"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(text, said):
    with pytest.raises(ScheduleError, match=said):
        parse(text, default_zone="UTC")


def test_a_window_is_a_time_or_a_span():
    at = utc("2026-12-01 17:00")
    assert not_after("6 hours", at=at, default_zone="UTC") == utc("2026-12-01 23:00")
    assert not_after("2026-12-01 18:00 America/Los_Angeles", at=at, default_zone="UTC") == utc("2026-12-02 02:00")
    with pytest.raises(ScheduleError, match="not later"):
        not_after("2026-12-01 09:00", at=at, default_zone="UTC")


def test_the_clock_is_set_only_where_a_test_says_so(monkeypatch):
    monkeypatch.setenv("OUTREACH_NOW", "2031-01-01T00:00:00Z")
    assert clock.now().year < 2031
    monkeypatch.setenv("OUTREACH_TEST_CLOCK", "1")
    assert clock.now().year == 2031
    monkeypatch.setenv("OUTREACH_NOW", "new year")
    with pytest.raises(ConfigurationError, match="write it like"):
        clock.now()
