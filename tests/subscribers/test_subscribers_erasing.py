"""A person forgotten: nothing names them any more, and no file brings them back."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sqlite3
import stat
from pathlib import Path

from openpyxl import load_workbook
from sqlalchemy import select

from outreach.store import consent, erasing, subscribers, suppressions, tables
from outreach.store.database import Store
from outreach.subscribers.erasing import erase, note_export, verify
from outreach.subscribers.exporting import write_csv, write_file
from outreach.subscribers.importing import Options, import_file
from tests.subscribers.people_files import mailchimp, written
from tracking.spool import TABLE

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
KEY = b"k" * 32
ADA, BOB = "ada@city.example", "bob@city.example"


def test_nothing_names_an_erased_person_and_no_file_brings_them_back(store: Store, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "spool").mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(data / "spool" / "one.spool") as spool:
        spool.execute(TABLE)
        spool.execute("INSERT INTO hit VALUES (1, 9, 0, 0, 0, 0, 0, 0, x'', 0, '{\"address\":\"ada@city.example\"}')")
    spool.close()
    people = [
        {"Email Address": " Ada@City.Example ", "TAGS": "Housing", "LAST_CHANGED": "2024-01-01 00:00:00"},
        {"Email Address": BOB, "TAGS": "Housing", "LAST_CHANGED": "2024-01-01 00:00:00"},
    ]
    path = written(tmp_path, "people.csv", mailchimp(*people, {"Email Address": "ada@city.example, ada@home"}))
    options = Options(erasure_key=KEY)
    import_file(store, path, now=NOW, rejects_folder=data / "rejects", options=options)
    later = mailchimp({**people[0], "District": "4", "LAST_CHANGED": "2025-01-01 00:00:00"})
    again = written(tmp_path, "again.csv", later)
    import_file(store, again, now=NOW, rejects_folder=data / "rejects", options=options)
    with store.write() as connection:
        suppressions.suppress(connection, ADA, reason=suppressions.Reason.MANUAL, source="a letter", at=NOW)
        ada = subscribers.find(connection, ADA)
        assert ada is not None
        with (tmp_path / "export.csv").open("w", encoding="utf-8-sig", newline="") as out:
            write_csv(connection, out)
    note_export(data, tmp_path / "export.csv")
    assert verify(store, data, ADA) != []

    assert erase(store, data, ADA, key=KEY, now=NOW) == ada.id
    assert verify(store, data, ADA) == []
    assert BOB in (tmp_path / "export.csv").read_text("utf-8-sig")
    with store.read() as connection:
        assert subscribers.find(connection, ADA) is None
        assert len(consent.history_of(connection, ada.id)) == 2
        (kept,) = connection.scalars(select(tables.suppression.c.address))
    assert kept.startswith(erasing.PREFIX)
    assert "ada" not in kept

    result = import_file(store, path, now=NOW, rejects_folder=tmp_path / "rejects", options=options)
    assert (result.new, result.suppressed, result.unchanged, result.rejected) == (0, 1, 1, 1)
    with store.read() as connection:
        assert subscribers.find(connection, ADA) is None
    assert erase(store, data, ADA, key=KEY, now=NOW) is None


def test_several_rows_of_somebody_erased_are_never_taken_for_those_of_another(store: Store, tmp_path: Path) -> None:
    options = Options(erasure_key=KEY)

    def bring(*rows: dict[str, str]) -> None:
        path = written(tmp_path, "people.csv", mailchimp(*rows))
        import_file(store, path, now=NOW, rejects_folder=tmp_path / "rejects", options=options)

    bring({"Email Address": ADA, "LAST_CHANGED": "2024-01-01 00:00:00"})
    assert erase(store, tmp_path / "data", ADA, key=KEY, now=NOW)
    rows = [{"LAST_CHANGED": f"2024-01-0{day} 00:00:00", "District": str(day)} for day in (1, 3, 2)]
    bring(*({"Email Address": who, **row} for row in rows for who in (ADA, BOB, "cy@city.example")))
    with store.read() as connection:
        found = {person.address: person.attributes["district"] for person in subscribers.every(connection)}
    assert found == {BOB: "3", "cy@city.example": "3"}


def test_spreadsheets_and_json_lines_that_we_made_are_cleaned_too(store: Store, tmp_path: Path) -> None:
    odd = "o'neill&sons@city.example"
    with store.write() as connection:
        for address in (ADA, BOB, odd):
            subscribers.upsert(connection, address, attributes={"first_name": "A <b>"}, now=NOW)
    (tmp_path / "data").mkdir(exist_ok=True)
    files = [tmp_path / "people.xlsx", tmp_path / "people.jsonl"]
    said = tmp_path / "data" / "archive" / "7" / "run.jsonl"
    said.parent.mkdir(parents=True)
    ada_line, bob_line = (f'[{n}, 0, "en", true, true, "{who}", {{}}]\n' for n, who in enumerate((ADA, BOB), 70))
    said.write_text('{"version": 1}\n' + ada_line + bob_line)
    with store.read() as connection:
        for path in files:
            assert write_file(connection, path) == 3
            note_export(tmp_path / "data", path)
    for address in (ADA, odd):
        assert {str(path) for path in files} <= set(verify(store, tmp_path / "data", address))
        erase(store, tmp_path / "data", address, key=KEY, now=NOW)
        assert verify(store, tmp_path / "data", address) == []
    sheet = load_workbook(files[0]).worksheets[0]
    assert [row[0] for row in sheet.iter_rows(values_only=True)] == ["email", BOB]
    assert said.read_text() == '{"version": 1}\n' + bob_line
    assert [json.loads(line)["email"] for line in files[1].read_text("utf-8").splitlines()] == [BOB]


def test_an_address_within_a_longer_one_stays(store: Store, tmp_path: Path) -> None:
    longer = ["nada@city.example", "n.ada@city.example", "ada@city.example.org", "ada@city.example-two.org"]
    with store.write() as connection:
        ada, *_ = [subscribers.upsert(connection, address, attributes={}, now=NOW) for address in (ADA, *longer)]
    data = tmp_path / "data"
    archive = data / "archive" / "7" / "run.jsonl"
    archive.parent.mkdir(parents=True)
    _, *lines = [f'[{n},0,"en",true,true,"{who}",{{}}]\n' for n, who in enumerate((ADA, *longer), 70)]
    of_ada = [f'[70,0,"en",true,true,"{ADA}",{{}}]\n', f'[{ada},0,"en",true,true,"a.before@city.example",{{}}]\n']
    torn = '[9, 0, "en", true, true, "x@city.example", {"first_name": "Zoë'.encode()[:-1]
    archive.write_bytes("".join([*of_ada, *lines]).encode() + torn)
    with contextlib.closing(sqlite3.connect(data / "one.db")) as unread:
        unread.execute(TABLE)
        unread.executemany(
            "INSERT INTO hit VALUES (?, 9, 0, 0, 0, 0, 0, 0, x'', 0, ?)",
            [(number, json.dumps({"address": who})) for number, who in enumerate((ADA, *longer))],
        )
        unread.commit()
    (data / "spool").mkdir()
    (data / "one.db").rename(data / "spool" / "one.spool")
    files = [tmp_path / "people.csv", tmp_path / "people.xlsx"]
    with store.read() as connection:
        for path in files:
            write_file(connection, path)
            note_export(data, path)
    assert {*map(str, files), str(archive), "subscriber.address"} <= set(verify(store, data, ADA))

    erase(store, data, ADA, key=KEY, now=NOW)
    assert verify(store, data, ADA) == []
    assert archive.read_bytes() == "".join(lines).encode() + torn
    with contextlib.closing(sqlite3.connect(data / "spool" / "one.spool")) as unread:
        assert [detail for (detail,) in unread.execute("SELECT detail FROM hit")] == [
            "",
            *(json.dumps({"address": who}) for who in longer),
        ]
    for address in longer:
        assert {*map(str, files), str(archive), "subscriber.address"} <= set(verify(store, data, address))


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "erasure"
    key = erasing.load_key(path)
    assert erasing.load_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
