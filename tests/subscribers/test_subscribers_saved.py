"""Saved mappings, spreadsheets, and what a person should look at before an import is trusted."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas
import pytest

from outreach.errors import UsageError
from outreach.store import subscribers, suspects
from outreach.store.database import Store
from outreach.subscribers import saved
from outreach.subscribers.importing import Options, Result, import_file
from tests.subscribers.people_files import salesforce, written

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)


def test_a_spreadsheet_comes_in_as_people_see_it(sqlite_store: Store, tmp_path: Path) -> None:
    path = tmp_path / "fair.xlsx"
    rows = [
        ["Spring fair, sign-up sheet", None, None, None],
        ["E-mail", "First name", "Zip", "Joined"],
        ["ada@city.example", "Zoë", 95842, pandas.Timestamp(2024, 3, 1)],
        [None, None, None, None],
        ["no address", "Bo", 2101.0, None],
    ]
    pandas.DataFrame(rows).to_excel(path, header=False, index=False)
    result = import_file(sqlite_store, path, now=NOW, rejects_folder=tmp_path)
    assert (result.rows, result.new, result.rejected) == (2, 1, 1)
    assert dict(result.reasons) == {"an address must have an @-sign": 1}
    with sqlite_store.read() as connection:
        ada = subscribers.find(connection, "ada@city.example")
    assert ada is not None
    assert ada.attributes == {"first_name": "Zoë", "zip": "95842"}
    assert ada.joined_at == dt.datetime(2024, 3, 1, tzinfo=dt.UTC)


def test_a_damaged_spreadsheet_is_refused_in_words(sqlite_store: Store, tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "fair.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<broken")
    with pytest.raises(UsageError, match="cannot be read as a spreadsheet"):
        import_file(sqlite_store, path, now=NOW, rejects_folder=tmp_path)


def test_the_difference_is_told_before_anything_changes(store: Store, tmp_path: Path) -> None:
    ada = {"E-Mail": "ada@city.example", "Nachname": "Ross", "Council District": "3", "Last Activity": "01.02.2024"}
    bo = {"E-Mail": "info@mailinator.com", "Nachname": "Lee", "Last Activity": "01.02.2024"}
    path = written(tmp_path, "a.csv", salesforce(ada, bo))
    import_file(store, path, now=NOW, rejects_folder=tmp_path)
    seen: list[tuple[Result, int]] = []

    def look(result: Result) -> None:
        with store.read() as connection:
            seen.append((result, len(list(subscribers.every(connection)))))

    new = {"E-Mail": "new@city.example", "Last Activity": "01.03.2024"}
    path = written(tmp_path, "b.csv", salesforce({**ada, "Council District": "4", "Last Activity": "01.03.2024"}, new))
    options = Options(complete=True)
    import_file(store, path, now=NOW, rejects_folder=tmp_path, options=options, announce=look)
    ((told, people),) = seen
    assert (told.new, told.changed, dict(told.fields), people) == (1, 1, {"district": 1}, 2)
    assert (told.roles, told.disposable, tuple(told.gone)) == (0, 0, ("info@mailinator.com",))


def test_the_same_name_and_postcode_at_two_addresses_is_shown_to_a_person(store: Store) -> None:
    with store.write() as connection:
        for address, last, postcode in (
            ("ada@city.example", "Ross", "95842"),
            ("a.ross@work.example", "ross", "95842"),
            ("ada@elsewhere.example", "Ross", "10001"),
        ):
            said = {"first_name": "Ada", "last_name": last, "zip": postcode}
            subscribers.upsert(connection, address, attributes=said, now=NOW)
        assert suspects.pairs(connection) == [("ada ross, 95842", "a.ross@work.example", "ada@city.example")]


def test_a_saved_mapping_is_checked_when_it_is_read(tmp_path: Path) -> None:
    written(tmp_path, "parks.toml", 'source = "Parks"\ntopic = "Parks"\n[columns]\n"Work Email" = "email"\n')
    assert saved.load(tmp_path, "parks") == saved.Saved("parks", "Parks", "Parks", False, {"Work Email": "email"})
    for content, wrong in (
        ("topics = 1", "sets 'topics', which does not exist"),
        ("complete = 1", "complete must be bool"),
        ('topic = "Parks"', "a topic and no source"),
        ("[columns]\nWork = 1", "must look like"),
        ("x", "cannot be read"),
    ):
        written(tmp_path, "bad.toml", content)
        with pytest.raises(UsageError, match=wrong):
            saved.load(tmp_path, "bad")
    with pytest.raises(UsageError, match="did you mean 'parks'"):
        saved.load(tmp_path, "park")
