"""Whole messages in MJML and text: their layouts, their partials, and the languages they are written in."""

from __future__ import annotations

from pathlib import Path

import pytest

from outreach.errors import UsageError
from outreach.rendering.layouts import layout_names, read_template

PAGE = "<mjml>{% block head %}plain{% endblock %}<mj-body>{% block content %}{% endblock %}</mj-body></mjml>"


@pytest.fixture
def folder(tmp_path: Path):
    """Call it with the files of templates/: their paths and texts."""

    def write(**files: str) -> list[Path]:
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return [tmp_path]

    (tmp_path / "_base").mkdir()
    (tmp_path / "_base" / "page.mjml").write_text(PAGE, "utf-8")
    return write


LETTER = {"letter__message_dot_mjml": "<mjml>a</mjml>", "letter__message_dot_txt": "a"}


def test_a_message_is_one_of_the_templates_and_has_both_parts(folder):
    folders = folder(**LETTER)
    assert "letter" in layout_names(folders=folders)
    found = read_template("letter", folders=folders)
    assert (found.mjml, found.text, found.languages) == ("<mjml>a</mjml>", "a", ())


def test_a_frame_is_for_every_language_unless_it_has_one_of_its_own(folder):
    folders = folder(frame__layout_dot_mjml="all", frame__layout_dot_es_dot_mjml="spanish")
    assert read_template("frame", folders=folders, language="de").mjml == "all"
    assert read_template("frame", folders=folders, language="es-MX").mjml == "spanish"
    assert read_template("frame", folders=folders).languages is None


def test_a_language_falls_back_to_the_main_one(folder):
    folders = folder(**LETTER, letter__message_dot_es_dot_mjml="hola", letter__message_dot_es_dot_txt="hola")
    assert read_template("letter", folders=folders, language="es").text == "hola"
    assert read_template("letter", folders=folders, language="es-MX").mjml == "hola"
    assert read_template("letter", folders=folders, language="de").text == "a"
    assert read_template("letter", folders=folders, language="de").languages == ("es",)
    assert read_template("letter", folders=folders, language="es").place == "templates/letter/message.es"


def test_half_a_variant_is_refused(folder):
    folders = folder(**LETTER, letter__message_dot_es_dot_mjml="hola")
    with pytest.raises(UsageError, match=r"templates/letter lacks message\.es\.txt"):
        read_template("letter", folders=folders, language="es")


def test_a_message_fills_the_blocks_of_its_layout(folder):
    folders = folder(
        letter__message_dot_mjml='{% extends "_base/page.mjml" %}\n<!-- a -->\n{% block content %}mine{% endblock %}\n',
        letter__message_dot_txt="x",
    )
    assert read_template("letter", folders=folders).mjml == "<mjml>plain<mj-body>mine</mj-body></mjml>"


def test_a_layout_may_extend_another(folder):
    folders = folder(
        _base__parks_dot_mjml='{% extends "_base/page.mjml" %}{% block head %}green{% endblock %}',
        letter__message_dot_mjml='{% extends "_base/parks.mjml" %}{% block content %}mine{% endblock content %}',
        letter__message_dot_txt="x",
    )
    assert read_template("letter", folders=folders).mjml == "<mjml>green<mj-body>mine</mj-body></mjml>"


def test_text_includes_partials(folder):
    folders = folder(
        letter__message_dot_mjml="x",
        letter__message_dot_txt='Hello\n{% include "_base/foot.txt" %}\n',
        _base__foot_dot_txt="Bye\n",
    )
    assert read_template("letter", folders=folders).text == "Hello\nBye\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('{% extends "_base/pgae.mjml" %}', "no partial in templates/"),
        ('{% extends "../secret.mjml" %}', "no partial in templates/"),
        (
            '{% extends "_base/page.mjml" %}{% block contnet %}x{% endblock %}',
            'no block "contnet"; did you mean "content"',
        ),
        ('{% extends "_base/page.mjml" %}lost{% block content %}x{% endblock %}', '"lost" stands outside the blocks'),
        ('{% extends "letter/message.mjml" %}', "more than 5 deep; does one extend itself"),
        ('{% include "letter/message.mjml" %}', "more than 5 deep; does one include itself"),
    ],
)
def test_a_layout_that_cannot_be_put_together_says_why(source, said, folder):
    folders = folder(letter__message_dot_mjml=source, letter__message_dot_txt="x")
    with pytest.raises(UsageError) as refused:
        read_template("letter", folders=folders)
    assert said in str(refused.value)
