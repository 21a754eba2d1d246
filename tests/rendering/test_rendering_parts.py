"""Parts of a message are written by different people at different times: none reaches into another."""

from __future__ import annotations

import pytest

from outreach.rendering.errors import TemplateError
from outreach.rendering.message import Part, compile_message

FIELDS = ("district", "renter")
QUESTION = "::: question Well?\n- Yes\n- No\n:::\n"


def part(body: str, **more):
    return Part(body=body, when="item_1", place="one.md", first_line=9, **more)


def test_only_who_has_its_field_gets_a_part(write):
    message = compile_message(write(body="Hello.", parts=[part("News.")]), known_fields=FIELDS)
    assert "item_1" in message.fields
    assert "{% if item_1 %}News.\n\n{% endif %}" in message.text
    html = message.html
    assert html.index("{% if item_1 %}") < html.index("News.") < html.index("{% endif %}", html.index("News."))


def test_a_part_has_images_of_its_own(write):
    homes = "https://one.example/{}", "https://two.example/{}"
    parts = [part("![A map](images/map.png)", published=home.format) for home in homes]
    html = compile_message(write(body="Hello.", parts=parts), known_fields=FIELDS).html
    assert [html.count(home.format("images/map.png")) for home in homes] == [1, 1]


@pytest.mark.parametrize(
    ("body", "line"),
    [("Well,\n\n[see](street)", 11), ("Well,\n\n{{ wrad }}", 11), ("{% if renter %}", 9), (QUESTION, None)],
)
def test_a_fault_is_told_where_the_part_was_written(write, body, line):
    with pytest.raises(TemplateError) as told:
        compile_message(write(body="Hello.", parts=[part(body)]), known_fields=FIELDS)
    assert (told.value.place, told.value.line) == ("one.md", line)
