"""Rules that can choose nobody because one field is asked for two values at once: `district is 2 and district is 4`."""

from __future__ import annotations

from collections.abc import Iterator

from outreach.segmentation.errors import RuleError
from outreach.segmentation.parser import parse
from outreach.segmentation.rules import And, Compare, Node, Not, Or


def two_values(rule: str) -> str:
    """What to write instead; empty for a rule that asks no field for two values, or that cannot be read.

    To be said only when the rule chose nobody: `or` beside it may choose people all the same.
    """
    try:
        root = parse(rule).root
    except RuleError:
        return ""
    for node in _joined(root):
        asked: dict[str, dict[str, str]] = {}
        for part in node.parts:
            if isinstance(part, Compare) and part.comparison == "is":
                asked.setdefault(part.field.text.casefold(), {})[part.value.text.casefold()] = _written(part)
        for name, values in asked.items():
            if len(values) > 1:
                return f"nobody has two values of {name} at once; write {name} in ({', '.join(values.values())})"
    return ""


def _joined(node: Node) -> Iterator[And]:
    if isinstance(node, And):
        yield node
    if isinstance(node, And | Or):
        for part in node.parts:
            yield from _joined(part)
    elif isinstance(node, Not):
        yield from _joined(node.part)


def _written(part: Compare) -> str:
    return f'"{part.value.text}"' if part.value.kind == "text" else part.value.text
