"""The quick way through a file says, letter for letter, what the careful way says."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.store.staging import dump
from outreach.store.subscribers import Field, slot_reader
from outreach.subscribers.columns import Columns
from outreach.subscribers.mapping import Person, propose
from outreach.subscribers.reading import Table
from outreach.subscribers.records import as_batch

FIELDS = (
    Field("district", "text", "t1"),
    Field("zip", "text", "t2"),
    Field("renter", "yesno", "n1"),
    Field("moved", "date", "d1"),
    Field("ward", "text", "t3"),
)
TYPES = {field.name: field.type for field in FIELDS}
HEADER = ("E-mail", "First name", "District", "Zip", "Renter", "Language", "Joined", "Updated at", "Moved", "Topics")
HEADERS = st.sampled_from(
    [HEADER, HEADER[:7], ("E-mail", "Zip", "Status", "Do not email"), ("Email",), ("E-mail", "Name", "Zip")]
)
WORDS = "|ada@city.example| ADA@City.Example |no address|a@b|mailto:bo@city.example|District 04|3|95842.0|yes|Nein"
DATES = "2024-02-30|2024-02-03 10:11|31.12.2019|1950-01-01"
ODD = '| |=1+1|say "hi"\\|subscribed|unsubscribed|Parks, Roads|Dvo?ák|\u00a0x\u00a0|😀|Español'
CELLS = st.sampled_from([*WORDS.split("|"), *DATES.split("|"), *ODD.split("|"), "'=1+1"])


@settings(max_examples=300)
@given(HEADERS, st.data())
def test_the_quick_way_says_what_the_careful_way_says(header: tuple[str, ...], data: st.DataObject) -> None:
    width = len(header)
    cells = st.lists(CELLS, min_size=max(width - 1, 1), max_size=width + 1)
    addresses = st.sampled_from(["ada@city.example", "BO@city.example", "eve@büro.example", "nobody", ""])
    rows = data.draw(st.lists(st.tuples(addresses, cells).map(lambda row: [row[0], *row[1][1:]]), max_size=12))
    table = Table(Path("people.csv"), header, ",", rows, skipped=0)
    mapping = propose(table, {}, types=TYPES, default_at=77)
    columns = Columns(mapping, FIELDS)
    numbers = range(2, len(rows) + 2)
    staged, others = columns(as_batch(numbers, [list(row) for row in rows], width))

    assert sorted([row[0] for row in staged] + [row[0] for row in others]) == list(numbers)
    _, read_slots = slot_reader(FIELDS)
    for row in staged:
        said = mapping(list(rows[row[0] - 2]))
        assert isinstance(said, Person)
        assert said.suppress is None
        assert said.wishes == ()
        expected = (row[0], said.address, dump(said.attributes), said.locale, said.joined, said.at, None)
        assert row == (*expected, *read_slots(said.attributes))


def test_an_ordinary_file_goes_the_quick_way_whole() -> None:
    rows = [["ada@city.example", "Ada", "4"], ["bo@city.example", "", "District 3"]]
    table = Table(Path("people.csv"), ("Email", "First name", "District"), ",", rows, skipped=0)
    columns = Columns(propose(table, {}, types=TYPES, default_at=5), FIELDS[:1])
    staged, others = columns(as_batch(range(2, 2 + len(rows)), rows, 3))
    assert list(others) == []
    assert [row[2] for row in staged] == ['{"first_name":"Ada","district":"4"}', '{"district":"3"}']
    assert [row[-1] for row in staged] == ["4", "3"]
    assert columns.types == {"first_name": "text", "district": "text"}
