"""Files are read to the letter, whatever their encoding, delimiter or faults; what is no table is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from outreach.errors import UsageError
from outreach.subscribers.lines import BLOCK
from outreach.subscribers.reading import Table, open_table
from outreach.subscribers.records import Unreadable
from tests.subscribers.people_files import written


def rows(table: Table) -> list[list[str]]:
    return [cells for _number, cells in table.rows() if isinstance(cells, list)]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfemail,name\r\nada@city.example,Ren\xc3\xa9e\r\n",
        b"email,name\nada@city.example,Ren\xe9e\n",
        b"email;name\nada@city.example;Ren\xc3\xa9e\n",
        b"email\tname\nada@city.example\tRen\xe9e",
        b"email|name\rada@city.example|Ren\xc3\xa9e\r",
        "email,name\nada@city.example,Renée\n".encode("utf-16"),
        b'"email";"name"\r\n"ada@city.example";"Ren\xe9e"\r\n',
    ],
)
def test_encodings_and_delimiters_are_told_apart(tmp_path: Path, content: bytes) -> None:
    table = open_table(written(tmp_path, "people.csv", content))
    assert (table.header, rows(table)) == (("email", "name"), [["ada@city.example", "Renée"]])


def test_lines_of_two_encodings_in_one_file_are_both_right(tmp_path: Path) -> None:
    content = b"email,name\na@x.example,Zo\xc3\xab\nb@x.example,Zo\xeb\nc@x.example,\x93Z\x94\nd@x.example,\x81\n"
    table = open_table(written(tmp_path, "glued.csv", content))
    assert [cells[1] for cells in rows(table)] == ["Zoë", "Zoë", "“Z”", "\x81"]
    assert table.cp1252_lines == 3


def test_rows_are_numbered_as_a_spreadsheet_numbers_them(tmp_path: Path) -> None:
    content = 'Report of today\n\nemail,notes\na@x.example,"moved?\nsee file"\n\nb@x.example,\n'
    table = open_table(written(tmp_path, "report.csv", content))
    assert table.header == ("email", "notes")
    assert list(table.rows()) == [(4, ["a@x.example", "moved?\nsee file"]), (6, ["b@x.example", ""])]


@pytest.mark.parametrize(
    "content",
    [
        "email,name,zip\na@x.example,Ada,1,\nb@x.example,Bob,2,\n",  # a delimiter too many at each line's end
        "Contacts;;\n;;\nemail;name;zip\na@x.example;Ada;1\nb@x.example;Bob;2\n",
        "Contacts of today\nemail\tname\tzip\na@x.example\tAda\t1\nb@x.example\tBob\t\n",
    ],
)
def test_the_header_is_found_below_titles_and_above_longer_rows(tmp_path: Path, content: str) -> None:
    table = open_table(written(tmp_path, "report.csv", content))
    assert table.header[:3] == ("email", "name", "zip")
    assert [cells[0] for cells in rows(table)] == ["a@x.example", "b@x.example"]


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    table = open_table(written(tmp_path, "nobody.csv", "email\n"))
    assert (table.header, rows(table)) == (("email",), [])


def test_a_file_longer_than_a_block_loses_nothing_at_the_seams(tmp_path: Path) -> None:
    lines = [f'ada{n}@city.example,"Müller, {n}"' for n in range(80_000)]
    path = written(tmp_path, "long.csv", "\n".join(["email,name", *lines]))
    assert path.stat().st_size > 2 * BLOCK
    found = rows(open_table(path))
    assert (len(found), found[-1]) == (80_000, ["ada79999@city.example", "Müller, 79999"])


def test_json_lines_keep_their_bad_lines_as_bad_lines(tmp_path: Path) -> None:
    content = '{"email": "a@x.example", "missing": ["one", "two"]}\n{"broken\n[1]\n{"email": "b@x.example"}\n'
    found = list(open_table(written(tmp_path, "cases.jsonl", content)).rows())
    assert [(number, cells) for number, cells in found if isinstance(cells, list)] == [
        (1, ["a@x.example", "one, two"]),
        (4, ["b@x.example", ""]),
    ]
    assert [number for number, cells in found if isinstance(cells, Unreadable)] == [2, 3]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"%PDF-1.7", "PDF"),
        (b"\x7fELF" + bytes(500), "not text"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b'[{"email": "a@x.example"}]', "JSON list"),
        (b'email,name\n"a@x.example,' + b"x" * 200_000 + b"\n", "never closed"),
        (",".join(f"c{n}" for n in range(600)).encode() + b"\n", "600 columns"),
    ],
)
def test_what_is_no_table_is_refused_in_words(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        list(open_table(written(tmp_path, "no.csv", content)).rows())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        open_table(tmp_path / "gone.csv")


# Two of the corpus' own pairs disagree with themselves: its CRLF came to us as LF, and one number differs.
DISAGREE = {"newlines_crlf", "location_coordinates"}


def test_csv_spectrum_is_read_exactly(shared: Path) -> None:
    wrong = []
    for path in sorted((shared / "corpora/csv-spectrum/csvs").glob("*.csv")):
        expected = json.loads((path.parent.parent / "json" / f"{path.stem}.json").read_text("utf-8"))
        table = open_table(path)
        if [dict(zip(table.header, cells, strict=True)) for cells in rows(table)] != expected:
            wrong.append(path.stem)
    assert set(wrong) <= DISAGREE
