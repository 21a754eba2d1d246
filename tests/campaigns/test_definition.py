"""Campaign files: what stands there is taken as it stands, and each mistake is named with its line."""

from pathlib import Path

import pytest

from outreach.campaigns.definition import CampaignError, load

GOOD = """\
---
subject: Bin #3 moves: what to do
to: topic is "Waste" and district in (3, 4)
topic: Waste
from: Public Works <works@city.example>
---
Hello {{ first_name }}.
"""


def write(folder: Path, text: str, name: str = "bins.md") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_the_rest_of_the_line_is_the_value(tmp_path: Path) -> None:
    main = load(write(tmp_path, GOOD), default_language="en")["en"]
    assert (main.subject, main.to_line, main.body_line) == ("Bin #3 moves: what to do", 3, 7)
    assert str(main.sender) == "Public Works <works@city.example>"
    assert main.body == "Hello {{ first_name }}.\n"


def test_a_translation_needs_only_what_differs(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    write(tmp_path, "---\nsubject: El contenedor n.º 3\n---\nHola.\n", "bins.es.md")
    write(tmp_path, GOOD, "bins-more.md")
    found = load(path, default_language="en")
    assert list(found) == ["en", "es"]
    assert (found["es"].to, found["es"].subject) == (found["en"].to, "El contenedor n.º 3")


def test_whom_to_reach_is_decided_in_the_main_file_alone(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    write(tmp_path, "---\nsubject: Hola\nto: everyone\n---\nHola.\n", "bins.es.md")
    assert load(path, default_language="en")["es"].to == 'topic is "Waste" and district in (3, 4)'


@pytest.mark.parametrize(("main", "other", "line"), [("", "yes", 3), ("drill: yes\n", "no", 3)])
def test_no_language_reads_of_a_drill_where_another_reads_of_an_alarm(
    tmp_path, main: str, other: str, line: int
) -> None:
    path = write(tmp_path, GOOD.replace("---\nHello", f"{main}---\nHello"))
    write(tmp_path, f"---\nsubject: Hola\ndrill: {other}\n---\nHola.\n", "bins.es.md")
    with pytest.raises(CampaignError, match=rf"bins\.es\.md, line {line}: drill is {other} here"):
        load(path, default_language="en")
    found: list[CampaignError] = []
    read = load(path, default_language="en", report=found.append)
    assert len(found) == 1
    assert read["es"].drill is read["en"].drill is bool(main)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("subject: Bin #3 moves: what to do\n", ""), "lacks `subject:`"),
        (GOOD.replace("subject:", "subjct:"), "line 2: .*did you mean `subject:`"),
        (GOOD.replace("---\n", "", 1), "must begin with a line of three dashes"),
        (GOOD.replace("---\nHello", "Hello"), "is no field of a campaign|front matter is not closed"),
        (
            GOOD.replace("topic: Waste\n", "topic: Waste\ntopic: Parks\n"),
            "line 5: `topic:` stands there twice .first in line 4",
        ),
        (GOOD.replace("works@city.example", "works"), "line 5: `from:`"),
        (GOOD.replace("---\nHello", "attachment: plan.pdf\n---\nHello"), "line 6: `attachment:` a file is never sent"),
        (GOOD.replace("---\nHello", "in_doubt: maybe\n---\nHello"), "in_doubt can be hold or resend"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CampaignError, match=message):
        load(write(tmp_path, text), default_language="en")


def test_a_misspelt_file_gets_a_suggestion(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(CampaignError, match=r"did you mean .*bins\.md"):
        load(tmp_path / "bnis.md", default_language="en")


def test_a_file_that_is_not_utf_8_says_so(tmp_path: Path) -> None:
    path = tmp_path / "bins.md"
    path.write_bytes(GOOD.encode().replace(b"Hello", b"Gr\xfc\xdfe"))
    with pytest.raises(CampaignError, match="not UTF-8"):
        load(path, default_language="en")
