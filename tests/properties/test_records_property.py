"""However a file is cut into columns, and whatever its lines are written in: each cell as the careful way has it."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.subscribers import lines, records

CELL = st.text(st.sampled_from("ab;\t\"'é, "), max_size=4)
END = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", "\n\n"])
ROWS = st.lists(st.tuples(st.lists(CELL, min_size=1, max_size=4).map(";".join), END).map("".join), max_size=30)
PLAIN = st.lists(st.just("a;b;é\n") | st.just("a;;\n"), max_size=30)
BYTES = st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\xc3\xa9", b"\xe9", b"\xc3", b"\x81", b"\0", b"\xed\xa0\x80"]))


@settings(max_examples=300)
@given((ROWS | PLAIN | st.tuples(PLAIN, ROWS, PLAIN).map(lambda parts: [*parts[0], *parts[1], *parts[2]])).map("".join))
def test_cutting_whole_blocks_gives_the_csv_modules_rows(text: str) -> None:
    found = [(number, row) for batch in batches(text) for number, row in batch.in_order()]
    expected = list(enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=";"), 1))
    assert found == [(number, row) for number, row in expected[1:] if row]


def batches(text: str) -> list[records.Batch]:
    with tempfile.TemporaryDirectory() as folder, patch.object(lines, "BLOCK", 16):
        path = Path(folder) / "people.csv"
        path.write_bytes(text.encode())
        return list(records.Records(lines.Lines(path), ";").batches(3, skip=1))


def test_only_lines_that_are_all_as_wide_as_the_header_are_cut_whole() -> None:
    assert records._cut("a;b\nc;d\n", ";", 2) == [["a", "c"], ["b", "d"]]
    assert records._cut("a;b\r\nc;d", ";", 2) == [["a", "c"], ["b", "d"]]
    assert records._cut("a\nc\n", ";", 3) is None
    assert records._cut('a;"b"\n', ";", 2) is None
    assert records._cut("a;b\rc;d\n", ";", 2) is None


def test_a_cell_longer_than_the_csv_module_takes_is_left_to_it() -> None:
    assert records._cut("a;b\n" + "x" * (csv.field_size_limit() + 1) + ";b\n", ";", 2) is None


@settings(max_examples=300)
@given(BYTES.map(b"".join))
def test_each_line_is_read_as_a_whole_in_one_encoding_or_the_other(content: bytes) -> None:
    expected, others = "", 0
    for line in content.replace(b"\0", b"").splitlines(keepends=True):
        try:
            expected += line.decode()
        except UnicodeDecodeError:
            others += 1
            expected += line.decode("cp1252") if b"\x81" not in line else line.decode("latin-1")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.csv"
        path.write_bytes(b"x\n" + content)
        found = lines.Lines(path)
        assert "".join(found) == "x\n" + expected
        assert found.cp1252_lines == others
