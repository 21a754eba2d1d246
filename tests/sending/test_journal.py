"""The journal: what it says after a crash, wherever the crash tore it."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from outreach.sending.journal import Entry, Journal, read
from outreach.sending.outcomes import Verb


def filled(folder: Path) -> Journal:
    journal = Journal(folder / "1.journal")
    journal.sending(7, 1)
    journal.answered(7, 1, Verb.DOT, "250 2.0.0 ok")
    journal.sending(7, 2)
    journal.answered(7, 3, Verb.RCPT, "550 5.1.1 no\r\nsuch user")
    journal.flush()
    return journal


def test_the_last_word_about_each_delivery(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    assert read(journal.path) == {
        (7, 1): Entry("250 2.0.0 ok"),
        (7, 2): Entry(None),
        (7, 3): Entry("550 5.1.1 no such user", Verb.RCPT),
    }


def test_an_answer_not_yet_written_leaves_the_delivery_in_doubt(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "1.journal")
    journal.sending(7, 1)
    journal.answered(7, 1, Verb.DOT, "250 ok")
    assert read(journal.path) == {(7, 1): Entry(None)}


def test_every_prefix_is_a_journal_that_says_no_more_than_was_written(tmp_path: Path) -> None:
    whole = filled(tmp_path)
    content, expected = whole.path.read_bytes(), read(whole.path)
    torn = tmp_path / "torn.journal"
    for length in range(len(content)):
        torn.write_bytes(content[:length])
        for key, entry in read(torn).items():
            assert entry in (expected[key], Entry(None))


@given(st.binary(max_size=200), st.integers(0, 200))
def test_damage_is_never_believed(tmp_path_factory, junk: bytes, where: int) -> None:
    path = tmp_path_factory.mktemp("journal") / "damaged.journal"
    path.write_bytes(b"S 7 1 " + junk + b"\n" + junk[:where])
    assert read(path) == {}


def test_a_fresh_start_keeps_only_what_is_on_the_wire(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    journal.restart([(7, 2)])
    journal.sending(7, 4)
    assert read(journal.path) == {(7, 2): Entry(None), (7, 4): Entry(None)}
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_journal_says_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / "none.journal") == {}
