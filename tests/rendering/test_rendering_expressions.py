from __future__ import annotations

import pytest

from outreach.rendering.errors import ComposeError, MissingValue, TemplateError
from outreach.rendering.expressions import check, compared, missing
from outreach.rendering.preview import Plain

KNOWN = ("first_name", "district", "joined", "ward")


def rendered(source, language="en", **values):
    return Plain(source, html=False, language=language, constants={}).render(
        {name: values.get(name, missing(name)) for name in KNOWN}
    )


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}", "{{ first_name['x'] }}", "{{ lipsum(n=20000) }}", "{{ cycler.__init__ }}",
        "{{ 'a' * 300000000 }}", "{{ '%300000000d' % 1 }}", "{{ first_name.upper() }}", "{{ 2 ** 99 }}",
        "{% for x in first_name %}{% endfor %}", "{% set x = 1 %}", "{% include '/etc/passwd' %}", "{% extends 'x' %}",
        "{% macro m() %}{% endmacro %}", "{% import 'x' as y %}", "{{ ''|attr('__class__') }}",
        "{{ 'x'|center(300000000) }}", "{{ first_name|safe }}", "{{ '{0.x}'|format(1) }}", "{{ self }}",
        "{% filter upper %}x{% endfilter %}", "{{ 1 < 2 < 3 }}", "{{ first_name is none }}",
        "{% block b %}{% endblock %}",
        "{{ [1] * 9 }}", "{{ {'a': 1} }}", "{{ first_name[0:1] }}", "{% if %}", "{{ }}", "{{ _x }}",
        "{% raw %}{% endraw %",
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "x" * 300_000,
        "{% if ward %}" * 11 + "{% endif %}" * 11, "{{ " + "ward or " * 5000 + "ward }}",
    ],
)  # fmt: skip
def test_what_could_escape_loop_or_allocate_is_refused(source):
    with pytest.raises(TemplateError) as refused:
        check(source, place="campaigns/bins.md", known=KNOWN)
    assert str(refused.value).startswith("campaigns/bins.md")


def test_a_misspelt_field_is_named_with_its_line_and_what_was_meant():
    with pytest.raises(TemplateError) as refused:
        check("Hello\n{{ frist_name }}", place="campaigns/bins.md", first_line=7, known=KNOWN)
    assert str(refused.value) == (
        'campaigns/bins.md, line 8: no field is called "frist_name"; did you mean "first_name"?'
    )


def test_a_misspelt_filter_is_named_too():
    with pytest.raises(TemplateError, match='no filter is called "defualt"; did you mean "default"'):
        check("{{ first_name | defualt('x') }}", place="a", known=KNOWN)


@pytest.mark.parametrize("source", ["{% if ward is yes %}x{% endif %}", "{% if ward is not no %}x{% endif %}"])
def test_yes_and_no_as_rules_write_them_are_answered_with_how_messages_do(source):
    with pytest.raises(TemplateError, match=r"write {% if ward %}, and for no: {% if not ward %}$"):
        check(source, place="a", known=KNOWN)


@pytest.mark.parametrize(
    ("source", "values", "expected"),
    [
        ("{{ first_name | default('neighbour') }}", {}, "neighbour"),
        ("{{ first_name | upper | default('x') }}", {}, "x"),
        ("{% if district == 3 %}yes{% else %}no{% endif %}", {"district": "3"}, "yes"),
        ("{% if district in (3, 4) %}yes{% endif %}", {"district": "4"}, "yes"),
        ("{% if district < 10 %}yes{% endif %}", {"district": "9"}, "yes"),
        ("{% if district < 10 %}yes{% endif %}", {}, ""),
        ("{% if district != 3 %}yes{% endif %}", {}, "yes"),
        ("{% if district not in ('3',) %}yes{% endif %}", {}, "yes"),
        ("{% if first_name %}{{ first_name }}{% endif %}", {}, ""),
        ("{% if first_name is defined %}a{% else %}b{% endif %}", {}, "b"),
        ("{{ 'x' if ward }}|", {}, "|"),
        ("{{ joined | date }}", {"joined": "2026-11-03"}, "November 3, 2026"),
        ("{{ [district, ward, first_name] | join(', ') }}", {"district": "3", "first_name": "Ada"}, "3, Ada"),
        ("{{ first_name }}", {"first_name": "{{ 7*7 }}"}, "{{ 7*7 }}"),
        ("{{ first_name | length }}", {"first_name": "Ada"}, "3"),
    ],
)
def test_fields_fallbacks_and_conditions(source, values, expected):
    assert rendered(source, **values) == expected


def test_a_date_speaks_the_language_of_the_message():
    assert rendered("{{ joined | date }}", language="es", joined="2026-11-03") == "3 de noviembre de 2026"
    assert rendered("{{ joined | date }}", language="xx-none", joined="2026-11-03") == "November 3, 2026"


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("{{ joined | date }}", {"joined": "soon"}),
        ("{{ ward }}", {"ward": ["a"]}),
        ("{{ ward }}", {"ward": "x" * 6000}),
    ],
)
def test_a_value_that_cannot_be_printed_is_that_persons_error(source, values):
    with pytest.raises(ComposeError):
        rendered(source, **values)


@pytest.mark.parametrize("source", ["{{ ward }}", "{{ ward | upper }}", "a {{ ward ~ 'x' }}", "{{ ward | date }}"])
def test_printing_a_missing_value_names_the_field(source):
    with pytest.raises(MissingValue, match='no value for "ward"'):
        rendered(source)


@pytest.mark.parametrize("operator", ["eq", "lt", "gt", "lteq", "gteq", "in"])
def test_comparing_with_something_missing_is_false(operator):
    assert not compared(missing("ward"), operator, "3")
    assert not compared("x", operator, missing("ward"))
