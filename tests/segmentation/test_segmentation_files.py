"""Segment files, and everything the documents show: each is compiled here."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from outreach.errors import ConfigurationError
from outreach.segmentation import (
    Catalogue,
    Field,
    RuleError,
    Segment,
    Topic,
    Type,
    canonical,
    check,
    compile_rule,
    explain,
    load_segments,
    named_or_written,
    parse,
    read_segment,
    texts,
)

ROOT = Path(__file__).parent.parent.parent
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
CHICAGO = ZoneInfo("America/Chicago")
STARTERS = load_segments(ROOT / "segments")
CATALOGUE = Catalogue(
    fields={**Catalogue().fields, "ward": Field("ward", Type.TEXT)},
    topics=(
        Topic(1, "Parking", 1),
        Topic(2, "Parking & street sweeping", 1),
        Topic(3, "Parks and trails", 2),
        Topic(4, "Road works", 1),
    ),
    departments={"Public Works": 1, "Parks": 2},
    campaigns={"street-sweeping-1": 1},
    segments=texts(STARTERS),
)


def examples() -> list[str]:
    found = []
    for document in ("segments/README.md", "docs/segments.md"):
        blocks = re.findall(r"```rule\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)
        found += [line for block in blocks for line in block.splitlines() if line.strip()]
    return found


@pytest.mark.parametrize("rule", [*examples(), *(segment.rule for segment in STARTERS.values())])
def test_every_rule_we_show_works(rule: str) -> None:
    compile_rule(check(rule, CATALOGUE), CATALOGUE, now=NOW, zone=CHICAGO)
    for language in ("en", "es", "de"):
        assert explain(rule, CATALOGUE, language, now=NOW, zone=CHICAGO)


def test_the_documents_show_many_rules() -> None:
    assert len(examples()) > 30


def test_the_starters_are_these_and_say_what_they_are_for() -> None:
    assert sorted(STARTERS) == [
        "district-3",
        "engaged",
        "lapsed",
        "never-opened",
        "new-this-month",
        "spanish",
        "sunset-candidates",
    ]
    assert all(len(segment.description) > 30 for segment in STARTERS.values())


def test_a_segment_file_with_everything() -> None:
    segment = read_segment(
        "engaged",
        "# Who reads us.\n#\n# Checked every Monday.\nexpect between 8,000 and 9000\n"
        "\nopened within 90 days\n# or\nand renter\n",
    )
    assert segment.description == "Who reads us. Checked every Monday."
    assert (segment.expected, segment.as_expected(8000), segment.as_expected(9001)) == ((8000, 9000), True, False)
    assert canonical(parse(segment.rule)) == "opened within 90 days and renter is yes"


def test_an_error_points_into_the_file() -> None:
    segment = read_segment("engaged", "# Who reads us.\nexpect 3\r\nopened wthin 90 days\n")
    with pytest.raises(RuleError) as caught:
        parse(segment.rule)
    assert (caught.value.line, caught.value.column) == (3, 8)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("expect many", 'an expectation is written: expect between 8000 and 9000 (segment "s", line 2, column 1)'),
        ("expect between 9 and 8", "the first number of an expectation has to be the smaller one"),
        ("expect 1\nexpect 2", "expect is said twice"),
    ],
)
def test_an_expectation_that_cannot_be_read(line: str, message: str) -> None:
    with pytest.raises(RuleError, match=re.escape(message)):
        read_segment("s", f"# s\n{line}\nrenter")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "bad.segment").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read as text"):
        load_segments(tmp_path)


def test_a_segment_by_its_name_or_a_rule_as_it_is_written() -> None:
    assert named_or_written("Engaged ", STARTERS).name == "engaged"
    assert named_or_written("renter", STARTERS) == Segment("", "renter")


def test_a_folder_that_is_not_there_has_no_segments(tmp_path: Path) -> None:
    assert load_segments(tmp_path / "segments") == {}
