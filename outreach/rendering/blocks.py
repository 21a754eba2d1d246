"""Two blocks that Markdown lacks: columns, and callouts.

    ::: columns                 > [!WARNING]
    What is new                 > The bridge is closed on Monday.
    +++
    What is next
    :::

Columns stand beside each other where there is room and below each other on a phone. A callout is a quote whose first
line says what it is: note, tip, important or warning. Both are ordinary Markdown inside.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore

CALLOUTS: Final = frozenset({"note", "tip", "important", "warning"})
MAX_COLUMNS: Final = 3
"""Side by side; more cannot be read at 600 pixels."""

_OPEN = re.compile(r":::\s*columns\s*")
_CALLOUT = re.compile(r"\[!(\w+)\][ \t]*\n?", re.IGNORECASE)


def extend(parser: MarkdownIt) -> None:
    """Teach a parser both blocks."""
    parser.block.ruler.before("fence", "columns", _columns, {"alt": ["paragraph", "blockquote", "list"]})
    parser.core.ruler.before("inline", "callouts", _callouts)


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]].strip()


def _columns(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A markdown-it block rule; what is not closed, or has too many columns, stays the text it is."""
    if not _OPEN.fullmatch(_line(state, start)):
        return False
    lines = [_line(state, number) for number in range(start + 1, end)]
    if ":::" not in lines:
        return False
    close = start + 1 + lines.index(":::")
    bounds = [start, *(n for n in range(start + 1, close) if _line(state, n) == "+++"), close]
    if len(bounds) - 1 > MAX_COLUMNS:
        return False
    if not silent:
        _tokens(state, start, bounds)
    return True


def _tokens(state: StateBlock, start: int, bounds: list[int]) -> None:
    close, before = bounds[-1], (state.parentType, state.lineMax)
    opening = state.push("columns_open", "table", 1)
    opening.map = [start, close + 1]
    for left, right in pairwise(bounds):
        state.push("column_open", "td", 1).map = [left + 1, right]
        state.lineMax = right
        state.md.block.tokenize(state, left + 1, right)
        state.push("column_close", "td", -1)
    state.push("columns_close", "table", -1)
    state.parentType, state.lineMax = before
    state.line = close + 1


def _callouts(state: StateCore) -> None:
    """A markdown-it core rule: the mark becomes a class of the quote, and its line is no text."""
    for number, token in enumerate(state.tokens[:-2]):
        inline = state.tokens[number + 2]
        if token.type != "blockquote_open" or inline.type != "inline":
            continue
        found = _CALLOUT.match(inline.content)
        if found and found[1].lower() in CALLOUTS:
            token.attrSet("class", found[1].lower())
            inline.content = inline.content[found.end() :]
            if inline.map and found[0].endswith("\n"):
                inline.map = [inline.map[0] + 1, inline.map[1]]
