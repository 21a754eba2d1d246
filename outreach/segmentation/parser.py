"""Text into a tree, or one RuleError that shows the place.

Length and depth are looked at before the grammar is: a megabyte of text and five thousand brackets are refused in
milliseconds, and everything that is let through is small enough for the recursion of whoever walks the tree.
Nothing but RuleError is ever raised, whatever the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from lark import Lark
from lark.exceptions import UnexpectedInput

from outreach.segmentation.building import Builder
from outreach.segmentation.elided import bare
from outreach.segmentation.errors import RuleError
from outreach.segmentation.grammar import GRAMMAR
from outreach.segmentation.hints import unexpected
from outreach.segmentation.rules import Rule

MAX_LENGTH = 10_000
"""Characters. The longest rule of a real city that we have seen has 600."""
MAX_DEPTH = 20
"""Brackets and `not`s inside one another. SQLite's own parser gives up near 30 of our levels."""

_NESTING = re.compile(
    # Texts and words as in the grammar; a quote never closed takes the rest of its line, which keeps this linear.
    r"""(?P<skip>"(?:[^"\\\n]|\\.)*(?:"|(?=\n)|\Z)|'(?:[^'\\\n]|\\.)*(?:'|(?=\n)|\Z)
        |[“”„«»][^“”„«»\n]*[“”«»]|[‘’‚][^‘’\n]*[‘’]|\#[^\n]*|\s+)
    |(?P<open>[(\[])|(?P<close>[)\]])|(?P<not>\b(?:not|never)\b|!(?!=))|(?P<other>\w+(?:['’]\w+)*|.)""",
    re.VERBOSE | re.IGNORECASE,
)


def parse(text: str, *, words: Iterable[str] = ()) -> Rule:
    """The tree of a rule.

    `words` are names that exist (fields, topics …): a misspelt one is then recognised even where the sentence
    breaks down. Raises RuleError.
    """
    _guard(text)
    try:
        root = bare(_lark().parse(text))  # type: ignore[arg-type]  # the Builder makes nodes, not lark's trees
    except UnexpectedInput as error:
        raise unexpected(error, text, words=tuple(words)) from None
    except RuleError as error:
        raise error.within(text) from None
    return Rule(root, text)


@cache
def _lark() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", transformer=Builder(), maybe_placeholders=False)


def _guard(text: str) -> None:
    """Refuse what no person would write, before any parser sees it."""
    if len(text) > MAX_LENGTH:
        raise RuleError(
            f"this rule has {len(text):,} characters and {MAX_LENGTH:,} are allowed; name parts of it as segments",
            text=text[: MAX_LENGTH + 1],
            start=MAX_LENGTH,
        )
    for at, character in enumerate(text):
        if character not in "\t\r\n" and unicodedata.category(character) in ("Cc", "Cs", "Cf"):
            shown = f"U+{ord(character):04X}"
            raise RuleError(
                f"there is an invisible character ({shown}) here; type this part again", text=text, start=at
            )
    _measure_depth(text)


def _measure_depth(text: str) -> None:
    depth = row = 0  # brackets open here; `not`s in a row before this word
    held: list[int] = []
    for found in _NESTING.finditer(text):
        kind = found.lastgroup
        if kind == "open":
            held.append(row)
            depth, row = depth + 1 + row, 0
        elif kind == "close" and held:
            depth, row = depth - 1 - held.pop(), 0
        elif kind == "not":
            row += 1
        elif kind != "skip":
            row = 0
        if depth + row > MAX_DEPTH:
            raise RuleError(
                f"brackets and nots are nested more than {MAX_DEPTH} deep; name parts of the rule as segments",
                text=text,
                start=found.start(),
            )
