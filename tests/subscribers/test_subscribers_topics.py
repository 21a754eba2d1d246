"""Topics as files: offered in people's languages, under the class their file states."""

from __future__ import annotations

from pathlib import Path

import pytest

from outreach.errors import UsageError
from outreach.store import preferences, topics
from outreach.store.database import Store
from outreach.subscribers import topic_files
from tests.subscribers.people_files import written

SWEEPING = 'name = "Street sweeping"\ndepartment = "Public Works"\n[names]\nes = "Barrido de calles"\n'
TAXES = 'name = "Property tax"\nclass = "statutory"\n'


def test_people_are_offered_what_the_files_say_and_nothing_else(store: Store, tmp_path: Path) -> None:
    written(tmp_path, "a.toml", SWEEPING)
    written(tmp_path, "b.toml", TAXES)
    with store.write() as connection:
        topics.ensure(connection, ["street  SWEEPING", "Old list 7"])
        assert {topic.name for topic in preferences.offered(connection)} == {"street  SWEEPING", "Old list 7"}
        files = topic_files.load(tmp_path)
        assert topic_files.publish(connection, files) == 2
        assert topic_files.publish(connection, files) == 0
        tax, sweeping = preferences.offered(connection)
        known = topics.find(connection, "Street sweeping")
    assert (tax.name, tax.message_class) == ("Property tax", "statutory")
    assert [sweeping.named(code) for code in ("es-MX", "es", "vi")] == ["Barrido de calles"] * 2 + ["Street sweeping"]
    assert known is not None
    assert known.department_id == 1


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("x", "cannot be read"),
        ("nmae = 'Parks'", "sets 'nmae'"),
        ("class = 'regular'", "has no name"),
        ("name = 'Parks'\nclass = 'urgent'", "it can be regular, statutory, emergency"),
        ("name = 7", "text in quotes"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_what_is_wrong(tmp_path: Path, content: str, wrong: str) -> None:
    written(tmp_path, "bad.toml", content)
    with pytest.raises(UsageError, match=wrong):
        topic_files.load(tmp_path)


def test_two_files_of_one_topic_are_refused(tmp_path: Path) -> None:
    written(tmp_path, "a.toml", TAXES)
    written(tmp_path, "b.toml", "name = 'property TAX'")
    with pytest.raises(UsageError, match="both describe"):
        topic_files.load(tmp_path)
