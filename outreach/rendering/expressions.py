"""What a campaign may write between {{ }} and {% %}: fields, fallbacks, conditions. Nothing else.

Jinja's sandbox stops escapes but limits neither time nor memory, so this is an allow-list of node types, filters and
tests: no calls, attributes, subscripts, loops, macros, includes, assignments or arithmetic. What is left can only
grow in proportion to its source, and touches nothing but the plain values it was given.

Conditions are two-valued, as in the rule language: comparing with a missing value is false, `!=` and `not in` are the
exact complements of `==` and `in`, and `district == 3` holds for the text "3".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any, NoReturn

import jinja2
from babel.core import UnknownLocaleError
from babel.dates import format_date
from jinja2 import filters, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from outreach.rendering.errors import ComposeError, MissingValue, Report, TemplateError, did_you_mean, refuse

MAX_SOURCE = 200_000
"""Characters of one template source; ours, about twice what Gmail shows of a message."""

MAX_VALUE = 5_000
"""Characters of one printed value; ours, so that one odd row cannot make a megabyte of mail."""

MAX_CONDITIONS = 10
"""{% if %} inside one another; ours. Python itself allows no more than about 90."""

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.CondExpr,
    nodes.Filter, nodes.Keyword, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not,
    nodes.Neg, nodes.Concat, nodes.List, nodes.Tuple,
)  # fmt: skip
_COMPARED = "compared"
_YES_NO = ("yes", "no", "true", "false")
_SAID: Mapping[type[nodes.Node], str] = {
    nodes.For: "loops are not available in a campaign",
    nodes.Getattr: "a dot is not available: write the field's name alone, as in {{ first_name }}",
    nodes.Getitem: "square brackets are not available: write the field's name alone, as in {{ first_name }}",
    nodes.Call: "functions are not available",
}


class Missing(jinja2.Undefined):
    """A field without a value: false in conditions, replaced by `default`, and an error where it would be printed."""

    __slots__ = ()

    def __str__(self) -> NoReturn:
        raise MissingValue(self._undefined_name or "this expression")

    __hash__ = jinja2.Undefined.__hash__
    __float__ = __int__ = __str__


def missing(field: str) -> Missing:
    return Missing(name=field)


def compared(left: Any, operator: str, right: Any) -> bool:
    """Compare as the rule language does; never raises, whatever the types."""
    if operator in ("ne", "notin"):
        return not compared(left, {"ne": "eq", "notin": "in"}[operator], right)
    if operator == "in":
        choices = right if isinstance(right, list | tuple) else ()
        inside = isinstance(right, str) and isinstance(left, str) and left in right
        return inside or any(compared(left, "eq", choice) for choice in choices)
    if isinstance(left, jinja2.Undefined) or isinstance(right, jinja2.Undefined):
        return False
    if isinstance(left, str) is not isinstance(right, str):
        if operator == "eq":
            return str(left) == str(right)
        try:
            left, right = float(left), float(right)
        except (TypeError, ValueError):
            return False
    try:
        return bool(_OPERATORS[operator](left, right))
    except TypeError:
        return False


_OPERATORS: Mapping[str, Any] = {
    "eq": lambda a, b: a == b,
    "lt": lambda a, b: a < b,
    "gt": lambda a, b: a > b,
    "lteq": lambda a, b: a <= b,
    "gteq": lambda a, b: a >= b,
}


def _join(values: Any, separator: str = ", ") -> str:
    """Join the known ones among a list of fields; a text stays as it is."""
    if not isinstance(values, list | tuple):
        return str(values)
    return separator.join(str(value) for value in values if not isinstance(value, jinja2.Undefined))


def _date_in(language: str) -> Any:
    def formatted(value: Any, style: str = "long") -> Any:
        """A date in the message's language: {{ joined | date }} or {{ joined | date("short") }}."""
        if isinstance(value, jinja2.Undefined):
            return value
        try:
            day = value if isinstance(value, date) else datetime.fromisoformat(str(value)).date()
            return format_date(day, format=style, locale=language.replace("-", "_"))
        except UnknownLocaleError:
            return format_date(day, format=style, locale="en")
        except (ValueError, LookupError):
            raise ComposeError("a value printed as a date is not one") from None

    return formatted


def _of(known: Any) -> Any:
    """A missing value passes through a filter, so that `upper | default("x")` and the error at the end both work."""

    def applied(value: Any, *args: Any, **kwargs: Any) -> Any:
        return value if isinstance(value, jinja2.Undefined) else known(value, *args, **kwargs)

    return applied


FILTERS: Mapping[str, Any] = {
    "default": filters.do_default,
    "upper": _of(filters.do_upper),
    "lower": _of(filters.do_lower),
    "title": _of(filters.do_title),
    "capitalize": _of(filters.do_capitalize),
    "trim": _of(filters.do_trim),
    "round": _of(filters.do_round),
    "length": _of(lambda value: len(str(value))),
    "join": _join,
}
TESTS: Mapping[str, Any] = {
    "defined": lambda value: not isinstance(value, jinja2.Undefined),
    "undefined": lambda value: isinstance(value, jinja2.Undefined),
}


class Sandbox(ImmutableSandboxedEnvironment):
    """A Jinja environment with our filters and tests and no globals."""

    def __init__(self, *, language: str = "en", autoescape: bool = False) -> None:
        super().__init__(undefined=Missing, autoescape=autoescape, keep_trailing_newline=True)
        self.globals = {}
        self.filters = {**FILTERS, "date": _date_in(language), _COMPARED: compared}
        self.tests = dict(TESTS)


