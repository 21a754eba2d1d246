"""Rates, words and steps of time."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.reports import words
from outreach.reports.rates import rate, wilson
from outreach.reports.series import FEWEST_STEPS, MOST_STEPS, grid, series

CITY = ZoneInfo("America/Los_Angeles")
BEGINNING = dt.datetime(2026, 11, 19, 17, 0, 7, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(3, 40, 0.026, 0.199), (0, 25, 0.0, 0.133), (1_200, 40_000, 0.0284, 0.0317), (20, 20, 0.839, 1.0)],
)
def test_wilsons_interval_is_the_published_one(count: int, of: int, low: float, high: float) -> None:
    assert wilson(count, of) == pytest.approx((low, high), abs=0.0006)


@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_the_share_and_stays_between_none_and_all(pair: tuple[int, int]) -> None:
    count, of = pair
    low, high = wilson(count, of)
    assert 0 <= low <= count / of + 1e-12
    assert count / of - 1e-12 <= high <= 1


@pytest.mark.parametrize(
    ("count", "of", "text"),
    [
        (138, 1960, "7.0% (6.0 to 8.3%)"),
        (610, 1960, "31% (29 to 33%)"),
        (1960, 1988, "98.6% (98.0 to 99.0%)"),
        (0, 1960, "0% (0 to 0.2%)"),
        (3, 25, "3 of 25"),
        (0, 0, "nobody to count"),
        (41, 40, "41 of 40"),  # people in doubt may open, too
    ],
)
def test_a_rate_is_said_with_its_interval_or_in_numbers_when_they_are_few(count: int, of: int, text: str) -> None:
    assert rate(count, of).text == text


def test_one_person_among_many_is_never_rounded_away_and_never_makes_everybody() -> None:
    assert [words.percent(1 / 260_000), words.percent(259_999 / 260_000)] == ["0.1%", "99.9%"]


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[2J\x1b]8;;https://evil.example\x07550 no", "[2J ]8;;https://evil.example 550 no"),
        ("gpj.exe\u202efdp", "gpj.exe fdp"),
        ("two\r\nlines\x00", "two lines"),
        ("a" * 300, "a" * 199 + "…"),
    ],
)
def test_strangers_words_are_one_harmless_line(hostile: str, harmless: str) -> None:
    assert words.plain(hostile) == harmless


def test_series_of_words() -> None:
    assert [words.series(items) for items in ([], ["one"], ["one", "two"], ["one", "two", "three"])] == [
        "",
        "one",
        "one and two",
        "one, two and three",
    ]


@given(st.lists(st.integers(0, 90 * 86_400_000), min_size=1, max_size=50))
def test_every_moment_is_in_one_step_and_there_are_few_steps(offsets: list[int]) -> None:
    moments = [BEGINNING + dt.timedelta(milliseconds=offset) for offset in offsets]
    on = grid(min(moments), max(moments), CITY)
    found = series(moments, on)
    assert FEWEST_STEPS <= on.steps <= MOST_STEPS
    assert found.total == len(moments)
    assert on.start <= min(moments)
    assert max(moments) < on.end
    assert all(
        found.counts[step] == sum(on.beginning(step) <= at < on.beginning(step + 1) for at in moments)
        for step in range(on.steps)
    )


def test_steps_begin_on_the_hours_of_the_citys_clock() -> None:
    on = grid(BEGINNING, BEGINNING + dt.timedelta(days=1), CITY)
    start = on.start.astimezone(CITY)
    assert (start.hour, start.minute, on.seconds) == (9, 0, 3600)


def test_when_half_and_nine_tenths_had_happened() -> None:
    moments = [BEGINNING + dt.timedelta(minutes=minute) for minute in (0, 1, 2, 3, 20)]
    on = grid(moments[0], moments[-1], ZoneInfo("UTC"))
    found = series(moments, on)
    assert found.reached(0.5) == dt.datetime(2026, 11, 19, 17, 3, tzinfo=dt.UTC)
    assert found.reached(0.9) == dt.datetime(2026, 11, 19, 17, 21, tzinfo=dt.UTC)


def test_a_subject_is_shown_without_anybodys_fields() -> None:
    assert words.without_fields('{{ first_name | default("Hello") }}, sweeping in district {{ district }}') == (
        "…, sweeping in district …"
    )
