"""The two ways rendering can refuse: the template is wrong for everybody, or one person's data is."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias

from outreach.errors import Blocked, OutreachError

if TYPE_CHECKING:
    from collections.abc import Iterable


class TemplateError(Blocked):
    """A campaign, layout or template cannot be compiled. Nobody gets it until its author mends it."""

    def __init__(self, problem: str, *, place: str, line: int | None = None) -> None:
        self.problem, self.place, self.line = problem, place, line
        where = place if line is None else f"{place}, line {line}"
        super().__init__(f"{where}: {problem}")


Report: TypeAlias = Callable[[TemplateError], None]
"""Who is told of a fault that need not end the compilation: `refuse`, or a gate that collects them all."""


def refuse(error: TemplateError) -> None:
    raise error


class ComposeError(OutreachError):
    """One person's message cannot be made; the others are not concerned. The text never holds their data."""


class MissingValue(ComposeError):
    """A field is printed, this person has no value for it, and the template offers no fallback."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(
            f'there is no value for "{field}"; write {{{{ {field} | default("…") }}}},'
            f" or put it inside {{% if {field} %}}"
        )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "district"?`, or nothing when no known word is near."""
    near = get_close_matches(word, sorted(known), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""