_CHECKER = Sandbox()


def parse(source: str, *, place: str, first_line: int = 1) -> nodes.Template:
    """The checked tree of a template source, or TemplateError with its line in the file."""
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"{len(source):,} characters is too long; at most {MAX_SOURCE:,} are possible", place=place)
    try:
        tree = _CHECKER.parse(source)
        _check_nodes(tree, place=place, first_line=first_line)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(str(error.message), place=place, line=first_line + error.lineno - 1) from None
    except RecursionError:
        raise TemplateError("this is nested too deeply", place=place, line=first_line) from None
    return tree


def _check_nodes(tree: nodes.Template, *, place: str, first_line: int) -> None:
    line = 1
    for node in tree.find_all(nodes.Node):
        line = node.lineno or line  # some nodes have none of their own
        _refuse(node, place=place, line=first_line + line - 1)
    if _conditions_deep(tree) > MAX_CONDITIONS:
        raise TemplateError(f"conditions are nested more than {MAX_CONDITIONS} deep", place=place, line=first_line)


def _conditions_deep(node: nodes.Node) -> int:
    below = max((_conditions_deep(child) for child in node.iter_child_nodes()), default=0)
    return below + isinstance(node, nodes.If)


def _refuse(node: nodes.Node, *, place: str, line: int) -> None:
    if not isinstance(node, _ALLOWED):
        kind = type(node)
        problem = _SAID.get(kind, f"{{% {kind.__name__.lower()} %}} is not available in a campaign")
        raise TemplateError(f"{problem}; fields, | default and {{% if %}} are", place=place, line=line)
    if isinstance(node, nodes.Filter) and (node.name not in (*FILTERS, "date") or node.dyn_args or node.dyn_kwargs):
        known = (*FILTERS, "date")
        hint = did_you_mean(node.name, known) or f"; there are {', '.join(sorted(known))}"
        raise TemplateError(f'no filter is called "{node.name}"{hint}', place=place, line=line)
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        raise TemplateError(_no_test(node), place=place, line=line)
    if isinstance(node, nodes.Compare) and len(node.ops) > 1:
        raise TemplateError("compare two things at a time, and join them with `and`", place=place, line=line)
    if isinstance(node, nodes.Name) and (node.ctx != "load" or node.name.startswith("_")):
        raise TemplateError(f'"{node.name}" cannot be used as a name', place=place, line=line)


def _no_test(node: nodes.Test) -> str:
    """Rules say `renter is yes`, so that people write it in a message, too."""
    problem = f'"is {node.name}" is not available'
    if isinstance(node.node, nodes.Name) and node.name in _YES_NO:
        name = node.node.name
        return f"{problem}; write {{% if {name} %}}, and for no: {{% if not {name} %}}"
    return f'{problem}; "is defined" is'


def names(tree: nodes.Template) -> dict[str, int]:
    """Every name a template reads, with the line of its first use (counted from 1)."""
    found: dict[str, int] = {}
    for name in tree.find_all(nodes.Name):
        found.setdefault(name.name, name.lineno)
    return found


def always_says(source: str, name: str) -> bool:
    """Whether a source prints a name to everybody: on its own, and outside every condition."""
    top = (node for node in parse(source, place="template").body if isinstance(node, nodes.Output))
    return any(isinstance(said, nodes.Name) and said.name == name for output in top for said in output.nodes)


def check(
    source: str, *, place: str, known: Collection[str], first_line: int = 1, report: Report = refuse
) -> frozenset[str]:
    """The names a source uses; TemplateError where it is wrong. A field nobody has is reported, which may raise."""
    used = names(parse(source, place=place, first_line=first_line))
    for name, line in used.items():
        if name not in known:
            problem = f'no field is called "{name}"{did_you_mean(name, known)}'
            report(TemplateError(problem, place=place, line=first_line + line - 1))
    return frozenset(used)


class _Normal(NodeTransformer):
    """Constants are put in, comparisons become our own, and a one-armed `x if y` prints nothing when it is false."""

    def __init__(self, constants: Mapping[str, str]) -> None:
        self._constants = constants

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802  # Jinja's visitors are named for nodes
        if node.name in self._constants:
            return nodes.Const(self._constants[node.name], lineno=node.lineno)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        (operand,) = node.ops
        left, right = self.visit(node.expr), self.visit(operand.expr)
        arguments = [nodes.Const(operand.op), right]
        return nodes.Filter(left, _COMPARED, arguments, [], None, None, lineno=node.lineno)

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if node.expr2 is None:
            node.expr2 = nodes.Const("", lineno=node.lineno)
        return node


def tree_for(environment: Sandbox, source: str, constants: Mapping[str, str]) -> nodes.Template:
    """The tree to generate code from: checked again, normalised, bound to `environment`."""
    tree = parse(source, place="compiled template")
    normal: nodes.Template = _Normal(constants).visit(tree)
    normal.set_environment(environment)
    return normal


_DROPPED = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127))


def printed(value: Any) -> str:
    """How a value becomes text, in previews and on the wire alike: control characters dropped, line ends as LF.

    MissingValue or ComposeError for what cannot be printed.
    """
    if isinstance(value, str):
        text = str.__str__(value)
    elif isinstance(value, int | float | date | jinja2.Undefined):
        text = str(value)
    else:
        raise ComposeError(f"a value of type {type(value).__name__} cannot be printed")
    if len(text) > MAX_VALUE:
        raise ComposeError(f"a value has {len(text):,} characters; at most {MAX_VALUE:,} can be printed")
    if not text.isprintable():
        text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_DROPPED)
    return text
