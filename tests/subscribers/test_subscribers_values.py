"""One value, one form, from whatever file."""

import datetime as dt

import pytest

from outreach.subscribers import values


@pytest.mark.parametrize(
    ("cell", "district"),
    [("District 2", "2"), ("2", "2"), ("02", "2"), ("2.0", "2"), ("Bezirk #4", "4"), ("North", "North"), ("", None)],
)
def test_a_district_is_its_number(cell: str, district: str | None) -> None:
    assert values.district(cell) == district


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("English", "en"),
        ("Español", "es"),
        ("Deutsch", "de"),
        ("hmn", "hmn"),
        ("zh_Hans", "zh-hans"),
        ("es-MX", "es-mx"),
        ("Tiếng Việt", "vi"),
        ("Spanish (Mexico)", "es"),
        ("Espa?ol", None),
        ("", None),
    ],
)
def test_a_language_is_a_lower_case_code(cell: str, code: str | None) -> None:
    assert values.language(cell) == code


@pytest.mark.parametrize(("cell", "answer"), [("TRUE", True), ("1", True), ("Nein", False), ("0", False), ("?", None)])
def test_yes_and_no(cell: str, answer: bool | None) -> None:
    assert values.yes_no(cell) is answer


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2017-01-02 14:58:00", "2017-01-02T14:58"),
        ("01/02/2017 02:58 PM", "2017-01-02T14:58"),
        ("12/22/2021 12:16 AM", "2021-12-22T00:16"),
        ("31.12.2019", "2019-12-31T00:00"),
        ("31/12/2019", "2019-12-31T00:00"),
        ("2022-09-25T00:10:00Z", "2022-09-25T00:10"),
        ("2022-09-25T02:10:00+02:00", "2022-09-25T00:10"),
        ("2020-13-45", None),
        ("02/30/2020", None),
        ("soon", None),
        ("", None),
    ],
)
def test_dates_in_each_files_own_way(cell: str, moment: str | None) -> None:
    expected = dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC).timestamp() * 1000 if moment else None
    assert values.moment()(cell) == expected


def test_one_impossible_month_tells_that_a_column_writes_the_day_first() -> None:
    assert values.writes_day_first(["03/04/2020", "25/04/2020"])
    assert not values.writes_day_first(["03/04/2020", "04/25/2020"])
    assert values.moment(day_first=True)("03/04/2020") == values.moment()("2020-04-03")


def test_lists_in_a_cell() -> None:
    assert values.items('"Library events","Road works, all"') == ("Library events", "Road works, all")
    assert values.items("Parking; Housing; Parking") == ("Parking", "Housing")


def test_letters_that_another_program_lost_are_noticed() -> None:
    assert all(values.damaged(name) for name in ("Dvo?ák", "?ukasz", "Tr?n", "L?", "Ng\ufffd"))
    assert not any(values.damaged(name) for name in ("Müller", "O'Neill", "St. John", "Lý"))
